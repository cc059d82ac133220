//! Decides how rows of chunks are combined: one recoding of the scalars for all rows, endomorphism, batched additions.

use std::sync::OnceLock;

use ark_bls12_381::{Fq, Fr, G1Affine};
use ark_ec::AffineRepr;
use ark_ff::{Field, One, PrimeField};
use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::lanes::Lanes;
use super::points::{Adder, Scalar, sum_lists};
#[cfg(target_arch = "x86_64")]
use crate::path::Path;

/// Rows one task handles.
const TASK: usize = 256;
/// Odd multiples 1, 3, .. 15 of each point.
const MULTIPLES: usize = 8;
/// `z^2 - 1` for the curve's parameter z; `(x, y) -> (beta x, y)` multiplies by it in the group of order r.
const LAMBDA: u128 = 0xac45a4010001a40200000000ffffffff;

/// A cube root of 1 that belongs to LAMBDA.
fn beta() -> Fq {
    static BETA: OnceLock<Fq> = OnceLock::new();
    *BETA.get_or_init(|| {
        let third = {
            let mut exponent = Fq::MODULUS;
            // (p - 1) / 3, by long division from the top limb.
            exponent.0[0] -= 1;
            let mut rest = 0u128;
            for limb in exponent.0.iter_mut().rev() {
                let value = rest << 64 | u128::from(*limb);
                *limb = (value / 3) as u64;
                rest = value % 3;
            }
            exponent
        };
        let root = (2u64..).map(|g| Fq::from(g).pow(third)).find(|root| !root.is_one()).expect("a non-cube");
        let g = G1Affine::generator();
        let image = G1Affine::from(ark_ec::CurveGroup::into_affine(g * Fr::from(LAMBDA)));
        if image.x == g.x * root { root } else { root.square() }
    })
}

/// `scalar = low + LAMBDA high`, both below 2^129.
fn split(scalar: &Fr) -> (u128, u128) {
    let limbs = scalar.into_bigint().0;
    let (mut quotient, mut rest) = (0u128, 0u128);
    for bit in (0..256).rev() {
        // LAMBDA has its top bit set: one bit is shifted out at most.
        let carry = rest >> 127 == 1;
        rest = rest << 1 | u128::from(limbs[bit / 64] >> (bit % 64) & 1);
        quotient <<= 1;
        if carry || rest >= LAMBDA {
            rest = rest.wrapping_sub(LAMBDA);
            quotient |= 1;
        }
    }
    (rest, quotient)
}

/// Non-adjacent form of width 5: digits 0 or odd in -15..=15, least significant first.
fn recode(value: u128) -> Vec<i8> {
    let (mut rest, mut high) = (value, 0u128);
    let mut digits = Vec::with_capacity(130);
    while rest != 0 || high != 0 {
        let mut digit = 0i8;
        if rest & 1 == 1 {
            digit = (rest & 31) as i8;
            if digit > 15 {
                digit -= 32;
            }
            if digit > 0 {
                rest -= digit as u128;
            } else {
                let (sum, carry) = rest.overflowing_add(u128::from(digit.unsigned_abs()));
                rest = sum;
                high += u128::from(carry);
            }
        }
        digits.push(digit);
        rest = rest >> 1 | high << 127;
        high >>= 1;
    }
    digits
}

/// See [`crate::Backend::combine_rows`].
pub fn combine_rows(vectors: &[&[G1Affine]], scalars: &[Fr]) -> Vec<G1Affine> {
    #[cfg(target_arch = "x86_64")]
    if Path::used() == Path::Ifma {
        return combine_with::<Lanes>(vectors, scalars);
    }
    combine_with::<Scalar>(vectors, scalars)
}

pub fn combine_with<A: Adder>(vectors: &[&[G1Affine]], scalars: &[Fr]) -> Vec<G1Affine> {
    assert_eq!(vectors.len(), scalars.len(), "one scalar a vector");
    let rows = vectors.first().map_or(0, |vector| vector.len());
    assert!(vectors.iter().all(|vector| vector.len() == rows), "vectors of one length");
    // By position: (vector, whether its image under the endomorphism, digit).
    let mut positions: Vec<Vec<(usize, bool, i8)>> = Vec::new();
    for (k, scalar) in scalars.iter().enumerate() {
        let (low, high) = split(scalar);
        for (image, half) in [(false, low), (true, high)] {
            for (position, digit) in recode(half).into_iter().enumerate().filter(|(_, digit)| *digit != 0) {
                if positions.len() <= position {
                    positions.resize(position + 1, Vec::new());
                }
                positions[position].push((k, image, digit));
            }
        }
    }
    let mut out = vec![G1Affine::identity(); rows];
    out.par_chunks_mut(TASK).enumerate().for_each(|(task, out)| {
        let start = task * TASK;
        let count = out.len();
        // Of each vector, then of its image.
        let multiples: Vec<Vec<A::Point>> = vectors
            .iter()
            .flat_map(|vector| {
                let points = &vector[start..start + count];
                let images: Vec<G1Affine> = points.iter().map(image).collect();
                [odd_multiples::<A>(points), odd_multiples::<A>(&images)]
            })
            .collect();
        let mut sums = vec![A::INFINITY; count];
        for position in positions.iter().rev() {
            A::double_all(&mut sums);
            let terms = position.len() + 1;
            let source = |index: usize| {
                let (row, term) = (index / terms, index % terms);
                if term == position.len() {
                    return (&sums[row], false);
                }
                let (k, image, digit) = position[term];
                let multiple = digit.unsigned_abs() as usize / 2;
                (&multiples[2 * k + usize::from(image)][multiple * count + row], digit < 0)
            };
            if !position.is_empty() {
                sums = sum_lists::<A>(source, &vec![terms as u32; count]);
            }
        }
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = A::store(&sum));
    });
    out
}

/// The point times LAMBDA.
fn image(point: &G1Affine) -> G1Affine {
    if point.is_zero() { *point } else { G1Affine::new_unchecked(point.x * beta(), point.y) }
}

/// Multiples 1, 3, .. of every point: all first multiples, then all third ones, and so on.
fn odd_multiples<A: Adder>(points: &[G1Affine]) -> Vec<A::Point> {
    let count = points.len();
    let mut multiples: Vec<A::Point> = points.iter().map(A::load).collect();
    let mut doubled = multiples.clone();
    A::double_all(&mut doubled);
    for k in 1..MULTIPLES {
        multiples.resize((k + 1) * count, A::INFINITY);
        let (done, next) = multiples.split_at_mut(k * count);
        let last = &done[(k - 1) * count..];
        A::add_all(count, |i| (&last[i], false), |i| (&doubled[i], false), |i, point| next[i] = point);
    }
    multiples
}
