//! Decides the value of a product on a device: as `multiply.rs` does on the host.

use super::{There, magnitude, row_major};
use crate::infer::evaluate::NARROW;
use crate::infer::execute::Executor;
use crate::infer::multiply::{roles, turns_narrowly};
use crate::infer::tensor::Cells;
use std::iter::zip;
use std::ops::Range;
use zkllm_kernels::tensors::{Batches, Each, Far, Layout, Pairs, Part, QUAD, Reading, Tensors};
use zkllm_kernels::{Integers, Ints};
use zkllm_verifier::program::{AxisId, Operand, Product, ProductId, ProductKind, Rotary, Source};

/// Whether integers have 32 bits at most.
fn fits_i32((least, greatest): (i64, i64)) -> bool {
    i32::try_from(least).is_ok() && i32::try_from(greatest).is_ok()
}

const I32: (i64, i64) = (i32::MIN as i64, i32::MAX as i64);
const I16: (i64, i64) = (i16::MIN as i64, i16::MAX as i64);

impl Executor<'_> {
    /// A product on the current slice, kept until the slice changes.
    pub(super) fn far_product(&mut self, id: ProductId) -> Option<There> {
        if let Some(Some(known)) = self.far.products.get(id) {
            return Some(known.clone());
        }
        let program = self.program.clone();
        let product = &program.products[id];
        let there = match &product.kind {
            ProductKind::Einsum(right) | ProductKind::Scores(right) => self.far_einsum(product, right)?,
            ProductKind::Rotary(rotary) => self.far_turn(product, rotary)?,
        };
        if let Some(place) = self.far.products.get_mut(id) {
            *place = Some(there.clone());
        }
        Some(there)
    }

    fn far_einsum(&mut self, product: &Product, right: &Operand) -> Option<There> {
        let left = &product.left;
        let [batch, rows, columns, depth] = roles(product, right);
        let (batches, m, n, k) = (self.count(&batch), self.count(&rows), self.count(&columns), self.count(&depth));
        if depth.is_empty() || (rows.is_empty() && columns.is_empty()) {
            return self.far_dots(product, right, &depth);
        }
        let tensors = self.there(batches * m * n)?;
        let (left, l) = self.far_matrix(left, &[&batch[..], &rows, &depth].concat(), k, true)?;
        let (right, r) = self.far_matrix(right, &[&batch[..], &columns, &depth].concat(), k, false)?;
        (l * r * (k as u128) < NARROW).then_some(())?;
        let blocks = self.blocks(product, &rows, &columns, &depth);
        let sizes = Batches { batches, rows: m, columns: n, depth: k, blocks };
        let results = tensors.multiply(&left, &right, &sizes);
        if m.is_multiple_of(QUAD) && n.is_multiple_of(QUAD) && product.axes == [&batch[..], &rows, &columns].concat() {
            return Some(Self::tensor(tensors, &product.axes, self.boxed(&product.axes), results));
        }
        // Without what rows and columns were filled up with, in the order of the product's axes.
        let (full_m, full_n) = (m.next_multiple_of(QUAD), n.next_multiple_of(QUAD));
        let mut strides = Vec::new();
        for (axes, mut stride) in [(&batch, full_m * full_n), (&rows, full_n), (&columns, 1)] {
            for &axis in axes.iter().rev() {
                strides.push((axis, stride));
                stride *= self.slice[axis].len();
            }
        }
        let step = |axis: &AxisId| strides.iter().find(|(other, _)| other == axis).map_or(0, |(_, stride)| *stride);
        let lengths: Vec<usize> = product.axes.iter().map(|&axis| self.slice[axis].len()).collect();
        let steps = zip(&product.axes, &lengths).map(|(axis, length)| (0..*length).map(|i| i * step(axis)).collect());
        let parts = vec![Part { coefficient: 1, cells: results, steps: steps.collect() }];
        let values = tensors.read(&Reading { constant: 0, lengths, parts }, 0, 0, None, Pairs::default());
        Some(Self::tensor(tensors, &product.axes, self.boxed(&product.axes), values))
    }

    /// A product of factors that both have all its axes, or that sums over none: multiplied entry by entry, and summed over
    /// `depth`.
    fn far_dots(&mut self, product: &Product, right: &Operand, depth: &[AxisId]) -> Option<There> {
        let axes = [&product.axes[..], depth].concat();
        let tensors = self.there(self.count(&axes))?;
        let mut factor = |operand: &Operand| {
            let (reading, _) = self.far_reading(&operand.sum, &axes)?;
            let values = tensors.read(&reading, 0, 0, None, Pairs::default());
            let magnitude = magnitude(tensors.ends(&values));
            Some((values, magnitude))
        };
        let left = factor(&product.left)?;
        let right = if *right == product.left { left.clone() } else { factor(right)? };
        let k = self.count(depth);
        (left.1.checked_mul(right.1)?.checked_mul(k as u128)? < NARROW).then_some(())?;
        let mut values = tensors.each(Each::Multiply, &left.0, &right.0, Pairs::default());
        let lengths: Vec<usize> = product.axes.iter().map(|&axis| self.slice[axis].len()).collect();
        if !depth.is_empty() {
            let mut steps = row_major(&lengths);
            steps.iter_mut().flatten().for_each(|step| *step *= k);
            values = tensors.sums(&values, &steps, &(0..k).collect::<Vec<_>>());
        }
        Some(Self::tensor(tensors, &product.axes, self.boxed(&product.axes), values))
    }

    /// The operand with its axes in this order, in rows of `k`, of 32 bits, or of 16 if they suffice and it is on the right; its
    /// magnitude.
    fn far_matrix(&mut self, operand: &Operand, axes: &[AxisId], k: usize, is_left: bool) -> Option<(Far, u128)> {
        let tensors = self.multiply.tensors()?;
        if let ([term], 0, false) = (&operand.sum.terms[..], operand.sum.constant, is_left)
            && let (1, Source::Column(id)) = (term.coefficient, term.source)
            && let Some(run) = self.run(id, &term.index, axes)
            && let Cells::Ints(ints) = &self.columns[id].cells
            && let Integers::I16(_) = **ints
            && k.is_multiple_of(QUAD)
            && run.start.is_multiple_of(QUAD)
            && self.far.columns.get(id).is_none_or(Option::is_none)
        {
            return Some((tensors.far(ints.view().slice(run)), self.columns[id].magnitude));
        }
        let (reading, _) = self.far_reading(&operand.sum, axes)?;
        let values = tensors.read(&reading, 0, 0, None, Pairs::default());
        let ends = tensors.ends(&values);
        let short = !is_left && I16.0 <= ends.0 && ends.1 <= I16.1;
        fits_i32(ends)
            .then(|| (tensors.stored(&values, if short { I16 } else { I32 }, Layout::Quads(k)), magnitude(ends)))
    }

    fn far_turn(&mut self, product: &Product, rotary: &Rotary) -> Option<There> {
        let axes = &product.axes;
        let tensors = self.there(self.count(axes))?;
        let ranges = self.boxed(axes);
        let (Some(time), [.., of_half, of_pair]) = (axes.iter().position(|&axis| axis == rotary.time), &ranges[..])
        else {
            return None;
        };
        if !axes.ends_with(&[rotary.half, rotary.pair])
            || *of_half != (0..2)
            || *of_pair != (0..self.program.axes[rotary.pair].length)
        {
            return None;
        }
        let (reading, bound) = self.far_reading(&product.left.sum, axes)?;
        turns_narrowly(rotary, bound).then_some(())?;
        let turns = self.far_turns(tensors, rotary);
        let inner: usize = ranges[time + 1..axes.len() - 2].iter().map(Range::len).product();
        let values = tensors.read(&reading, 0, 0, None, Pairs::default());
        let turned = tensors.turn(&values, &turns, of_pair.len(), inner, ranges[time].clone());
        Some(Self::tensor(tensors, axes, ranges, turned))
    }

    fn far_turns(&mut self, tensors: &dyn Tensors, rotary: &Rotary) -> Far {
        if let Some((_, known)) = self.far.turns.iter().find(|(known, _)| known == rotary) {
            return known.clone();
        }
        let angles = self.rotation(rotary);
        let all: Vec<i64> = angles.iter().flatten().flat_map(|(cos, sin)| [*cos, *sin]).collect();
        let turns = tensors.far(Ints::I64(&all));
        self.far.turns.push((*rotary, turns.clone()));
        turns
    }
}
