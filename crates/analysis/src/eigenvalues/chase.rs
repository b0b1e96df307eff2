//! Reduction of a symmetric band matrix to tridiagonal form by bulge chasing.

use std::collections::VecDeque;

use pulp::Arch;
use rayon::prelude::*;

use super::band::{BANDWIDTH, STRIDE, SymmetricBand};
use super::kernel::{Advance, Open, Reflector};
use super::tridiagonal::SymmetricTridiagonal;

/// Sweeps that advance together through the caches.
const SWEEPS: usize = 8;

/// Steps by which a group of sweeps advances at once.
const STEPS: usize = 8;

/// Turns by which a group of sweeps trails the one before, so that their columns are disjoint.
const LAG: usize = SWEEPS.div_ceil(STEPS) + 1;

/// Neighbouring sweeps, each of which clears one column and chases its bulge off the end.
///
/// Sweep s takes its step t on columns s + 1 + t b ‥ s + 1 + (t + 1) b, b being the bandwidth, after its own step t − 1
/// and the step t + 1 of sweep s − 1. In turn c of the group, its i-th sweep takes the steps
/// c `STEPS` − i ‥ (c + 1) `STEPS` − i.
struct Group {
    first: usize,
    turn: usize,
    turns: usize,
    reflectors: Vec<Reflector>,
}

impl Group {
    fn new(first: usize, order: usize) -> Self {
        let sweeps = SWEEPS.min(order - 2 - first);
        let turns = (steps(first, order) + sweeps - 1).div_ceil(STEPS);
        Self { first, turn: 0, turns, reflectors: vec![Reflector::IDENTITY; sweeps] }
    }

    /// The column at which the group's turn starts; its later turns and those of the groups before it keep to the
    /// columns from there on.
    fn first_column(&self) -> usize {
        let steps_ahead = (self.turn * STEPS).saturating_sub(self.reflectors.len() - 1);
        if steps_ahead == 0 { self.first } else { self.first + 1 + steps_ahead * BANDWIDTH }
    }

    /// Takes a turn on the stored columns, the first of which is column `offset`.
    fn advance(&mut self, arch: Arch, columns: &mut [f64], offset: usize, order: usize) {
        for (index, reflector) in self.reflectors.iter_mut().enumerate() {
            let sweep = self.first + index;
            let start = (self.turn * STEPS).saturating_sub(index);
            let end = ((self.turn + 1) * STEPS).saturating_sub(index).min(steps(sweep, order));
            if start >= end {
                continue;
            }
            if start == 0 {
                let column = &mut columns[(sweep - offset) * STRIDE..][..STRIDE];
                arch.dispatch(Open { column, reflector });
            }
            let first = sweep + 1 + start * BANDWIDTH - offset;
            let columns = &mut columns[first * STRIDE..][..(end - start) * BANDWIDTH * STRIDE];
            arch.dispatch(Advance { columns, reflector });
        }
        self.turn += 1;
    }
}

/// The steps after which the bulge of a sweep has left the matrix.
fn steps(sweep: usize, order: usize) -> usize {
    (order - 2 - sweep).div_ceil(BANDWIDTH)
}

/// Reduces the band matrix to a tridiagonal one with the same eigenvalues (Murata and Horikoshi 1975; Lang 1993, "A
/// parallel algorithm for reducing symmetric banded matrices to tridiagonal form").
pub(super) fn reduce_to_tridiagonal(mut band: SymmetricBand) -> SymmetricTridiagonal {
    let order = band.order();
    let arch = Arch::new();
    let mut waiting = (0..order.saturating_sub(2)).step_by(SWEEPS).map(|first| Group::new(first, order));
    let mut active: VecDeque<Group> = VecDeque::new();
    for turn in 0.. {
        if turn % LAG == 0
            && let Some(group) = waiting.next()
        {
            active.push_front(group);
        }
        if active.is_empty() && waiting.len() == 0 {
            break;
        }
        let mut columns = band.columns_mut();
        let mut tasks = Vec::with_capacity(active.len());
        for group in active.iter_mut().rev() {
            let offset = group.first_column();
            let (rest, own) = columns.split_at_mut(offset * STRIDE);
            tasks.push((group, own, offset));
            columns = rest;
        }
        tasks.into_par_iter().for_each(|(group, columns, offset)| group.advance(arch, columns, offset, order));
        while active.back().is_some_and(|group| group.turn == group.turns) {
            active.pop_back();
        }
    }
    band.tridiagonal()
}
