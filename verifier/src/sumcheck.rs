//! Decides how a sum over a hypercube becomes one evaluation. Every sumcheck of the protocol is this one. Spec: sumcheck.

use crate::Refusal;
use crate::channel::{Ask, Channel, Sumcheck};
use crate::ledger::{Form, Ledger};
use alloc::vec;
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use core::iter::zip;

/// Variables from which on a level of the lookup tree is bound two at a time: one entry then holds a message.
const PAIRED: usize = 16;

/// How many variables the next message binds, with `left` unbound. Spec: sumcheck.message.
pub fn at_once(of: Sumcheck<'_>, left: usize) -> usize {
    match of {
        Sumcheck::Tree { .. } if left <= PAIRED && left.is_multiple_of(2) => 2,
        _ => 1,
    }
}

/// Reduces every `claim = sum over x of prod eq(rho_i, x_i) * h(x)`, `h` of degree 2 in each variable, to the form of
/// `h(r)`. The sums run side by side: each message has all of theirs, and they share its challenge.
///
/// Variables are bound from the last to the first; a sum of fewer variables ends earlier, at the last coordinates of the
/// point. `coordinates[k][i]` is `rho_i` of sum `k`, or `None` where its variable `i` has no eq factor. Its part of a
/// message is a polynomial `m` of degree 2 in the next variable, or in each of the next two, without their own eq factors
/// (Gruen, eprint 2024/108). Its coefficients `c` are slots, but for the constant one, which follows from the claim: with the
/// weights `w(0), w(1)` = `1 - rho, rho`, or `1, 1` without eq,
/// `claim = sum over bits w m = sum_k c_k S_k`, where `S_k`, the sum of the weighted monomial, is a product over the variables.
pub fn sumchecks(
    channel: &mut impl Channel,
    ledger: &mut Ledger,
    of: Sumcheck<'_>,
    mut claims: Vec<Form>,
    coordinates: &[Vec<Option<Fr>>],
) -> Result<(Vec<Fr>, Vec<Form>), Refusal> {
    let half = Fr::from(2u64).inverse().unwrap_or(Fr::ZERO);
    let mut challenges = Vec::new();
    let variables = coordinates.iter().map(Vec::len).max().unwrap_or(0);
    while challenges.len() < variables {
        let (bound, count) = (challenges.len(), at_once(of, variables.saturating_sub(challenges.len())));
        // The coordinates of what the message binds; none where a sum has ended.
        let next = || coordinates.iter().map(|own| own.iter().rev().skip(bound).take(count));
        // All monomials but 1.
        let slots = next().map(|own| own.fold(1usize, |count, _| count.saturating_mul(3)).saturating_sub(1)).sum();
        let mut message = ledger.slots(channel, Ask::Round { of, challenges: &challenges }, slots)?.into_iter();
        let drawn = channel.challenges("sumcheck", count);
        for (claim, coordinates) in zip(&mut claims, next()) {
            // Of every monomial, the last variable's degree first: its value at the challenges, and S_k / S_0.
            let (mut values, mut sums, mut scale) = (vec![Fr::ONE], vec![Fr::ONE], Fr::ONE);
            for (coordinate, r) in zip(coordinates, &drawn) {
                let (w1, inverse) = coordinate.map_or((half, half), |rho| (rho, Fr::ONE));
                values = values.iter().flat_map(|value| [*value, *value * r, *value * r.square()]).collect();
                sums = sums.iter().flat_map(|sum| [*sum, *sum * w1, *sum * w1]).collect();
                scale *= inverse;
            }
            // m(r) = claim / S_0 + sum over k > 0 of c_k (value_k - S_k / S_0)
            let mut end = core::mem::replace(claim, Form::constant(Fr::ZERO)).times(scale);
            for (value, sum) in zip(values, sums).skip(1) {
                end = end.plus(value - sum, &message.next().ok_or(Refusal::LedgerValue)?);
            }
            *claim = end;
        }
        challenges.extend(drawn);
    }
    challenges.reverse();
    Ok((challenges, claims))
}

/// [`sumchecks`] of one sum.
pub fn sumcheck(
    channel: &mut impl Channel,
    ledger: &mut Ledger,
    of: Sumcheck<'_>,
    claim: Form,
    coordinates: Vec<Option<Fr>>,
) -> Result<(Vec<Fr>, Form), Refusal> {
    let (point, mut claims) = sumchecks(channel, ledger, of, vec![claim], &[coordinates])?;
    Ok((point, claims.pop().ok_or(Refusal::LedgerValue)?))
}
