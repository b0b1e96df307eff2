//! The data sets, one a file.

pub(crate) mod avila;
pub(crate) mod cifar;
pub(crate) mod mnist;
pub(crate) mod shakespeare;
