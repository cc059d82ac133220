//! Decides how a sum over a hypercube becomes one evaluation. Every sumcheck of the protocol is this one. Spec: sumcheck.

use crate::Refusal;
use crate::channel::{Ask, Channel, Sumcheck};
use crate::ledger::{Form, Ledger};
use alloc::vec;
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};

/// Reduces every `claim = sum over x of prod eq(rho_i, x_i) * h(x)`, `h` of degree 2 in each variable, to the form of
/// `h(r)`. The sums run side by side: each message has all of theirs, and they share its challenge.
///
/// Variables are bound from the last to the first; a sum of fewer variables ends earlier, at the last coordinates of the
/// point. `coordinates[k][i]` is `rho_i` of sum `k`, or `None` where its variable `i` has no eq factor. Its part of a
/// message is the polynomial `c0 + c1 X + c2 X^2` of the next variable without its own eq factor (Gruen, eprint 2024/108);
/// `c1`, `c2` are slots and `c0` follows from the claim, `claim = w0 * h(0) + w1 * h(1)` with `(w0, w1)` =
/// `(1 - rho, rho)`, or `(1, 1)` without eq: `c0 = (claim - w1 (c1 + c2)) / (w0 + w1)`.
pub fn sumchecks(
    channel: &mut impl Channel,
    ledger: &mut Ledger,
    of: Sumcheck<'_>,
    mut claims: Vec<Form>,
    coordinates: &[Vec<Option<Fr>>],
) -> Result<(Vec<Fr>, Vec<Form>), Refusal> {
    let half = Fr::from(2u64).inverse().unwrap_or(Fr::ZERO);
    let mut challenges = Vec::new();
    for round in 0..coordinates.iter().map(Vec::len).max().unwrap_or(0) {
        let running = || coordinates.iter().map(|own| own.iter().rev().nth(round));
        let slots = running().flatten().count().saturating_mul(2);
        let mut message = ledger.slots(channel, Ask::Round { of, challenges: &challenges }, slots)?.into_iter();
        let r = channel.challenge("sumcheck");
        for (claim, coordinate) in claims.iter_mut().zip(running()) {
            let Some(coordinate) = coordinate else { continue };
            let (Some(c1), Some(c2)) = (message.next(), message.next()) else { return Err(Refusal::LedgerValue) };
            let (w1, inverse) = match coordinate {
                Some(rho) => (*rho, Fr::ONE),
                None => (Fr::ONE, half),
            };
            // h(r) = c0 + r c1 + r^2 c2
            let w1 = w1 * inverse;
            let before = core::mem::replace(claim, Form::constant(Fr::ZERO));
            *claim = before.times(inverse).plus(r - w1, &c1).plus(r.square() - w1, &c2);
        }
        challenges.push(r);
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
