//! Decides the tables that a product's sumcheck runs over: each operand contracted over the axes it does not share.

use crate::causal;
use ark_bls12_381::Fr;
use ark_ff::AdditiveGroup;
use rayon::prelude::*;
use std::iter::zip;
use zkllm_kernels::ints::below;
use zkllm_kernels::{Backend, Factor, Ints};
use zkllm_verifier::arith::mle;
use zkllm_verifier::einsum::{ProductClaim, rotary_weights, shared_axes};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{
    AxisId, ColumnId, Index, Operand, Product, ProductId, ProductKind, Program, Source, Sum,
};

/// Entries of causal squares that are made whole at once, about.
const WHOLE: usize = 1 << 26;

/// The two tables of a product's sumcheck, over the true lengths of `axes`.
pub struct Tables<'a> {
    /// The shared axes.
    pub axes: Vec<AxisId>,
    /// Points of the eq factors, for each axis.
    pub eq: Vec<Option<Vec<Fr>>>,
    /// The left table; the public one of a rotary embedding.
    pub left: Factor<'a>,
    /// The right table; none where both operands are the same.
    pub right: Option<Factor<'a>>,
}

/// Columns, read by products.
pub struct Reader<'r, 'a, B> {
    backend: &'r B,
    program: &'r Program,
    columns: &'r [Ints<'a>],
}

impl<'r, 'a, B: Backend> Reader<'r, 'a, B> {
    /// Reads `columns`.
    pub fn new(backend: &'r B, plan: &'r Plan, columns: &'r [Ints<'a>]) -> Self {
        Self { backend, program: &plan.program, columns }
    }

    /// The tables of a claim.
    pub fn tables(&self, claim: &ProductClaim) -> Tables<'a> {
        let product = &self.program.products[claim.product];
        let axes = shared_axes(product);
        let left = self.contracted(&product.left, claim, product, &axes);
        let mut eq: Vec<Option<Vec<Fr>>> =
            axes.iter().map(|&axis| claim.point(product, axis).map(<[Fr]>::to_vec)).collect();
        let (left, right) = match &product.kind {
            ProductKind::Einsum(right) if *right == product.left => (left, None),
            ProductKind::Einsum(right) => (left, Some(self.contracted(right, claim, product, &axes))),
            ProductKind::Scores(right) => (left, Some(Factor::Field(self.keys(right, claim, product, &axes)))),
            ProductKind::Rotary(rotary) => {
                let [time, half, pair] =
                    [rotary.time, rotary.half, rotary.pair].map(|axis| claim.point(product, axis).unwrap_or(&[]));
                eq.fill(None);
                (Factor::Field(rotary_weights(self.program, rotary, time, half, pair)), Some(left))
            }
        };
        Tables { axes, eq, left, right }
    }

    /// The operand, contracted over all axes but `shared` with the claim's eq weights, in the order of `shared`.
    fn contracted(&self, operand: &Operand, claim: &ProductClaim, product: &Product, shared: &[AxisId]) -> Factor<'a> {
        let weights = |axis: AxisId| {
            (!shared.contains(&axis))
                .then(|| mle::eq_table(claim.point(product, axis).unwrap_or(&[]), self.length(axis)))
        };
        match self.column(operand) {
            Some((values, 0)) if operand.axes == shared => Factor::Ints(values),
            _ => Factor::Field(self.contract(operand, weights, shared)),
        }
    }

    /// Keys: `t -> sum_{u <= t} eq(upsilon, u) key[u]`.
    fn keys(&self, right: &Operand, claim: &ProductClaim, product: &Product, shared: &[AxisId]) -> Vec<Fr> {
        let [.., t, u] = product.axes[..] else { return Vec::new() };
        let renamed: Vec<AxisId> = shared.iter().map(|&axis| if axis == t { u } else { axis }).collect();
        let mut table = self.contract(right, |_| None, &renamed);
        let earlier = mle::eq_table(claim.point(product, u).unwrap_or(&[]), self.length(u));
        let at = renamed.iter().position(|&axis| axis == u).unwrap_or(0);
        let inner: usize = renamed[at + 1..].iter().map(|&axis| self.length(axis)).product();
        table.par_chunks_mut(earlier.len() * inner).for_each(|block| {
            let mut sums = vec![Fr::ZERO; inner];
            for (row, weight) in zip(block.chunks_mut(inner), &earlier) {
                for (sum, value) in zip(&mut sums, row) {
                    *sum += *weight * *value;
                    *value = *sum;
                }
            }
        });
        table
    }

    /// The operand with every axis that has weights contracted, in the order of `kept`.
    fn contract(&self, operand: &Operand, weights: impl Fn(AxisId) -> Option<Vec<Fr>>, kept: &[AxisId]) -> Vec<Fr> {
        let owned;
        let (values, side) = match self.column(operand) {
            Some(column) => column,
            None => {
                owned = self.dense(&operand.sum, &operand.axes);
                (Ints::I64(&owned), 0)
            }
        };
        // Neighbouring contracted axes are contracted at once, the last group first.
        let mut axes = operand.axes.clone();
        let mut table: Option<Vec<Fr>> = None;
        while let Some(end) = axes.iter().rposition(|&axis| weights(axis).is_some()) {
            let start = axes[..=end].iter().rposition(|&axis| weights(axis).is_none()).map_or(0, |at| at + 1);
            let group = axes[start..=end].iter().filter_map(|&axis| weights(axis));
            let vector = group.fold(vec![Fr::from(1u64)], |all, axis| {
                all.iter().flat_map(|a| axis.iter().map(move |b| *a * b)).collect()
            });
            let length = |axes: &[AxisId]| axes.iter().map(|&axis| self.length(axis)).product::<usize>();
            let (outer, inner) = (length(&axes[..start]), length(&axes[end + 1..]));
            table = Some(match table {
                None => self.contract_integers(values, side, outer, inner, &vector),
                Some(table) => self.backend.contract_field(&table, outer, inner, &vector),
            });
            axes.drain(start..=end);
        }
        let elements = |values: Ints| (0..values.len()).into_par_iter().map(|at| Fr::from(values.at(at))).collect();
        let whole = || if side == 0 { elements(values) } else { elements(values.squares(side).view()) };
        self.transposed(table.unwrap_or_else(whole), &axes, kept)
    }

    /// [`Backend::contract`] of a column as it is stored.
    fn contract_integers(&self, x: Ints<'_>, side: usize, outer: usize, inner: usize, weights: &[Fr]) -> Vec<Fr> {
        if side == 0 {
            return self.backend.contract(x, outer, inner, weights);
        }
        // Some squares at a time, all of an outer index or more.
        let (square, block) = (side * side, weights.len() * inner);
        let unit = square.max(block);
        let at_once = unit * (WHOLE / unit).max(1);
        let part = |start: usize| {
            let end = (outer * block).min(start + at_once);
            let squares = x.slice(below(side, start)..below(side, end)).squares(side);
            self.backend.contract(squares.view(), (end - start) / block, inner, weights)
        };
        (0..outer * block).step_by(at_once).flat_map(part).collect()
    }

    fn transposed(&self, table: Vec<Fr>, from: &[AxisId], to: &[AxisId]) -> Vec<Fr> {
        if from == to {
            return table;
        }
        let strides: Vec<usize> = to.iter().map(|axis| stride(self.program, from, *axis)).collect();
        let lengths = self.program.lengths(to);
        let (Some((&run, rows)), Some((&step, strides))) = (lengths.split_last(), strides.split_last()) else {
            return table;
        };
        // Where each row begins; the neighbours in it are `step` apart.
        let start = |row| dot(&unravel(row, rows), strides);
        let starts: Vec<usize> = (0..rows.iter().product()).into_par_iter().map(start).collect();
        (0..table.len()).into_par_iter().map(|at| table[starts[at / run] + at % run * step]).collect()
    }

    /// The integers of an operand that is just one column, as they are stored, and the side of their squares.
    fn column(&self, operand: &Operand) -> Option<(Ints<'a>, usize)> {
        let [term] = operand.sum.terms.as_slice() else { return None };
        let Source::Column(id) = term.source else { return None };
        let direct = zip(&term.index, &operand.axes).all(|(index, axis)| *index == Index::At(*axis));
        (direct && term.coefficient == 1 && operand.sum.constant == 0 && term.index.len() == operand.axes.len())
            .then(|| (self.columns[id], self.side(id)))
    }

    fn side(&self, id: ColumnId) -> usize {
        causal::side_of(self.program, &self.program.columns[id], self.columns[id])
    }

    /// A sum over the true lengths of `axes`, in integers.
    fn dense(&self, sum: &Sum, axes: &[AxisId]) -> Vec<i64> {
        let lengths = self.program.lengths(axes);
        let (Some(&last), Some(&run)) = (axes.last(), lengths.last()) else { return vec![sum.constant as i64] };
        let mut values = vec![sum.constant as i64; lengths.iter().product()];
        for term in &sum.terms {
            let (owned, squares);
            let (source, of) = match term.source {
                Source::Column(id) => {
                    squares = (self.side(id) > 0).then(|| self.columns[id].squares(self.side(id)));
                    (squares.as_ref().map_or(self.columns[id], |all| all.view()), &self.program.columns[id].axes)
                }
                Source::Product(id) => {
                    owned = self.product(id);
                    (Ints::I64(&owned), &self.program.products[id].axes)
                }
                Source::Below(_) => continue,
            };
            // Neighbours along the last axis are `step` apart in the source, unless it is read in another way.
            let step: usize = zip(&term.index, of)
                .map(|(index, &axis)| if *index == Index::At(last) { stride(self.program, of, axis) } else { 0 })
                .sum();
            let scattered = term
                .index
                .iter()
                .any(|index| matches!(index, Index::Before(axis) | Index::Pick(axis, _) if *axis == last));
            values.par_chunks_mut(run).enumerate().for_each(|(row, out)| {
                let mut index = unravel(row * run, &lengths);
                let mut offsets = self.offsets(&term.index, of, axes, &index);
                for (at, out) in out.iter_mut().enumerate() {
                    if scattered {
                        index[lengths.len() - 1] = at;
                        offsets = self.offsets(&term.index, of, axes, &index);
                    }
                    let shift = if scattered { 0 } else { at * step };
                    *out +=
                        term.coefficient as i64 * offsets.iter().map(|&offset| source.at(offset + shift)).sum::<i64>();
                }
            });
        }
        values
    }

    /// The entries of a source with axes `of` that a reader over `axes` sums at `index`.
    fn offsets(&self, how: &[Index], of: &[AxisId], axes: &[AxisId], index: &[usize]) -> Vec<usize> {
        let position = |axis: AxisId| axes.iter().position(|&other| other == axis).map_or(0, |at| index[at]);
        let mut offsets = vec![0usize];
        for (how, &axis) in zip(how, of) {
            let stride = stride(self.program, of, axis);
            let range = match *how {
                Index::At(reader) => position(reader)..position(reader) + 1,
                Index::All => 0..self.length(axis),
                Index::Before(reader) => 0..position(reader),
                Index::Pick(reader, list) => {
                    let at = self.program.lists[list][position(reader)];
                    at..at + 1
                }
            };
            offsets = offsets.iter().flat_map(|offset| range.clone().map(move |at| offset + at * stride)).collect();
        }
        offsets
    }

    /// A product's integers, over the true lengths of its axes; for those that operands of other products read.
    fn product(&self, id: ProductId) -> Vec<i64> {
        let product = &self.program.products[id];
        let ProductKind::Einsum(right) = &product.kind else { return Vec::new() };
        let (left_values, right_values) = (self.integers(&product.left), self.integers(right));
        let summed: Vec<AxisId> =
            product.left.axes.iter().copied().filter(|axis| !product.axes.contains(axis)).collect();
        let lengths = self.program.lengths(&product.axes);
        let strides = |axes: &[AxisId]| {
            let of = |list: &[AxisId]| list.iter().map(|&axis| stride(self.program, axes, axis)).collect::<Vec<_>>();
            (of(&product.axes), of(&summed))
        };
        let ((left_out, left_in), (right_out, right_in)) = (strides(&product.left.axes), strides(&right.axes));
        let inner = self.program.lengths(&summed);
        let inner: Vec<(usize, usize)> = (0..inner.iter().product())
            .map(|at| {
                let index = unravel(at, &inner);
                (dot(&index, &left_in), dot(&index, &right_in))
            })
            .collect();
        let straight = inner.iter().enumerate().all(|(at, offsets)| *offsets == (at, at));
        (0..lengths.iter().product())
            .into_par_iter()
            .map(|at| {
                let index = unravel(at, &lengths);
                let (a, b) = (dot(&index, &left_out), dot(&index, &right_out));
                if straight {
                    return zip(&left_values[a..a + inner.len()], &right_values[b..b + inner.len()])
                        .map(|(a, b)| a * b)
                        .sum();
                }
                inner.iter().map(|(i, j)| left_values[a + i] * right_values[b + j]).sum()
            })
            .collect()
    }

    fn integers(&self, operand: &Operand) -> Vec<i64> {
        match self.column(operand) {
            Some((values, 0)) => (0..values.len()).map(|at| values.at(at)).collect(),
            _ => self.dense(&operand.sum, &operand.axes),
        }
    }

    fn length(&self, axis: AxisId) -> usize {
        self.program.axes[axis].length
    }
}

/// The distance of neighbours along `axis` in a tensor over `axes`; 0 for an axis it lacks.
fn stride(program: &Program, axes: &[AxisId], axis: AxisId) -> usize {
    match axes.iter().position(|&other| other == axis) {
        Some(at) => program.lengths(&axes[at + 1..]).iter().product(),
        None => 0,
    }
}

/// The index of entry number `at` of a row-major tensor.
fn unravel(mut at: usize, lengths: &[usize]) -> Vec<usize> {
    let mut index = vec![0; lengths.len()];
    for (index, length) in zip(&mut index, lengths).rev() {
        *index = at % length;
        at /= length;
    }
    index
}

fn dot(a: &[usize], b: &[usize]) -> usize {
    zip(a, b).map(|(a, b)| a * b).sum()
}
