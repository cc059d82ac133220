//! Decides how a slice of a column or product is stored: a box of its axes.

use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use zkllm_kernels::{Integers, Ints};
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
        let count = ranges.iter().map(Range::len).product();
        Self { axes: axes.to_vec(), ranges, cells: Cells::Ints(Arc::new(Integers::zeros(count))), magnitude: 0 }
    }

    /// The steps of the axes.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.ranges.len()];
        for axis in (1..self.ranges.len()).rev() {
            strides[axis - 1] = strides[axis] * self.ranges[axis].len();
        }
        strides
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
