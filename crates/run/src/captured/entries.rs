//! Tests of the entries of G: whole, in blocks, or as a pass over the gradients yields them.

use std::ops::Range;

use faer::{Mat, MatRef};
use gradspectra_analysis::{EntryTestConfig, EntryTests};
use gradspectra_capture::{MinibatchIndices, ParameterLayout, Trajectory, for_each_gradient};
use gradspectra_experiment::{Analysis, Axis, EntriesFinding, Histogram, Vectors};
use gradspectra_models::Model;
use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::Captured;
use crate::error::{Error, Result};
use crate::estimate::memory::LEAST_COLUMNS;
use crate::schedule::task::Task;
use crate::seeds::Purpose;

impl<M: Model> Captured<'_, M> {
    pub(super) fn entries(&mut self, task: &Task, minibatches: MinibatchIndices) -> Result<EntriesFinding> {
        if let Some(tested) = self.tested.remove(&task.key) {
            return Ok(tested);
        }
        self.try_factors(task, 0..self.parameters())?;
        let mut tester = Tester::of(task, self.parameters())?;
        if self.is_heard(task) && tester.bytes(minibatches.iterations()) <= self.room {
            return self.entries_of_a_pass(task);
        }
        if self.capture_whole(task, minibatches)? {
            let (_, whole) = self.whole.as_ref().expect("captured above");
            let step = self.reporter.step("tests of entries", 1);
            tester.test(0, whole.as_ref())?;
            self.timings.tests += step.finish();
        } else {
            let step = self.reporter.step("gradients and tests of entries", 1);
            self.test_in_blocks(task, minibatches, &mut tester)?;
            self.timings.gradients += step.finish();
        }
        Ok(tester.finish())
    }

    fn test_in_blocks(&mut self, task: &Task, minibatches: MinibatchIndices, tester: &mut Tester) -> Result<()> {
        match (tester.axis, &self.factors) {
            (Axis::Iteration, _) => {
                let all = 0..self.parameters();
                let test = |parameters: Range<usize>, block: Mat<f32>| tester.test(parameters.start, block.as_ref());
                self.for_each_block(task, minibatches, all, test)
            }
            (Axis::Dimension, Some(factors)) if task.row.vectors == Vectors::Gradients => {
                let iterations = minibatches.iterations();
                let columns = (self.room as usize / (size_of::<f32>() * self.parameters())).max(LEAST_COLUMNS);
                (0..iterations).step_by(columns).try_for_each(|start| {
                    let block = factors.history(minibatches.slice(start..(start + columns).min(iterations)))?;
                    tester.test(0, block.gradients().as_ref())
                })
            }
            _ => Err(Error::Unfit { reason: "update vectors are tested whole over dimensions: raise --memory".into() }),
        }
    }

    pub(super) fn parameters(&self) -> usize {
        ParameterLayout::of(self.model).parameters()
    }

    /// Whether a pass over the gradients yields what the task tests.
    fn is_heard(&self, task: &Task) -> bool {
        let entries = matches!(task.row.analysis, Analysis::Entries { .. });
        entries && task.row.vectors == Vectors::Gradients && !self.is_factored(task)
    }

    /// Tests the entries of `task` in one pass over its gradients, and those of the tasks after it whose minibatches
    /// begin with, or are the beginning of, the same ones, as far as they fit the memory.
    fn entries_of_a_pass(&mut self, task: &Task) -> Result<EntriesFinding> {
        let mut room = self.room;
        let mut longest = self.draw(task)?;
        let mut listeners = Vec::new();
        for candidate in self.tasks.iter().skip_while(|candidate| candidate.key != task.key) {
            let drawn = self.draw(candidate)?;
            let iterations = drawn.minibatches()?.iterations();
            let shared = drawn.batch == longest.batch
                && (drawn.indices.starts_with(&longest.indices) || longest.indices.starts_with(&drawn.indices));
            if !shared || !self.is_heard(candidate) {
                continue;
            }
            let tester = Tester::of(candidate, self.parameters())?;
            if let Some(left) = room.checked_sub(tester.bytes(iterations)) {
                room = left;
                listeners.push(Listener::new(candidate, tester, iterations));
                longest = if iterations > longest.minibatches()?.iterations() { drawn } else { longest };
            }
        }
        self.pass(longest.minibatches()?, &mut listeners)?;
        let step = self.reporter.step("tests of entries", 1);
        for listener in listeners {
            let (key, tested) = listener.finish()?;
            self.tested.insert(key, tested);
        }
        self.timings.tests += step.finish();
        Ok(self.tested.remove(&task.key).expect("the task's own fits"))
    }

    fn pass(&mut self, minibatches: MinibatchIndices, listeners: &mut [Listener]) -> Result<()> {
        let step = self.reporter.step("gradients, a pass each", minibatches.iterations() as u64);
        for_each_gradient(self.model, self.examples, minibatches, self.device, Trajectory::Fixed, |t, gradient| {
            step.at(t as u64 + 1);
            listeners.iter_mut().try_for_each(|listener| listener.hear(t, gradient))
        })?;
        self.timings.gradients += step.finish();
        Ok(())
    }
}

/// The tests of a task's entries and how they spread.
struct Tester {
    axis: Axis,
    /// The parameters that are tested, ascending.
    parameters: Parameters,
    tests: EntryTests,
    d_ks: Histogram,
    p_values: Histogram,
}

enum Parameters {
    All(usize),
    Sampled(Vec<usize>),
}

impl Tester {
    /// Rows that are tested before their results are counted.
    const ROWS: usize = 1 << 18;

    fn of(task: &Task, parameters: usize) -> Result<Self> {
        let Analysis::Entries { along, top, zeros, all_zero, undefined_p, sampled_parameters } = task.row.analysis
        else {
            unreachable!("called for entries");
        };
        let seed = Purpose::Entries.seed(task.own_seed());
        let config = EntryTestConfig { zeros, all_zero, undefined_p, keep: true, ..EntryTestConfig::new(top, seed) };
        let parameters = match sampled_parameters {
            Some(count) if along == Axis::Iteration => Parameters::Sampled(sampled(parameters, count, seed)),
            _ => Parameters::All(parameters),
        };
        let (d_ks, p_values) = (Histogram::default(), Histogram::default());
        Ok(Self { axis: along, parameters, tests: EntryTests::new(config)?, d_ks, p_values })
    }

    /// The bytes that are held for the tests while a pass over the gradients is made.
    fn bytes(&self, iterations: usize) -> u64 {
        let entries = match (self.axis, &self.parameters) {
            (Axis::Dimension, _) => 0,
            (Axis::Iteration, Parameters::All(parameters)) => parameters * iterations,
            (Axis::Iteration, Parameters::Sampled(parameters)) => parameters.len() * iterations,
        };
        (entries * size_of::<f32>()) as u64
    }

    /// Tests rows of G from the parameter `first` on; over dimensions, all of them.
    fn test(&mut self, first: usize, block: MatRef<f32>) -> Result<()> {
        match (self.axis, &self.parameters) {
            (Axis::Dimension, _) => self.columns(block),
            (Axis::Iteration, Parameters::All(_)) => self.rows(block),
            (Axis::Iteration, Parameters::Sampled(parameters)) => {
                let from = parameters.partition_point(|&parameter| parameter < first);
                let to = parameters.partition_point(|&parameter| parameter < first + block.nrows());
                let own = &parameters[from..to];
                let rows = Mat::from_fn(own.len(), block.ncols(), |row, t| block[(own[row] - first, t)]);
                self.rows(rows.as_ref())
            }
        }
    }

    fn columns(&mut self, block: MatRef<f32>) -> Result<()> {
        self.tests.columns(block)?;
        self.count();
        Ok(())
    }

    fn rows(&mut self, block: MatRef<f32>) -> Result<()> {
        for start in (0..block.nrows()).step_by(Self::ROWS) {
            self.tests.rows(block.subrows(start, Self::ROWS.min(block.nrows() - start)))?;
            self.count();
        }
        Ok(())
    }

    fn count(&mut self) {
        for test in self.tests.take_kept() {
            test.ks.iter().for_each(|ks| self.d_ks.count(ks.two_sided));
            test.p_value.iter().for_each(|&p_value| self.p_values.count(p_value));
        }
    }

    fn finish(self) -> EntriesFinding {
        EntriesFinding { summary: self.tests.summary(), d_ks_histogram: self.d_ks, p_value_histogram: self.p_values }
    }
}

/// A task that hears the gradients of a pass.
struct Listener {
    key: String,
    tester: Tester,
    iterations: usize,
    /// The rows of G that are tested, over iterations.
    rows: Mat<f32>,
}

impl Listener {
    fn new(task: &Task, tester: Tester, iterations: usize) -> Self {
        let rows = match (tester.axis, &tester.parameters) {
            (Axis::Dimension, _) => Mat::zeros(0, 0),
            (Axis::Iteration, Parameters::All(parameters)) => Mat::zeros(*parameters, iterations),
            (Axis::Iteration, Parameters::Sampled(parameters)) => Mat::zeros(parameters.len(), iterations),
        };
        Self { key: task.key.clone(), tester, iterations, rows }
    }

    fn hear(&mut self, t: usize, gradient: &[f32]) -> Result<()> {
        if t >= self.iterations {
            return Ok(());
        }
        match (self.tester.axis, &self.tester.parameters) {
            (Axis::Dimension, _) => {
                return self.tester.columns(MatRef::from_column_major_slice(gradient, gradient.len(), 1));
            }
            (Axis::Iteration, Parameters::All(_)) => self.rows.col_as_slice_mut(t).copy_from_slice(gradient),
            (Axis::Iteration, Parameters::Sampled(parameters)) => {
                let column = self.rows.col_as_slice_mut(t).iter_mut();
                column.zip(parameters).for_each(|(entry, &parameter)| *entry = gradient[parameter]);
            }
        }
        Ok(())
    }

    /// The task's key and what was found.
    fn finish(mut self) -> Result<(String, EntriesFinding)> {
        self.tester.rows(self.rows.as_ref())?;
        Ok((self.key, self.tester.finish()))
    }
}

/// `count` of `parameters`, or all where there are fewer, ascending.
fn sampled(parameters: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut sampled = sample(&mut ChaCha8Rng::seed_from_u64(seed), parameters, count.min(parameters)).into_vec();
    sampled.sort_unstable();
    sampled
}
