//! Decides the value of a product on a slice: matrices for the integer kernels, elementwise products, rotations.

use super::InferError;
use super::evaluate::{NARROW, Steps, Values, WIDE, unsupported};
use super::execute::Executor;
use super::tensor::{Cells, GRAIN, Tensor};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;
use zkllm_kernels::{Backend, Cpu, Integers, Overflow, Rows, each_width};
use zkllm_verifier::arith::tables;
use zkllm_verifier::program::{AxisId, Operand, Product, ProductId, ProductKind, Rotary, Source};

/// What multiplies matrices of integers: [`Backend::multiply`] of some backend.
pub type Multiply<'a> = &'a (dyn Fn(&[i32], Rows<'_>, usize) -> Result<Vec<i64>, Overflow> + Sync);

/// On the CPU.
pub const ON_CPU: Multiply<'static> = &zkllm_kernels::integer::multiply;

/// Products of integers that make a matrix product worth a device: in all, and for each byte that is copied there and
/// back. Estimates, for a CPU of 50 G/s and copies of 6 GB/s.
const LEAST: (usize, usize) = (1 << 24, 8);

/// Multiplies on `backend` what is worth the copies to a device, else on the CPU.
pub fn multiply_on<B: Backend>(backend: &B) -> impl Fn(&[i32], Rows<'_>, usize) -> Result<Vec<i64>, Overflow> + Sync {
    |left, right, depth| {
        if is_large(left, right, depth) {
            backend.multiply(left, right, depth)
        } else {
            Cpu.multiply(left, right, depth)
        }
    }
}

pub(super) fn is_large(left: &[i32], right: Rows<'_>, depth: usize) -> bool {
    let (count, size) = match right {
        Rows::I16(rows) => (rows.len(), 2),
        Rows::I32(rows) => (rows.len(), 4),
    };
    let products = left.len() * (count / depth);
    let copied = 4 * left.len() + size * count + 8 * (products / depth);
    products >= LEAST.0 && products >= LEAST.1 * copied
}

/// A factor laid out as `[batch][row][depth]`.
#[derive(Clone)]
enum Matrix {
    /// 64 bits suffice; the range of the values that are meant.
    Ints(Arc<Integers>, Range<usize>),
    Wide(Vec<i128>),
}

impl Executor<'_> {
    /// The product on the current slice, kept until the slice changes.
    pub(super) fn product(&mut self, id: ProductId) -> Result<Arc<Tensor>, InferError> {
        if let Some(known) = &self.products[id] {
            return Ok(known.clone());
        }
        let program = self.program.clone();
        let product = &program.products[id];
        let tensor = Arc::new(match &product.kind {
            ProductKind::Einsum(right) | ProductKind::Scores(right) => self.einsum(product, right)?,
            ProductKind::Rotary(rotary) => self.rotate(product, rotary)?,
        });
        self.products[id] = Some(tensor.clone());
        Ok(tensor)
    }

    fn einsum(&mut self, product: &Product, right: &Operand) -> Result<Tensor, InferError> {
        let (left, name) = (&product.left, &product.name);
        let within = |operand: &Operand, axis: &AxisId| operand.axes.contains(axis);
        let of = |l: bool, r: bool| -> Vec<AxisId> {
            product.axes.iter().filter(|axis| within(left, axis) == l && within(right, axis) == r).copied().collect()
        };
        let (batch, rows, columns) = (of(true, true), of(true, false), of(false, true));
        let mut depth: Vec<AxisId> = right.axes.iter().filter(|axis| !product.axes.contains(axis)).copied().collect();
        depth.extend(left.axes.iter().filter(|axis| !product.axes.contains(axis) && !within(right, axis)));
        let count = |axes: &[AxisId]| -> usize { axes.iter().map(|&axis| self.slice[axis].len()).product() };
        let (batches, m, n, k) = (count(&batch), count(&rows), count(&columns), count(&depth));
        if depth.is_empty() {
            return self.elementwise(product, right);
        }
        let same = *left == *right;
        let left = self.matrix(name, left, &[&batch[..], &rows, &depth].concat())?;
        let right =
            if same { left.clone() } else { self.matrix(name, right, &[&batch[..], &columns, &depth].concat())? };
        let axes = [batch, rows, columns].concat();
        let ranges = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
        let multiply = self.multiply;
        let of = |b: usize, rows: usize| (b * rows * k, (b + 1) * rows * k);
        let one = |b: usize| contract(multiply, &left, &right, of(b, m), of(b, n), k);
        let overflow = || InferError::Overflow { site: name.clone(), bits: 126 };
        let parts: Option<Vec<Values>> = if batches == 1 || m * n * k > 1 << 20 {
            (0..batches).map(one).collect()
        } else {
            (0..batches).into_par_iter().with_min_len((1 << 16) / (m * n * k + 1) + 1).map(one).collect()
        };
        let mut parts = parts.ok_or_else(overflow)?;
        let values = if parts.len() == 1 {
            parts.swap_remove(0)
        } else if parts.iter().all(|part| matches!(part, Values::Narrow(_))) {
            let mut all = Vec::with_capacity(batches * m * n);
            for part in parts {
                if let Values::Narrow(values) = part {
                    all.par_extend(values);
                }
            }
            Values::Narrow(all)
        } else {
            Values::Wide(parts.iter().flat_map(|part| (0..part.len()).map(|index| part.get(index))).collect())
        };
        Ok(reorder(values.into_tensor(&axes, ranges), &product.axes))
    }

    /// No axis is summed: both factors over the axes of the result.
    fn elementwise(&mut self, product: &Product, right: &Operand) -> Result<Tensor, InferError> {
        let axes = &product.axes;
        let left = self.sum(&product.name, &product.left.sum, axes)?;
        let right = self.sum(&product.name, &right.sum, axes)?;
        let bound = left.magnitude().checked_mul(right.magnitude()).filter(|bound| *bound < WIDE);
        let bound = bound.ok_or_else(|| InferError::Overflow { site: product.name.clone(), bits: 126 })?;
        let values = match (left, right) {
            (Values::Narrow(mut left), Values::Narrow(right)) if bound < NARROW => {
                left.par_iter_mut().with_min_len(1 << 14).zip(&right).for_each(|(a, b)| *a *= b);
                Values::Narrow(left)
            }
            (left, right) => Values::Wide((0..left.len()).map(|index| left.get(index) * right.get(index)).collect()),
        };
        let ranges = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
        Ok(values.into_tensor(axes, ranges))
    }

    /// The operand with its axes in this order. A column that already lies so is not copied.
    fn matrix(&mut self, name: &str, operand: &Operand, axes: &[AxisId]) -> Result<Matrix, InferError> {
        if let ([term], 0) = (&operand.sum.terms[..], operand.sum.constant)
            && let (1, Source::Column(column)) = (term.coefficient, term.source)
            && let Some(run) = self.run(column, &term.index, axes)
            && let Cells::Ints(ints) = &self.columns[column].cells
        {
            return Ok(Matrix::Ints(ints.clone(), run));
        }
        Ok(match self.sum(name, &operand.sum, axes)? {
            Values::Narrow(values) => {
                let all = 0..values.len();
                Matrix::Ints(Arc::new(Integers::narrowed(values)), all)
            }
            Values::Wide(values) => Matrix::Wide(values),
        })
    }

    fn rotate(&mut self, product: &Product, rotary: &Rotary) -> Result<Tensor, InferError> {
        let name = &product.name;
        let axes = &product.axes;
        let Values::Narrow(values) = self.sum(name, &product.left.sum, axes)? else {
            return Err(InferError::Overflow { site: name.clone(), bits: 62 });
        };
        let place = |axis: AxisId| {
            axes.iter().position(|&own| own == axis).ok_or_else(|| unsupported(name, "a rotation lacks an axis"))
        };
        let (time, half, pair) = (place(rotary.time)?, place(rotary.half)?, place(rotary.pair)?);
        let ranges: Vec<_> = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
        let largest = u128::from(super::tensor::magnitude(&values));
        if largest << (rotary.fraction + 2) >= NARROW || ranges[half] != (0..2) {
            return Err(InferError::Overflow { site: name.clone(), bits: 62 });
        }
        let table = self.rotation(rotary);
        let strides: Vec<usize> =
            (0..axes.len()).map(|axis| ranges[axis + 1..].iter().map(Range::len).product()).collect();
        let index = |place: usize, axis: usize| place / strides[axis] % ranges[axis].len() + ranges[axis].start;
        let rotated = |place: usize| {
            let (cos, sin) = table[index(place, time)][index(place, pair)];
            if index(place, half) == 0 {
                cos * values[place] - sin * values[place + strides[half]]
            } else {
                sin * values[place - strides[half]] + cos * values[place]
            }
        };
        let values = (0..values.len()).into_par_iter().with_min_len(1 << 13).map(rotated).collect();
        Ok(Values::Narrow(values).into_tensor(axes, ranges))
    }

    /// `(cos, sin)` by position and pair.
    fn rotation(&mut self, rotary: &Rotary) -> Arc<Vec<Vec<(i64, i64)>>> {
        if let Some((_, table)) = self.rotations.iter().find(|(known, _)| known == rotary) {
            return table.clone();
        }
        let (times, pairs) = (self.program.axes[rotary.time].length, self.program.axes[rotary.pair].length);
        let table = Arc::new(tables::rotary(times, pairs, rotary.base, rotary.fraction));
        self.rotations.push((*rotary, table.clone()));
        table
    }
}

/// `left * right^T` of one batch, rows of `k`; `None` beyond 126 bits.
fn contract(
    multiply: Multiply<'_>,
    left: &Matrix,
    right: &Matrix,
    l: (usize, usize),
    r: (usize, usize),
    k: usize,
) -> Option<Values> {
    if let (Matrix::Ints(left, from), Matrix::Ints(right, of)) = (left, right) {
        let (l, r) = (from.start + l.0..from.start + l.1, of.start + r.0..of.start + r.1);
        fn copied<T: Copy + Sync, U: From<T> + Send>(values: &[T]) -> Vec<U> {
            values.par_iter().with_min_len(GRAIN).map(|&value| value.into()).collect()
        }
        let wider: Vec<i32> = match &**left {
            Integers::U8(values) => copied(&values[l.clone()]),
            Integers::I16(values) => copied(&values[l.clone()]),
            Integers::U16(values) => copied(&values[l.clone()]),
            Integers::I32(_) | Integers::I64(_) => Vec::new(),
        };
        let narrow = match &**left {
            Integers::I32(values) => Some(&values[l.clone()]),
            Integers::I64(_) => None,
            _ => Some(&wider[..]),
        };
        let (short, long): (Vec<i16>, Vec<i32>);
        let rows = match &**right {
            Integers::I16(values) => Some(Rows::I16(&values[r.clone()])),
            Integers::I32(values) => Some(Rows::I32(&values[r.clone()])),
            Integers::I64(_) => None,
            Integers::U8(values) => {
                short = copied(&values[r.clone()]);
                Some(Rows::I16(&short))
            }
            Integers::U16(values) => {
                long = copied(&values[r.clone()]);
                Some(Rows::I32(&long))
            }
        };
        if let (Some(narrow), Some(rows)) = (narrow, rows)
            && let Ok(values) = multiply(narrow, rows, k)
        {
            return Some(Values::Narrow(values));
        }
        let wide =
            |ints: &Integers, range: Range<usize>| range.map(|index| i128::from(ints.get(index))).collect::<Vec<_>>();
        return slow(&wide(left, l), &wide(right, r), k);
    }
    let wide = |matrix: &Matrix, (start, end): (usize, usize)| match matrix {
        Matrix::Ints(ints, range) => {
            (start..end).map(|index| i128::from(ints.get(range.start + index))).collect::<Vec<_>>()
        }
        Matrix::Wide(values) => values[start..end].to_vec(),
    };
    slow(&wide(left, l), &wide(right, r), k)
}

/// The same in 128 bits.
fn slow(left: &[i128], right: &[i128], k: usize) -> Option<Values> {
    let largest = |values: &[i128]| values.iter().map(|value| value.unsigned_abs()).max().unwrap_or(0);
    largest(left).checked_mul(largest(right))?.checked_mul(k as u128).filter(|bound| *bound < WIDE)?;
    let dot = |l: &[i128], r: &[i128]| l.iter().zip(r).map(|(a, b)| a * b).sum::<i128>();
    let values: Vec<i128> = left.par_chunks(k).flat_map_iter(|l| right.chunks(k).map(move |r| dot(l, r))).collect();
    let narrow = largest(&values) < NARROW;
    Some(if narrow {
        Values::Narrow(values.into_iter().map(|value| value as i64).collect())
    } else {
        Values::Wide(values)
    })
}

/// The tensor with its axes in another order.
fn reorder(tensor: Tensor, axes: &[AxisId]) -> Tensor {
    if tensor.axes == axes {
        return tensor;
    }
    let strides = tensor.strides();
    let from: Vec<usize> =
        axes.iter().map(|axis| tensor.axes.iter().position(|own| own == axis).unwrap_or(0)).collect();
    let ranges: Vec<Range<usize>> = from.iter().map(|&axis| tensor.ranges[axis].clone()).collect();
    let offsets = |&axis: &usize| (0..tensor.ranges[axis].len()).map(|index| index * strides[axis]).collect();
    let steps = Steps::new(from.iter().map(offsets).collect());
    fn moved<C: Copy + Sync, V: From<C> + Clone + Send>(steps: &Steps, cells: &[C], zero: V) -> Vec<V> {
        let mut values = vec![zero; cells.len()];
        let runs = values.par_chunks_mut(GRAIN).enumerate();
        runs.for_each(|(run, out)| steps.gather(run * GRAIN, out, cells, |value, cell| *value = cell.into()));
        values
    }
    let cells = match &tensor.cells {
        Cells::Ints(ints) => {
            Cells::Ints(Arc::new(Integers::I64(each_width!(Integers, &**ints, cells => moved(&steps, cells, 0)))))
        }
        Cells::Wide(values) => Cells::Wide(moved(&steps, values, 0)),
    };
    Tensor { axes: axes.to_vec(), ranges, cells, magnitude: tensor.magnitude }
}
