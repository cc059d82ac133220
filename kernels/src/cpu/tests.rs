//! Decides that what this machine does in vectors equals what any machine does one by one.

use ark_bls12_381::{Fr, G1Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, One, Zero};

use super::{Tree, combine, commit, limbs, points::Scalar, runs, wide::Wide};
use crate::{Backend, Block, Cpu, Denominators, FractionTree, Integers, Ints, Numbers, Numerators, Piece, Sumcheck};

fn elements(count: usize, seed: u64) -> Vec<Fr> {
    let mut x = Fr::from(seed) + Fr::from(3u64).inverse().expect("not 0");
    (0..count)
        .map(|i| {
            x = x.square() + Fr::from(i as u64);
            match i % 11 {
                3 => Fr::zero(),
                5 => -Fr::one(),
                7 => Fr::one(),
                _ => x,
            }
        })
        .collect()
}

/// Multiples of the generator, with equal, opposite and infinite ones close together.
fn points(count: usize, seed: u64) -> Vec<G1Affine> {
    let mut points: Vec<G1Affine> =
        elements(count, seed).iter().map(|x| (G1Affine::generator() * x).into_affine()).collect();
    for i in (5..count).step_by(9) {
        points[i] = points[i - 1];
        points[i - 2] = -points[i - 3];
        points[i - 4] = G1Affine::identity();
    }
    points
}

#[test]
fn scalar_and_vector_additions_commit_alike() {
    let points = points(300, 1);
    let values: Vec<i64> = elements(300, 2).iter().enumerate().map(|(i, x)| x.0.0[0] as i64 >> (i % 64)).collect();
    let ones = vec![1i16; 300];
    let pieces = [
        Piece { row: 0, column: 0, values: Ints::I64(&values) },
        Piece { row: 1, column: 0, values: Ints::I16(&ones) },
        Piece { row: 2, column: 7, values: Ints::I64(&[i64::MIN, i64::MAX, -1]) },
    ];
    let slow = commit::commit_rows(&commit::Bases::scalar(&points), 3, &pieces);
    assert_eq!(slow, Cpu.commit_rows(&Cpu.prepare_bases(&points), 3, &pieces));
    assert_eq!(
        slow[1],
        points.iter().map(|point| point.into_group()).sum::<ark_bls12_381::G1Projective>().into_affine()
    );
}

#[test]
fn scalar_and_vector_additions_combine_alike() {
    let vectors = [points(40, 3), points(40, 4), points(40, 3)];
    let slices: Vec<&[G1Affine]> = vectors.iter().map(|vector| vector.as_slice()).collect();
    let mut scalars = elements(3, 5);
    assert_eq!(combine::combine_with::<Scalar>(&slices, &scalars), Cpu.combine_rows(&slices, &scalars));
    scalars[2] = -scalars[0];
    assert_eq!(combine::combine_with::<Scalar>(&slices, &scalars), Cpu.combine_rows(&slices, &scalars));
}

#[test]
fn limb_products_are_the_same_in_vectors() {
    let weights = elements(77, 6);
    let x: Vec<i16> = elements(77, 7).iter().map(|x| x.0.0[0] as i16).collect();
    let planes = limbs::Planes::new(&weights);
    for (start, length) in [(0, 77), (3, 8), (5, 1), (69, 8), (70, 7), (4, 0)] {
        assert_eq!(limbs::dot(&x[..length], &planes, start), limbs::dot_lanes(&x[..length], &planes, start));
    }
    let limbs: Vec<_> = weights[..5].iter().map(limbs::limbs_of).collect();
    let rows: Vec<&[i16]> = (0..5).map(|k| &x[k..k + 37]).collect();
    let (mut fast, mut slow) = ([[[1; limbs::TILE]; limbs::LIMBS]; 3], [[[1; limbs::TILE]; limbs::LIMBS]; 3]);
    limbs::axpy(&rows, &limbs, &mut fast);
    limbs::axpy_lanes(&rows, &limbs, &mut slow);
    assert_eq!(fast, slow);
}

#[test]
fn limbs_gather_to_what_they_came_from() {
    for x in elements(50, 8) {
        assert_eq!(limbs::gather(&limbs::limbs_of(&x)), x);
        assert_eq!(limbs::gather(&limbs::limbs_of(&x).map(|limb| -limb)), -x);
        assert_eq!(limbs::gather(&limbs::limbs_of(&x).map(|limb| limb << 30)), x * Fr::from(1u64 << 30));
        assert_eq!(limbs::gather(&limbs::limbs_of(&x).map(|limb| -limb << 30)), -x * Fr::from(1u64 << 30));
    }
    for extreme in [i64::MAX >> 1, i64::MIN >> 1] {
        let radix = Fr::from(1u64 << 32);
        let raw = (0..8).rev().fold(Fr::zero(), |sum, _| sum * radix + Fr::from(extreme));
        // The lanes are of the Montgomery form, which is 2^256 times the value.
        assert_eq!(limbs::gather(&[extreme; 8]) * Fr::from(2u64).pow([256]), raw);
    }
}

#[test]
fn wide_sums_are_sums() {
    let (a, b) = (elements(100, 9), vec![-Fr::one(); 100]);
    let mut sum = Wide::default();
    a.iter().zip(&b).for_each(|(a, b)| sum.add_product(a, b));
    assert_eq!(sum.reduce(), -a.iter().sum::<Fr>());
}

#[test]
fn long_runs_are_short_runs_joined() {
    // Runs below 16 elements are done one by one.
    for length in [16, 30, 47, 64, 4000] {
        let (a, b, w) = (elements(length, 10), elements(length, 11), elements(length, 12));
        let pads = [Fr::from(5u64), -Fr::one()];
        for weights in [None, Some(w.as_slice())] {
            let mut sums = [Fr::zero(); 2];
            for (i, (a, b)) in a.chunks(14).zip(b.chunks(14)).enumerate() {
                let part = runs::pair_sums(a, b, pads, weights.map(|weights| &weights[7 * i..]));
                sums.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            assert_eq!(runs::pair_sums(&a, &b, pads, weights), sums);
        }
        let half = length.div_ceil(2);
        let (mut fast, mut slow) =
            ([vec![Fr::zero(); half], vec![Fr::zero(); half]], [vec![Fr::zero(); half], vec![Fr::zero(); half]]);
        runs::fold_run(&a, w[0], pads[0], &mut fast[0]);
        slow[0].chunks_mut(7).zip(a.chunks(14)).for_each(|(out, a)| runs::fold_run(a, w[0], pads[0], out));
        assert_eq!(fast, slow);
        let [fast_p, fast_q] = &mut fast;
        runs::merge_run(&a, &b, fast_p, fast_q);
        let [slow_p, slow_q] = &mut slow;
        for (k, (a, b)) in a.chunks(14).zip(b.chunks(14)).enumerate() {
            let out = 7 * k..(7 * k + 7).min(half);
            runs::merge_run(a, b, &mut slow_p[out.clone()], &mut slow_q[out]);
        }
        assert_eq!((&fast_p, &fast_q), (&slow_p, &slow_q));
        let (mut fast, mut slow) = (a.clone(), a.clone());
        runs::add_scaled(&mut fast, w[1], &b);
        slow.chunks_mut(7).zip(b.chunks(7)).for_each(|(out, b)| runs::add_scaled(out, w[1], b));
        assert_eq!(fast, slow);
    }
}

#[test]
fn a_tree_whose_lowest_levels_are_made_anew_is_the_same() {
    let table = std::sync::Arc::new(elements(50, 7));
    let block = |offset, lengths: &[usize], bits: &[usize], gaps: bool| {
        let (size, side) = (lengths.iter().product::<usize>(), lengths[lengths.len() - 1]);
        let mut rows: Numbers = (0..size).map(|at| (at * at % 50) as u32).collect();
        if gaps {
            let squares = size.div_ceil(side * side);
            let stored = (0..squares * side * (side + 1) / 2).map(|at| (at * at % 50) as i64);
            rows = Numbers::causal(Integers::narrowed(stored.collect()).into(), 0, side).slice(0..size);
        }
        let denominators = Denominators::Rows { rows, table: table.clone() };
        let (lengths, bits) = (lengths.to_vec(), bits.to_vec());
        Block { offset, lengths, bits, numerators: Numerators::One, denominators }
    };
    let blocks = [
        block(0, &[5, 300, 3], &[3, 9, 2], false),
        block(1 << 14, &[1025], &[11], false),
        block(1 << 15, &[17, 100], &[5, 7], true),
        block(5 << 13, &[90], &[7], true),
        block(6 << 13, &[30, 129], &[5, 8], true),
    ];
    // From everything above the leaves stored to nothing below the ninth level.
    for bytes in [1 << 20, 1 << 18, 1 << 16, 0] {
        let mut trees = [usize::MAX, bytes].map(|bytes| Tree::build(16, blocks.to_vec(), bytes));
        assert_eq!(trees[0].root(), trees[1].root());
        for depth in 0..16 {
            let rho = elements(depth, 11);
            let lambda = if depth % 5 == 3 { Fr::zero() } else { Fr::from(5u64) };
            let mut layers = trees.each_mut().map(|tree| tree.layer(depth, &rho, lambda));
            let bound = if bytes % 3 == 0 { depth } else { depth / 3 };
            for r in elements(bound, 13) {
                let [stored, made] = layers.each_mut().map(|layer| layer.round());
                assert_eq!(stored, made, "{bytes} bytes, level {depth}");
                layers.iter_mut().for_each(|layer| layer.bind(r));
            }
            let [stored, made] = layers.map(|layer| layer.finish());
            assert_eq!(stored, made, "{bytes} bytes, level {depth}");
        }
    }
}
