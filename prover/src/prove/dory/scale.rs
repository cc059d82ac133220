//! Decides nothing: many points times one scalar, quickly.

use ark_bls12_381::{Config, Fq2, Fq6Config, Fq12Config, Fr, g1, g2};
use ark_ec::bls12::Bls12Config;
use ark_ec::short_weierstrass::Affine;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, Field, Fp6Config, Fp12Config, PrimeField};
use rayon::prelude::*;
use std::sync::OnceLock;

/// Points of a group with a map `endomorphism(P) = -|x|^E P` that is almost free, `x` the curve's parameter.
pub trait Endomorphic: AffineRepr<ScalarField = Fr> {
    /// How many digits of base `|x|` go into one part of a scalar.
    const E: usize;
    /// The map.
    fn endomorphism(&self) -> Self;
}

impl Endomorphic for Affine<g1::Config> {
    const E: usize = 2;
    fn endomorphism(&self) -> Self {
        g1::endomorphism(self)
    }
}

impl Endomorphic for Affine<g2::Config> {
    const E: usize = 1;
    /// `(x, y)` to `(x^p / xi^((p-1)/3), y^p / xi^((p-1)/2))`.
    fn endomorphism(&self) -> Self {
        static FACTORS: OnceLock<(Fq2, Fq2)> = OnceLock::new();
        let (by_x, by_y) = FACTORS.get_or_init(|| {
            let third = Fq6Config::FROBENIUS_COEFF_FP6_C1[1];
            let sixth = Fq12Config::FROBENIUS_COEFF_FP12_C1[1];
            (third.inverse().expect("a unit"), (sixth.square() * sixth).inverse().expect("a unit"))
        });
        let mut image = *self;
        image.x.conjugate_in_place();
        image.y.conjugate_in_place();
        image.x *= by_x;
        image.y *= by_y;
        image
    }
}

/// Points that share an inversion.
const BATCH: usize = 128;

/// `to_i + x points_i`.
pub fn add_scaled<A: Endomorphic>(to: &[A], points: &[A], x: Fr) -> Vec<A> {
    assert_eq!(to.len(), points.len(), "a point a point");
    let digits: Vec<Vec<i8>> = parts(x, A::E).into_iter().map(signed_digits).collect();
    to.par_chunks(BATCH)
        .zip(points.par_chunks(BATCH))
        .flat_map_iter(|(to, points)| {
            // P, 3 P, 5 P, 7 P
            let odd = points.iter().flat_map(|point| {
                let double = point.into_group().double();
                std::iter::successors(Some(point.into_group()), move |last| Some(double + last)).take(4)
            });
            let odd = A::Group::normalize_batch(&odd.collect::<Vec<_>>());
            let sums: Vec<_> = odd.chunks(4).zip(to).map(|(odd, to)| multiply(odd, &digits) + to).collect();
            A::Group::normalize_batch(&sums)
        })
        .collect()
}

/// `x P` from odd multiples of `P` and the digits of the parts of `x`.
fn multiply<A: Endomorphic>(odd: &[A], digits: &[Vec<i8>]) -> A::Group {
    // -|x|^E in place of |x|^E: every other part is taken negative.
    let next = |table: &Vec<A>| Some(table.iter().map(|point| -point.endomorphism()).collect());
    let tables: Vec<Vec<A>> = std::iter::successors(Some(odd.to_vec()), next).take(digits.len()).collect();
    let length = digits.iter().map(Vec::len).max().unwrap_or(0);
    let mut sum = A::Group::ZERO;
    for i in (0..length).rev() {
        sum.double_in_place();
        for (digits, table) in digits.iter().zip(&tables) {
            match digits.get(i) {
                Some(&digit) if digit > 0 => sum += table[digit as usize / 2],
                Some(&digit) if digit < 0 => sum -= table[-digit as usize / 2],
                _ => {}
            }
        }
    }
    sum
}

/// `x` in base `|x|^e`.
fn parts(x: Fr, e: usize) -> Vec<u128> {
    let base = u128::from(Config::X[0]);
    let mut limbs = x.into_bigint().0;
    let digits: [u128; 4] = std::array::from_fn(|_| {
        limbs.iter_mut().rev().fold(0, |remainder, limb| {
            let value = remainder << 64 | u128::from(*limb);
            *limb = (value / base) as u64;
            value % base
        })
    });
    digits.chunks(e).map(|part| part.iter().rev().fold(0, |sum, digit| sum * base + digit)).collect()
}

/// `k < 2^127.5` in digits 0 and odd from -7 to 7, at most one in four not 0.
fn signed_digits(mut k: u128) -> Vec<i8> {
    let mut digits = Vec::new();
    while k > 0 {
        let digit = if k.is_multiple_of(2) { 0 } else { (k % 16) as i8 - if k % 16 > 8 { 16 } else { 0 } };
        k = k.wrapping_sub(digit as u128);
        digits.push(digit);
        k /= 2;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use zkllm_verifier::groups::{G1, G2};

    #[test]
    fn a_common_factor_multiplies_every_point() {
        let points1: Vec<G1> = (0..5).map(|i| crate::commit::setup::hash_g1("test", i)).chain([G1::zero()]).collect();
        let points2: Vec<G2> = (0..5).map(|i| crate::commit::setup::hash_g2("test", i)).chain([G2::zero()]).collect();
        let large = Fr::from_le_bytes_mod_order(&[0x5a; 64]);
        for x in
            [Fr::ZERO, Fr::ONE, -Fr::ONE, Fr::from(12345_u64), large, -large, large.square(), Fr::from(Config::X[0])]
        {
            let expected: Vec<G1> = points1.iter().map(|point| (*point * x + points1[0]).into()).collect();
            assert_eq!(add_scaled(&[points1[0]; 6], &points1, x), expected);
            let expected: Vec<G2> = points2.iter().map(|point| (*point * x + points2[0]).into()).collect();
            assert_eq!(add_scaled(&[points2[0]; 6], &points2, x), expected);
        }
    }
}
