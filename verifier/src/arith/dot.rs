//! Decides sums of field elements times small integers: by limbs, reduced once.

use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, PrimeField};
use core::iter::zip;

/// A field element in limbs of 32 bits, the least significant first.
pub type Limbs = [u32; 8];

/// The limbs of a field element.
pub fn limbs(value: &Fr) -> Limbs {
    let mut limbs = Limbs::default();
    for (pair, limb) in zip(limbs.chunks_exact_mut(2), value.into_bigint().0) {
        pair.copy_from_slice(&[limb as u32, (limb >> 32) as u32]);
    }
    limbs
}

/// `sum_i weights[i] * values[i]`, over the shorter of both; at most `2^32` integers of absolute value at most `2^60`, so that each
/// limb's sum is below `2^124`. No value is taken beyond the last weight.
pub fn dot(weights: &[Limbs], values: impl Iterator<Item = i64>) -> Fr {
    let [sum] = dots(weights, values.map(|value| [value]));
    sum
}

/// [`dot`] of the same weights with `N` columns of integers.
pub fn dots<const N: usize>(weights: &[Limbs], values: impl Iterator<Item = [i64; N]>) -> [Fr; N] {
    let mut sums = [[0i128; 8]; N];
    for (weight, values) in zip(weights, values) {
        for (sums, value) in zip(&mut sums, values) {
            for (sum, limb) in zip(sums, weight) {
                *sum += i128::from(*limb) * i128::from(value);
            }
        }
    }
    let base = Fr::from(1u64 << 32);
    sums.map(|sums| sums.iter().rev().fold(Fr::ZERO, |value, sum| value * base + Fr::from(*sum)))
}
