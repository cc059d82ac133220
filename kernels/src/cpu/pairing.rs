//! Decides how many Miller loops run at once: the library's, or eight a vector where the machine has AVX-512 IFMA.

use ark_bls12_381::{Bls12_381, Fq12, G1Affine, G2Affine};
use ark_ec::pairing::Pairing;
use ark_ff::Field;
use rayon::prelude::*;

#[cfg(target_arch = "x86_64")]
use super::miller_lanes;
#[cfg(target_arch = "x86_64")]
use crate::path::Path;

/// Pairs that share the squarings of a Miller loop: as many as the library takes at once.
const PAIRS: usize = 4;

/// `prod_i f(left_i, right_i)` of Miller loops `f` for several `left`, which share the work that depends on `right` alone:
/// up to factors that the final exponentiation maps to 1. Points lie in the groups of order r, infinity included.
///
/// # Panics
/// Unless all slices have one length.
pub fn miller_loops<const N: usize>(left: [&[G1Affine]; N], right: &[G2Affine]) -> [Fq12; N] {
    assert!(left.iter().all(|left| left.len() == right.len()), "a pairing has two sides");
    let run = |length: usize, loops: &(dyn Fn([&[G1Affine]; N], &[G2Affine]) -> [Fq12; N] + Sync)| {
        let run = |start: usize| {
            let range = start..right.len().min(start + length);
            loops(left.map(|left| &left[range.clone()]), &right[range])
        };
        let multiply = |a: [Fq12; N], b: [Fq12; N]| std::array::from_fn(|i| a[i] * b[i]);
        (0..right.len()).into_par_iter().step_by(length).map(run).reduce(|| [Fq12::ONE; N], multiply)
    };
    #[cfg(target_arch = "x86_64")]
    if Path::used() == Path::Ifma && right.len() >= PAIRS {
        let most = 8 * miller_lanes::GROUPS;
        let length = right.len().div_ceil(rayon::current_num_threads()).next_multiple_of(8).min(most);
        // SAFETY: the machine can.
        return run(length, &|left, right| unsafe { miller_lanes::miller_loops(left, right) });
    }
    run(PAIRS, &by_library)
}

fn by_library<const N: usize>(left: [&[G1Affine]; N], right: &[G2Affine]) -> [Fq12; N] {
    let prepared: Vec<<Bls12_381 as Pairing>::G2Prepared> = right.iter().map(Into::into).collect();
    left.map(|left| Bls12_381::multi_miller_loop(left, prepared.iter().cloned()).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bls12_381::{Fr, G1Projective, G2Projective};
    use ark_ec::pairing::MillerLoopOutput;
    use ark_ec::{AffineRepr, PrimeGroup};

    #[test]
    fn all_ways_give_the_library_s_pairings() {
        let point = |at: usize| {
            let scalar = Fr::from(at as u64 + 2).inverse().unwrap();
            (G1Affine::from(G1Projective::generator() * scalar), G2Affine::from(G2Projective::generator() * -scalar))
        };
        let end = |product: Fq12| Bls12_381::final_exponentiation(MillerLoopOutput(product)).unwrap();
        for count in [0, 1, 3, 4, 7, 8, 9, 40, 129] {
            let (mut a, mut right): (Vec<G1Affine>, Vec<G2Affine>) = (0..count).map(point).unzip();
            let mut b: Vec<G1Affine> = a.iter().rev().copied().collect();
            for at in (0..count).step_by(5) {
                a[at] = G1Affine::zero();
                right[(3 * at + 2) % count] = G2Affine::zero();
                b[(at + 1) % count] = b[at];
                right[(at + 1) % count] = -right[at];
            }
            let [x, y] = miller_loops([&a, &b], &right).map(end);
            assert_eq!([x, y], [&a, &b].map(|left| Bls12_381::multi_pairing(left, &right)), "{count} pairs");
            let [x] = miller_loops([&b], &right).map(end);
            assert_eq!(x, y, "{count} pairs");
        }
    }
}
