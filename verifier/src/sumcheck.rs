//! Decides how a sum over a hypercube becomes one evaluation. Every sumcheck of the protocol is this one. Spec: sumcheck.

use crate::Refusal;
use crate::channel::{Ask, Channel, Sumcheck};
use crate::ledger::{Form, Ledger};
use alloc::vec::Vec;
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};

/// Reduces `claim = sum over x of prod eq(rho_i, x_i) * h(x)`, `h` of degree 2 in each variable, to the form of `h(r)`.
///
/// Variables are bound from the last to the first. `coordinates[i]` is `rho_i`, or `None` where variable `i` has no eq
/// factor. A message is the polynomial `c0 + c1 X + c2 X^2` of the next variable without its own eq factor (Gruen,
/// eprint 2024/108); `c1`, `c2` are slots and `c0` follows from the claim, `claim = w0 * h(0) + w1 * h(1)` with `(w0, w1)` =
/// `(1 - rho, rho)`, or `(1, 1)` without eq: `c0 = (claim - w1 (c1 + c2)) / (w0 + w1)`.
pub fn sumcheck(
    channel: &mut impl Channel,
    ledger: &mut Ledger,
    of: Sumcheck<'_>,
    mut claim: Form,
    coordinates: &[Option<Fr>],
) -> Result<(Vec<Fr>, Form), Refusal> {
    let half = Fr::from(2u64).inverse().unwrap_or(Fr::ZERO);
    let mut challenges = Vec::new();
    for coordinate in coordinates.iter().rev() {
        let message = ledger.slots(channel, Ask::Round { of, challenges: &challenges }, 2)?;
        let [c1, c2] = message.as_slice() else { return Err(Refusal::LedgerValue) };
        let r = channel.challenge("sumcheck");
        let (w1, inverse) = match coordinate {
            Some(rho) => (*rho, Fr::ONE),
            None => (Fr::ONE, half),
        };
        // h(r) = c0 + r c1 + r^2 c2
        let w1 = w1 * inverse;
        claim = claim.times(inverse).plus(r - w1, c1).plus(r.square() - w1, c2);
        challenges.push(r);
    }
    challenges.reverse();
    Ok((challenges, claim))
}
