//! A user's own numbers to predict.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use gradspectra_data::Split;
use gradspectra_files::counted;
use gradspectra_models::{Examples, Facts, Regression};
use serde::{Deserialize, Serialize};

use super::arrays::{array, float32, shape};
use super::{both, made_up, titled};
use crate::error::{Error, Result};
use crate::subject::source::{BoxError, DataSource};

/// Inputs and the numbers to predict from them in `.npy` files, as an experiment file writes them:
/// `data-set = { kind = "regression", inputs = "x.npy", targets = "y.npy" }`. Numbers are taken as they are, bytes too.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::subject) struct RegressionFiles {
    /// Numbers `[N, …]`, the shape of one input after the first side; `[N]` is one number an input.
    inputs: PathBuf,
    /// Numbers `[N]` or `[N, outputs]`.
    targets: PathBuf,
    /// Inputs to test a trained network on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_inputs: Option<PathBuf>,
    /// Their targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_targets: Option<PathBuf>,
    /// The name as tables show it; that of the inputs' file without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
}

const INPUTS: &str = "numbers of shape [N] or [N, …], one input or more";
const TARGETS: &str = "numbers of shape [N] or [N, outputs], one target an input";

/// The number of examples in the files of inputs and targets, the shape of one input and the number of outputs.
fn shapes([inputs, targets]: [&Path; 2]) -> Result<(usize, Vec<usize>, usize)> {
    let refused =
        |path, shape: &[usize], expected| Err(Error::malformed(path, format!("an array of shape {shape:?}"), expected));
    let (of_inputs, of_targets) = (shape(inputs, INPUTS)?, shape(targets, TARGETS)?);
    let input = match &of_inputs[..] {
        [_] => vec![1],
        [_, input @ ..] => input.to_vec(),
        [] => vec![],
    };
    if of_inputs.is_empty() || of_inputs.contains(&0) {
        return refused(inputs, &of_inputs, INPUTS);
    }
    let outputs = match of_targets[..] {
        [_] => 1,
        [_, outputs] if outputs > 0 => outputs,
        _ => return refused(targets, &of_targets, TARGETS),
    };
    if of_inputs[0] != of_targets[0] {
        let found = format!("{} for {}", counted(of_targets[0], "targets"), counted(of_inputs[0], "inputs"));
        return Err(Error::malformed(targets, found, format!("one target an input of {}", inputs.display())));
    }
    Ok((of_inputs[0], input, outputs))
}

impl RegressionFiles {
    fn test(&self) -> Result<Option<[&Path; 2]>> {
        both([&self.test_inputs, &self.test_targets], ["test-inputs", "test-targets"])
    }

    fn facts_of_files(&self) -> Result<Facts> {
        let (examples, input_shape, targets) = shapes([&self.inputs, &self.targets])?;
        if let Some(paths) = self.test()? {
            let (_, input, outputs) = shapes(paths)?;
            if input != input_shape {
                let expected = format!("{input_shape:?}, as for training");
                return Err(Error::malformed(paths[0], format!("inputs of {input:?}"), expected));
            }
            if outputs != targets {
                let expected = format!("{}, as for training", counted(targets, "outputs"));
                return Err(Error::malformed(paths[1], counted(outputs, "outputs"), expected));
            }
        }
        Ok(Facts { input_shape, targets, examples })
    }

    fn examples(&self, split: Split) -> Result<Option<InMemory>> {
        let facts = self.facts_of_files()?;
        let [inputs, targets]: [&Path; 2] = match split {
            Split::Train => [&self.inputs, &self.targets],
            Split::Test => match self.test()? {
                Some(paths) => paths,
                None => return Ok(None),
            },
        };
        let numbers = |path, expected, size| float32(path, array(path, expected)?.1, size, "scale them");
        let sizes = [facts.features(), facts.targets];
        let (inputs, targets) = (numbers(inputs, INPUTS, sizes[0])?, numbers(targets, TARGETS, sizes[1])?);
        Ok(Some(InMemory { sizes, inputs, targets }))
    }
}

impl DataSource for RegressionFiles {
    type Batch = Regression;

    fn title(&self) -> String {
        titled(&self.title, &self.inputs)
    }

    fn facts(&self) -> Result<Facts, BoxError> {
        Ok(self.facts_of_files()?)
    }

    fn load(&self, split: Split) -> Result<Option<Box<dyn Examples<Batch = Regression>>>, BoxError> {
        Ok(self.examples(split)?.map(|examples| Box::new(examples) as Box<dyn Examples<Batch = Regression>>))
    }

    fn specimen(&self) -> Result<Box<dyn Examples<Batch = Regression>>, BoxError> {
        /// Numbers from -1 to 1.
        const HALF: f32 = (1 << 23) as f32;
        const COUNT: usize = 4;
        let facts = self.facts_of_files()?;
        let sizes = [facts.features(), facts.targets];
        let mut numbers = made_up().map(|number| number as f32 / HALF - 1.0);
        let [inputs, targets] = sizes.map(|size| numbers.by_ref().take(COUNT * size).collect());
        Ok(Box::new(InMemory { sizes, inputs, targets }))
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let Self { inputs, targets, test_inputs, test_targets, .. } = self;
        [inputs, targets].into_iter().chain(test_inputs).chain(test_targets).collect()
    }
}

/// Inputs and targets in memory.
struct InMemory {
    /// The numbers in an input and in a target.
    sizes: [usize; 2],
    inputs: Vec<f32>,
    targets: Vec<f32>,
}

impl Examples for InMemory {
    type Batch = Regression;

    fn len(&self) -> usize {
        self.targets.len() / self.sizes[1]
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Regression {
        let tensor = |all: &[f32], size: usize| {
            let of = |&index: &u32| all[index as usize * size..][..size].iter().copied();
            let numbers: Vec<f32> = indices.iter().flat_map(of).collect();
            Tensor::<2>::from_data(TensorData::new(numbers, [indices.len(), size]), device)
        };
        Regression { inputs: tensor(&self.inputs, self.sizes[0]), targets: tensor(&self.targets, self.sizes[1]) }
    }
}
