//! Decides the value of a sum on a slice: its terms gathered by tables of offsets, in 64 bits where they suffice.

use super::InferError;
use super::execute::Executor;
use super::tensor::{Cells, GRAIN, Tensor, strides};
use rayon::prelude::*;
use std::ops::{AddAssign, Mul, Range};
use std::sync::Arc;
use zkllm_kernels::{Integers, each_width};
use zkllm_verifier::program::{AxisId, ColumnId, Index, ListId, Source, Sum, Term};

/// Values of a sum over a box of axes, row major.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Narrow(Vec<i64>),
    Wide(Vec<i128>),
}

impl Values {
    pub fn len(&self) -> usize {
        match self {
            Values::Narrow(values) => values.len(),
            Values::Wide(values) => values.len(),
        }
    }

    pub fn get(&self, index: usize) -> i128 {
        match self {
            Values::Narrow(values) => i128::from(values[index]),
            Values::Wide(values) => values[index],
        }
    }

    pub fn magnitude(&self) -> u128 {
        match self {
            Values::Narrow(values) => u128::from(super::tensor::magnitude(values)),
            Values::Wide(values) => values.par_iter().map(|value| value.unsigned_abs()).max().unwrap_or(0),
        }
    }

    /// Puts the rows of `columns` values of `part` side by side at the beginnings of rows of `n`, from place `first` on.
    pub fn place(&mut self, first: usize, n: usize, part: Values, columns: usize) {
        fn copy<V: Copy + Send + Sync>(all: &mut [V], n: usize, part: &[V], columns: usize) {
            let rows = |(all, part): (&mut [V], &[V])| {
                let rows = all.chunks_mut(n).zip(part.chunks(columns));
                rows.for_each(|(all, part)| all[..columns].copy_from_slice(part));
            };
            let many = GRAIN.div_ceil(columns);
            if part.len() < 2 * GRAIN {
                rows((all, part));
            } else {
                all.par_chunks_mut(many * n).zip(part.par_chunks(many * columns)).for_each(rows);
            }
        }
        let wide = |values: &Values| -> Vec<i128> { (0..values.len()).map(|at| values.get(at)).collect() };
        if let (Values::Narrow(_), Values::Wide(_)) = (&self, &part) {
            *self = Values::Wide(wide(self));
        }
        match (self, part) {
            (Values::Narrow(all), Values::Narrow(part)) => copy(&mut all[first..], n, &part, columns),
            (Values::Wide(all), part) => copy(&mut all[first..], n, &wide(&part), columns),
            (Values::Narrow(_), Values::Wide(_)) => unreachable!("they are wide now"),
        }
    }

    /// As a tensor over a box.
    pub fn into_tensor(self, axes: &[AxisId], ranges: Vec<Range<usize>>) -> Tensor {
        let magnitude = self.magnitude();
        let cells = match self {
            Values::Narrow(values) => Cells::Ints(Arc::new(Integers::I64(values))),
            Values::Wide(values) => Cells::Wide(values),
        };
        Tensor { axes: axes.to_vec(), ranges, cells, magnitude }
    }
}

/// Sums below this are added in 64 bits, with room for rounding.
pub(super) const NARROW: u128 = 1 << 62;
/// Larger ones are refused.
pub(super) const WIDE: u128 = 1 << 126;

/// A prefix sum over the layers below, kept while the layers of a slice go up.
#[derive(Debug)]
pub(super) struct Prefix {
    column: ColumnId,
    index: Vec<Index>,
    layers: usize,
    sum: Arc<Tensor>,
}

/// A term whose sums over axes are done: every slot of the tensor follows the reader.
struct Part {
    coefficient: i128,
    tensor: Arc<Tensor>,
    /// For each slot of the tensor, the reader's axis and the list between them.
    slots: Vec<(AxisId, Option<ListId>)>,
}

/// A sum on a slice, to be read in runs: row major over its axes.
pub(super) struct Reading {
    constant: i128,
    parts: Vec<(Part, Steps)>,
    count: usize,
    /// Whether 64 bits hold it, with room for rounding.
    narrow: bool,
}

impl Reading {
    pub fn len(&self) -> usize {
        self.count
    }

    /// The values from `start` on.
    fn read<V: Number>(&self, start: usize, out: &mut [V]) {
        out.fill(V::of(self.constant));
        for (part, steps) in &self.parts {
            let coefficient = V::of(part.coefficient);
            match &part.tensor.cells {
                Cells::Ints(ints) if part.coefficient == 1 => each_width!(Integers, &**ints, cells => {
                    steps.gather(start, out, cells, |sum, cell| *sum += V::from(cell))
                }),
                Cells::Ints(ints) => each_width!(Integers, &**ints, cells => {
                    steps.gather(start, out, cells, |sum, cell| *sum += coefficient * V::from(cell))
                }),
                Cells::Wide(cells) => steps.gather(start, out, cells, |sum, cell| *sum += coefficient * V::of(cell)),
            }
        }
    }

    /// The values from `start` on, and whether 64 bits hold them all.
    pub fn narrowed(&self, start: usize, out: &mut [i64]) -> bool {
        self.map(start, out, |value| value, |value| value)
    }

    /// `narrow` or `wide`, which must agree, of the values from `start` on, and whether 64 bits hold the results.
    pub fn map(&self, start: usize, out: &mut [i64], narrow: impl Fn(i64) -> i64, wide: impl Fn(i128) -> i128) -> bool {
        if self.narrow {
            self.read(start, out);
            out.iter_mut().for_each(|value| *value = narrow(*value));
            return true;
        }
        let mut values = vec![0i128; out.len()];
        self.read(start, &mut values);
        let mut held = true;
        for (out, value) in out.iter_mut().zip(values) {
            let value = wide(value);
            *out = value as i64;
            held &= i128::from(*out) == value;
        }
        held
    }

    /// The value at a place.
    pub fn at(&self, place: usize) -> i128 {
        let mut value = [0i128];
        self.read(place, &mut value);
        value[0]
    }

    pub fn values(&self) -> Values {
        fn all<V: Number>(reading: &Reading) -> Vec<V> {
            let mut values = vec![V::of(0); reading.count];
            let runs = values.par_chunks_mut(GRAIN).enumerate();
            runs.for_each(|(run, values)| reading.read(run * GRAIN, values));
            values
        }
        if self.narrow { Values::Narrow(all(self)) } else { Values::Wide(all(self)) }
    }
}

/// What sums are made in: 64 bits, or 128.
trait Number:
    Copy + Send + Sync + From<u8> + From<i16> + From<u16> + From<i32> + From<i64> + AddAssign + Mul<Output = Self>
{
    /// The number, which it holds.
    fn of(value: i128) -> Self;
}

impl Number for i64 {
    fn of(value: i128) -> i64 {
        value as i64
    }
}

impl Number for i128 {
    fn of(value: i128) -> i128 {
        value
    }
}

impl Executor<'_> {
    /// `sum` over `axes` on the current slice.
    pub(super) fn sum(&mut self, site: &str, sum: &Sum, axes: &[AxisId]) -> Result<Values, InferError> {
        Ok(self.reading(site, sum, axes)?.values())
    }

    /// `sum` over `axes` on the current slice, to be read later.
    pub(super) fn reading(&mut self, site: &str, sum: &Sum, axes: &[AxisId]) -> Result<Reading, InferError> {
        let mut parts = Vec::new();
        for term in &sum.terms {
            let part = self.part(site, term)?;
            let steps = Steps::new(self.offsets(site, &part.tensor.ranges, &part.slots, axes)?);
            parts.push((part, steps));
        }
        let bound = parts.iter().try_fold(sum.constant.unsigned_abs(), |bound, (part, _)| {
            bound.checked_add(part.coefficient.unsigned_abs().checked_mul(part.tensor.magnitude)?)
        });
        let bound = bound
            .filter(|bound| *bound < WIDE)
            .ok_or_else(|| InferError::Overflow { site: site.to_string(), bits: 126 })?;
        let count = axes.iter().map(|&axis| self.slice[axis].len()).product();
        Ok(Reading { constant: sum.constant, parts, count, narrow: bound < NARROW })
    }

    fn part(&mut self, site: &str, term: &Term) -> Result<Part, InferError> {
        let slots: Vec<_> = term.index.iter().filter_map(slot).collect();
        let summed = slots.len() < term.index.len();
        if summed
            && let Some((.., tensor)) =
                self.reduced.iter().find(|(source, index, _)| (source, index) == (&term.source, &term.index))
        {
            return Ok(Part { coefficient: term.coefficient, tensor: tensor.clone(), slots });
        }
        let mut tensor = match term.source {
            Source::Column(column) => {
                if let Some(sum) = self.prefix(column, &term.index) {
                    return Ok(Part { coefficient: term.coefficient, tensor: sum, slots });
                }
                self.near_column(column);
                self.columns[column].clone()
            }
            Source::Product(product) => self.product(product)?,
            Source::Below(list) => Arc::new(self.below(list, &term.index)),
        };
        if summed {
            tensor = Arc::new(self.reduce(site, &tensor, &term.index)?);
            self.reduced.push((term.source, term.index.clone(), tensor.clone()));
        }
        Ok(Part { coefficient: term.coefficient, tensor, slots })
    }

    /// The matrix `[i < list[t]]` on the current slice.
    pub(super) fn below(&self, list: ListId, index: &[Index]) -> Tensor {
        let range = |slot: usize| match index.get(slot) {
            Some(Index::At(axis)) => self.slice[*axis].clone(),
            _ => 0..0,
        };
        let (rows, columns) = (range(0), range(1));
        let values = rows.clone().flat_map(|row| columns.clone().map(move |column| (row, column)));
        let values: Vec<i16> = values.map(|(row, column)| i16::from(column < self.lists[list][row])).collect();
        Tensor {
            axes: vec![0; 2],
            ranges: vec![rows, columns],
            cells: Cells::Ints(Arc::new(Integers::I16(values))),
            magnitude: 1,
        }
    }

    /// The tensor summed over its slots `All` and `Before`; the others stay, in their order.
    fn reduce(&self, site: &str, tensor: &Tensor, index: &[Index]) -> Result<Tensor, InferError> {
        let strides = tensor.strides();
        let mut kept = vec![0];
        let mut summed = vec![0];
        let mut ranges = Vec::new();
        let times = |offsets: &[usize], count: Range<usize>, stride: usize| -> Vec<usize> {
            offsets.iter().flat_map(|offset| count.clone().map(move |index| offset + index * stride)).collect()
        };
        for (slot, index) in index.iter().enumerate() {
            let range = &tensor.ranges[slot];
            match index {
                Index::All => summed = times(&summed, 0..range.len(), strides[slot]),
                Index::Before(axis) => {
                    let reader = &self.slice[*axis];
                    if reader.len() != 1 || range.start != 0 || reader.start > range.end {
                        return Err(unsupported(site, "a prefix sum is read outside its layer"));
                    }
                    summed = times(&summed, 0..reader.start, strides[slot]);
                }
                // Lists may read anywhere, so the whole slot is kept; what follows the reader is cut to the slice.
                Index::Pick(axis, list) => {
                    let picked = &self.lists[*list][self.slice[*axis].clone()];
                    let (least, most) =
                        (picked.iter().min().copied().unwrap_or(0), picked.iter().max().map_or(0, |most| most + 1));
                    if least < range.start || most > range.end {
                        return Err(unsupported(site, "a list reaches outside its tensor"));
                    }
                    kept = times(&kept, least - range.start..most - range.start, strides[slot]);
                    ranges.push(least..most);
                }
                Index::At(axis) => {
                    let reader = self.slice[*axis].clone();
                    if reader.start < range.start || reader.end > range.end {
                        return Err(unsupported(site, "an axis is longer than what it reads"));
                    }
                    kept = times(&kept, reader.start - range.start..reader.end - range.start, strides[slot]);
                    ranges.push(reader);
                }
            }
        }
        let bound = tensor.magnitude.checked_mul(summed.len() as u128).filter(|bound| *bound < WIDE);
        let bound = bound.ok_or_else(|| InferError::Overflow { site: site.to_string(), bits: 126 })?;
        fn totals<V: Number, C: Copy + Sync>(
            cells: &[C],
            kept: &[usize],
            summed: &[usize],
            number: impl Fn(C) -> V + Sync,
        ) -> Vec<V> {
            let side_by_side = summed.iter().enumerate().all(|(step, offset)| *offset == step);
            let total = |start: &usize| {
                let mut sum = V::of(0);
                if side_by_side {
                    cells[*start..][..summed.len()].iter().for_each(|cell| sum += number(*cell));
                } else {
                    summed.iter().for_each(|offset| sum += number(cells[start + offset]));
                }
                sum
            };
            kept.par_iter().with_min_len(64).map(total).collect()
        }
        let values = match &tensor.cells {
            Cells::Ints(ints) if bound < NARROW => {
                Values::Narrow(each_width!(Integers, &**ints, cells => totals(cells, &kept, &summed, i64::from)))
            }
            Cells::Ints(ints) => {
                Values::Wide(each_width!(Integers, &**ints, cells => totals(cells, &kept, &summed, i128::from)))
            }
            Cells::Wide(cells) => Values::Wide(totals(cells, &kept, &summed, |cell| cell)),
        };
        let axes: Vec<AxisId> = index.iter().filter_map(slot).map(|(axis, _)| axis).collect();
        Ok(values.into_tensor(&axes, ranges))
    }

    /// `sum over the layers below` of a column read one to one otherwise, continued from the last layer asked for.
    fn prefix(&mut self, column: ColumnId, index: &[Index]) -> Option<Arc<Tensor>> {
        let Some(Index::Before(layer)) = index.first() else { return None };
        if !index[1..].iter().all(|index| matches!(index, Index::At(_))) || self.slice[*layer].len() != 1 {
            return None;
        }
        let now = self.slice[*layer].start;
        let known = self.prefixes.iter().position(|prefix| prefix.column == column && prefix.index == index);
        let known = match known {
            Some(known) if self.prefixes[known].layers <= now => known,
            Some(_) => return None,
            None => {
                let slots: Vec<_> = index.iter().filter_map(slot).collect();
                let axes: Vec<AxisId> = slots.iter().map(|slot| slot.0).collect();
                let ranges: Vec<_> = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
                let count = ranges.iter().map(Range::len).product();
                let sum = Arc::new(Values::Narrow(vec![0; count]).into_tensor(&axes, ranges));
                self.prefixes.push(Prefix { column, index: index.to_vec(), layers: 0, sum });
                self.prefixes.len() - 1
            }
        };
        let from = self.prefixes[known].layers;
        let axes = self.prefixes[known].sum.axes.clone();
        let tensor = self.columns[column].clone();
        for below in from..now {
            // The layer below, read where the reader stands.
            let mut slots = vec![(*layer, None)];
            slots.extend(index[1..].iter().filter_map(slot));
            let reader = std::mem::replace(&mut self.slice[*layer], below..below + 1);
            let offsets = self.offsets("", &tensor.ranges, &slots, &[&[*layer], &axes[..]].concat());
            self.slice[*layer] = reader;
            let offsets = offsets.ok()?;
            let sum = Arc::make_mut(&mut self.prefixes[known].sum);
            sum.magnitude += tensor.magnitude;
            let (Cells::Ints(sums), Cells::Ints(cells)) = (&mut sum.cells, &tensor.cells) else { return None };
            let Integers::I64(sums) = Arc::make_mut(sums) else { return None };
            let steps = Steps::new(offsets);
            fn add<C: Into<i64>>(sum: &mut i64, cell: C) {
                *sum = sum.wrapping_add(cell.into());
            }
            sums.par_chunks_mut(GRAIN).enumerate().for_each(|(run, sums)| {
                each_width!(Integers, &**cells, cells => steps.gather(run * GRAIN, sums, cells, add));
            });
        }
        self.prefixes[known].layers = now;
        (self.prefixes[known].sum.magnitude < NARROW).then(|| self.prefixes[known].sum.clone())
    }

    /// For each of `axes`, how far each of its indices moves in the box `ranges` whose `slots` follow them.
    pub(super) fn offsets(
        &self,
        site: &str,
        ranges: &[Range<usize>],
        slots: &[(AxisId, Option<ListId>)],
        axes: &[AxisId],
    ) -> Result<Vec<Vec<usize>>, InferError> {
        let strides = strides(ranges);
        let mut offsets: Vec<Vec<usize>> = axes.iter().map(|&axis| vec![0; self.slice[axis].len()]).collect();
        for (slot, &(reader, list)) in slots.iter().enumerate() {
            let place = axes
                .iter()
                .position(|&axis| axis == reader)
                .ok_or_else(|| unsupported(site, "a term reads an axis that its reader lacks"))?;
            let own = &ranges[slot];
            for (offset, index) in offsets[place].iter_mut().zip(self.slice[reader].clone()) {
                let index = list.map_or(index, |list| self.lists[list][index]);
                if !own.contains(&index) {
                    return Err(unsupported(site, "an index reaches outside what it reads"));
                }
                *offset += (index - own.start) * strides[slot];
            }
        }
        Ok(offsets)
    }

    /// Where the column's cells stand for `axes` in this order, if they are one run of memory.
    pub(super) fn run(&self, column: ColumnId, index: &[Index], axes: &[AxisId]) -> Option<Range<usize>> {
        let slots: Vec<_> = index.iter().filter_map(slot).collect();
        if slots.len() != index.len() {
            return None;
        }
        let offsets = self.offsets("", &self.columns[column].ranges, &slots, axes).ok()?;
        let mut inner = 1;
        for offsets in offsets.iter().rev() {
            let first = offsets.first()?;
            if offsets.iter().enumerate().any(|(step, offset)| *offset != first + step * inner) {
                return None;
            }
            inner *= offsets.len();
        }
        let start: usize = offsets.iter().map(|offsets| offsets[0]).sum();
        Some(start..start + inner)
    }
}

/// The reader's axis that a slot follows, and the list between them.
pub(super) fn slot(index: &Index) -> Option<(AxisId, Option<ListId>)> {
    match index {
        Index::At(axis) => Some((*axis, None)),
        Index::Pick(axis, list) => Some((*axis, Some(*list))),
        Index::All | Index::Before(_) => None,
    }
}

pub(super) fn unsupported(site: &str, what: &'static str) -> InferError {
    InferError::Unsupported { site: site.to_string(), what }
}

/// How far each index of each axis moves in a tensor's cells; short trailing axes are one, so that the inner loop is long.
pub(super) struct Steps {
    outer: Vec<Vec<usize>>,
    last: Vec<usize>,
    /// Neighbours along the last axis: 1 apart, 0 apart, or neither.
    stride: Option<usize>,
}

impl Steps {
    pub fn new(mut outer: Vec<Vec<usize>>) -> Self {
        fn stride(offsets: &[usize]) -> Option<usize> {
            let apart = |&stride: &usize| offsets.windows(2).all(|pair| pair[1] == pair[0] + stride);
            [1, 0].into_iter().find(apart)
        }
        let mut last = outer.pop().unwrap_or_else(|| vec![0]);
        while let Some(before) = outer.pop_if(|before| before.len() * last.len() <= 1 << 12) {
            let both: Vec<_> = before.iter().flat_map(|outer| last.iter().map(move |inner| outer + inner)).collect();
            // A run of neighbours that is long enough is better than a longer one of any places.
            if last.len() >= 32 && stride(&last).is_some() && stride(&both).is_none() {
                outer.push(before);
                break;
            }
            last = both;
        }
        Steps { stride: stride(&last), outer, last }
    }

    /// `add(out[i], cells[offset of start + i])` for every `i`.
    pub fn gather<V, C: Copy>(&self, start: usize, out: &mut [V], cells: &[C], add: impl Fn(&mut V, C)) {
        let (mut row, mut column, mut rest) = (start / self.last.len().max(1), start % self.last.len().max(1), out);
        while !rest.is_empty() {
            let (run, after) = rest.split_at_mut(rest.len().min(self.last.len() - column));
            let (mut indices, mut offset) = (row, 0);
            for offsets in self.outer.iter().rev() {
                offset += offsets[indices % offsets.len()];
                indices /= offsets.len();
            }
            let last = &self.last[column..][..run.len()];
            let first = offset + last[0];
            match self.stride {
                Some(1) => {
                    run.iter_mut().zip(&cells[first..first + last.len()]).for_each(|(out, cell)| add(out, *cell))
                }
                Some(_) => run.iter_mut().for_each(|out| add(out, cells[first])),
                None => run.iter_mut().zip(last).for_each(|(out, step)| add(out, cells[offset + step])),
            }
            (row, column, rest) = (row + 1, 0, after);
        }
    }
}
