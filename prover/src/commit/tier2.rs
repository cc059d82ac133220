//! Decides what a chunk's 192 bytes are: the pairing commitment to its rows. Spec: dory.commitment.

use super::setup::Generators;
use ark_bls12_381::Bls12_381;
use ark_ec::pairing::{MillerLoopOutput, Pairing};
use zkllm_kernels::cpu::pairing::miller_loops;
use zkllm_verifier::Fr;
use zkllm_verifier::groups::{G1, G2, Gt};

/// `sum_i e(rows_i, Gamma2_i) + rho e(H1, H2)`.
pub fn commit_rows(rows: &[G1], generators: &Generators, rho: Fr) -> Gt {
    let blinding = (generators.h1 * rho).into();
    multi_pairing(rows, &generators.g2[..rows.len()]) + multi_pairing(&[blinding], &[generators.h2])
}

/// `sum_i e(left_i, right_i)`.
pub fn multi_pairing(left: &[G1], right: &[G2]) -> Gt {
    let [product] = multi_pairings([left], right);
    product
}

/// `sum_i e(left_i, right_i)` for several `left`, which share the work that depends on `right` alone.
pub fn multi_pairings<const N: usize>(left: [&[G1]; N], right: &[G2]) -> [Gt; N] {
    miller_loops(left, right).map(|product| {
        Bls12_381::final_exponentiation(MillerLoopOutput(product)).expect("a product of Miller loops is not 0")
    })
}
