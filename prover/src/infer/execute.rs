//! Decides the values of witness columns: each by its rule, slice by slice, in the program's schedule.

use super::evaluate::{Prefix, Values, unsupported};
use super::multiply::Multiply;
use super::structure::{Structure, local, needed};
use super::tensor::{Cells, GRAIN, Tensor};
use super::{Columns, InferError};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use zkllm_kernels::{Integers, Ints};
use zkllm_verifier::program::{AxisId, ColumnId, Origin, ProductId, Program, Rotary, Rule};

/// Runs a program in integers.
pub struct Executor<'a> {
    /// On the CPU unless told otherwise.
    pub(super) multiply: Multiply<'a>,
    pub(super) program: Arc<Program>,
    pub(super) structure: Structure,
    /// The statement's lists; they change while tokens are generated.
    pub(super) lists: Vec<Vec<usize>>,
    /// By column: all of it, or the current slice where only that is kept.
    pub(super) columns: Vec<Arc<Tensor>>,
    /// By column: whether it is computed at all, and whether all of it is kept.
    needed: Vec<bool>,
    local: Vec<bool>,
    /// By table: its outputs.
    pub(super) tables: Vec<Vec<Vec<i64>>>,
    pub(super) rotations: Vec<(Rotary, Arc<Vec<Vec<(i64, i64)>>>)>,
    /// By axis: the indices being computed.
    pub(super) slice: Vec<Range<usize>>,
    /// By product: its value on the current slice.
    pub(super) products: Vec<Option<Arc<Tensor>>>,
    pub(super) prefixes: Vec<Prefix>,
    /// By column: what a digit was taken of, least and greatest.
    digits: Vec<Option<(i128, i128)>>,
}

impl Executor<'_> {
    /// An executor of all columns of `program`, for the model's `columns`.
    ///
    /// # Errors
    /// [`InferError::Column`] unless `columns` are the model's.
    pub fn new(program: Program, columns: &Columns) -> Result<Self, InferError> {
        let keep = vec![false; program.columns.len()];
        let all = vec![true; program.columns.len()];
        Self::with(program, columns, all, keep)
    }

    /// An executor of the columns that `product` depends on, which keeps no more than later slices read.
    pub(super) fn towards(product: ProductId, program: Program, columns: &Columns) -> Result<Self, InferError> {
        let (needed, local) = (needed(&program, product), local(&program));
        Self::with(program, columns, needed, local)
    }

    fn with(program: Program, model: &Columns, needed: Vec<bool>, local: Vec<bool>) -> Result<Self, InferError> {
        let slice: Vec<_> = program.axes.iter().map(|axis| 0..axis.length).collect();
        let mut columns = Vec::new();
        for (id, column) in program.columns.iter().enumerate() {
            let lengths = program.lengths(&column.axes);
            let expected = lengths.iter().product();
            let ranges: Vec<_> = lengths.into_iter().map(|length| 0..length).collect();
            let tensor = match column.origin {
                Origin::Model => {
                    let values = model.column(&column.name);
                    let found = values.map_or(0, |values| values.len());
                    let values = values.filter(|values| values.len() == expected);
                    let values =
                        values.ok_or_else(|| InferError::Column { name: column.name.clone(), expected, found })?;
                    Tensor::shared(&column.axes, ranges, values.clone())
                }
                // Made whole at once, by the slices.
                _ if local[id] || !needed[id] => Tensor::zeros(&column.axes, vec![0..0; column.axes.len()]),
                _ => Tensor::zeros(&column.axes, ranges),
            };
            columns.push(Arc::new(tensor));
        }
        let products = vec![None; program.products.len()];
        let digits = vec![None; program.columns.len()];
        Ok(Self {
            multiply: &zkllm_kernels::integer::multiply,
            structure: Structure::of(&program),
            lists: program.lists.clone(),
            tables: program.tables.iter().map(|table| table.outputs()).collect(),
            rotations: Vec::new(),
            prefixes: Vec::new(),
            program: Arc::new(program),
            columns,
            needed,
            local,
            slice,
            products,
            digits,
        })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The values of a column, if they are kept.
    pub fn column(&self, column: ColumnId) -> Option<Arc<Integers>> {
        match &self.columns[column].cells {
            Cells::Ints(ints) if !self.local[column] => Some(ints.clone()),
            _ => None,
        }
    }

    /// Least and greatest of what the digits of a column were taken of: the value that its lookups range.
    pub fn digit_range(&self, column: ColumnId) -> Option<(i128, i128)> {
        self.digits[column]
    }

    /// Computes every column on the positions `times` of the causal pair's axis, given all positions before.
    /// After each layer, and after each segment without layers, `after(executor, segment)` is called.
    pub(super) fn run_slice(
        &mut self,
        times: Option<Range<usize>>,
        mut after: impl FnMut(&mut Self, usize) -> Result<(), InferError>,
    ) -> Result<(), InferError> {
        if let Some(times) = times {
            for (t, u) in self.structure.pairs.clone() {
                self.slice[u] = 0..times.end;
                self.slice[t] = times.clone();
            }
        }
        self.prefixes.clear();
        for segment in 0..self.structure.segments.len() {
            let layer = self.structure.layer.filter(|_| self.structure.segments[segment].layered);
            let columns = self.structure.segments[segment].columns.clone();
            let layers = layer.map_or(0..1, |layer| 0..self.program.axes[layer].length);
            for index in layers {
                if let Some(layer) = layer {
                    self.slice[layer] = index..index + 1;
                }
                self.products.fill(None);
                for &column in &columns {
                    if self.needed[column] {
                        self.fill(column)?;
                    }
                }
                after(self, segment)?;
            }
            if let Some(layer) = layer {
                self.slice[layer] = 0..self.program.axes[layer].length;
            }
        }
        Ok(())
    }

    /// Computes every column everywhere.
    ///
    /// # Errors
    /// `OutOfRange` where a table is left, `Overflow`, `Divisor`, `Unsupported`.
    pub fn run_all(&mut self) -> Result<(), InferError> {
        self.run_slice(None, |_, _| Ok(()))
    }

    /// One column on the current slice, by its rule.
    fn fill(&mut self, id: ColumnId) -> Result<(), InferError> {
        let program = self.program.clone();
        let column = &program.columns[id];
        let (name, axes) = (&column.name, &column.axes);
        let Origin::Witness(rule) = &column.origin else { return Ok(()) };
        let too_wide = || InferError::Overflow { site: name.clone(), bits: 63 };
        let mut values = match rule {
            Rule::Exact { of } => self.sum(name, of, axes)?.map(|v| v, |v| v).ok_or_else(too_wide)?,
            Rule::Round { of, shift } => {
                let values = self.sum(name, of, axes)?;
                let half = 1i128 << (shift - 1);
                // Narrow values are below 2^62, so that a shift beyond leaves 0.
                let narrow = |v: i64| if *shift > 62 { 0 } else { (v + (1 << (shift - 1))) >> shift };
                values.map(narrow, |v| (v + half) >> shift).ok_or_else(too_wide)?
            }
            Rule::Digit { of, shift } => {
                let values = self.sum(name, of, axes)?;
                self.observe(id, &values);
                floor(values, *shift).ok_or_else(too_wide)?
            }
            Rule::InverseSqrt { constant, of } => {
                let cells = self.own(*of, axes)?;
                if cells.par_iter().any(|&ss| ss <= 0) {
                    return Err(InferError::Divisor { site: name.clone() });
                }
                cells.into_par_iter().map(|ss| (constant / i128::from(ss)).unsigned_abs().isqrt() as i64).collect()
            }
            Rule::RowMax { of, over, shift } => self.row_max(name, axes, of, *over, *shift)?,
            Rule::Gap { top, of, shift } => {
                let mut values = floor(self.sum(name, of, axes)?, *shift).ok_or_else(too_wide)?;
                let last = axes.last().map_or(1, |&axis| self.slice[axis].len());
                let tops = self.own(*top, &axes[..axes.len() - 1])?;
                let rows = values.par_chunks_mut(last.max(1)).zip(tops).with_min_len(GRAIN.div_ceil(last.max(1)));
                rows.for_each(|(row, top)| row.iter_mut().for_each(|value| *value = top - *value));
                values
            }
            Rule::Output { table, of, output } => {
                let rows = self.reading(name, of, axes)?;
                let outputs =
                    self.tables[*table].get(*output).ok_or_else(|| unsupported(name, "its table lacks an output"))?;
                // Pairs that do not exist have no value.
                let known = |place: usize, values: &mut [i64]| {
                    rows.narrowed(place, values);
                    let missing = values.iter_mut().enumerate().find_map(|(at, value)| {
                        let output = usize::try_from(*value).ok().and_then(|row| outputs.get(row));
                        *value = output.copied().unwrap_or(0);
                        (output.is_none() && !(column.causal && self.acausal(axes, place + at))).then_some(place + at)
                    });
                    missing.map_or(Ok(()), |place| Err(self.outside(name, axes, place, rows.at(place) - of.constant)))
                };
                by_runs(rows.len(), known)?
            }
            Rule::Divide { numerator, denominator } => {
                let numerator = self.sum(name, numerator, axes)?;
                let denominator = self.sum(name, denominator, axes)?;
                let divide = |place: usize| {
                    let (n, d) = (numerator.get(place), denominator.get(place));
                    if d <= 0 {
                        return Err(InferError::Divisor { site: name.clone() });
                    }
                    let narrow = i64::try_from(n).is_ok_and(|n| n.unsigned_abs() < 1 << 60) && d < 1 << 60;
                    let quotient = if narrow {
                        i128::from((2 * n as i64 + d as i64).div_euclid(2 * d as i64))
                    } else {
                        (2 * n + d).div_euclid(2 * d)
                    };
                    i64::try_from(quotient).map_err(|_| too_wide())
                };
                by_runs(numerator.len(), |place, values| {
                    values.iter_mut().enumerate().try_for_each(|(at, value)| divide(place + at).map(|it| *value = it))
                })?
            }
        };
        if column.causal {
            let length = axes.last().map_or(1, |&axis| self.slice[axis].len()).max(1);
            let rows = values.par_chunks_mut(length).enumerate();
            rows.for_each(|(row, values)| values[self.existing(axes, row * length)..].fill(0));
        }
        let ranges: Vec<_> = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
        if self.local[id] {
            self.columns[id] = Arc::new(Tensor::shared(axes, ranges, Arc::new(Integers::narrowed(values))));
        } else {
            Arc::make_mut(&mut self.columns[id]).write(&ranges, &values);
        }
        Ok(())
    }

    /// The maximum over the indices of `over` that exist for the row.
    fn row_max(
        &mut self,
        name: &str,
        axes: &[AxisId],
        of: &zkllm_verifier::program::Sum,
        over: AxisId,
        shift: u32,
    ) -> Result<Vec<i64>, InferError> {
        let too_wide = || InferError::Overflow { site: name.to_string(), bits: 63 };
        let values = floor(self.sum(name, of, &[axes, &[over]].concat())?, shift).ok_or_else(too_wide)?;
        let count = self.slice[over].len().max(1);
        let later = self.structure.later(over).and_then(|t| axes.iter().position(|&axis| axis == t));
        let inner: usize =
            later.map_or(1, |place| axes[place + 1..].iter().map(|&axis| self.slice[axis].len()).product());
        let top = |(row, values): (usize, &[i64])| {
            let exist = later.map_or(count, |place| {
                let t = &self.slice[axes[place]];
                (t.start + row / inner % t.len() + 1).saturating_sub(self.slice[over].start).min(count)
            });
            values[..exist].iter().max().copied().unwrap_or(0)
        };
        Ok(values.par_chunks(count).enumerate().map(top).collect())
    }

    /// A column's own cells on the current slice.
    fn own(&mut self, column: ColumnId, axes: &[AxisId]) -> Result<Vec<i64>, InferError> {
        let sum = zkllm_verifier::program::Sum::of(1, column, &self.columns[column].axes.clone());
        let values = self.sum("", &sum, axes)?;
        Ok((0..values.len()).into_par_iter().map(|index| values.get(index) as i64).collect())
    }

    fn observe(&mut self, column: ColumnId, values: &Values) {
        if values.len() == 0 {
            return;
        }
        let (least, greatest) = match values {
            Values::Narrow(values) => {
                let (least, greatest) = Ints::I64(values).range();
                (least.into(), greatest.into())
            }
            Values::Wide(values) => {
                let ends = values.par_iter().map(|&value| (value, value));
                ends.reduce(|| (values[0], values[0]), |a, b| (a.0.min(b.0), a.1.max(b.1)))
            }
        };
        let known = self.digits[column].get_or_insert((least, greatest));
        *known = (known.0.min(least), known.1.max(greatest));
    }

    /// Whether the place of a causal tensor on the current slice has `u > t`.
    fn acausal(&self, axes: &[AxisId], place: usize) -> bool {
        let length = self.slice[axes[axes.len() - 1]].len();
        place % length >= self.existing(axes, place / length * length)
    }

    /// How many of the row of pairs that begins at a place exist.
    pub(super) fn existing(&self, axes: &[AxisId], place: usize) -> usize {
        let (t, u) = (&self.slice[axes[axes.len() - 2]], &self.slice[axes[axes.len() - 1]]);
        (t.start + place / u.len().max(1) % t.len().max(1) + 1).saturating_sub(u.start).min(u.len())
    }

    /// Layer and position of a place of a tensor on the current slice.
    pub(super) fn place(&self, axes: &[AxisId], place: usize) -> (Option<usize>, Option<usize>) {
        let mut rest = place;
        let (mut layer, mut position) = (None, None);
        for &axis in axes.iter().rev() {
            let range = &self.slice[axis];
            let index = range.start + rest % range.len().max(1);
            rest /= range.len().max(1);
            if Some(axis) == self.structure.layer {
                layer = Some(index);
            }
            let output = self.structure.head.map(|head| head.output);
            if self.structure.pairs.iter().any(|(t, _)| *t == axis) || output == Some(axis) {
                position = Some(index);
            }
        }
        (layer, position)
    }

    /// The error of a value without its offset, outside its table.
    pub(super) fn outside(&self, site: &str, axes: &[AxisId], place: usize, value: i128) -> InferError {
        let (layer, position) = self.place(axes, place);
        let needed_bits = 129 - (if value < 0 { !value } else { value }).leading_zeros();
        InferError::OutOfRange { site: site.to_string(), layer, position, needed_bits }
    }
}

/// `count` values, made in runs by `make(first place, run)`.
fn by_runs(
    count: usize,
    make: impl Fn(usize, &mut [i64]) -> Result<(), InferError> + Sync,
) -> Result<Vec<i64>, InferError> {
    let mut values = vec![0; count];
    let runs = values.par_chunks_mut(GRAIN).enumerate();
    runs.try_for_each(|(run, values)| make(run * GRAIN, values))?;
    Ok(values)
}

fn floor(values: Values, shift: u32) -> Option<Vec<i64>> {
    values.map(|v| v >> shift.min(63), |v| v >> shift.min(127))
}
