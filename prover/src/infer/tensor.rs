//! Decides how a slice of a column or product is stored: a box of its axes.

use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use zkllm_kernels::{Integers, Ints, each_width};
use zkllm_verifier::program::AxisId;

/// Values a thread takes at a time.
pub(super) const GRAIN: usize = 1 << 14;

/// The largest absolute value.
pub(super) fn magnitude(values: &[i64]) -> u64 {
    values.par_iter().with_min_len(GRAIN).map(|value| value.unsigned_abs()).max().unwrap_or(0)
}

/// A box of a tensor: the `ranges` of its `axes`, row major.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    pub axes: Vec<AxisId>,
    pub ranges: Vec<Range<usize>>,
    pub cells: Cells,
    /// No value is larger in absolute value.
    pub magnitude: u128,
}

/// The values of a [`Tensor`].
#[derive(Clone, Debug)]
pub(super) enum Cells {
    Ints(Arc<Integers>),
    /// Values beyond 62 bits.
    Wide(Vec<i128>),
}

impl Tensor {
    pub fn shared(axes: &[AxisId], ranges: Vec<Range<usize>>, ints: Arc<Integers>) -> Self {
        let (least, greatest) = ints.range();
        let magnitude = u128::from(least.unsigned_abs().max(greatest.unsigned_abs()));
        Self { axes: axes.to_vec(), ranges, cells: Cells::Ints(ints), magnitude }
    }

    /// Zeros.
    pub fn zeros(axes: &[AxisId], ranges: Vec<Range<usize>>) -> Self {
        Self::zeros_for(axes, ranges, (0, 0))
    }

    /// Zeros, with room for values from the least to the greatest.
    pub fn zeros_for(axes: &[AxisId], ranges: Vec<Range<usize>>, ends: (i64, i64)) -> Self {
        let count = ranges.iter().map(Range::len).product();
        Self {
            axes: axes.to_vec(),
            ranges,
            cells: Cells::Ints(Arc::new(Integers::zeros_for(count, ends))),
            magnitude: 0,
        }
    }

    /// The steps of the axes.
    pub fn strides(&self) -> Vec<usize> {
        strides(&self.ranges)
    }

    /// Writes the box `ranges`: `make(place, run)` gives the values from a place of it on, row major; any of them may be asked
    /// for more than once.
    pub fn fill<E: Send>(
        &mut self,
        ranges: &[Range<usize>],
        make: &(impl Fn(usize, &mut [i64]) -> Result<(), E> + Sync),
    ) -> Result<(), E> {
        let Some(window) = self.window(ranges) else {
            let values = by_runs(ranges, make)?;
            self.write(ranges, &values);
            return Ok(());
        };
        let Cells::Ints(ints) = &mut self.cells else { return Ok(()) };
        let ints = Arc::make_mut(ints);
        let length = run_length(ranges);
        loop {
            let room = ints.room();
            let fits = |range: (i64, i64)| room.0 <= range.0 && range.1 <= room.1;
            let range = each_width!(Integers, ints, cells => {
                let runs = cells[window.clone()].par_chunks_mut(length).enumerate();
                let ranges = runs.map_init(Vec::new, |values, (run, cells)| {
                    values.resize(cells.len(), 0);
                    make(run * length, values)?;
                    let range = values.iter().fold((i64::MAX, i64::MIN), |ends, value| join(ends, (*value, *value)));
                    if fits(range) {
                        cells.iter_mut().zip(values).for_each(|(cell, value)| *cell = *value as _);
                    }
                    Ok(range)
                });
                // Of many faults the first is named, whoever comes to it first: hence not `try_reduce`.
                ranges.reduce(|| Ok((i64::MAX, i64::MIN)), |a, b| Ok(join(a?, b?)))
            })?;
            if fits(range) {
                self.magnitude = self.magnitude.max(u128::from(range.0.unsigned_abs().max(range.1.unsigned_abs())));
                return Ok(());
            }
            // Once more in a width that holds them. Where nothing but zeros is so far, those need not be copied.
            if self.magnitude == 0 {
                *ints = Integers::zeros_for(ints.len(), range);
            } else {
                ints.widen(range);
            }
        }
    }

    /// Where the cells of the box `ranges` are, if they lie side by side; `None` if there are none.
    pub fn window(&self, ranges: &[Range<usize>]) -> Option<Range<usize>> {
        window(&self.ranges, ranges)
    }

    /// Writes the box `ranges`, given row major.
    pub fn write(&mut self, ranges: &[Range<usize>], values: &[i64]) {
        let strides = self.strides();
        let range = Ints::I64(values).range();
        let Cells::Ints(ints) = &mut self.cells else { return };
        let ints = Arc::make_mut(ints);
        if self.magnitude == 0 {
            // Nothing but zeros so far, which need not be copied.
            *ints = Integers::zeros_for(ints.len(), range);
        }
        self.magnitude = self.magnitude.max(u128::from(range.0.unsigned_abs().max(range.1.unsigned_abs())));
        // The trailing axes that are written whole, and one more, are contiguous.
        let whole = |axis: usize| ranges[axis] == self.ranges[axis];
        let mut outer = ranges.len();
        while outer > 0 && (outer == ranges.len() || whole(outer)) {
            outer -= 1;
        }
        let run: usize = ranges[outer..].iter().map(Range::len).product();
        if run == 0 {
            return;
        }
        for (row, values) in values.chunks_exact(run).enumerate() {
            let mut rest = row;
            let mut start = 0;
            for axis in (0..ranges.len()).rev() {
                let index = if axis < outer {
                    let index = rest % ranges[axis].len();
                    rest /= ranges[axis].len();
                    index
                } else {
                    0
                };
                start += (ranges[axis].start + index - self.ranges[axis].start) * strides[axis];
            }
            ints.copy(start, values, range);
        }
    }
}

/// The steps of the axes of a box, row major.
pub(super) fn strides(ranges: &[Range<usize>]) -> Vec<usize> {
    let mut strides = vec![1; ranges.len()];
    for axis in (1..ranges.len()).rev() {
        strides[axis - 1] = strides[axis] * ranges[axis].len();
    }
    strides
}

/// Where the box `ranges` is among the places of the box `whole`, row major, if it is side by side there; `None` if it is empty.
pub(super) fn window(whole: &[Range<usize>], ranges: &[Range<usize>]) -> Option<Range<usize>> {
    // The trailing axes are all there, and one more may be cut; before it is one index each.
    let all = std::iter::zip(ranges, whole).rev().take_while(|(range, own)| range == own).count();
    let outer = &ranges[..ranges.len().saturating_sub(all + 1)];
    let count: usize = ranges.iter().map(Range::len).product();
    let places = std::iter::zip(ranges, whole).zip(strides(whole));
    let start: usize = places.map(|((range, own), stride)| (range.start - own.start) * stride).sum();
    (count > 0 && outer.iter().all(|range| range.len() == 1)).then_some(start..start + count)
}

/// The values of the box `ranges`, as [`Tensor::fill`] takes them.
pub(super) fn by_runs<E: Send>(
    ranges: &[Range<usize>],
    make: &(impl Fn(usize, &mut [i64]) -> Result<(), E> + Sync),
) -> Result<Vec<i64>, E> {
    let mut values = vec![0; ranges.iter().map(Range::len).product()];
    let length = run_length(ranges);
    let runs = values.par_chunks_mut(length).enumerate();
    runs.map(|(run, values)| make(run * length, values)).reduce(|| Ok(()), Result::and)?;
    Ok(values)
}

/// Values of whole rows that a thread takes at a time.
fn run_length(ranges: &[Range<usize>]) -> usize {
    let count: usize = ranges.iter().map(Range::len).product();
    let row = ranges.last().map_or(1, Range::len).max(1);
    (count / (4 * rayon::current_num_threads())).clamp(1 << 8, GRAIN).next_multiple_of(row)
}

/// The least range that holds both.
pub(super) fn join<T: Ord>(a: (T, T), b: (T, T)) -> (T, T) {
    (a.0.min(b.0), a.1.max(b.1))
}
