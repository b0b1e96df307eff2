//! Sequences of tokens in memory.

use burn::tensor::{Device, Int, Tensor, TensorData};
use gradspectra_data::{Tokens, Windows};
use gradspectra_models::{Examples, Facts, Sequences};

use super::made_up;
use crate::error::Result;

/// What a data set of sequences loads.
pub(super) type BoxedSequences = Box<dyn Examples<Batch = Sequences>>;

/// Examples of `length` tokens, each with the one that follows it.
pub(super) enum InMemory {
    /// Cut from one sequence.
    Windows(Windows),
    /// Each on its own.
    Rows {
        length: usize,
        inputs: Tokens,
        /// -1 where none is to be predicted.
        targets: Vec<i32>,
    },
}

impl InMemory {
    fn length(&self) -> usize {
        match self {
            Self::Windows(windows) => windows.length(),
            Self::Rows { length, .. } => *length,
        }
    }
}

impl Examples for InMemory {
    type Batch = Sequences;

    fn len(&self) -> usize {
        match self {
            Self::Windows(windows) => windows.len(),
            Self::Rows { length, targets, .. } => targets.len() / length,
        }
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Sequences {
        let shape = [indices.len(), self.length()];
        let (mut inputs, mut targets) = (Vec::with_capacity(shape[0] * shape[1]), Vec::new());
        for &index in indices {
            let index = index as usize;
            match self {
                Self::Windows(windows) => {
                    inputs.extend(windows.inputs(index).map(|token| token as i32));
                    targets.extend(windows.targets(index).map(|token| token as i32));
                }
                Self::Rows { length, inputs: all, targets: followers } => {
                    let places = index * length..(index + 1) * length;
                    inputs.extend(all.at(places.clone()).map(|token| token as i32));
                    targets.extend_from_slice(&followers[places]);
                }
            }
        }
        let tensor = |tokens| Tensor::<2, Int>::from_data(TensorData::new(tokens, shape), device);
        Sequences { inputs: tensor(inputs), targets: tensor(targets) }
    }
}

/// Made-up sequences as those of which `facts` are known.
pub(super) fn specimen(facts: &Facts) -> Result<BoxedSequences> {
    const COUNT: usize = 4;
    let length = facts.features();
    let tokens = made_up().map(|number| number % facts.targets as u32).take(COUNT * length + 1);
    Ok(Box::new(InMemory::Windows(Windows::new(Tokens::of(facts.targets, tokens), length)?)))
}
