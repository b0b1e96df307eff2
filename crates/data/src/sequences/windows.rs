use crate::{
    error::{Result, invalid},
    sequences::tokens::Tokens,
};

/// A sequence of tokens cut into examples: example i is the `length` tokens from place i · `length` on, each with the token
/// that follows it.
///
/// The windows do not overlap, so that no token is an input of two examples and examples differ as far as the text does; what
/// is left at the end is no example. (nanoGPT draws windows that begin anywhere: there each token is in many.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Windows {
    tokens: Tokens,
    length: usize,
}

impl Windows {
    /// The windows of `tokens`.
    ///
    /// # Errors
    ///
    /// `length` is 0, or there are too few tokens for one window.
    pub fn new(tokens: Tokens, length: usize) -> Result<Self> {
        if length == 0 {
            return Err(invalid("length", length, "at least 1"));
        }
        match Self::count(tokens.len(), length) {
            0 => Err(invalid("the number of tokens", tokens.len(), format!("more than the length, {length}"))),
            _ => Ok(Self { tokens, length }),
        }
    }

    /// How many windows of `length`, at least 1, a sequence of `tokens` has.
    pub fn count(tokens: usize, length: usize) -> usize {
        tokens.saturating_sub(1) / length
    }

    /// The number of examples.
    #[expect(clippy::len_without_is_empty, reason = "there is at least one example")]
    pub fn len(&self) -> usize {
        Self::count(self.tokens.len(), self.length)
    }

    /// The number of tokens in an example.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The tokens of an example.
    ///
    /// # Panics
    ///
    /// If `example` is not less than [`len`](Self::len).
    pub fn inputs(&self, example: usize) -> impl Iterator<Item = u32> + '_ {
        self.from(example * self.length)
    }

    /// The token that follows each of an example's.
    ///
    /// # Panics
    ///
    /// If `example` is not less than [`len`](Self::len).
    pub fn targets(&self, example: usize) -> impl Iterator<Item = u32> + '_ {
        self.from(example * self.length + 1)
    }

    fn from(&self, place: usize) -> impl Iterator<Item = u32> + '_ {
        self.tokens.at(place..place + self.length)
    }
}
