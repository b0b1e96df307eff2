use std::ops::Range;

/// A sequence of tokens, in two bytes each where its vocabulary is small enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens(Held);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Held {
    Two(Vec<u16>),
    Four(Vec<u32>),
}

impl Tokens {
    /// None yet, of a vocabulary of this size.
    pub fn within(vocabulary: usize) -> Self {
        Self(if vocabulary <= 1 << 16 { Held::Two(Vec::new()) } else { Held::Four(Vec::new()) })
    }

    /// Those of `tokens`, all below `vocabulary`.
    pub fn of(vocabulary: usize, tokens: impl IntoIterator<Item = u32>) -> Self {
        let mut held = Self::within(vocabulary);
        tokens.into_iter().for_each(|token| held.push(token));
        held
    }

    /// Appends `token`.
    ///
    /// # Panics
    ///
    /// If it is beyond the vocabulary by so much that it does not fit.
    pub fn push(&mut self, token: u32) {
        match &mut self.0 {
            Held::Two(tokens) => tokens.push(token.try_into().expect("tokens are below the vocabulary's size")),
            Held::Four(tokens) => tokens.push(token),
        }
    }

    /// Makes room for `count` more.
    pub fn reserve(&mut self, count: usize) {
        match &mut self.0 {
            Held::Two(tokens) => tokens.reserve_exact(count),
            Held::Four(tokens) => tokens.reserve_exact(count),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Two(tokens) => tokens.len(),
            Held::Four(tokens) => tokens.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens at some places.
    ///
    /// # Panics
    ///
    /// If a place is not less than [`len`](Self::len).
    pub fn at(&self, places: Range<usize>) -> impl Iterator<Item = u32> + '_ {
        let (two, four): (&[u16], &[u32]) = match &self.0 {
            Held::Two(tokens) => (&tokens[places], &[]),
            Held::Four(tokens) => (&[], &tokens[places]),
        };
        two.iter().map(|&token| token.into()).chain(four.iter().copied())
    }
}
