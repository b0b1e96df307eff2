//! G at a position, whole or in blocks of rows, and its Gram matrix.

use std::collections::BTreeMap;
use std::ops::Range;

use faer::Mat;
use gradspectra_capture::{
    CaptureError, ExampleFactors, GramBuilder, LayerSize, MinibatchIndices, ParameterLayout, Precision, Trajectory,
    direct_block, to_updates,
};
use gradspectra_experiment::{Analysis, Vectors};
use gradspectra_models::Model;

use super::{Captured, Drawn};
use crate::error::Result;
use crate::estimate::memory::{LEAST_ROWS, Sizes};
use crate::minibatches;
use crate::schedule::task::Task;
use crate::subject::fit::measured_of;

impl<M: Model> Captured<'_, M> {
    pub(super) fn draw(&self, task: &Task) -> Result<Drawn> {
        let examples = self.examples.len();
        let (indices, batch) = minibatches::of_row(&task.row, task.own_seed(), examples)?;
        Ok(Drawn { indices, batch, examples })
    }

    /// Captures the factors of the parameters `wanted` for `task`, where its vectors come of factors, with those that the
    /// other tasks need where the memory holds all.
    pub(super) fn capture_factors(&mut self, task: &Task, wanted: Range<usize>) -> Result<()> {
        if !self.is_factored(task) || self.holds(task, &wanted) {
            return Ok(());
        }
        self.factors = None;
        self.held = self.needed()?;
        if !self.holds(task, &wanted) {
            let all = 0..self.parameters();
            let everything = self.tasks.iter().map(|task| (task.vectors_key(), vec![all.clone()]));
            self.held = everything.collect();
        }
        if self.bytes_of_factors()? > self.factor_room {
            self.held = BTreeMap::from([(task.vectors_key(), vec![wanted])]);
        }
        let needed = self.examples_of_held()?;
        let parameters: Vec<_> = self.held.values().flatten().cloned().collect();
        let step = self.reporter.step("gradients of examples", needed.len() as u64);
        let progress = |done: usize| step.at(done as u64);
        let (model, examples, device) = (self.model, self.examples, self.device);
        let factors = ExampleFactors::capture_parameters(model, examples, &needed, &parameters, device, progress);
        self.timings.examples += step.finish();
        match factors {
            Ok(factors) => self.factors = Some(factors),
            Err(CaptureError::NotFactored(reason)) => {
                self.reporter.line(format!("  every minibatch takes a backward pass: {reason}"));
                self.unfactored = Some(reason);
                self.at_hand.clear();
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Captures the factors of the first pass over the parameters `wanted`, which tells whether the gradients come of such.
    pub(super) fn try_factors(&mut self, task: &Task, wanted: Range<usize>) -> Result<()> {
        match self.passes(task, wanted)?.into_iter().next() {
            Some(first) => self.capture_factors(task, first),
            None => Ok(()),
        }
    }

    /// The examples of the tasks whose factors are held, ascending.
    fn examples_of_held(&self) -> Result<Vec<u32>> {
        let mut needed = vec![false; self.examples.len()];
        for task in self.tasks.iter().filter(|task| self.held.contains_key(&task.vectors_key())) {
            self.draw(task)?.indices.iter().for_each(|&index| needed[index as usize] = true);
        }
        Ok((0..self.examples.len() as u32).filter(|&index| needed[index as usize]).collect())
    }

    /// The bytes of the factors that are to be held.
    fn bytes_of_factors(&self) -> Result<u64> {
        let Some(task) = self.tasks.first() else { return Ok(0) };
        let overlaps = |layer: &Range<usize>| {
            self.held.values().flatten().any(|held| held.start < layer.end && layer.start < held.end)
        };
        let layers = layers_of(task).into_iter().filter(|(layer, _)| overlaps(layer));
        let numbers: usize = layers.map(|(_, size)| size.factors).sum();
        Ok((size_of::<f32>() * numbers * self.examples_of_held()?.len()) as u64)
    }

    /// The parameters `wanted` of `task` in as many ranges as its factors take passes over the examples: one where the memory
    /// holds those of all.
    pub(super) fn passes(&self, task: &Task, wanted: Range<usize>) -> Result<Vec<Range<usize>>> {
        if !self.is_factored(task) || self.holds(task, &wanted) {
            return Ok(vec![wanted]);
        }
        let examples = self.draw(task)?.minibatches()?.examples().len();
        Ok(passes(&layers_of(task), wanted, examples, self.factor_room))
    }

    /// Whether the task's vectors come of factors of examples here.
    pub(super) fn is_factored(&self, task: &Task) -> bool {
        task.is_factored() && self.unfactored.is_none()
    }

    fn holds(&self, task: &Task, wanted: &Range<usize>) -> bool {
        let covers = |held: &Range<usize>| held.start <= wanted.start && wanted.end <= held.end;
        self.held.get(&task.vectors_key()).is_some_and(|held| held.iter().any(covers))
    }

    /// The parameters whose factors the tasks need, by their vectors.
    fn needed(&mut self) -> Result<BTreeMap<String, Vec<Range<usize>>>> {
        let mut needed: BTreeMap<String, Vec<Range<usize>>> = BTreeMap::new();
        let all = 0..self.parameters();
        if self.unfactored.is_some() {
            return Ok(needed);
        }
        for task in self.tasks.iter().filter(|task| task.is_factored()) {
            let parameters = match task.row.analysis {
                Analysis::Spectrum { .. } => self.missing(task)?,
                Analysis::Entries { .. } => vec![all.clone()],
            };
            if !parameters.is_empty() {
                needed.entry(task.vectors_key()).or_default().extend(parameters);
            }
        }
        Ok(needed)
    }

    /// Hands G of the task's vectors, at the parameters `wanted`, to `visit` in blocks of rows that fit the memory, in
    /// order: the parameters, of factors also some beside those wanted, and their rows. Without factors every block takes
    /// a pass over the minibatches.
    pub(super) fn for_each_block(
        &mut self,
        task: &Task,
        minibatches: MinibatchIndices,
        wanted: Range<usize>,
        mut visit: impl FnMut(Range<usize>, Mat<f32>) -> Result<()>,
    ) -> Result<()> {
        let position = ParameterLayout::of(self.model).values(self.model);
        let mut visit = |parameters: Range<usize>, mut block: Mat<f32>| {
            if let Vectors::Updates { optimiser, weight_decay } = task.row.vectors {
                to_updates(&mut block, optimiser, weight_decay, &position[parameters.clone()]);
            }
            visit(parameters, block)
        };
        for pass in self.passes(task, wanted.clone())? {
            self.capture_factors(task, pass.clone())?;
            let (Some(factors), true) = (&self.factors, self.is_factored(task)) else {
                match &self.unfactored {
                    Some(reason) if pass.start > wanted.start => return Err(CaptureError::from(reason.clone()).into()),
                    _ => break,
                }
            };
            factors.blocks(minibatches, pass.clone())?.try_for_each(|(parameters, block)| visit(parameters, block))?;
            if pass.end >= wanted.end {
                return Ok(());
            }
        }
        let iterations = minibatches.iterations();
        let rows = self.rows_at_once(task)?;
        for start in wanted.clone().step_by(rows) {
            let parameters = start..(start + rows).min(wanted.end);
            let step = self.reporter.step("gradients, a pass each", iterations as u64);
            let progress = |done: usize| step.at(done as u64);
            let (model, device) = (self.model, self.device);
            let rows = parameters.clone();
            let block = direct_block(model, self.examples, minibatches, device, trajectory(task), rows, progress)?;
            step.finish();
            visit(parameters, block)?;
        }
        Ok(())
    }

    /// How many rows of G fit beside the matrices of the task's analysis: a multiple of a Gram matrix's blocks.
    fn rows_at_once(&self, task: &Task) -> Result<usize> {
        let row = task.row.sized()?;
        let rows = match row.analysis {
            Analysis::Spectrum { .. } => Sizes::of(&row).rows_within(&row, self.room) as usize,
            Analysis::Entries { .. } => self.room as usize / (size_of::<f32>() * row.iterations),
        };
        Ok((rows / GramBuilder::ROWS * GramBuilder::ROWS).max(LEAST_ROWS))
    }

    /// Makes the Gram matrix of the task's vectors, products in `precision`, if it is not the one at hand.
    pub(super) fn capture_gram(
        &mut self,
        task: &Task,
        minibatches: MinibatchIndices,
        precision: Precision,
    ) -> Result<()> {
        let key = (task.gradients_key(), precision);
        if self.gram.as_ref().is_some_and(|(captured, _)| *captured == key) {
            self.reporter.detail("Gram matrix at hand");
            return Ok(());
        }
        (self.gram, self.whole) = (None, None);
        let gram = self.sum_of_terms(task, minibatches, precision)?;
        let gram = match task.row.gradient_clipping {
            Some(threshold) => gram.clipped(threshold)?,
            None => gram,
        };
        self.gram = Some((key, gram));
        Ok(())
    }

    /// Makes G of the task's vectors, if it is not the one at hand and fits the memory; whether it is there.
    pub(super) fn capture_whole(&mut self, task: &Task, minibatches: MinibatchIndices) -> Result<bool> {
        let key = task.vectors_key();
        if self.whole.as_ref().is_some_and(|(captured, _)| *captured == key) {
            self.reporter.detail("gradients at hand");
            return Ok(true);
        }
        (self.gram, self.whole) = (None, None);
        let (parameters, iterations) = (ParameterLayout::of(self.model).parameters(), minibatches.iterations());
        if (parameters * iterations * size_of::<f32>()) as u64 > self.room {
            return Ok(false);
        }
        let step = self.reporter.step("gradients", 1);
        let mut whole = Mat::zeros(parameters, iterations);
        self.for_each_block(task, minibatches, 0..parameters, |parameters, block| {
            whole.as_mut().subrows_mut(parameters.start, parameters.len()).copy_from(block);
            Ok(())
        })?;
        self.timings.gradients += step.finish();
        self.whole = Some((key, whole));
        Ok(true)
    }
}

/// The parameters and the size of every layer whose gradients come as factors.
fn layers_of(task: &Task) -> Vec<(Range<usize>, LayerSize)> {
    let mut start = 0;
    let place = |size: &LayerSize| {
        let layer = start..start + size.parameters();
        start = layer.end;
        (layer, *size)
    };
    measured_of(&task.row).layers.iter().map(place).collect()
}

/// `wanted` in ranges of whole layers, each of as many as `room` bytes hold the factors of for `examples` examples; of one at
/// the least.
pub(crate) fn passes(
    layers: &[(Range<usize>, LayerSize)],
    wanted: Range<usize>,
    examples: usize,
    room: u64,
) -> Vec<Range<usize>> {
    let bytes = |size: &LayerSize| (size_of::<f32>() * size.factors * examples) as u64;
    let (mut passes, mut start, mut held) = (Vec::new(), wanted.start, 0);
    for (layer, size) in layers.iter().filter(|(layer, _)| layer.start < wanted.end && wanted.start < layer.end) {
        if held > 0 && held + bytes(size) > room {
            passes.push(start..layer.start);
            (start, held) = (layer.start, 0);
        }
        held += bytes(size);
    }
    passes.push(start..wanted.end);
    passes
}

/// Where the gradients of `task` are taken.
fn trajectory(task: &Task) -> Trajectory {
    match task.row.vectors {
        Vectors::Gradients | Vectors::Updates { .. } => Trajectory::Fixed,
        Vectors::AlongRun { optimiser, learning_rate, weight_decay } => {
            Trajectory::Run { optimiser, learning_rate, weight_decay }
        }
    }
}
