//! Decides the value of a product on a slice: matrices for the integer kernels, elementwise products, rotations.

use super::evaluate::{NARROW, Steps, Values, WIDE, unsupported};
use super::execute::Executor;
use super::tensor::{Cells, GRAIN, Tensor};
use super::{InferError, direct};
use rayon::prelude::*;
use std::any::Any;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use zkllm_kernels::tensors::{Block, QUAD, Tensors};
use zkllm_kernels::{Backend, Cpu, Integers, Overflow, Rows, each_width};
use zkllm_verifier::arith::tables;
use zkllm_verifier::program::{AxisId, Operand, Product, ProductId, ProductKind, Program, Rotary, Source, Term};

/// What an inference has done elsewhere.
pub trait Arithmetic: Sync {
    /// [`Backend::multiply`] of some backend.
    ///
    /// # Errors
    /// Its own.
    fn multiply(&self, left: &[i32], right: Rows<'_>, depth: usize) -> Result<Vec<i64>, Overflow>;

    /// [`Backend::tensors`] of it.
    fn tensors(&self) -> Option<&dyn Tensors> {
        None
    }

    /// [`Backend::keep`] of it.
    fn keep(&self, _columns: &[Arc<Integers>]) -> Box<dyn Any + Send + Sync> {
        Box::new(())
    }
}

impl<F: Fn(&[i32], Rows<'_>, usize) -> Result<Vec<i64>, Overflow> + Sync> Arithmetic for F {
    fn multiply(&self, left: &[i32], right: Rows<'_>, depth: usize) -> Result<Vec<i64>, Overflow> {
        self(left, right, depth)
    }
}

/// What does the arithmetic of an inference.
pub type Multiply<'a> = &'a dyn Arithmetic;

/// The CPU.
pub const ON_CPU: Multiply<'static> = &zkllm_kernels::integer::multiply;

/// Products of integers that make a matrix product worth a device: in all, and for each byte that is copied there and
/// back. Estimates, for a CPU of 50 G/s and copies of 6 GB/s.
const LEAST: (usize, usize) = (1 << 24, 8);

/// A backend.
struct On<'b, B>(&'b B);

impl<B: Backend> Arithmetic for On<'_, B> {
    fn multiply(&self, left: &[i32], right: Rows<'_>, depth: usize) -> Result<Vec<i64>, Overflow> {
        if is_large(left, right, depth) {
            self.0.multiply(left, right, depth)
        } else {
            Cpu.multiply(left, right, depth)
        }
    }

    fn tensors(&self) -> Option<&dyn Tensors> {
        self.0.tensors()
    }

    fn keep(&self, columns: &[Arc<Integers>]) -> Box<dyn Any + Send + Sync> {
        Box::new(self.0.keep(columns))
    }
}

/// Has `backend` do what is worth the copies to a device, and the CPU the rest.
pub fn multiply_on<B: Backend>(backend: &B) -> impl Arithmetic {
    On(backend)
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
        if let Some(there) = self.near_product(id) {
            self.products[id] = Some(there.clone());
            return Ok(there);
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
        let [batch, rows, columns, depth] = roles(product, right);
        let count = |axes: &[AxisId]| -> usize { axes.iter().map(|&axis| self.slice[axis].len()).product() };
        let (batches, m, n, k) = (count(&batch), count(&rows), count(&columns), count(&depth));
        if depth.is_empty() {
            return self.elementwise(product, right);
        }
        let same = *left == *right;
        let left = self.matrix(name, left, &[&batch[..], &rows, &depth].concat())?;
        let right =
            if same { left.clone() } else { self.matrix(name, right, &[&batch[..], &columns, &depth].concat())? };
        let blocks = self.blocks(product, &rows, &columns, &depth);
        let axes = [batch, rows, columns].concat();
        let ranges = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
        let multiply = self.multiply;
        let one = |task: usize| {
            let (batch, block) = (task / blocks.len(), &blocks[task % blocks.len()]);
            let of_left = batch * m + block.rows.start..batch * m + block.rows.end;
            let of_right = batch * n..batch * n + block.columns;
            contract(multiply, (&left, of_left), (&right, of_right), k, block.depth)
        };
        let tasks = 0..batches * blocks.len();
        let values = if batches == 1 || m * n * k > 1 << 20 {
            joined(tasks.map(one), batches, &blocks, n)
        } else {
            let parts = tasks.into_par_iter().with_min_len((1 << 16) / (m * n * k + 1) + 1).map(one);
            joined(parts.collect::<Vec<_>>().into_iter(), batches, &blocks, n)
        };
        let values = values.ok_or_else(|| InferError::Overflow { site: name.clone(), bits: 126 })?;
        Ok(reorder(values.into_tensor(&axes, ranges), &product.axes))
    }

    /// The blocks of a matrix product. Nothing reads scores above the diagonal, and causal columns are 0 there.
    pub(super) fn blocks(
        &self,
        product: &Product,
        rows: &[AxisId],
        columns: &[AxisId],
        depth: &[AxisId],
    ) -> Vec<Block> {
        let count = |axes: &[AxisId]| -> usize { axes.iter().map(|&axis| self.slice[axis].len()).product() };
        let (m, n, k) = (count(rows), count(columns), count(depth));
        let left = &product.left;
        let (axis, scores) = match (&product.kind, columns, depth) {
            (ProductKind::Scores(_), [u], _) => (*u, true),
            (_, _, [u]) if left.axes.last() == Some(u) && is_causal(&self.program, left) => (*u, false),
            _ => return vec![Block { rows: 0..m, columns: n, depth: k }],
        };
        let exist = self.existing_of_rows(rows, axis);
        // Few enough that each is a large product, many enough that little is computed in vain.
        let height = self.slice[axis].len().div_ceil(8).max(128).next_multiple_of(QUAD);
        let block = |start: usize| {
            let rows = start..m.min(start + height);
            let exist = rows.clone().map(&exist).max().unwrap_or(0);
            if scores { Block { rows, columns: exist, depth: k } } else { Block { rows, columns: n, depth: exist } }
        };
        (0..m).step_by(height).map(block).collect()
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
        if let [Term { source: Source::Column(column), .. }] = operand.sum.terms[..] {
            self.near_column(column);
        }
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
        let ranges: Vec<_> = axes.iter().map(|&axis| self.slice[axis].clone()).collect();
        let (Some(time), [.., of_half, of_pair]) = (axes.iter().position(|&axis| axis == rotary.time), &ranges[..])
        else {
            return Err(unsupported(name, "a rotation lacks an axis"));
        };
        if !axes.ends_with(&[rotary.half, rotary.pair]) || *of_half != (0..2) {
            return Err(unsupported(name, "its last axes are not the two halves of pairs"));
        }
        if !turns_narrowly(rotary, super::tensor::magnitude(&values).into()) {
            return Err(InferError::Overflow { site: name.clone(), bits: 62 });
        }
        let table = self.rotation(rotary);
        let (times, pairs) = (&ranges[time], of_pair.len());
        let of_time: usize = ranges[time + 1..axes.len() - 2].iter().map(Range::len).product();
        let mut rotated = vec![0; values.len()];
        let vectors = rotated.par_chunks_mut(2 * pairs).zip(values.par_chunks(2 * pairs)).enumerate();
        vectors.with_min_len(GRAIN.div_ceil(2 * pairs)).for_each(|(place, (to, from))| {
            let turns = &table[times.start + place / of_time % times.len()][of_pair.clone()];
            let ((x, y), (left, right)) = (to.split_at_mut(pairs), from.split_at(pairs));
            let halves = x.iter_mut().zip(y).zip(left.iter().zip(right));
            for (((x, y), (left, right)), (cos, sin)) in halves.zip(turns) {
                *x = cos * left - sin * right;
                *y = sin * left + cos * right;
            }
        });
        Ok(Values::Narrow(rotated).into_tensor(axes, ranges))
    }

    /// `(cos, sin)` by position and pair.
    pub(super) fn rotation(&mut self, rotary: &Rotary) -> Arc<Vec<Vec<(i64, i64)>>> {
        if let Some((_, table)) = self.rotations.iter().find(|(known, _)| known == rotary) {
            return table.clone();
        }
        let (times, pairs) = (self.program.axes[rotary.time].length, self.program.axes[rotary.pair].length);
        let table = Arc::new(tables::rotary(times, pairs, rotary.base, rotary.fraction));
        self.rotations.push((*rotary, table.clone()));
        table
    }
}

/// The axes of a product of matrices: of its batch, which both factors have, of rows and columns, which one has, and those that
/// are summed over.
pub(super) fn roles(product: &Product, right: &Operand) -> [Vec<AxisId>; 4] {
    let (left, within) = (&product.left, |operand: &Operand, axis: &AxisId| operand.axes.contains(axis));
    let of = |l: bool, r: bool| -> Vec<AxisId> {
        product.axes.iter().filter(|axis| within(left, axis) == l && within(right, axis) == r).copied().collect()
    };
    let mut depth: Vec<AxisId> = right.axes.iter().filter(|axis| !product.axes.contains(axis)).copied().collect();
    depth.extend(left.axes.iter().filter(|axis| !product.axes.contains(axis) && !within(right, axis)));
    [of(true, true), of(true, false), of(false, true), depth]
}

/// Whether values of at most `largest` are below 2^62 when turned, with room for rounding: cosines are at most `2^fraction`.
pub(super) fn turns_narrowly(rotary: &Rotary, largest: u128) -> bool {
    let most = 1u128.checked_shl(rotary.fraction.saturating_add(2)).and_then(|turn| largest.checked_mul(turn));
    most.is_some_and(|most| most < NARROW)
}

/// Whether a factor is a column of causal pairs, as it is.
fn is_causal(program: &Program, factor: &Operand) -> bool {
    direct(program, &factor.axes, &factor.sum).is_some_and(|(column, plus)| program.columns[column].causal && plus == 0)
}

/// The results of all `blocks` of one batch after the other, in rows of `n`; 0 where no block has any.
fn joined(
    mut parts: impl Iterator<Item = Option<Values>>,
    batches: usize,
    blocks: &[Block],
    n: usize,
) -> Option<Values> {
    if let ([Block { columns, .. }], 1) = (blocks, batches)
        && *columns == n
    {
        return parts.next()?;
    }
    let rows: usize = blocks.iter().map(|block| block.rows.len()).sum();
    let (mut all, mut first) = (Values::Narrow(vec![0; batches * rows * n]), 0);
    for (part, block) in parts.zip(blocks.iter().cycle()) {
        all.place(first * n, n, part?, block.columns);
        first += block.rows.len();
    }
    Some(all)
}

/// `left * right^T` of some rows of both, the first `depth` of the `k` values of each; `None` beyond 126 bits.
fn contract(
    multiply: Multiply<'_>,
    (left, l): (&Matrix, Range<usize>),
    (right, r): (&Matrix, Range<usize>),
    k: usize,
    depth: usize,
) -> Option<Values> {
    if let (Matrix::Ints(left, from), Matrix::Ints(right, of)) = (left, right) {
        let l = from.start + l.start * k..from.start + l.end * k;
        let r = of.start + r.start * k..of.start + r.end * k;
        let short = match &**right {
            Integers::U8(values) => Some(Cow::Owned(copied(&values[r.clone()], k, depth))),
            Integers::I16(values) => Some(cut(&values[r.clone()], k, depth)),
            _ => None,
        };
        let wider = if short.is_none() { long(right, r, k, depth) } else { None };
        let rows = short.as_deref().map(Rows::I16).or(wider.as_deref().map(Rows::I32));
        if let (Some(left), Some(rows)) = (long(left, l, k, depth), rows)
            && let Ok(values) = multiply.multiply(&left, rows, depth)
        {
            return Some(Values::Narrow(values));
        }
    }
    let wide = |matrix: &Matrix, rows: Range<usize>| -> Vec<i128> {
        let value = |at: usize| match matrix {
            Matrix::Ints(ints, range) => i128::from(ints.get(range.start + at)),
            Matrix::Wide(values) => values[at],
        };
        rows.flat_map(|row| (row * k..row * k + depth).map(value)).collect()
    };
    slow(&wide(left, l), &wide(right, r), depth)
}

/// Rows of `k` in 32 bits, the first `depth` values of each; `None` if that is not their width.
fn long(ints: &Integers, cells: Range<usize>, k: usize, depth: usize) -> Option<Cow<'_, [i32]>> {
    Some(match ints {
        Integers::U8(values) => Cow::Owned(copied(&values[cells], k, depth)),
        Integers::I16(values) => Cow::Owned(copied(&values[cells], k, depth)),
        Integers::U16(values) => Cow::Owned(copied(&values[cells], k, depth)),
        Integers::I32(values) => cut(&values[cells], k, depth),
        Integers::I64(_) => return None,
    })
}

fn cut<T: Copy + Default + Send + Sync>(values: &[T], k: usize, depth: usize) -> Cow<'_, [T]> {
    if depth == k { Cow::Borrowed(values) } else { Cow::Owned(copied(values, k, depth)) }
}

fn copied<T: Copy + Sync, U: From<T> + Copy + Default + Send>(values: &[T], k: usize, depth: usize) -> Vec<U> {
    let mut copies = vec![U::default(); values.len() / k * depth];
    let rows = copies.par_chunks_exact_mut(depth).zip(values.par_chunks_exact(k));
    rows.with_min_len(GRAIN.div_ceil(depth)).for_each(|(copies, values)| {
        copies.iter_mut().zip(values).for_each(|(copy, value)| *copy = U::from(*value));
    });
    copies
}

/// `left * right^T` in 128 bits, rows of `k`; `None` beyond 126.
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
