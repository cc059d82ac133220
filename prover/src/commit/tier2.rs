//! Decides what a chunk's 288 bytes are: the pairing commitment to its rows. Spec: dory.commitment.

use super::setup::Generators;
use ark_bls12_381::Bls12_381;
use ark_ec::pairing::{MillerLoopOutput, Pairing};
use rayon::prelude::*;
use zkllm_verifier::Fr;
use zkllm_verifier::groups::{G1, G2, Gt};

/// Pairs that share the squarings of a Miller loop: as many as the library takes at once.
const PAIRS: usize = 4;

/// `sum_i e(rows_i, Gamma2_i) + rho e(H1, H2)`.
pub fn commit_rows(rows: &[G1], generators: &Generators, rho: Fr) -> Gt {
    let blinding = (generators.h1 * rho).into();
    finish(miller(rows, &generators.g2[..rows.len()]) * miller(&[blinding], &[generators.h2]))
}

/// `sum_i e(left_i, right_i)`.
pub fn multi_pairing(left: &[G1], right: &[G2]) -> Gt {
    finish(miller(left, right))
}

type Miller = <Bls12_381 as Pairing>::TargetField;

/// The product of the Miller loops, on all cores.
pub(crate) fn miller(left: &[G1], right: &[G2]) -> Miller {
    assert_eq!(left.len(), right.len(), "a pairing has two sides");
    left.par_chunks(PAIRS)
        .zip(right.par_chunks(PAIRS))
        .map(|(left, right)| Bls12_381::multi_miller_loop(left, right).0)
        .product()
}

/// The final exponentiation.
pub(crate) fn finish(product: Miller) -> Gt {
    Bls12_381::final_exponentiation(MillerLoopOutput(product)).expect("a product of Miller loops is not 0")
}
