//! Decides whether a backend computes rightly on this machine: every verb once, small, compared with the reference's; and
//! how long it takes for what a proof takes most of.

use std::sync::Arc;
use std::time::Instant;

use ark_ec::AffineRepr;
use ark_ff::Field;

use crate::random::Weights;
use crate::tensors::{self as far, Batches, Each, Far, Layout, Pairs, Part, Reading};
use crate::{
    Addend, Backend, Block, Denominators, Entries, Factor, Fr, FractionTree, G1Affine, Ints, Numbers, Numerators,
    Piece, Reference, Rows, Scan, Sumcheck, Tensor,
};

fn elements(count: usize) -> Vec<Fr> {
    let mut x = Fr::from(7u64);
    let next = || {
        x = x.square() - Fr::from(3u64);
        x
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn run<S: Sumcheck>(mut sumcheck: S, challenges: &[Fr]) -> (Vec<(Fr, Fr)>, S::End) {
    let mut messages = Vec::new();
    for r in challenges {
        messages.push(sumcheck.round());
        sumcheck.bind(*r);
    }
    (messages, sumcheck.finish())
}

/// What tensors of integers are where the backend computes, or here: `x[i][j] = 3 a[j][i] + 7`, what follows from it, and a
/// product of matrices.
fn tensors<B: Backend>(backend: &B, a: &[i16], b: &[i64]) -> String {
    let (rows, columns, depth) = (9, 7, 6);
    let sum = |at: usize| 3 * i64::from(a[at % columns * rows + at / columns]) + 7;
    let b: Vec<i64> = b[..rows * columns].iter().map(|x| x >> 34).collect();
    let turns: Vec<i64> = a[..30].iter().map(|x| i64::from(*x)).collect();
    let (random, gains) = (Weights { stream: 7, centre: 0.1, spread: 0.3 }, [1.0, 1.5]);
    let pairs = Pairs { length: columns, rows, shift: 1 };
    let Some(tensors) = backend.tensors() else {
        let x: Vec<i64> = (0..rows * columns).map(sum).collect();
        let rounded: Vec<i64> = x.iter().map(|x| (x + 4) >> 3).collect();
        let row_sums: Vec<i64> = rounded.chunks(columns).map(|row| row.iter().sum()).collect();
        let quotients: Vec<i64> =
            x.iter().zip(&b).map(|(n, d)| (2 * n + d.abs() + 1).div_euclid(2 * (d.abs() + 1))).collect();
        let mut counts = vec![0u32; 5];
        b.iter().for_each(|x| counts[x.rem_euclid(5) as usize] += 1);
        let dot = |m: usize, n: usize| (0..depth).map(|k| i64::from(a[m * depth + k]) * b[n * depth + k]).sum();
        let products: Vec<i64> = (0..32).map(|at| dot(at / 4, at % 4)).collect();
        let there = |at: usize| at % columns <= at / columns + pairs.shift;
        let top = |row: usize| (row * columns..(row + 1) * columns).filter(|at| there(*at)).map(|at| x[at] >> 3).max();
        let tops: Vec<i64> = (0..rows).map(|row| top(row).expect("a pair")).collect();
        let each = |f: &dyn Fn(usize) -> i64| -> Vec<i64> {
            (0..rows * columns).map(|at| if there(at) { f(at) } else { 0 }).collect()
        };
        let (multiplied, taken) = (each(&|at| x[at] * b[at]), each(&|at| b[b[at].rem_euclid(5) as usize]));
        let half = |at: usize| {
            let (row, k, pair) = (at / 10, at / 5 % 2, at % 5);
            let turn = 2 * (row / 2 % 3 * 5 + pair);
            let (cos, sin) = (turns[turn], if k == 0 { -turns[turn + 1] } else { turns[turn + 1] });
            cos * b[at] + sin * b[row * 10 + (1 - k) * 5 + pair]
        };
        let turned: Vec<i64> = (0..60).map(half).collect();
        let weight = |at: usize| (f64::from(random.at(at as u64)) * gains[at % 2] * 4096.0).round() as i64;
        let made: Vec<i64> = (0..9).map(weight).collect();
        let below: Vec<i64> = (0..36).filter(|at| at % 6 <= at / 6).map(|at| b[at]).collect();
        return format!(
            "{rounded:?} {row_sums:?} {quotients:?} {products:?} {tops:?} {multiplied:?} {taken:?} {turned:?} {made:?} \
             {below:?} {counts:?}"
        );
    };
    let near = |far: &Far| {
        let mut values = tensors.zeros(far);
        tensors.near(far, &mut values, 0);
        values.to_vec()
    };
    let wide = |values: &[i64]| tensors.far(Ints::I64(values));
    let steps = vec![(0..rows).collect(), (0..columns).map(|j| j * rows).collect()];
    let parts = vec![Part { coefficient: 3, cells: tensors.far(Ints::I16(a)), steps }];
    let reading = Reading { constant: 7, lengths: vec![rows, columns], parts };
    let x = tensors.read(&reading, 0, 0, None, Pairs::default());
    let rounded = tensors.read(&reading, 4, 3, None, Pairs::default());
    let row_sums = tensors.sums(
        &tensors.stored(&rounded, tensors.ends(&rounded), Layout::Whole),
        &[(0..rows).map(|row| row * columns).collect()],
        &(0..columns).collect::<Vec<_>>(),
    );
    let divisors = wide(&b.iter().map(|d| d.abs() + 1).collect::<Vec<_>>());
    let quotients = tensors.each(Each::Divide, &x, &divisors, Pairs::default());
    let counted = wide(&b.iter().map(|x| x.rem_euclid(5)).collect::<Vec<_>>());
    let counts = tensors.count(&counted, Pairs::default(), 5);
    let matrix =
        |values: Vec<i64>| tensors.stored(&wide(&values), (i32::MIN.into(), i32::MAX.into()), Layout::Quads(depth));
    let left = matrix(a[..8 * depth].iter().map(|x| i64::from(*x)).collect());
    let right = matrix(b[..4 * depth].to_vec());
    let blocks = vec![far::Block { rows: 0..8, columns: 4, depth }];
    let products = tensors.multiply(&left, &right, &Batches { batches: 1, rows: 8, columns: 4, depth, blocks });
    let ends = (i64::MIN >> 34, i64::MAX >> 34);
    let results = [
        rounded,
        row_sums,
        quotients,
        products,
        tensors.tops(&reading, 3, pairs),
        tensors.each(Each::Multiply, &x, &wide(&b), pairs),
        tensors.each(Each::Take, &wide(&b), &counted, pairs),
        tensors.turn(&wide(&b[..60]), &wide(&turns), 5, 2, 0..3),
        tensors.random(&random, &gains, 4096.0, 9),
        tensors.stored(&wide(&b[..36]), ends, Layout::Triangles(6)),
    ];
    let results: Vec<String> = results.iter().map(|far| format!("{:?}", near(far))).collect();
    format!("{} {counts:?}", results.join(" "))
}

/// What the verbs give, each under its name, as bytes to compare.
fn results<B: Backend>(backend: &B) -> Vec<(&'static str, String)> {
    let (rows, columns) = (5, 70);
    let field = elements(512);
    let integers: Vec<i64> = field[..rows * columns].iter().map(|x| x.0.0[0] as i64 >> (x.0.0[1] % 64)).collect();
    let short: Vec<i16> = integers.iter().map(|x| *x as i16).collect();
    let pieces: Vec<Piece> = (0..rows)
        .map(|row| {
            let range = row * columns..(row + 1) * columns;
            let values = if row % 2 == 0 { Ints::I64(&integers[range]) } else { Ints::I16(&short[range]) };
            Piece { row, column: 0, values }
        })
        .collect();
    let points: Vec<G1Affine> = field[..columns].iter().map(|x| (G1Affine::generator() * x).into()).collect();
    let vectors: Vec<&[G1Affine]> = points.chunks(14).collect();
    let table = Arc::new(field[..20].to_vec());
    let numbers: Vec<u32> = short.iter().map(|x| u32::from(x.unsigned_abs()) % 20).collect();
    let block = Block {
        offset: 0,
        lengths: vec![rows, columns],
        bits: vec![3, 7],
        numerators: Numerators::One,
        denominators: Denominators::Rows { rows: numbers.iter().copied().collect(), table },
    };
    let mut tree = backend.tree(10, vec![block]);
    let root = tree.root();
    let layers: Vec<_> =
        (0..10).map(|depth| run(tree.layer(depth, &field[..depth], field[99]), &field[50..50 + depth / 2])).collect();
    let a = field[..350].to_vec();
    let eq = vec![Some(field[..3].to_vec()), None];
    let pairs = vec![(field[..128].to_vec(), field[128..256].to_vec()); 2];
    let bases = backend.prepare_bases(&points);
    let left: Vec<i32> = integers[..210].iter().map(|x| (*x >> 32) as i32).collect();
    let right: Vec<i32> = integers.iter().map(|x| *x as i32 >> 8).collect();
    let products = [Rows::I16(&short), Rows::I32(&right)].map(|right| backend.multiply(&left, right, columns / 2));
    let values = |table: B::Table| format!("{:?}", backend.values(&table));
    let small = backend.table(field[..350].to_vec());
    let squares = Tensor::squares(Ints::I16(&short[..42]), 6).slice(0..36);
    // Axes in another order, one of them run over, one sums of those before.
    let scan = Some(Scan { axis: 1, weights: field[..4].to_vec(), before: true });
    let addend = |source, steps, scan| Addend { coefficient: field[9], source, steps, scan };
    let addends = [
        addend(Entries::Table(&small), vec![vec![4, 0, 2], vec![6, 12, 18, 0], vec![0; 5]], None),
        addend(Ints::I64(&integers).into(), vec![vec![0, 20, 40], vec![0, 5, 10, 15], (0..5).collect()], scan),
    ];
    vec![
        ("commit_rows", format!("{:?}", backend.commit_rows(&bases, rows + 1, &pieces))),
        ("contract", values(backend.contract(Ints::I64(&integers).into(), rows, 2, &field[..columns / 2]))),
        ("contract squares", values(backend.contract(Entries::Ints(squares), 2, 3, &field[..6]))),
        ("contract a table", values(backend.contract(Entries::Table(&small), 7, 5, &field[..10]))),
        ("gather", values(backend.gather(&[3, 4, 5], &addends))),
        ("multiply_table", values(backend.multiply_table(Ints::I16(&short[..84]), &small, &field[7..9], 7))),
        ("contract_left", format!("{:?}", backend.contract_left(&pieces, &field[..rows], columns))),
        ("contract_right", format!("{:?}", backend.contract_right(&pieces, &field[..columns], rows))),
        ("combine_rows", format!("{:?}", backend.combine_rows(&vectors, &field[..vectors.len()]))),
        ("tree", format!("{root:?} {layers:?}")),
        (
            "product",
            format!(
                "{:?}",
                run(
                    backend.product(
                        &[5, 70],
                        &[3, 7],
                        Factor::Table(backend.table(a)),
                        Some(Factor::Ints(Ints::I16(&short))),
                        eq
                    ),
                    &field[..10]
                )
            ),
        ),
        ("pairs", format!("{:?}", run(backend.pairs(7, pairs), &field[..7]))),
        ("histogram", format!("{:?}", backend.histogram(&numbers, 20))),
        ("multiply", format!("{products:?}")),
        ("tensors", tensors(backend, &short, &integers)),
        ("eq_table", format!("{:?}", backend.eq_table(&field[..9], 400))),
    ]
}

/// The verbs in which `backend` differs from [`Reference`]; none if all is well.
pub fn differences<B: Backend>(backend: &B) -> Vec<&'static str> {
    let pairs = results(backend).into_iter().zip(results(&Reference));
    pairs.filter(|(ours, right)| ours != right).map(|(ours, _)| ours.0).collect()
}

/// Wall-clock seconds for a commitment of 256 rows of 1024 and a tree of 2^18 leaves with its sumchecks, after one time
/// that does not count.
pub fn seconds<B: Backend>(backend: &B) -> f64 {
    let (rows, columns, n) = (256, 1 << 10, 18);
    let field = elements(1 << 10);
    let points: Vec<G1Affine> = (0..columns as u64).map(|k| (G1Affine::generator() * Fr::from(k + 1)).into()).collect();
    let bases = backend.prepare_bases(&points);
    let values: Vec<i16> = (0..rows * columns).map(|at| (at * 104_729 % 4096) as i16 - 2048).collect();
    let row = |(row, values)| Piece { row, column: 0, values: Ints::I16(values) };
    let pieces: Vec<Piece> = values.chunks(columns).enumerate().map(row).collect();
    let table = Arc::new(field.clone());
    let leaves: Numbers = (0..1u32 << n).map(|at| at % table.len() as u32).collect();
    let work = || {
        let block = Block {
            offset: 0,
            lengths: vec![leaves.len()],
            bits: vec![n],
            numerators: Numerators::One,
            denominators: Denominators::Rows { rows: leaves.clone(), table: table.clone() },
        };
        std::hint::black_box(backend.commit_rows(&bases, rows, &pieces));
        let mut tree = backend.tree(n, vec![block]);
        for depth in 0..n {
            std::hint::black_box(run(tree.layer(depth, &field[..depth], field[99]), &field[50..50 + depth]));
        }
    };
    work();
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
