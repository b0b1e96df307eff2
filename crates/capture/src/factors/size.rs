use std::fmt;
use std::ops::Range;

/// Parameters of a block, about; twice as many where each is a sum over positions.
pub(super) const BLOCK: usize = 8192;

/// The sizes of a layer whose gradients are captured as factors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerSize {
    /// Its parameters but for a bias that is the second factor.
    weight: usize,
    /// The parameters that are not taken apart.
    row: usize,
    /// The others.
    bias: usize,
    /// The numbers in an example's factors.
    pub factors: usize,
    /// How the inner products of the gradients of single examples are formed.
    pub way: PlainWay,
}

/// How the inner products of the gradients of single examples with respect to a layer are formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlainWay {
    /// Of gradients a δᵀ: as products of those of a and of δ, of this many numbers.
    Outer {
        /// The numbers of δ.
        deltas: usize,
    },
    /// Of gradients Σ a_l δ_lᵀ: as sums over pairs of positions of products of those of a_l and of δ_l.
    Pairs {
        /// The positions of an example.
        positions: usize,
    },
    /// From the gradients, formed in blocks of parameters.
    Blocks {
        /// The positions of an example, 1 where the gradients themselves are held.
        positions: usize,
    },
    /// By the rows of a table that two examples have in common.
    Matches {
        /// The positions of an example.
        positions: usize,
    },
}

impl fmt::Display for PlainWay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outer { .. } => write!(formatter, "outer products"),
            Self::Pairs { positions } => write!(formatter, "pairs of {positions} positions"),
            Self::Blocks { positions: 1 } => write!(formatter, "gradients"),
            Self::Blocks { positions } => write!(formatter, "sums over {positions} positions"),
            Self::Matches { positions } => write!(formatter, "matches of {positions} rows"),
        }
    }
}

impl LayerSize {
    /// The size of Burn's `Linear` on one row an example, with a bias.
    pub fn linear(inputs: usize, outputs: usize) -> Self {
        Self::products([inputs, outputs], outputs, 1, true)
    }

    /// The size of a weight of `sides` inputs and outputs at `positions` positions, stored in rows of `row`.
    pub(super) fn products(sides: [usize; 2], row: usize, positions: usize, bias: bool) -> Self {
        let [inputs, outputs] = sides;
        let weight = inputs * outputs;
        let factors = positions * (inputs + outputs);
        let way = match positions {
            1 => PlainWay::Outer { deltas: outputs },
            _ if positions * factors < weight => PlainWay::Pairs { positions },
            _ => PlainWay::Blocks { positions },
        };
        Self { weight, row, bias: if bias { outputs } else { 0 }, factors, way }
    }

    /// The size of a table of `rows` × `width` of which an example looks up a row at each position.
    pub(super) fn lookup(rows: usize, width: usize, positions: usize) -> Self {
        let factors = positions * (width + 1);
        Self { weight: rows * width, row: width, bias: 0, factors, way: PlainWay::Matches { positions } }
    }

    /// The size of a layer whose factor is the gradient.
    pub fn explicit(parameters: usize) -> Self {
        let way = PlainWay::Blocks { positions: 1 };
        Self { weight: parameters, row: 1, bias: 0, factors: parameters, way }
    }

    /// Its entries of a gradient.
    pub fn parameters(&self) -> usize {
        self.weight + self.bias
    }

    /// The numbers of f32 that would fill what is held beside the factors while the inner products of the gradients of
    /// `iterations` examples are formed, in f32 or again in f64.
    pub fn copies(&self, iterations: usize) -> usize {
        match self.way {
            // The factors in f64 and in f32, then in f64 the mean gradient and its products.
            PlainWay::Outer { deltas } => {
                let exact = 2 * self.factors * iterations;
                exact + (self.factors * iterations).max(2 * (deltas * iterations + self.weight))
            }
            // Tiles of columns, and the mean gradient in f64.
            PlainWay::Pairs { .. } => 2 * self.weight + 2 * iterations + TILES * self.factors,
            // The gradients in f32 and in f64.
            PlainWay::Blocks { .. } if self.is_added_at_once() => 3 * self.factors * iterations,
            // The layer's sum in f64, a block in f32 or a half of it in f64, and its product.
            PlainWay::Blocks { .. } => (self.largest_block() + self.row + 3 * iterations) * iterations,
            // The layer's sum in f64, the gradients of a row in f64 and f32, their product, and where each row is looked up.
            PlainWay::Matches { .. } => (3 * self.row + 5 * iterations + LOOKUP * self.factors / self.row) * iterations,
        }
    }

    /// Whether the inner products of single examples are one number a pair before they are added to those of other layers.
    pub(super) fn is_added_at_once(&self) -> bool {
        match self.way {
            PlainWay::Outer { .. } | PlainWay::Pairs { .. } => true,
            PlainWay::Blocks { positions } => positions == 1 && self.weight <= BLOCK,
            PlainWay::Matches { .. } => false,
        }
    }

    /// Multiply-adds of a pair of single examples, and of an example to form what the pairs are formed of.
    pub fn plain_cost(&self) -> [u64; 2] {
        let (weight, factors) = (self.weight as u64, self.factors as u64);
        match self.way {
            PlainWay::Outer { .. } => [factors, 0],
            PlainWay::Pairs { positions } => [positions as u64 * factors, 0],
            PlainWay::Blocks { positions: 1 } => [weight, 0],
            PlainWay::Blocks { positions } => [weight, positions as u64 * weight],
            PlainWay::Matches { .. } => [factors, 0],
        }
    }

    /// Multiply-adds to form the gradient of an example.
    pub fn gradient_cost(&self) -> u64 {
        match self.way {
            PlainWay::Outer { .. } | PlainWay::Blocks { positions: 1 } => self.parameters() as u64,
            PlainWay::Pairs { positions } | PlainWay::Blocks { positions } => (positions * self.weight) as u64,
            PlainWay::Matches { .. } => self.factors as u64,
        }
    }

    /// The parameters of its largest block.
    pub fn largest_block(&self) -> usize {
        self.step().min(self.weight).max(self.bias)
    }

    /// Parameters of a block of whole rows of the weight.
    fn step(&self) -> usize {
        let block = match self.way {
            PlainWay::Blocks { positions: 2.. } => 2 * BLOCK,
            _ => BLOCK,
        };
        self.row * (block / self.row).max(1)
    }

    /// A block in two, of whole rows of the weight.
    pub(super) fn halves(&self, block: Range<usize>) -> Vec<Range<usize>> {
        let row = if block.start < self.weight { self.row } else { 1 };
        let half = (block.len() / row).div_ceil(2).max(1) * row;
        block.clone().step_by(half).map(|start| start..(start + half).min(block.end)).collect()
    }

    /// Its parameters in blocks of about 8192 or twice as many, counted from its first: whole rows of the weight, the bias on its own.
    pub fn blocks(&self) -> Vec<Range<usize>> {
        let step = self.step();
        let weight = (0..self.weight).step_by(step).map(|start| start..(start + step).min(self.weight));
        let bias = (self.bias > 0).then_some(self.weight..self.parameters());
        weight.chain(bias).collect()
    }
}

/// The numbers that tell where a row of a table is looked up.
const LOOKUP: usize = 3;
/// Examples whose factors are held in f64 in tiles, at most.
const TILES: usize = 4 * 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_block_is_the_largest_of_all() {
        for (inputs, outputs) in [(1, 1), (6, 20_000), (20_000, 6), (784, 10), (300, 8192), (2, 8193), (1, 100_000)] {
            let size = LayerSize::linear(inputs, outputs);
            let largest = size.blocks().iter().map(Range::len).max();
            assert_eq!(Some(size.largest_block()), largest, "{inputs}, {outputs}");
        }
        assert_eq!(LayerSize::explicit(10_000).largest_block(), BLOCK);
        assert_eq!(LayerSize::explicit(7).largest_block(), 7);
    }
}
