//! G at a position, whole or in blocks of rows, and its Gram matrix.

use std::ops::Range;

use faer::Mat;
use gradspectra_capture::{
    ExampleFactors, GramBuilder, MinibatchIndices, ParameterLayout, Trajectory, UpdateRule, direct_block,
};
use gradspectra_models::{Classifier, Optimiser};

use super::{Captured, Drawn, Factors};
use crate::error::Result;
use crate::experiment::{Analysis, Vectors};
use crate::memory::LEAST_ROWS;
use crate::minibatches;
use crate::task::Task;

impl<M: Classifier> Captured<'_, M> {
    pub(super) fn draw(&self, task: &Task) -> Result<Drawn> {
        let examples = self.examples.len();
        let (indices, batch) = minibatches::of_row(&task.row, task.own_seed(), examples)?;
        Ok(Drawn { indices, batch, examples })
    }

    /// Whether the vectors of `task` come of factors; captures those of every example that the tasks need, once.
    pub(super) fn factored(&mut self, task: &Task) -> Result<bool> {
        if trajectory(task) != Trajectory::Fixed {
            return Ok(false);
        }
        if self.factors.is_none() {
            self.factors = Some(self.capture_factors(task)?);
        }
        Ok(matches!(self.factors, Some(Factors::Captured(_))))
    }

    fn capture_factors(&mut self, first: &Task) -> Result<Factors> {
        if first.row.model.mixes_examples() {
            return Ok(Factors::Unavailable);
        }
        let mut needed = vec![false; self.examples.len()];
        for task in self.tasks.iter().filter(|task| trajectory(task) == Trajectory::Fixed) {
            self.draw(task)?.indices.iter().for_each(|&index| needed[index as usize] = true);
        }
        let needed: Vec<u32> = (0..self.examples.len() as u32).filter(|&index| needed[index as usize]).collect();
        let step = self.reporter.step("gradients of examples", needed.len() as u64);
        let progress = |done: usize| step.at(done as u64);
        let factors = ExampleFactors::capture(self.model, self.examples, &needed, self.device, progress)?;
        self.timings.examples = step.finish();
        Ok(match factors {
            Some(factors) => Factors::Captured(Box::new(factors)),
            None => Factors::Unavailable,
        })
    }

    /// Hands G of the task's vectors to `visit` in blocks of rows that fit the memory, in order: the parameters and
    /// their rows. Without factors every block takes a pass over the minibatches.
    pub(super) fn for_each_block(
        &self,
        task: &Task,
        minibatches: MinibatchIndices,
        mut visit: impl FnMut(Range<usize>, Mat<f32>) -> Result<()>,
    ) -> Result<()> {
        let position = ParameterLayout::of(self.model).values(self.model);
        let mut visit = |parameters: Range<usize>, mut block: Mat<f32>| {
            if let Vectors::Updates { optimiser, weight_decay } = task.row.vectors {
                update_rule(optimiser).apply(&mut block, weight_decay, &position[parameters.clone()]);
            }
            visit(parameters, block)
        };
        if let (Some(Factors::Captured(factors)), Trajectory::Fixed) = (&self.factors, trajectory(task)) {
            return factors.blocks(minibatches).try_for_each(|(parameters, block)| visit(parameters, block));
        }
        let iterations = minibatches.iterations();
        let rows = self.rows_at_once(task, iterations);
        for start in (0..position.len()).step_by(rows) {
            let parameters = start..(start + rows).min(position.len());
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
    fn rows_at_once(&self, task: &Task, iterations: usize) -> usize {
        let matrices = match task.row.analysis {
            Analysis::Spectrum { .. } => 12 * iterations * iterations + 8 * LEAST_ROWS * iterations,
            Analysis::Entries { .. } => 0,
        };
        let rows = self.room.saturating_sub(matrices as u64) as usize / (size_of::<f32>() * iterations);
        (rows / GramBuilder::ROWS * GramBuilder::ROWS).max(LEAST_ROWS)
    }

    /// Makes the Gram matrix of the task's vectors, if it is not the one at hand.
    pub(super) fn capture_gram(&mut self, task: &Task, minibatches: MinibatchIndices) -> Result<()> {
        let key = task.gradients_key();
        if self.gram.as_ref().is_some_and(|(captured, _)| *captured == key) {
            self.reporter.detail("Gram matrix at hand");
            return Ok(());
        }
        (self.gram, self.whole) = (None, None);
        let step = self.reporter.step("Gram matrix", 1);
        let gram = match &self.factors {
            Some(Factors::Captured(factors)) if task.row.vectors == Vectors::Gradients => factors.gram(minibatches),
            _ => {
                let mut builder = GramBuilder::new(minibatches.iterations()).on(self.device);
                self.for_each_block(task, minibatches, |_, block| {
                    builder.add_rows(block.as_ref());
                    Ok(())
                })?;
                builder.finish()
            }
        };
        self.timings.gradients += step.finish();
        let gram = match task.row.gradient_clipping {
            Some(threshold) => gram.clipped(threshold),
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
        self.for_each_block(task, minibatches, |parameters, block| {
            whole.as_mut().subrows_mut(parameters.start, parameters.len()).copy_from(block);
            Ok(())
        })?;
        self.timings.gradients += step.finish();
        self.whole = Some((key, whole));
        Ok(true)
    }
}

/// Where the gradients of `task` are taken.
pub(super) fn trajectory(task: &Task) -> Trajectory {
    match task.row.vectors {
        Vectors::Gradients | Vectors::Updates { .. } => Trajectory::Fixed,
        Vectors::AlongRun { optimiser, learning_rate, weight_decay } => {
            Trajectory::Run { optimiser, learning_rate, weight_decay }
        }
    }
}

fn update_rule(optimiser: Optimiser) -> UpdateRule {
    match optimiser {
        Optimiser::Sgd => UpdateRule::Sgd,
        Optimiser::Momentum => UpdateRule::Momentum,
        Optimiser::Adam => UpdateRule::Adam,
    }
}
