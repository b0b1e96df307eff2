//! A Gram matrix as the sum of its terms: those at hand are taken, the others made.

use std::ops::Range;

use faer::Mat;
use gradspectra_capture::{
    CaptureError, ExampleFactors, Gram, GramBuilder, MinibatchIndices, NotFactored, ParameterLayout, Precision,
};
use gradspectra_experiment::{Store, Vectors};
use gradspectra_models::Model;

use super::Captured;
use crate::error::Result;
use crate::schedule::task::Task;
use crate::schedule::terms::GramTerms;

impl<M: Model> Captured<'_, M> {
    /// The Gram matrix of the task's vectors before clipping, products in `precision`. Terms at hand have f32's: for those
    /// in f64 all are made.
    pub(super) fn sum_of_terms(
        &mut self,
        task: &Task,
        minibatches: MinibatchIndices,
        precision: Precision,
    ) -> Result<Gram> {
        let all = 0..self.parameters();
        let missing = match precision {
            Precision::Single => self.missing(task)?,
            Precision::Double => vec![all.clone()],
        };
        if let Some(first) = missing.into_iter().next() {
            self.try_factors(task, first)?;
        }
        let terms = self.terms_of(task)?;
        terms.check(&ParameterLayout::of(self.model))?;
        // Several passes have steps of their own.
        let single = self.passes(task, all.clone())?.len() == 1;
        let reporter = if single { self.reporter } else { self.reporter.quiet() };
        let step = reporter.step("Gram matrix", all.end as u64);
        let at = |parameters: usize| step.at(parameters as u64);
        let before = self.timings.examples;
        let zeros = || Gram::zeros(minibatches.iterations(), precision);
        let mut sum = zeros()?;
        let runs = match precision {
            Precision::Single => self.runs(task)?,
            Precision::Double => vec![(0..terms.ranges.len(), false)],
        };
        for (numbers, at_hand) in runs {
            if !at_hand {
                sum = self.add_terms(sum, task, minibatches, &terms, numbers, &at)?;
                continue;
            }
            for number in numbers {
                if !self.terms.is_some_and(|store| terms.add(store, number, &mut sum)) {
                    sum = self.add_terms(sum, task, minibatches, &terms, number..number + 1, &at)?;
                }
            }
        }
        if terms.are_layers {
            sum = sum.centred();
            if sum.is_dominated_by_its_mean() {
                self.reporter.detail("the mean gradient dominates: gradients are centred before their products");
                drop(sum);
                let why = "has a mean gradient that dominates, and products of its centred gradients";
                self.check_memory(task, why, "lower its iterations")?;
                sum = self.add_blocks(zeros()?, task, minibatches, &terms.by_blocks(), all, &at)?;
            }
        }
        self.timings.gradients += step.finish() - (self.timings.examples - before);
        Ok(sum)
    }

    fn terms_of(&self, task: &Task) -> Result<GramTerms> {
        GramTerms::by(task, self.is_factored(task))
    }

    /// The numbers of the task's terms in runs that are at hand or are not.
    fn runs(&mut self, task: &Task) -> Result<Vec<(Range<usize>, bool)>> {
        let key = task.gram_key();
        if !self.at_hand.contains_key(&key) {
            let terms = self.terms_of(task)?;
            let at_hand = match self.terms {
                Some(store) if task.shares_terms() => terms.are_there(store),
                _ => vec![false; terms.ranges.len()],
            };
            self.at_hand.insert(key.clone(), at_hand);
        }
        let at_hand = &self.at_hand[&key];
        let part = self.part.clone().unwrap_or(0..at_hand.len());
        let numbers: Vec<usize> = part.collect();
        let runs = numbers.chunk_by(|&first, &second| at_hand[first] == at_hand[second]);
        Ok(runs.map(|run| (run[0]..run[run.len() - 1] + 1, at_hand[run[0]])).collect())
    }

    /// The parameters of the runs of the task's terms that are to be made.
    pub(super) fn missing(&mut self, task: &Task) -> Result<Vec<Range<usize>>> {
        let terms = self.terms_of(task)?;
        let runs = self.runs(task)?.into_iter().filter(|(_, at_hand)| !at_hand);
        Ok(runs.map(|(numbers, _)| terms.parameters(&numbers)).collect())
    }

    /// Makes the terms `numbers` and adds them to `sum`; `at` hears which parameter is the last so far.
    fn add_terms(
        &mut self,
        sum: Gram,
        task: &Task,
        minibatches: MinibatchIndices,
        terms: &GramTerms,
        numbers: Range<usize>,
        at: &dyn Fn(usize),
    ) -> Result<Gram> {
        let parameters = terms.parameters(&numbers);
        if !terms.are_layers {
            return self.add_blocks(sum, task, minibatches, &terms.ranges, parameters, at);
        }
        let passes = self.passes(task, parameters)?;
        if let [pass] = &passes[..] {
            self.capture_factors(task, pass.clone())?;
            let factors = self.factors_at_hand()?;
            return terms.ranges[numbers].iter().try_fold(sum, |sum, layer| {
                let sum = factors.add_layers(sum, minibatches, layer.clone())?;
                at(layer.end);
                Ok(sum)
            });
        }
        self.add_passes(sum, task, minibatches, terms, numbers, &passes)
    }

    /// As [`add_terms`](Self::add_terms), of layers whose factors take several passes: what each comes to is kept, so that an
    /// interrupted run goes on behind it.
    fn add_passes(
        &mut self,
        mut sum: Gram,
        task: &Task,
        minibatches: MinibatchIndices,
        terms: &GramTerms,
        numbers: Range<usize>,
        passes: &[Range<usize>],
    ) -> Result<Gram> {
        let precision = sum.precision();
        let kept = self.terms.filter(|_| task.shares_terms() && precision == Precision::Single);
        for (index, pass) in passes.iter().enumerate() {
            self.reporter.line(format!("  pass {} of {} over the examples", index + 1, passes.len()));
            self.capture_factors(task, pass.clone())?;
            let own: Vec<usize> =
                numbers.clone().filter(|&number| pass.contains(&terms.ranges[number].start)).collect();
            let step = self.reporter.step("their Gram matrices", own.len() as u64);
            for (done, number) in own.into_iter().enumerate() {
                let zeros = Gram::zeros(minibatches.iterations(), precision)?;
                let factors = self.factors_at_hand()?;
                let term = factors.add_layers(zeros, minibatches, terms.ranges[number].clone())?;
                if let Some(store) = kept {
                    terms.write(store, number, &term)?;
                }
                sum += &term;
                step.at(done as u64 + 1);
            }
            step.finish();
        }
        Ok(sum)
    }

    /// The factors, where the gradients come of such.
    fn factors_at_hand(&self) -> Result<&ExampleFactors> {
        match (&self.factors, &self.unfactored) {
            (Some(factors), None) => Ok(factors),
            (_, Some(reason)) => Err(CaptureError::from(reason.clone()).into()),
            (None, None) => Err(CaptureError::from(NotFactored::NoLayer).into()),
        }
    }

    fn add_blocks(
        &mut self,
        sum: Gram,
        task: &Task,
        minibatches: MinibatchIndices,
        terms: &[Range<usize>],
        parameters: Range<usize>,
        at: &dyn Fn(usize),
    ) -> Result<Gram> {
        let mut builder = GramBuilder::onto(sum)?.on(self.device);
        self.for_each_gram_block(task, minibatches, parameters, |parameters, block| {
            at(parameters.end);
            Ok(builder.add_to_term(terms, parameters, block)?)
        })?;
        Ok(builder.finish()?)
    }

    /// Hands G of the task's vectors at the parameters `wanted` to `visit` in the blocks that its Gram matrix is summed of.
    fn for_each_gram_block(
        &mut self,
        task: &Task,
        minibatches: MinibatchIndices,
        wanted: Range<usize>,
        mut visit: impl FnMut(Range<usize>, Mat<f32>) -> Result<()>,
    ) -> Result<()> {
        let is_block = self.is_factored(task) && task.row.vectors == Vectors::Gradients;
        self.for_each_block(task, minibatches, wanted.clone(), |parameters, block| {
            if is_block {
                return visit(parameters, block);
            }
            let starts = parameters.clone().step_by(GramBuilder::ROWS).filter(|start| wanted.contains(start));
            for start in starts {
                let rows = start..parameters.end.min(start + GramBuilder::ROWS);
                let within = block.subrows(start - parameters.start, rows.len()).to_owned();
                visit(rows, within)?;
            }
            Ok(())
        })
    }

    /// Makes those of the task's terms `part` that `store` lacks, and keeps them there.
    pub(crate) fn make_part(&mut self, task: &Task, part: Range<usize>, store: &Store) -> Result<()> {
        self.part = Some(part);
        let drawn = self.draw(task)?;
        let (minibatches, terms) = (drawn.minibatches()?, GramTerms::of(task)?);
        terms.check(&ParameterLayout::of(self.model))?;
        for (numbers, _) in self.runs(task)?.into_iter().filter(|(_, at_hand)| !at_hand) {
            self.keep_terms(task, minibatches, &terms, numbers, store)?;
        }
        Ok(())
    }

    fn keep_terms(
        &mut self,
        task: &Task,
        minibatches: MinibatchIndices,
        terms: &GramTerms,
        numbers: Range<usize>,
        store: &Store,
    ) -> Result<()> {
        let step = self.reporter.step("terms of the Gram matrix", numbers.len() as u64);
        let mut unwritten = numbers.clone();
        let mut keep = |term: &Gram| {
            let written = unwritten.next().map_or(Ok(()), |number| terms.write(store, number, term));
            step.at((numbers.len() - unwritten.len()) as u64);
            written
        };
        match terms.are_layers {
            true => {
                for pass in self.passes(task, terms.parameters(&numbers))? {
                    self.capture_factors(task, pass.clone())?;
                    let factors = self.factors_at_hand()?;
                    for number in numbers.clone().filter(|&number| pass.contains(&terms.ranges[number].start)) {
                        let zeros = Gram::zeros(minibatches.iterations(), Precision::Single)?;
                        keep(&factors.add_layers(zeros, minibatches, terms.ranges[number].clone())?)?;
                    }
                }
            }
            false => {
                let mut builder = GramBuilder::new(minibatches.iterations(), Precision::Single)?.on(self.device);
                let ends: Vec<usize> = terms.ranges.iter().map(|range| range.end).collect();
                self.for_each_gram_block(task, minibatches, terms.parameters(&numbers), |parameters, block| {
                    builder.add(block);
                    if ends.binary_search(&parameters.end).is_ok() {
                        keep(builder.sum())?;
                        builder.clear();
                    }
                    Ok(())
                })?;
            }
        }
        step.finish();
        Ok(())
    }
}
