//! Decides the values of witness columns: each by its rule, slice by slice, in the program's schedule.

use super::evaluate::{Prefix, Reading, unsupported};
use super::far::Held;
use super::multiply::Multiply;
use super::structure::{Structure, local, needed};
use super::tensor::{Cells, Tensor, by_runs, join, window};
use super::{Columns, InferError};
use crate::causal;
use rayon::prelude::*;
use std::any::Any;
use std::cell::Cell;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use zkllm_kernels::{Integers, Ints};
use zkllm_verifier::program::{AxisId, ColumnId, Index, Origin, ProductId, Program, Rotary, Rule, Source};

/// Runs a program in integers.
pub struct Executor<'a> {
    pub(super) multiply: Multiply<'a>,
    pub(super) program: Arc<Program>,
    pub(super) structure: Structure,
    /// The statement's lists; they change while tokens are generated.
    pub(super) lists: Vec<Vec<usize>>,
    /// By column: all of it, or the current slice where only that is kept.
    pub(super) columns: Vec<Arc<Tensor>>,
    /// By column: whether it is computed at all, and whether all of it is kept.
    needed: Vec<bool>,
    pub(super) local: Vec<bool>,
    /// By column of causal pairs: all of it that is computed so far, where all of it is kept.
    pub(super) triangles: Vec<Option<Arc<Integers>>>,
    /// By table: its outputs.
    pub(super) tables: Vec<Vec<Vec<i64>>>,
    pub(super) rotations: Vec<(Rotary, Arc<Vec<Vec<(i64, i64)>>>)>,
    /// By axis: the indices being computed.
    pub(super) slice: Vec<Range<usize>>,
    /// By product: its value on the current slice.
    pub(super) products: Vec<Option<Arc<Tensor>>>,
    /// What sums of columns and products over axes gave on the current slice.
    pub(super) reduced: Vec<(Source, Vec<Index>, Arc<Tensor>)>,
    pub(super) prefixes: Vec<Prefix>,
    /// By column: what a digit was taken of, least and greatest.
    pub(super) digits: Vec<Option<(i128, i128)>>,
    /// What a device has of all that.
    pub(super) far: Held,
    /// The model's columns are kept there.
    _kept: Box<dyn Any + Send + Sync>,
}

impl<'a> Executor<'a> {
    /// An executor of all columns of `program`, for the model's `columns`, that multiplies by `multiply`.
    ///
    /// # Errors
    /// [`InferError::Column`] unless `columns` are the model's.
    pub fn new(multiply: Multiply<'a>, program: Program, columns: &Columns) -> Result<Self, InferError> {
        let all = vec![true; program.columns.len()];
        Self::with(multiply, program, columns, all, true)
    }

    /// An executor of the columns that `product` depends on, which keeps no more than later slices read.
    pub(super) fn towards(
        multiply: Multiply<'a>,
        product: ProductId,
        program: Program,
        columns: &Columns,
    ) -> Result<Self, InferError> {
        let needed = needed(&program, product);
        Self::with(multiply, program, columns, needed, false)
    }

    fn with(
        multiply: Multiply<'a>,
        program: Program,
        model: &Columns,
        needed: Vec<bool>,
        keep: bool,
    ) -> Result<Self, InferError> {
        let mut local = local(&program);
        // What stands at causal pairs is nowhere kept as it is.
        let scattered = |&id: &usize| program.columns[id].causal && needed[id] && !local[id];
        if let Some(id) = (0..program.columns.len()).find(scattered) {
            return Err(unsupported(&program.columns[id].name, "it is read elsewhere than where it stands"));
        }
        if keep {
            local.fill(false);
        }
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
                _ if local[id] || !needed[id] || column.causal => {
                    Tensor::zeros(&column.axes, vec![0..0; column.axes.len()])
                }
                _ => Tensor::zeros(&column.axes, ranges),
            };
            columns.push(Arc::new(tensor));
        }
        let products = vec![None; program.products.len()];
        let (digits, triangles) = (vec![None; program.columns.len()], vec![None; program.columns.len()]);
        Ok(Self {
            multiply,
            structure: Structure::of(&program),
            lists: program.lists.clone(),
            tables: program.tables.iter().map(|table| table.outputs()).collect(),
            rotations: Vec::new(),
            prefixes: Vec::new(),
            program: Arc::new(program),
            columns,
            needed,
            local,
            triangles,
            slice,
            products,
            reduced: Vec::new(),
            digits,
            far: Held::default(),
            _kept: multiply.keep(&model.iter().map(|(_, values)| values.clone()).collect::<Vec<_>>()),
        })
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The values of a column, if they are kept; of causal pairs as [`causal`] says.
    pub fn column(&self, column: ColumnId) -> Option<Arc<Integers>> {
        match &self.columns[column].cells {
            _ if self.program.columns[column].causal => self.triangles[column].clone(),
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
        let room = self.multiply.tensors().map_or(0, |tensors| tensors.room());
        self.far.next_slice(self.columns.len(), room);
        for segment in 0..self.structure.segments.len() {
            let layer = self.structure.layer.filter(|_| self.structure.segments[segment].layered);
            let columns = self.structure.segments[segment].columns.clone();
            let layers = layer.map_or(0..1, |layer| 0..self.program.axes[layer].length);
            for index in layers {
                if let Some(layer) = layer {
                    self.slice[layer] = index..index + 1;
                }
                self.products.fill(None);
                self.reduced.clear();
                self.far.next_layer(self.products.len());
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
        if axes.iter().any(|&axis| self.slice[axis].is_empty()) || self.fill_far(id, rule).is_some() {
            return Ok(());
        }
        let last = axes.last().map_or(1, |&axis| self.slice[axis].len()).max(1);
        // Least and greatest of what digits are taken of.
        let seen = Mutex::new(self.digits[id]);
        let make: Box<Make> = match rule {
            Rule::Exact { of } => {
                let of = self.reading(name, of, axes)?;
                Box::new(move |start, out| held(of.narrowed(start, out)))
            }
            Rule::Round { of, shift } => {
                let (of, shift) = (self.reading(name, of, axes)?, *shift);
                if !(1..=126).contains(&shift) {
                    return Err(unsupported(name, "it is rounded by no bits or by more than 126"));
                }
                let half = 1i128 << (shift - 1);
                // Narrow values are below 2^62, so that a shift beyond leaves 0.
                let narrow = move |v: i64| if shift > 62 { 0 } else { (v + (1 << (shift - 1))) >> shift };
                Box::new(move |start, out| held(of.map(start, out, narrow, |v| (v + half) >> shift)))
            }
            Rule::Digit { of, shift } => {
                let (of, shift, seen) = (self.reading(name, of, axes)?, *shift, &seen);
                Box::new(move |start, out| {
                    let range = if of.narrowed(start, out) {
                        let (least, greatest) = Ints::I64(out).range();
                        out.iter_mut().for_each(|value| *value >>= shift.min(63));
                        (least.into(), greatest.into())
                    } else {
                        let range = Cell::new((i128::MAX, i128::MIN));
                        let wide = |value: i128| {
                            range.set(join(range.get(), (value, value)));
                            value >> shift.min(127)
                        };
                        held(of.map(start, out, |value| value >> shift.min(63), wide))?;
                        range.get()
                    };
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    *seen = Some(seen.map_or(range, |seen| join(seen, range)));
                    Ok(())
                })
            }
            Rule::InverseSqrt { constant, of } => {
                let cells = self.own(*of, axes)?;
                let constant = u128::try_from(*constant);
                let constant = constant.map_err(|_| unsupported(name, "it is the root of a negative number"))?;
                Box::new(move |start, out| {
                    for (value, &ss) in out.iter_mut().zip(&cells[start..]) {
                        if ss <= 0 {
                            return Err(Fault::Divisor);
                        }
                        *value = narrowed((constant / u128::from(ss.unsigned_abs())).isqrt())?;
                    }
                    Ok(())
                })
            }
            Rule::RowMax { of, over, shift } => {
                let (of, shift) = (self.reading(name, of, &[&axes[..], &[*over]].concat())?, *shift);
                let exist = self.existing_of_rows(axes, *over);
                let count = self.slice[*over].len();
                Box::new(move |start, out| {
                    let mut values = vec![0; count];
                    for (row, top) in (start..).zip(out) {
                        let values = &mut values[..exist(row)];
                        floor(&of, row * count, values, shift)?;
                        *top = values.iter().max().copied().unwrap_or(0);
                    }
                    Ok(())
                })
            }
            Rule::Gap { top, of, shift } => {
                let (of, shift) = (self.reading(name, of, axes)?, *shift);
                let tops = self.own(*top, &axes[..axes.len() - 1])?;
                Box::new(move |start, out| {
                    floor(&of, start, out, shift)?;
                    for (row, top) in out.chunks_mut(last).zip(&tops[start / last..]) {
                        for value in row {
                            *value = top.checked_sub(*value).ok_or(Fault::TooWide)?;
                        }
                    }
                    Ok(())
                })
            }
            Rule::Output { table, of, output } => {
                let rows = self.reading(name, of, axes)?;
                let outputs =
                    self.tables[*table].get(*output).ok_or_else(|| unsupported(name, "its table lacks an output"))?;
                let constant = of.constant;
                Box::new(move |start, out| {
                    let exact = rows.narrowed(start, out);
                    for (at, value) in out.iter_mut().enumerate() {
                        let place = start + at;
                        let held = exact || rows.at(place) == i128::from(*value);
                        let row = usize::try_from(*value).ok().filter(|_| held);
                        let output = row.and_then(|row| outputs.get(row));
                        *value = *output.ok_or_else(|| Fault::Outside(place, rows.at(place) - constant))?;
                    }
                    Ok(())
                })
            }
            Rule::Divide { numerator, denominator } => {
                let numerator = self.reading(name, numerator, axes)?;
                let denominator = self.reading(name, denominator, axes)?;
                Box::new(move |start, out| {
                    let mut divisors = vec![0; out.len()];
                    let exact = numerator.narrowed(start, out) & denominator.narrowed(start, &mut divisors);
                    for (at, (value, &d)) in out.iter_mut().zip(&divisors).enumerate() {
                        let (n, d) = if exact {
                            (i128::from(*value), i128::from(d))
                        } else {
                            (numerator.at(start + at), denominator.at(start + at))
                        };
                        if d <= 0 {
                            return Err(Fault::Divisor);
                        }
                        *value = if n.unsigned_abs() < 1 << 60 && d < 1 << 60 {
                            (2 * n as i64 + d as i64).div_euclid(2 * d as i64)
                        } else {
                            // `2 n + d` may have more than 127 bits.
                            narrowed(n.div_euclid(d) + i128::from(2 * n.rem_euclid(d) >= d))?
                        };
                    }
                    Ok(())
                })
            }
        };
        let ranges: Vec<_> = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
        let exist = column.causal.then(|| self.existing(axes));
        // Pairs that do not exist have no value.
        let make = |start: usize, out: &mut [i64]| {
            let Some(exist) = &exist else { return make(start, out) };
            for (row, out) in (start / last..).zip(out.chunks_mut(last)) {
                let (there, beyond) = out.split_at_mut(exist(row));
                make(row * last, there)?;
                beyond.fill(0);
            }
            Ok(())
        };
        let filled = if self.local[id] {
            by_runs(&ranges, &make).map(|values| {
                let values = Arc::new(Integers::narrowed(values));
                self.columns[id] = Arc::new(Tensor::shared(axes, ranges, values));
            })
        } else if column.causal {
            fill_squares(&program, axes, &mut self.columns[id], &mut self.triangles[id], &ranges, &make)
        } else {
            Arc::make_mut(&mut self.columns[id]).fill(&ranges, &make)
        };
        filled.map_err(|fault| match fault {
            Fault::TooWide => InferError::Overflow { site: name.clone(), bits: 63 },
            Fault::Divisor => InferError::Divisor { site: name.clone() },
            Fault::Apart => unsupported(name, "its squares are not side by side"),
            Fault::Outside(place, value) => self.outside(name, axes, place, value),
        })?;
        self.digits[id] = *seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(())
    }

    /// A column's own cells on the current slice.
    fn own(&mut self, column: ColumnId, axes: &[AxisId]) -> Result<Vec<i64>, InferError> {
        let sum = zkllm_verifier::program::Sum::of(1, column, &self.columns[column].axes.clone());
        let values = self.sum("", &sum, axes)?;
        Ok((0..values.len()).into_par_iter().map(|index| values.get(index) as i64).collect())
    }

    /// How many of the pairs in each row exist: rows of a tensor whose last axes are of pairs.
    pub(super) fn existing(&self, axes: &[AxisId]) -> impl Fn(usize) -> usize + Sync + use<> {
        let [.., t, u] = axes else { unreachable!("pairs have two axes") };
        let (t, u) = (self.slice[*t].clone(), self.slice[*u].clone());
        move |row| (t.start + row % t.len().max(1) + 1).saturating_sub(u.start).min(u.len())
    }

    /// How many indices of `over` exist for each place of a tensor over `axes`.
    pub(super) fn existing_of_rows(&self, axes: &[AxisId], over: AxisId) -> impl Fn(usize) -> usize + Sync + use<> {
        let u = self.slice[over].clone();
        let later = self.structure.later(over).and_then(|t| axes.iter().position(|&axis| axis == t)).map(|place| {
            let inner: usize = axes[place + 1..].iter().map(|&axis| self.slice[axis].len()).product();
            (self.slice[axes[place]].clone(), inner)
        });
        move |row| {
            later.as_ref().map_or(u.len(), |(t, inner)| {
                (t.start + row / inner % t.len() + 1).saturating_sub(u.start).min(u.len())
            })
        }
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

/// Fills a column of causal pairs on a slice of whole squares: `tensor` with all of them, until the next slice, and `kept` for
/// good with what is not above the diagonals.
fn fill_squares(
    program: &Program,
    axes: &[AxisId],
    tensor: &mut Arc<Tensor>,
    kept: &mut Option<Arc<Integers>>,
    ranges: &[Range<usize>],
    make: &(impl Fn(usize, &mut [i64]) -> Result<(), Fault> + Sync),
) -> Result<(), Fault> {
    let tensor = Arc::make_mut(tensor);
    if std::iter::zip(&tensor.ranges, ranges).all(|(old, new)| old.len() == new.len()) {
        tensor.ranges = ranges.to_vec();
    } else {
        *tensor = Tensor::zeros(axes, ranges.to_vec());
    }
    tensor.fill(ranges, make)?;
    let side = causal::side(program, axes, true);
    let whole: Vec<_> = program.lengths(axes).into_iter().map(|length| 0..length).collect();
    let Cells::Ints(squares) = &tensor.cells else { return Ok(()) };
    let window = window(&whole, ranges).ok_or(Fault::Apart)?;
    let kept = kept.get_or_insert_with(|| {
        let count = causal::stored(side, whole.iter().map(Range::len).product());
        Arc::new(Integers::zeros_for(count, squares.room()))
    });
    Arc::make_mut(kept).copy_triangles(causal::stored(side, window.start), squares.view(), side);
    Ok(())
}

/// Why a value of a column cannot be computed: the place, and the value that its table lacks.
enum Fault {
    TooWide,
    Divisor,
    Apart,
    Outside(usize, i128),
}

/// Makes the values of a column from a place on.
type Make<'m> = dyn Fn(usize, &mut [i64]) -> Result<(), Fault> + Sync + 'm;

fn narrowed<N: TryInto<i64>>(value: N) -> Result<i64, Fault> {
    value.try_into().map_err(|_| Fault::TooWide)
}

fn held(all: bool) -> Result<(), Fault> {
    if all { Ok(()) } else { Err(Fault::TooWide) }
}

fn floor(sum: &Reading, start: usize, out: &mut [i64], shift: u32) -> Result<(), Fault> {
    held(sum.map(start, out, |v| v >> shift.min(63), |v| v >> shift.min(127)))
}
