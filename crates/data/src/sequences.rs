//! Texts and other sequences of tokens, and the examples that they are cut into.

pub(crate) mod characters;
pub(crate) mod tokens;
pub(crate) mod windows;

#[cfg(test)]
mod tests;
