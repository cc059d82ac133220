//! Decides how integers are stored: in the narrowest of three widths that holds them all.

use std::ops::Range;
use std::sync::Arc;
use zkllm_verifier::program::AxisId;

/// The values of a column: dense, row major over the true lengths of its axes; causal columns too, with zeros for
/// `u > t`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ints {
    /// 16 bits each.
    I16(Vec<i16>),
    /// 32 bits each.
    I32(Vec<i32>),
    /// 64 bits each.
    I64(Vec<i64>),
}

impl Ints {
    /// `count` zeros.
    pub fn zeros(count: usize) -> Self {
        Ints::I16(vec![0; count])
    }

    /// The values, in the narrowest width.
    pub fn narrowed(values: Vec<i64>) -> Self {
        match magnitude(&values) {
            0..=0x7fff => Ints::I16(values.into_iter().map(|v| v as i16).collect()),
            0x8000..=0x7fff_ffff => Ints::I32(values.into_iter().map(|v| v as i32).collect()),
            _ => Ints::I64(values),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Ints::I16(values) => values.len(),
            Ints::I32(values) => values.len(),
            Ints::I64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value `index`.
    pub fn get(&self, index: usize) -> i64 {
        match self {
            Ints::I16(values) => i64::from(values[index]),
            Ints::I32(values) => i64::from(values[index]),
            Ints::I64(values) => values[index],
        }
    }

    /// Sets value `index`, widening all if it does not fit.
    pub fn set(&mut self, index: usize, value: i64) {
        self.widen(value.unsigned_abs());
        match self {
            Ints::I16(values) => values[index] = value as i16,
            Ints::I32(values) => values[index] = value as i32,
            Ints::I64(values) => values[index] = value,
        }
    }

    /// Least and greatest value; `(0, 0)` of none.
    pub fn range(&self) -> (i64, i64) {
        fn of<T: Copy + Ord + Into<i64>>(values: &[T]) -> (i64, i64) {
            let ends = values.iter().min().zip(values.iter().max());
            ends.map_or((0, 0), |(least, greatest)| ((*least).into(), (*greatest).into()))
        }
        match self {
            Ints::I16(values) => of(values),
            Ints::I32(values) => of(values),
            Ints::I64(values) => of(values),
        }
    }

    /// All values.
    pub fn to_vec(&self) -> Vec<i64> {
        (0..self.len()).map(|index| self.get(index)).collect()
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        match self {
            Ints::I16(values) => 2 * values.len(),
            Ints::I32(values) => 4 * values.len(),
            Ints::I64(values) => 8 * values.len(),
        }
    }

    /// Makes room for values up to `magnitude`.
    fn widen(&mut self, magnitude: u64) {
        let fits = match self {
            Ints::I16(_) => magnitude <= 0x7fff,
            Ints::I32(_) => magnitude <= 0x7fff_ffff,
            Ints::I64(_) => true,
        };
        if !fits {
            let wide = |narrow: &Ints| (0..narrow.len()).map(|index| narrow.get(index)).collect::<Vec<_>>();
            *self = if magnitude <= 0x7fff_ffff {
                Ints::I32((0..self.len()).map(|index| self.get(index) as i32).collect())
            } else {
                Ints::I64(wide(self))
            };
        }
    }

    /// Copies `values` to the places from `start` on; `magnitude` bounds them all.
    fn copy(&mut self, start: usize, values: &[i64], magnitude: u64) {
        self.widen(magnitude);
        let places = start..start + values.len();
        match self {
            Ints::I16(own) => own[places].iter_mut().zip(values).for_each(|(place, value)| *place = *value as i16),
            Ints::I32(own) => own[places].iter_mut().zip(values).for_each(|(place, value)| *place = *value as i32),
            Ints::I64(own) => own[places].copy_from_slice(values),
        }
    }
}

/// The largest absolute value.
pub(super) fn magnitude(values: &[i64]) -> u64 {
    values.iter().map(|value| value.unsigned_abs()).max().unwrap_or(0)
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
    Ints(Arc<Ints>),
    /// Values beyond 62 bits.
    Wide(Vec<i128>),
}

impl Tensor {
    pub fn shared(axes: &[AxisId], ranges: Vec<Range<usize>>, ints: Arc<Ints>) -> Self {
        let (least, greatest) = ints.range();
        let magnitude = u128::from(least.unsigned_abs().max(greatest.unsigned_abs()));
        Self { axes: axes.to_vec(), ranges, cells: Cells::Ints(ints), magnitude }
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
        let largest = magnitude(values);
        self.magnitude = self.magnitude.max(u128::from(largest));
        let Cells::Ints(ints) = &mut self.cells else { return };
        let ints = Arc::make_mut(ints);
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
            ints.copy(start, values, largest);
        }
    }
}
