//! Decides what a device's fields and curve have to be: ark's, for random and for extreme values. The test that includes
//! this file says which `devices()`, and of a field how many `ELEMENTS`.

use ark_bls12_381::{Fq, Fr, G1Affine, G1Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInt, PrimeField};
use zkllm_kernels::device::array::{Affine, Array, Point, affine};
use zkllm_kernels::device::{Argument, Device};

use super::{ELEMENTS, devices};

/// Extremes first, then values that look random.
fn elements<F: PrimeField>(count: usize, seed: u64) -> Vec<F> {
    let top = -F::one();
    let half = F::from(2u64).inverse().unwrap();
    let mut values = vec![F::zero(), F::one(), top, top - F::one(), half, -half];
    values.extend((0..F::MODULUS_BIT_SIZE as u64).step_by(31).map(|bit| F::from(2u64).pow([bit])));
    let mut x = F::from(seed) + half;
    while values.len() < count {
        x = x.square() + F::from(values.len() as u64);
        values.push(x);
    }
    values
}

fn run<D: Device, const N: usize>(device: &D, kernel: &'static str, threads: usize, arguments: [Argument; N]) {
    // SAFETY: every test gives a kernel its arguments, with arrays of the sizes it wants.
    unsafe { device.launch(kernel, threads, &arguments) }.unwrap();
}

/// All pairs of the first elements, and random ones.
fn pairs<T: Copy>(values: &[T], first: usize) -> (Vec<T>, Vec<T>) {
    let all = values[..first].iter().flat_map(|a| values[..first].iter().map(move |b| (*a, *b)));
    all.chain(values.iter().copied().zip(values.iter().rev().copied())).unzip()
}

fn field<F: PrimeField, const N: usize>(
    kernel: &'static str,
    limbs: impl Fn(&F) -> [u64; N],
    of: impl Fn(&[u64]) -> F,
) {
    let (a, b) = pairs(&elements::<F>(ELEMENTS, 7), 18);
    for device in devices() {
        let [left, right] = [&a, &b].map(|x| Array::of(device, &x.iter().flat_map(&limbs).collect::<Vec<u64>>()));
        let out = Array::<_, u64>::new(device, 5 * a.len() * N);
        run(device, kernel, a.len(), [(&out).into(), (&left).into(), (&right).into(), a.len().into()]);
        let results: Vec<F> = out.all(device).chunks(N).map(&of).collect();
        for ((a, b), results) in a.iter().zip(&b).zip(results.chunks(5)) {
            let expected = [*a + b, *a - b, -*a, *a * b, a.inverse().unwrap_or_default()];
            assert_eq!(results, expected, "{a} and {b} on {}", device.name());
        }
    }
}

#[test]
fn scalars_are_arks() {
    field::<Fr, 4>("test_fr", |x| x.0.0, |limbs| Fr::new_unchecked(BigInt::new(limbs.try_into().unwrap())));
}

#[test]
fn coordinates_are_arks() {
    field::<Fq, 6>("test_fq", |x| x.0.0, |limbs| Fq::new_unchecked(BigInt::new(limbs.try_into().unwrap())));
}

#[test]
fn additions_of_points_are_arks() {
    let g = G1Affine::generator();
    let multiples = elements::<Fr>(400, 3).into_iter().map(|x| g * x).chain([g.into_group(), -g.into_group()]);
    let points: Vec<G1Affine> = G1Projective::normalize_batch(&multiples.collect::<Vec<_>>());
    // Infinity, equal and opposite points are among the pairs of the first ones.
    let (a, b) = pairs(&points, 24);
    assert!(a.iter().zip(&b).any(|(a, b)| a == b) && a.iter().zip(&b).any(|(a, b)| *a == -*b && !a.is_zero()));
    for device in devices() {
        let [left, right] = [&a, &b].map(|x| Array::of(device, &x.iter().map(Affine::from).collect::<Vec<_>>()));
        let out = Array::<_, Point>::new(device, 3 * a.len());
        run(device, "test_points", a.len(), [(&out).into(), (&left).into(), (&right).into(), a.len().into()]);
        for ((a, b), results) in a.iter().zip(&b).zip(affine(&out.all(device)).chunks(3)) {
            let sum = (*a + b).into_affine();
            assert_eq!(results, [sum, sum, (*a + a).into_affine()], "{a} and {b} on {}", device.name());
        }
    }
}
