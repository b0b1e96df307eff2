//! How large G is, what can be asked of it, and what it takes.

use std::fmt;

use gradspectra_files::counted;
use gradspectra_run::{Error, Result, memory};

use crate::analyze::ROWS;
use crate::matrix_file::Orientation;

/// The shape of G and how it was read.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) parameters: usize,
    pub(crate) iterations: usize,
    pub(crate) orientation: Orientation,
}

impl Shape {
    /// The largest K of a spectrum: of n parameters and T iterations as many eigenvalues of the covariance are not 0 at
    /// the most.
    pub(crate) fn most(self) -> Result<usize> {
        match self.parameters.min(self.iterations.saturating_sub(1)) {
            most @ 2.. => Ok(most),
            _ => Err(Error::Unfit {
                reason: format!(
                    "T is {} and n is {}; spectra need at least 3 iterations and 2 parameters{}",
                    self.iterations,
                    self.parameters,
                    if self.parameters > 2 && self.iterations > 1 { ", as with the other --orientation" } else { "" }
                ),
            }),
        }
    }

    /// Says, where there are more iterations than parameters, that the file may lie the other way round.
    pub(crate) fn hint(self) -> &'static str {
        match self.orientation {
            Orientation::IterationsByParameters if self.iterations > self.parameters => {
                " (rows are taken for iterations; give --orientation nxT where they are parameters, as in the paper's G)"
            }
            _ => "",
        }
    }

    /// The bytes that blocks of the matrix may take beside the T × T matrices.
    ///
    /// # Errors
    ///
    /// `memory` does not suffice for the smallest.
    pub(crate) fn room(self, memory: u64) -> Result<u64> {
        /// A Gram matrix, the second moment's, and a copy that becomes eigenvalues.
        const SQUARES: u64 = 3;
        let [n, t, f64] = [self.parameters, self.iterations, size_of::<f64>()].map(|number| number as u64);
        let squares = memory::BASE + SQUARES * f64 * t * t;
        let least = f64 * (3 * ROWS as u64 * t).max(2 * n);
        match memory.checked_sub(squares) {
            Some(room) if room >= least => Ok(room),
            _ => {
                let needed = memory::at_least(squares + least);
                let mend = format!("{self} take {needed}; raise --memory{}", self.hint());
                Err(Error::Setting { name: "the memory", found: memory::gigabytes(memory), mend })
            }
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [parameters, iterations] = [(self.parameters, "parameters"), (self.iterations, "iterations")]
            .map(|(count, noun)| counted(count, noun));
        write!(formatter, "{parameters} × {iterations}")
    }
}
