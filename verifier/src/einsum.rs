//! Decides how a claim on a product becomes claims on its operands. Spec: einsum.

use crate::Refusal;
use crate::arith::{dot, mle, tables};
use crate::channel::{Ask, Channel, Sumcheck};
use crate::claim::{Driver, Reader, Weight};
use crate::ledger::Form;
use crate::program::{AxisId, Operand, Product, ProductId, ProductKind, Program, Rotary};
use crate::sumcheck::sumchecks;
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use core::iter::zip;

/// `sum over the product's axes of prod_a eq(point_a, .) * product`, at a point for each axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductClaim {
    /// The product.
    pub product: ProductId,
    /// A point for each of its axes, most significant bit first.
    pub points: Vec<Vec<Fr>>,
}

impl ProductClaim {
    /// The point of `axis`, if the product has it.
    pub fn point(&self, product: &Product, axis: AxisId) -> Option<&[Fr]> {
        let at = product.axes.iter().position(|&other| other == axis)?;
        self.points.get(at).map(Vec::as_slice)
    }
}

/// The axes of a product's sumcheck, in the left operand's order: those that both operands have, or, for a rotary
/// embedding, those of its table. Spec: einsum.shared.
pub fn shared_axes(product: &Product) -> Vec<AxisId> {
    let shared = |axis: &AxisId| match &product.kind {
        ProductKind::Einsum(right) => right.axes.contains(axis),
        // t of the left operand stands for u of the right one too
        ProductKind::Scores(right) => right.axes.contains(axis) || Some(axis) == product.axes.iter().rev().nth(1),
        ProductKind::Rotary(rotary) => [rotary.time, rotary.half, rotary.pair].contains(axis),
    };
    product.left.axes.iter().copied().filter(shared).collect()
}

/// The extension at `bound` of the rotary embedding's weights on `(t, half, e)`, when its result is weighted by eq at `point`, both
/// of three points: `W[t,0,e] = w_t w_e (w_0 cos + w_1 sin)`, `W[t,1,e] = w_t w_e (w_1 cos - w_0 sin)`. The table has a row in memory
/// at no time, and of its columns one entry. Spec: einsum.rotary.
pub fn rotary_weight(program: &Program, rotary: &Rotary, point: [&[Fr]; 3], bound: [&[Fr]; 3]) -> Result<Fr, Refusal> {
    let ([time, half, pair], [bound_time, bound_half, bound_pair]) = (point, bound);
    let (&[w1], &[b1]) = (half, bound_half) else { return Err(Refusal::BadCard) };
    let both = |axis: AxisId, p: &[Fr], q: &[Fr]| -> Vec<Fr> {
        let length = program.axes[axis].length;
        zip(mle::eq_table(p, length), mle::eq_table(q, length)).map(|(p, q)| p * q).collect()
    };
    let (pairs, length) = (both(rotary.pair, pair, bound_pair), program.axes[rotary.pair].length);
    let times: Vec<_> = both(rotary.time, time, bound_time).iter().map(dot::limbs).collect();
    // What cos and sin are multiplied by: (1 - b1) W[.., 0, ..] + b1 W[.., 1, ..].
    let (w0, b0) = (Fr::ONE - w1, Fr::ONE - b1);
    let (of_cos, of_sin) = (b0 * w0 + b1 * w1, b0 * w1 - b1 * w0);
    let turned = zip(pairs, tables::rotations(length, rotary.base, rotary.fraction)).map(|(weight, turns)| {
        let [cos, sin] = dot::dots(&times, turns.map(<[i64; 2]>::from));
        weight * (of_cos * cos + of_sin * sin)
    });
    Ok(turned.sum())
}

/// `u -> eq(earlier, u) * sum_{u <= t < n} eq(time, t)`: the weights on keys behind a claim on scores. Spec: einsum.scores.
pub fn key_weights(time: &[Fr], earlier: &[Fr], length: usize) -> Vec<Fr> {
    let mut weights = mle::eq_table(earlier, length);
    let mut later = Fr::ZERO;
    for (weight, t) in zip(&mut weights, mle::eq_table(time, length)).rev() {
        later += t;
        *weight *= later;
    }
    weights
}

/// The coordinates of a claim's sumcheck. The eq factors of a rotary embedding are in its table. Spec: einsum.sumcheck.
fn coordinates(program: &Program, claim: &ProductClaim) -> Vec<Option<Fr>> {
    let product = &program.products[claim.product];
    let of_table = matches!(product.kind, ProductKind::Rotary(_));
    let of_axis = |axis: AxisId| {
        let point = claim.point(product, axis).filter(|_| !of_table);
        (0..program.axes[axis].bits).map(move |bit| point.and_then(|point| point.get(bit).copied()))
    };
    shared_axes(product).into_iter().flat_map(of_axis).collect()
}

/// How many values a product's sumcheck ends in: one for each operand that is secret.
pub fn operands(product: &Product) -> usize {
    match &product.kind {
        ProductKind::Einsum(right) if *right == product.left => 1,
        ProductKind::Einsum(_) | ProductKind::Scores(_) => 2,
        ProductKind::Rotary(_) => 1,
    }
}

impl<C: Channel> Driver<'_, C> {
    /// Reduces all claims on products by sumchecks side by side.
    pub fn products(&mut self) -> Result<(), Refusal> {
        let program = &self.plan.program;
        let (claims, values): (Vec<ProductClaim>, Vec<Form>) = core::mem::take(&mut self.queue).into_iter().unzip();
        let coordinates: Vec<_> = claims.iter().map(|claim| coordinates(program, claim)).collect();
        let of = Sumcheck::Products(&claims);
        let (point, values) = sumchecks(self.channel, &mut self.ledger, of, values, &coordinates)?;
        let count = |claim: &ProductClaim| operands(&program.products[claim.product]);
        let slots = claims.iter().map(count).sum();
        let ends = self.ledger.slots(self.channel, Ask::End { of, point: &point }, slots)?;
        let mut ends = ends.as_slice();
        for ((claim, own), value) in zip(zip(&claims, &coordinates), values) {
            let (end, rest) = ends.split_at(count(claim));
            self.operands(claim, &point[point.len() - own.len()..], value, end)?;
            ends = rest;
        }
        Ok(())
    }

    /// Claims the values `end` of the operands, whose product is `value`, the claim's sumcheck bound to `point`.
    fn operands(&mut self, claim: &ProductClaim, point: &[Fr], value: Form, end: &[Form]) -> Result<(), Refusal> {
        let program = &self.plan.program;
        let product = &program.products[claim.product];
        let shared = shared_axes(product);
        let mut rest = point;
        let mut bound = Vec::new();
        for &axis in &shared {
            let (head, tail) = rest.split_at(program.axes[axis].bits);
            bound.push((axis, head));
            rest = tail;
        }
        let at = |axis: AxisId| {
            bound.iter().find(|(other, _)| *other == axis).map(|(_, point)| *point).or(claim.point(product, axis))
        };
        let reader = |operand: &Operand| -> Result<Reader, Refusal> {
            let weight =
                |&axis: &AxisId| at(axis).map(|point| (axis, Weight::Eq(point.to_vec()))).ok_or(Refusal::BadCard);
            Ok(Reader { weights: operand.axes.iter().map(weight).collect::<Result<_, _>>()?, causal: None })
        };
        // Of scores: over keys weighted by eq(upsilon, u) [u <= t], extended in t.
        let keys = |right: &Operand| -> Result<Reader, Refusal> {
            let [.., t, u] = product.axes[..] else { return Err(Refusal::BadCard) };
            let (Some(time), Some(earlier)) = (at(t), claim.point(product, u)) else {
                return Err(Refusal::BadCard);
            };
            let keys = key_weights(time, earlier, program.axes[t].length);
            let weight = |&axis: &AxisId| match axis {
                axis if axis == u => Ok((axis, Weight::Vector(keys.clone()))),
                axis => at(axis).map(|point| (axis, Weight::Eq(point.to_vec()))).ok_or(Refusal::BadCard),
            };
            Ok(Reader { weights: right.axes.iter().map(weight).collect::<Result<_, _>>()?, causal: None })
        };
        match (&product.kind, end) {
            (ProductKind::Einsum(right), [a]) if *right == product.left => {
                // value = a^2
                self.ledger.gate("einsum.square", a.clone(), a.clone(), value);
                self.claim("einsum.operand", &product.left.sum, &reader(&product.left)?, a.clone())
            }
            (ProductKind::Einsum(right) | ProductKind::Scores(right), [a, b]) => {
                // value = a b
                self.ledger.gate("einsum.operands", a.clone(), b.clone(), value);
                let right_reader = match product.kind {
                    ProductKind::Scores(_) => keys(right)?,
                    _ => reader(right)?,
                };
                self.claim("einsum.operand", &product.left.sum, &reader(&product.left)?, a.clone())?;
                self.claim("einsum.operand", &right.sum, &right_reader, b.clone())
            }
            (ProductKind::Rotary(rotary), [a]) => {
                // value = W(r) a, W public
                let axes = [rotary.time, rotary.half, rotary.pair];
                let own = axes.map(|axis| claim.point(product, axis).unwrap_or(&[]));
                let weight = rotary_weight(program, rotary, own, axes.map(|axis| at(axis).unwrap_or(&[])))?;
                self.ledger.zero("einsum.rotary", value.plus(-weight, a));
                self.claim("einsum.operand", &product.left.sum, &reader(&product.left)?, a.clone())
            }
            _ => Err(Refusal::LedgerValue),
        }
    }
}
