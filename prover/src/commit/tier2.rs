//! Decides what a chunk's 192 bytes are: the pairing commitment to its rows. Spec: dory.commitment.

use super::setup::Generators;
use ark_bls12_381::Bls12_381;
use ark_ec::pairing::{MillerLoopOutput, Pairing};
use ark_ff::Field;
use rayon::prelude::*;
use zkllm_verifier::Fr;
use zkllm_verifier::groups::{G1, G2, Gt};

/// Pairs that share the squarings of a Miller loop: as many as the library takes at once.
const PAIRS: usize = 4;

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
    assert!(left.iter().all(|left| left.len() == right.len()), "a pairing has two sides");
    let chunk = |start: usize| {
        let range = start..right.len().min(start + PAIRS);
        let prepared: Vec<Prepared> = right[range.clone()].iter().map(Prepared::from).collect();
        left.map(|left| Bls12_381::multi_miller_loop(&left[range.clone()], prepared.iter().cloned()).0)
    };
    let one = || [Miller::ONE; N];
    let multiply = |a: [Miller; N], b: [Miller; N]| std::array::from_fn(|i| a[i] * b[i]);
    let products = (0..right.len()).into_par_iter().step_by(PAIRS).map(chunk).reduce(one, multiply);
    products.map(|product| {
        Bls12_381::final_exponentiation(MillerLoopOutput(product)).expect("a product of Miller loops is not 0")
    })
}

type Miller = <Bls12_381 as Pairing>::TargetField;
type Prepared = <Bls12_381 as Pairing>::G2Prepared;
