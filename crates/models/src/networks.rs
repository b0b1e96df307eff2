//! The networks, one a file.

pub(crate) mod fcn;
pub(crate) mod lenet;
pub(crate) mod resnet18;
