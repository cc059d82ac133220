//! Decides what of an inference runs on a device: the same as on the host, on tensors that stay there.
//!
//! Whatever does not fit (a value of more than 62 bits, a row that is in no table, a shape that nobody needed) is left to the
//! host, which names what is wrong: a `None` here means so. Columns are copied to the host as they are made.

mod products;

use super::evaluate::{NARROW, slot};
use super::execute::Executor;
use super::tensor::{Cells, Tensor, join, window};
use crate::causal;
use std::iter::zip;
use std::ops::Range;
use std::sync::Arc;
use zkllm_kernels::tensors::{Each, Far, Layout, Pairs, Part, Reading, Tensors};
use zkllm_kernels::{Integers, Ints};
use zkllm_verifier::program::{
    AxisId, ColumnId, Index, ListId, Lookup, Origin, ProductId, Rotary, Rule, Source, Sum, Term, Zero,
};

/// A box of a tensor on the device, row major.
#[derive(Clone, Debug)]
struct There {
    axes: Vec<AxisId>,
    ranges: Vec<Range<usize>>,
    cells: Far,
    /// Least and greatest value.
    ends: (i64, i64),
    /// Whether the host has it too.
    near: bool,
}

impl There {
    fn magnitude(&self) -> u128 {
        magnitude(self.ends)
    }
}

/// The greatest absolute value that there is between two ends.
fn magnitude((least, greatest): (i64, i64)) -> u128 {
    u128::from(least.unsigned_abs().max(greatest.unsigned_abs()))
}

/// The axes of the reader that the slots of a tensor follow, and the lists between them.
type Slots = Vec<(AxisId, Option<ListId>)>;

/// A sum over the layers below.
#[derive(Clone)]
struct Below {
    column: ColumnId,
    index: Vec<Index>,
    layers: usize,
    sum: There,
}

/// What is on the device.
#[derive(Default)]
pub(super) struct Held {
    /// Places of a tensor at most.
    most: usize,
    /// By column: the last slice that was made of it.
    columns: Vec<Option<There>>,
    /// The model's columns.
    model: Vec<(ColumnId, There)>,
    /// By product: its value on the current slice.
    products: Vec<Option<There>>,
    reduced: Vec<(Source, Vec<Index>, There)>,
    below: Vec<Below>,
    /// Outputs of tables, and angles.
    tables: Vec<((usize, usize), Far)>,
    turns: Vec<(Rotary, Far)>,
}

impl Held {
    /// Forgets what belongs to a slice of tokens. `room` is of the device's memory, in bytes.
    pub fn next_slice(&mut self, columns: usize, room: usize) {
        self.columns = vec![None; columns];
        self.below.clear();
        // At most five tensors of scores are there at once, of 8 bytes, and what a layer keeps in fewer.
        self.most = room / (8 * 8);
    }

    /// Forgets what belongs to a layer.
    pub fn next_layer(&mut self, products: usize) {
        self.products = vec![None; products];
        self.reduced.clear();
    }
}

impl<'a> Executor<'a> {
    /// The device, if there is one, so many values are worth it, and some tensors of them fit.
    fn there(&self, count: usize) -> Option<&'a dyn Tensors> {
        self.multiply.tensors().filter(|tensors| count >= tensors.least() && count < self.far.most.min(1 << 32))
    }

    fn boxed(&self, axes: &[AxisId]) -> Vec<Range<usize>> {
        axes.iter().map(|&axis| self.slice[axis].clone()).collect()
    }

    fn count(&self, axes: &[AxisId]) -> usize {
        axes.iter().map(|&axis| self.slice[axis].len()).product()
    }

    /// The pairs of a tensor over `axes`, if it is of pairs.
    fn pairs(&self, axes: &[AxisId], causal: bool) -> Option<Pairs> {
        let ([.., t, u], true) = (axes, causal) else { return (!causal).then(Pairs::default) };
        let (t, u) = (&self.slice[*t], &self.slice[*u]);
        let shift = t.start.checked_sub(u.start)?;
        Some(Pairs { length: u.len(), rows: t.len(), shift })
    }

    fn tensor(tensors: &dyn Tensors, axes: &[AxisId], ranges: Vec<Range<usize>>, cells: Far) -> There {
        let ends = tensors.ends(&cells);
        There { axes: axes.to_vec(), ranges, cells, ends, near: false }
    }

    /// One column on the current slice, by its rule; `None` if that is the host's to do.
    pub(super) fn fill_far(&mut self, id: ColumnId, rule: &Rule) -> Option<()> {
        let program = self.program.clone();
        let column = &program.columns[id];
        let axes = &column.axes;
        let read = if let Rule::RowMax { over, .. } = rule { self.slice[*over].len() } else { 1 };
        let tensors = self.there(read * self.count(axes))?;
        let pairs = self.pairs(axes, column.causal)?;
        let mut seen = None;
        let mut values = match rule {
            Rule::Exact { of } => tensors.read(&self.far_reading(of, axes)?.0, 0, 0, None, pairs),
            Rule::Round { of, shift } if (1..62).contains(shift) => {
                tensors.read(&self.far_reading(of, axes)?.0, 1 << (shift - 1), *shift, None, pairs)
            }
            Rule::Digit { of, shift } if *shift < 62 => {
                let all = tensors.read(&self.far_reading(of, axes)?.0, 0, 0, None, pairs);
                // What does not exist has no value; a 0 more is in every range that the digits of a 0 are.
                let ends = tensors.ends(&all);
                seen = Some((ends.0.into(), ends.1.into()));
                tensors.read(&self.again(axes, [(1, all)]), 0, *shift, None, pairs)
            }
            Rule::RowMax { of, over, shift } if *shift < 62 => {
                let all = [&axes[..], &[*over]].concat();
                let later = self.structure.later(*over);
                let pairs = self.pairs(&all, true).filter(|_| later.is_some() && axes.last().copied() == later)?;
                tensors.tops(&self.far_reading(of, &all)?.0, *shift, pairs)
            }
            Rule::Gap { top, of, shift } if *shift < 62 => {
                let rows = &axes[..axes.len() - 1];
                let own = Sum::of(1, *top, &program.columns[*top].axes);
                let tops = tensors.read(&self.far_reading(&own, rows)?.0, 0, 0, None, Pairs::default());
                tensors.read(&self.far_reading(of, axes)?.0, 0, *shift, Some(&tops), pairs)
            }
            Rule::Output { table, of, output } => {
                let rows = tensors.read(&self.far_reading(of, axes)?.0, 0, 0, None, pairs);
                let outputs = self.far_table(tensors, *table, *output)?;
                let (least, greatest) = tensors.ends(&rows);
                if least < 0 || greatest >= outputs.len() as i64 {
                    return None;
                }
                tensors.each(Each::Take, &outputs, &rows, pairs)
            }
            Rule::Divide { numerator, denominator } => {
                let (numerator, n) = self.far_reading(numerator, axes)?;
                let (denominator, d) = self.far_reading(denominator, axes)?;
                if n >= 1 << 60 || d >= 1 << 60 {
                    return None;
                }
                let denominator = tensors.read(&denominator, 0, 0, None, Pairs::default());
                if tensors.ends(&denominator).0 <= 0 {
                    return None;
                }
                let numerator = tensors.read(&numerator, 0, 0, None, Pairs::default());
                tensors.each(Each::Divide, &numerator, &denominator, pairs)
            }
            _ => return None,
        };
        let (ranges, ends) = (self.boxed(axes), tensors.ends(&values));
        if self.local[id] {
            values = tensors.stored(&values, ends, Layout::Whole);
        } else if column.causal {
            let whole: Vec<_> = program.lengths(axes).into_iter().map(|length| 0..length).collect();
            let (side, window) = (causal::side(&program, axes, true), window(&whole, &ranges)?);
            let kept = self.triangles[id].get_or_insert_with(|| {
                let count = causal::stored(side, whole.iter().map(Range::len).product());
                Arc::new(Integers::zeros_for(count, ends))
            });
            let kept = Arc::make_mut(kept);
            kept.widen(ends);
            tensors.near(
                &tensors.stored(&values, kept.room(), Layout::Triangles(side)),
                kept,
                causal::stored(side, window.start),
            );
            values = tensors.stored(&values, ends, Layout::Whole);
        } else {
            let tensor = Arc::make_mut(&mut self.columns[id]);
            let window = tensor.window(&ranges)?;
            let Cells::Ints(kept) = &mut tensor.cells else { return None };
            let kept = Arc::make_mut(kept);
            let room = kept.room();
            if tensor.magnitude == 0 && (ends.0 < room.0 || room.1 < ends.1) {
                // Nothing but zeros so far, which need not be copied.
                *kept = Integers::zeros_for(kept.len(), ends);
            }
            kept.widen(ends);
            values = tensors.stored(&values, kept.room(), Layout::Whole);
            tensors.near(&values, kept, window.start);
            let largest = u128::from(ends.0.unsigned_abs().max(ends.1.unsigned_abs()));
            tensor.magnitude = tensor.magnitude.max(largest);
        }
        if let Some(range) = seen {
            self.digits[id] = Some(self.digits[id].map_or(range, |known| join(known, range)));
        }
        self.far.columns[id] = Some(There { axes: axes.clone(), ranges, cells: values, ends, near: false });
        Some(())
    }

    /// Tensors over `axes` as they are on the current slice, added with coefficients.
    fn again<const N: usize>(&self, axes: &[AxisId], terms: [(i64, Far); N]) -> Reading {
        let lengths: Vec<usize> = axes.iter().map(|&axis| self.slice[axis].len()).collect();
        let part = |(coefficient, cells)| Part { coefficient, cells, steps: row_major(&lengths) };
        Reading { constant: 0, parts: terms.map(part).into(), lengths: lengths.clone() }
    }

    /// Whether a sum is 0 everywhere on the current slice; `None` if that is the host's to say.
    pub(super) fn zero_far(&mut self, zero: &Zero) -> Option<()> {
        let tensors = self.there(self.count(&zero.axes))?;
        let values = tensors.read(&self.far_reading(&zero.sum, &zero.axes)?.0, 0, 0, None, Pairs::default());
        (tensors.ends(&values) == (0, 0)).then_some(())
    }

    /// See [`Executor::check_lookup`].
    pub(super) fn lookup_far(
        &mut self,
        lookup: &Lookup,
        rows: Option<&mut Integers>,
        multiplicities: &mut [u64],
    ) -> Option<()> {
        let axes = &lookup.axes;
        let tensors = self.there(self.count(axes))?;
        let pairs = self.pairs(axes, lookup.causal)?;
        let [number, outputs @ ..] = &lookup.values[..] else { return None };
        if self.tables[lookup.table].len() != outputs.len() {
            return None;
        }
        let numbers = tensors.read(&self.far_reading(number, axes)?.0, 0, 0, None, pairs);
        let (least, greatest) = tensors.ends(&numbers);
        if least < 0 || greatest >= multiplicities.len() as i64 {
            return None;
        }
        for (output, value) in outputs.iter().enumerate() {
            let outputs = self.far_table(tensors, lookup.table, output)?;
            let (mut difference, _) = self.far_reading(value, axes)?;
            let expected = tensors.each(Each::Take, &outputs, &numbers, pairs);
            difference.parts.extend(self.again(axes, [(-1, expected)]).parts);
            if tensors.ends(&tensors.read(&difference, 0, 0, None, pairs)) != (0, 0) {
                return None;
            }
        }
        if let Some(rows) = rows {
            let whole: Vec<_> = self.program.lengths(axes).into_iter().map(|length| 0..length).collect();
            let (window, side) = (window(&whole, &self.boxed(axes))?, causal::side(&self.program, axes, lookup.causal));
            let layout = if side == 0 { Layout::Whole } else { Layout::Triangles(side) };
            tensors.near(&tensors.stored(&numbers, rows.room(), layout), rows, causal::stored(side, window.start));
        }
        let counts = tensors.count(&numbers, pairs, multiplicities.len());
        zip(multiplicities, counts).for_each(|(total, count)| *total += u64::from(count));
        Some(())
    }

    /// Makes the host see a column that only the device has.
    pub(super) fn near_column(&mut self, id: ColumnId) {
        let only_there = self.local[id] || self.program.columns[id].causal;
        let slice = self.boxed(&self.program.columns[id].axes);
        let Some(Some(there)) = self.far.columns.get_mut(id).filter(|_| only_there) else { return };
        if there.near || there.ranges != slice {
            return;
        }
        let Some(tensors) = self.multiply.tensors() else { return };
        let mut values = tensors.zeros(&there.cells);
        tensors.near(&there.cells, &mut values, 0);
        there.near = true;
        self.columns[id] = Arc::new(Tensor::shared(&there.axes, slice, Arc::new(values)));
    }

    /// A product that the device has, for the host.
    pub(super) fn near_product(&mut self, id: ProductId) -> Option<Arc<Tensor>> {
        let (tensors, there) = (self.multiply.tensors()?, self.far_product(id)?);
        let mut values = tensors.zeros(&there.cells);
        tensors.near(&there.cells, &mut values, 0);
        Some(Arc::new(Tensor::shared(&there.axes, there.ranges.clone(), Arc::new(values))))
    }

    fn far_table(&mut self, tensors: &dyn Tensors, table: usize, output: usize) -> Option<Far> {
        if let Some((_, known)) = self.far.tables.iter().find(|(of, _)| *of == (table, output)) {
            return Some(known.clone());
        }
        let values = tensors.far(Ints::I64(self.tables[table].get(output)?));
        self.far.tables.push(((table, output), values.clone()));
        Some(values)
    }

    /// A sum over `axes` on the current slice, and a bound of its values and of those of some of its terms.
    fn far_reading(&mut self, sum: &Sum, axes: &[AxisId]) -> Option<(Reading, u128)> {
        (self.count(axes) < 1 << 32).then_some(())?;
        let (mut parts, mut bound) = (Vec::new(), sum.constant.unsigned_abs());
        for term in &sum.terms {
            let (there, slots) = self.far_part(term)?;
            bound = bound.checked_add(term.coefficient.unsigned_abs().checked_mul(there.magnitude())?)?;
            let steps = self.offsets("", &there.ranges, &slots, axes).ok()?;
            parts.push(Part { coefficient: i64::try_from(term.coefficient).ok()?, cells: there.cells, steps });
        }
        let lengths = axes.iter().map(|&axis| self.slice[axis].len()).collect();
        let reading = Reading { constant: i64::try_from(sum.constant).ok()?, lengths, parts };
        (bound < NARROW).then_some((reading, bound))
    }

    fn far_part(&mut self, term: &Term) -> Option<(There, Slots)> {
        let slots: Slots = term.index.iter().filter_map(slot).collect();
        let summed = slots.len() < term.index.len();
        let known = |(source, index, _): &&(Source, Vec<Index>, There)| (source, index) == (&term.source, &term.index);
        if let Some((.., there)) = self.far.reduced.iter().find(known).filter(|_| summed) {
            return Some((there.clone(), slots));
        }
        let there = match term.source {
            Source::Column(column) => {
                if let Some(sum) = self.far_below(column, &term.index) {
                    return Some((sum, slots));
                }
                self.far_column(column, &term.index)?
            }
            Source::Product(product) => self.far_product(product)?,
            Source::Below(list) => {
                let Tensor { axes, ranges, cells: Cells::Ints(ints), .. } = self.below(list, &term.index) else {
                    return None;
                };
                There { axes, ranges, cells: self.multiply.tensors()?.far(ints.view()), ends: (0, 1), near: true }
            }
        };
        if !summed {
            return Some((there, slots));
        }
        let there = self.far_sum(&there, &term.index)?;
        self.far.reduced.push((term.source, term.index.clone(), there.clone()));
        Some((there, slots))
    }

    /// A column, or as much of it as is read so on the current slice.
    fn far_column(&mut self, id: ColumnId, index: &[Index]) -> Option<There> {
        let tensors = self.multiply.tensors()?;
        let tensor = &self.columns[id];
        if let Some(Some(there)) = self.far.columns.get(id) {
            let needed = |(index, own): (&Index, &AxisId)| match index {
                Index::At(axis) => self.slice[*axis].clone(),
                // What is not all there is in the slice only.
                Index::All if self.local[id] || self.program.columns[id].causal => self.slice[*own].clone(),
                Index::All => 0..self.program.axes[*own].length,
                Index::Before(axis) => 0..self.slice[*axis].start,
                Index::Pick(axis, list) => {
                    let picked = &self.lists[*list][self.slice[*axis].clone()];
                    picked.iter().min().copied().unwrap_or(0)..picked.iter().max().map_or(0, |most| most + 1)
                }
            };
            let within = |(inner, outer): (Range<usize>, &Range<usize>)| {
                inner.is_empty() || (outer.start <= inner.start && inner.end <= outer.end)
            };
            if zip(zip(index, &there.axes).map(needed), &there.ranges).all(within) {
                return Some(there.clone());
            }
        }
        if let Some((_, there)) = self.far.model.iter().find(|(known, _)| *known == id) {
            return Some(there.clone());
        }
        let axes = &tensor.axes;
        if self.program.columns[id].causal || (self.local[id] && tensor.ranges != self.boxed(axes)) {
            return None;
        }
        let Cells::Ints(ints) = &tensor.cells else { return None };
        let of_model = matches!(self.program.columns[id].origin, Origin::Model);
        if of_model && !self.structure.layer.is_some_and(|layer| axes.contains(&layer)) {
            let cells = tensors.far(ints.view());
            let ranges = tensor.ranges.clone();
            let there = There { axes: axes.clone(), ranges, cells, ends: ints.range(), near: true };
            self.far.model.push((id, there.clone()));
            return Some(there);
        }
        let read = |(index, whole): (&Index, &Range<usize>)| match index {
            Index::At(axis) => self.slice[*axis].clone(),
            _ => whole.clone(),
        };
        let ranges: Vec<_> = zip(index, &tensor.ranges).map(read).collect();
        let part = ints.view().slice(window(&tensor.ranges, &ranges)?);
        Some(There { axes: axes.clone(), ranges, cells: tensors.far(part), ends: part.range(), near: true })
    }

    /// See [`Executor::prefix`].
    fn far_below(&mut self, column: ColumnId, index: &[Index]) -> Option<There> {
        let Some(Index::Before(layer)) = index.first() else { return None };
        let tensors = self.multiply.tensors()?;
        if !index[1..].iter().all(|index| matches!(index, Index::At(_))) || self.slice[*layer].len() != 1 {
            return None;
        }
        let now = self.slice[*layer].start;
        let axes: Vec<AxisId> = index.iter().filter_map(slot).map(|(axis, _)| axis).collect();
        if axes.is_empty() {
            return None;
        }
        let ranges = self.boxed(&axes);
        let same = |below: &Below| below.column == column && below.index == index && below.layers <= now;
        let (mut sum, from) = match self.far.below.iter().position(same) {
            Some(at) => {
                let known = self.far.below.swap_remove(at);
                (known.sum, known.layers)
            }
            None => {
                let zeros = tensors.far(Ints::I64(&vec![0; ranges.iter().map(Range::len).product()]));
                (There { axes: axes.clone(), ranges, cells: zeros, ends: (0, 0), near: false }, 0)
            }
        };
        // The layer below, read where the reader stands.
        let reader = self.slice[*layer].clone();
        let at: Vec<Index> = [&[Index::At(*layer)], &index[1..]].concat();
        let slots: Slots = at.iter().filter_map(slot).collect();
        for below in from..now {
            self.slice[*layer] = below..below + 1;
            let cells = self.far_column(column, &at);
            let steps = cells
                .as_ref()
                .and_then(|cells| self.offsets("", &cells.ranges, &slots, &[&[*layer], &axes[..]].concat()).ok());
            self.slice[*layer] = reader.clone();
            let (cells, steps) = (cells?, steps?);
            // The layer is one index.
            let (of_layer, mut steps) = (steps[0][0], steps[1..].to_vec());
            steps.iter_mut().take(1).flatten().for_each(|step| *step += of_layer);
            let mut reading = self.again(&axes, [(1, sum.cells.clone())]);
            reading.parts.push(Part { coefficient: 1, cells: cells.cells.clone(), steps });
            sum.ends = (sum.ends.0.checked_add(cells.ends.0.min(0))?, sum.ends.1.checked_add(cells.ends.1.max(0))?);
            if sum.magnitude() >= NARROW {
                return None;
            }
            sum.cells = tensors.read(&reading, 0, 0, None, Pairs::default());
        }
        self.far.below.push(Below { column, index: index.to_vec(), layers: now, sum: sum.clone() });
        Some(sum)
    }

    /// See [`Executor::reduce`].
    fn far_sum(&self, there: &There, index: &[Index]) -> Option<There> {
        let tensors = self.multiply.tensors()?;
        let strides = row_major(&there.ranges.iter().map(Range::len).collect::<Vec<_>>());
        let stride = |slot: usize| strides[slot].get(1).copied().unwrap_or(0);
        let (mut kept, mut summed, mut ranges) = (Vec::new(), vec![0usize], Vec::new());
        let times = |offsets: &[usize], count: Range<usize>, stride: usize| -> Vec<usize> {
            offsets.iter().flat_map(|offset| count.clone().map(move |index| offset + index * stride)).collect()
        };
        for (slot, index) in index.iter().enumerate() {
            let range = &there.ranges[slot];
            let picked = match index {
                Index::All => {
                    summed = times(&summed, 0..range.len(), stride(slot));
                    continue;
                }
                Index::Before(axis) => {
                    let reader = &self.slice[*axis];
                    if reader.len() != 1 || range.start != 0 || reader.start > range.end {
                        return None;
                    }
                    summed = times(&summed, 0..reader.start, stride(slot));
                    continue;
                }
                Index::Pick(axis, list) => {
                    let picked = &self.lists[*list][self.slice[*axis].clone()];
                    picked.iter().min().copied()?..picked.iter().max().copied()? + 1
                }
                Index::At(axis) => self.slice[*axis].clone(),
            };
            if picked.start < range.start || picked.end > range.end {
                return None;
            }
            kept.push(picked.clone().map(|index| (index - range.start) * stride(slot)).collect::<Vec<_>>());
            ranges.push(picked);
        }
        (summed.len() as u128 * there.magnitude() < NARROW).then_some(())?;
        let axes: Vec<AxisId> = index.iter().filter_map(slot).map(|(axis, _)| axis).collect();
        self.there(ranges.iter().map(Range::len).product::<usize>().max(there.cells.len()))?;
        Some(Self::tensor(tensors, &axes, ranges, tensors.sums(&there.cells, &kept, &summed)))
    }
}

/// The steps of a row-major tensor of these lengths.
fn row_major(lengths: &[usize]) -> Vec<Vec<usize>> {
    let step = |axis: usize| lengths[axis + 1..].iter().product::<usize>();
    (0..lengths.len()).map(|axis| (0..lengths[axis]).map(|index| index * step(axis)).collect()).collect()
}
