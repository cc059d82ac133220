//! Decides what two backends have to agree on: every verb at awkward sizes and with adversarial values. The test that
//! includes this file says which two are `checked()`.

use std::sync::Arc;

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, One, Zero};
use zkllm_kernels::{
    Addend, Backend, Block, Denominators, Entries, Factor, Fr, FractionTree, G1Affine, Integers, Ints, Numbers,
    Numerators, Overflow, Piece, ProductSumcheck, Rows, Scan, Sumcheck, Tensor,
};

use super::checked;

/// A small deterministic generator; every eighth value or so is extreme.
struct Source(u64);

impl Source {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.word() % bound as u64) as usize
    }

    fn fr(&mut self) -> Fr {
        match self.below(16) {
            0 => Fr::zero(),
            1 => Fr::one(),
            2 => -Fr::one(),
            _ => Fr::from(self.word()).square() + Fr::from(self.word()).inverse().unwrap_or_else(Fr::one),
        }
    }

    fn frs(&mut self, count: usize) -> Vec<Fr> {
        (0..count).map(|_| self.fr()).collect()
    }

    fn i16s(&mut self, count: usize) -> Vec<i16> {
        let extremes = [0, 0, -1, 1, i16::MIN, i16::MAX];
        (0..count).map(|_| if self.below(4) == 0 { extremes[self.below(6)] } else { self.word() as i16 }).collect()
    }

    fn u16s(&mut self, count: usize) -> Vec<u16> {
        self.i16s(count).into_iter().map(|x| x as u16).collect()
    }

    fn u8s(&mut self, count: usize) -> Vec<u8> {
        self.i16s(count).into_iter().map(|x| x as u8).collect()
    }

    fn i32s(&mut self, count: usize) -> Vec<i32> {
        let extremes = [0, -1, i32::MIN, i32::MAX, 0x8000, -0x8001];
        (0..count).map(|_| if self.below(4) == 0 { extremes[self.below(6)] } else { self.word() as i32 }).collect()
    }

    fn i64s(&mut self, count: usize) -> Vec<i64> {
        let extremes = [0, -1, i64::MIN, i64::MAX, 128, -129, 0x7fff_8000_8000_8000];
        (0..count).map(|_| if self.below(4) == 0 { extremes[self.below(7)] } else { self.word() as i64 }).collect()
    }

    fn points(&mut self, count: usize) -> Vec<G1Affine> {
        (0..count).map(|_| (G1Affine::generator() * self.fr()).into_affine()).collect()
    }
}

fn run<S: Sumcheck>(mut sumcheck: S, variables: usize, source: &mut Source) -> S::End {
    for _ in 0..variables {
        sumcheck.round();
        let r = source.fr();
        sumcheck.bind(r);
    }
    sumcheck.finish()
}

#[test]
fn rows_are_committed_alike() {
    let mut source = Source(1);
    for columns in [1, 2, 3, 7, 8, 9, 33] {
        let mut points = source.points(columns);
        if columns > 4 {
            points[1] = points[0];
            points[2] = -points[0];
            points[3] = G1Affine::identity();
        }
        let bases = checked().prepare_bases(&points);
        assert!(checked().commit_rows(&bases, 0, &[]).is_empty());
        assert_eq!(checked().commit_rows(&bases, 2, &[]), [G1Affine::identity(); 2]);
        let (a, b, c) = (source.i16s(columns), source.i32s(columns), source.i64s(columns));
        let (d, e) = (source.u16s(columns), source.u8s(columns));
        let ones = vec![1i16; columns];
        let split = columns / 2;
        let pieces = [
            Piece { row: 3, column: 0, values: Ints::I16(&a) },
            Piece { row: 0, column: 0, values: Ints::I32(&b) },
            Piece { row: 5, column: split, values: Ints::I64(&c[split..]) },
            Piece { row: 5, column: 0, values: Ints::I16(&a[..split]) },
            Piece { row: 2, column: columns - 1, values: Ints::I64(&[i64::MIN]) },
            Piece { row: 4, column: 0, values: Ints::I16(&ones) },
            Piece { row: 6, column: 0, values: Ints::I64(&c) },
            Piece { row: 7, column: 0, values: Ints::U16(&d[..split]) },
            Piece { row: 7, column: split, values: Ints::U8(&e[split..]) },
            Piece { row: 1, column: columns, values: Ints::I64(&[]) },
        ];
        checked().commit_rows(&bases, 8, &pieces);
    }
}

#[test]
fn a_row_over_equal_and_opposite_bases_is_exact() {
    let g = G1Affine::generator();
    let bases: Vec<G1Affine> = (0..64).map(|i| if i % 3 == 0 { -g } else { g }).collect();
    let bases = checked().prepare_bases(&bases);
    let values: Vec<i16> = (0..64).map(|i| [5, -5, 0, 261, 127, 128, -128][i % 7]).collect();
    checked().commit_rows(&bases, 1, &[Piece { row: 0, column: 0, values: Ints::I16(&values) }]);
}

#[test]
fn many_rows_of_many_widths_are_committed_alike() {
    let mut source = Source(11);
    let points = source.points(16);
    let bases = checked().prepare_bases(&points);
    let values: Vec<Vec<i64>> = (0..200).map(|row| source.i64s(16).iter().map(|x| x >> (row % 64)).collect()).collect();
    let pieces: Vec<Piece> =
        values.iter().enumerate().map(|(row, values)| Piece { row, column: 0, values: Ints::I64(values) }).collect();
    checked().commit_rows(&bases, 200, &pieces);
}

#[test]
fn contractions_agree() {
    let mut source = Source(2);
    for (outer, middle, inner) in [
        (0, 3, 1),
        (1, 0, 2),
        (1, 1, 1),
        (2, 3, 1),
        (1, 7, 8),
        (3, 8, 9),
        (2, 9, 7),
        (1, 65, 33),
        (5, 64, 1),
        (1, 300, 1),
        (2, 1, 17),
        (1, 33, 129),
        (70, 5, 1),
    ] {
        let weights = source.frs(middle);
        let size = outer * middle * inner;
        let (a, b, c, d) = (source.i16s(size), source.i32s(size), source.i64s(size), source.frs(size));
        let (e, f) = (source.u16s(size), source.u8s(size));
        for x in [Ints::U8(&f), Ints::I16(&a), Ints::U16(&e), Ints::I32(&b), Ints::I64(&c)] {
            checked().contract(x.into(), outer, inner, &weights);
        }
        checked().contract(Entries::Table(&checked().table(d)), outer, inner, &weights);
    }
}

#[test]
fn contractions_of_squares_agree() {
    let mut source = Source(12);
    for (side, squares) in [(1, 1), (2, 3), (5, 2), (33, 2), (7, 40)] {
        let values = source.i16s(squares * side * (side + 1) / 2);
        let all = Tensor::squares(Ints::I16(&values), side);
        let places = all.len();
        for (start, end) in [(0, places), (side / 2, places - side / 3), (places / 3, places / 2), (places, places)] {
            let part = all.slice(start..end);
            for (middle, inner) in
                [(1, 1), (1, part.len().max(1)), (part.len().max(1), 1), (side, 1), (2, side), (1, 3)]
            {
                let outer = part.len() / (middle * inner);
                let part = part.slice(0..outer * middle * inner);
                checked().contract(Entries::Ints(part), outer, inner, &source.frs(middle));
            }
        }
    }
}

#[test]
fn gathered_tables_agree() {
    let mut source = Source(13);
    assert!(checked().values(&checked().gather(&[3, 0], &[])).is_empty());
    assert_eq!(checked().values(&checked().gather(&[], &[])), [Fr::zero()]);
    for lengths in
        [&[] as &[usize], &[1], &[5], &[130], &[3, 4], &[2, 1, 3], &[3, 5, 2, 7], &[2, 40, 33], &[0, 3], &[3, 0]]
    {
        let size = 200;
        let (table, short, long) = (checked().table(source.frs(size)), source.i16s(size), source.i64s(size));
        let sources = [Entries::Table(&table), Ints::I16(&short).into(), Ints::I64(&long).into()];
        for scanned in (0..lengths.len()).map(Some).chain([None]) {
            let addends: Vec<_> = sources
                .iter()
                .map(|from| {
                    let most = size / lengths.len().max(1);
                    let steps =
                        lengths.iter().map(|length| (0..*length).map(|_| source.below(most)).collect()).collect();
                    let scan = scanned.map(|axis| Scan {
                        axis,
                        weights: source.frs(lengths[axis]),
                        before: source.below(2) == 0,
                    });
                    Addend { coefficient: source.fr(), source: *from, steps, scan }
                })
                .collect();
            checked().gather(lengths, &addends);
        }
    }
}

#[test]
fn products_of_tables_and_integers_agree() {
    let mut source = Source(14);
    for (batches, rows, columns, depth) in
        [(1, 1, 1, 1), (0, 0, 0, 1), (3, 5, 7, 9), (2, 0, 3, 4), (2, 3, 0, 4), (40, 3, 2, 33), (1, 65, 33, 64)]
    {
        let y = checked().table(source.frs(batches * columns * depth));
        let count = batches * rows * depth;
        let (a, b, c) = (source.u8s(count), source.i16s(count), source.i64s(count));
        for x in [Ints::U8(&a), Ints::I16(&b), Ints::I64(&c)] {
            checked().multiply_table(x, &y, &source.frs(batches), depth);
        }
    }
}

#[test]
fn a_long_contraction_of_extremes_does_not_wrap() {
    let middle = (1 << 17) + 3;
    let weights = vec![-Fr::one(); middle];
    for (inner, x) in [(1, i16::MIN), (1, i16::MAX), (9, i16::MIN)] {
        let x16 = vec![x; middle * inner];
        let out = checked().values(&checked().contract(Ints::I16(&x16).into(), 1, inner, &weights));
        assert_eq!(out, vec![-Fr::from(x) * Fr::from(middle as u64); inner]);
        let least = vec![i64::MIN; middle * inner];
        let out = checked().values(&checked().contract(Ints::I64(&least).into(), 1, inner, &weights));
        assert_eq!(out, vec![-Fr::from(i64::MIN) * Fr::from(middle as u64); inner]);
    }
}

#[test]
fn contractions_of_pieces_agree() {
    let mut source = Source(3);
    for (rows, columns) in [(1, 1), (3, 5), (8, 64), (9, 33), (17, 300), (40, 1030)] {
        let values: Vec<(Vec<i16>, Vec<i32>, Vec<i64>)> =
            (0..rows).map(|_| (source.i16s(columns), source.i32s(columns), source.i64s(columns))).collect();
        let unsigned: Vec<(Vec<u16>, Vec<u8>)> =
            (0..rows).map(|_| (source.u16s(columns), source.u8s(columns))).collect();
        let mut pieces = Vec::new();
        for (row, (a, b, c)) in values.iter().enumerate().rev() {
            let (first, second) = (columns / 3, columns - columns / 4);
            if row % 3 == 0 {
                pieces.push(Piece { row, column: 0, values: Ints::I16(a) });
                continue;
            }
            if row % 5 == 1 {
                let (d, e) = &unsigned[row];
                pieces.push(Piece { row, column: second, values: Ints::U8(&e[second..]) });
                pieces.push(Piece { row, column: 0, values: Ints::U16(&d[..second]) });
                continue;
            }
            pieces.push(Piece { row, column: second, values: Ints::I64(&c[second..]) });
            pieces.push(Piece { row, column: 0, values: Ints::I16(&a[..first]) });
            if row % 2 == 0 {
                pieces.push(Piece { row, column: first, values: Ints::I32(&b[first..second]) });
            }
        }
        let mut left = source.frs(rows);
        left[rows / 2] = Fr::zero();
        checked().contract_left(&pieces, &left, columns);
        checked().contract_right(&pieces, &source.frs(columns), rows);
        assert_eq!(checked().contract_left(&[], &left, columns), vec![Fr::zero(); columns]);
        assert_eq!(checked().contract_right(&[], &source.frs(columns), rows), vec![Fr::zero(); rows]);
    }
}

/// A copy on a device is of the whole column, whatever part of it is asked for first, and wherever that begins.
#[test]
fn kept_columns_are_read_where_they_are() {
    let mut source = Source(15);
    let (points, field) = (source.points(40), source.frs(300));
    let bases = checked().prepare_bases(&points);
    let shared = |integers| Arc::new(integers);
    let columns = [
        shared(Integers::U8(source.u8s(700))),
        shared(Integers::I16(source.i16s(700))),
        shared(Integers::U16(source.u16s(700))),
        shared(Integers::I32(source.i32s(700))),
        shared(Integers::I64(source.i64s(700))),
    ];
    let _kept = checked().keep(&columns);
    let _again = checked().keep(&columns[..2]);
    for first in [3, 0, 8, 37] {
        let mut pieces = Vec::new();
        for (row, column) in columns.iter().enumerate() {
            let part = |length: usize| column.view().slice(first..first + length);
            checked().contract(part(5 * 60).into(), 5, 6, &field[..10]);
            let steps = vec![vec![5, 0, 9], (0..20).collect()];
            checked().gather(&[3, 20], &[Addend { coefficient: field[0], source: part(40).into(), steps, scan: None }]);
            checked().multiply_table(part(42), &checked().table(field[..70].to_vec()), &field[..2], 7);
            run(checked().product(&[5, 6], &[3, 3], Factor::Ints(part(30)), None, vec![None; 2]), 6, &mut source);
            pieces.push(Piece { row: 2 * row, column: first % 9, values: part(31) });
            pieces.push(Piece { row: 2 * row + 1, column: 3, values: column.view().slice(row..row + 20) });
        }
        let own = source.i16s(40);
        pieces.push(Piece { row: 1, column: 23, values: Ints::I16(&own[..17]) });
        checked().commit_rows(&bases, 10, &pieces);
        checked().contract_left(&pieces, &field[..10], 40);
        checked().contract_right(&pieces, &field[..40], 10);
        let Ints::I16(right) = columns[1].view() else { unreachable!("16 bits") };
        let left: Vec<i32> = right[..60].iter().map(|x| i32::from(*x)).collect();
        for depth in [4, 12, 5] {
            checked().multiply(&left[..60], Rows::I16(&right[first..first + 60]), depth).expect("no overflow");
        }
    }
    // Numbers of rows are columns too.
    let numbers: Arc<Integers> = shared(Integers::U16((0..1200).map(|at| at % 300).collect()));
    let _kept_rows = checked().keep(std::slice::from_ref(&numbers));
    let rows = Numbers::new(numbers, 0).slice(3..1103);
    let denominators = Denominators::Rows { rows, table: Arc::new(field) };
    let block =
        Block { offset: 0, lengths: vec![11, 100], bits: vec![4, 7], numerators: Numerators::One, denominators };
    whole_tree(&checked(), 11, vec![block], &mut source);
}

#[test]
fn rows_are_combined_alike() {
    let mut source = Source(4);
    assert!(checked().combine_rows(&[], &[]).is_empty());
    for (vectors, rows) in [(1, 1), (3, 5), (5, 300), (2, 0), (300, 2)] {
        let mut points: Vec<Vec<G1Affine>> = (0..vectors).map(|_| source.points(rows)).collect();
        if vectors > 2 {
            points[1] = points[0].clone();
            points[2][0] = -points[0][0];
            points[2][1] = G1Affine::identity();
        }
        let slices: Vec<&[G1Affine]> = points.iter().map(|points| points.as_slice()).collect();
        for scalars in [source.frs(vectors), vec![Fr::zero(); vectors], vec![-Fr::one(); vectors]] {
            checked().combine_rows(&slices, &scalars);
        }
    }
}

fn block(source: &mut Source, offset: u64, axes: &[(usize, usize)], kind: usize) -> Block {
    let size = axes.iter().map(|axis| axis.0).product();
    let table: Arc<Vec<Fr>> = Arc::new(source.frs(50));
    Block {
        offset,
        lengths: axes.iter().map(|axis| axis.0).collect(),
        bits: axes.iter().map(|axis| axis.1).collect(),
        numerators: if kind & 1 == 0 { Numerators::One } else { Numerators::Values(source.frs(size)) },
        denominators: if kind & 2 == 0 {
            // Of any width, some the latter part of others; with gaps where all numerators are 1.
            let plus = [0, 40, 3][source.below(3)];
            let range = [(0, 0), (-40, 0), (0, 0x8000), (0, 0x1_0000)][if plus == 40 { 1 } else { source.below(4) }];
            let before = source.below(20);
            let causal = kind & 1 == 0 && axes.len() > 1 && source.below(2) == 0;
            let side = if causal { axes[axes.len() - 1].0.max(1) } else { 0 };
            let squares = (before + size).div_ceil((side * side).max(1));
            let count = if causal { squares * side * (side + 1) / 2 } else { before + size };
            let mut values = Integers::zeros_for(count, range);
            (0..count).for_each(|at| values.set(at, source.below(50 - 3) as i64 + 3 - plus));
            let values = Arc::new(values);
            let rows = if causal { Numbers::causal(values, plus, side) } else { Numbers::new(values, plus) };
            Denominators::Rows { rows: rows.slice(before..before + size), table }
        } else {
            Denominators::Values(source.frs(size))
        },
    }
}

fn whole_tree<B: Backend>(backend: &B, n: usize, blocks: Vec<Block>, source: &mut Source) {
    let mut tree = backend.tree(n, blocks);
    tree.root();
    for depth in 0..n {
        let rho = source.frs(depth);
        let layer = tree.layer(depth, &rho, source.fr());
        // A layer may be finished early.
        let bound = [0, depth.min(1), depth, source.below(depth + 1)][source.below(4)];
        run(layer, bound, source);
    }
}

#[test]
fn trees_agree() {
    let mut source = Source(5);
    whole_tree(&checked(), 0, vec![], &mut source);
    whole_tree(&checked(), 3, vec![], &mut source);
    for kind in 0..4 {
        let one = block(&mut source, 0, &[], kind);
        whole_tree(&checked(), 0, vec![one], &mut source);
        for (n, offset, axes) in [
            (1, 1, &[(1usize, 0usize)] as &[(usize, usize)]),
            (1, 0, &[(2, 1)]),
            (4, 0, &[(1, 4)]),
            (5, 16, &[(15, 4)]),
            (5, 0, &[(16, 4)]),
            (5, 0, &[(17, 5)]),
            (9, 0, &[(3, 2), (5, 3), (9, 4)]),
            (10, 512, &[(3, 2), (5, 3), (9, 4)]),
            (9, 0, &[(3, 2), (8, 3), (16, 4)]),
            (9, 0, &[(3, 2), (1, 3), (2, 4)]),
            (9, 0, &[(1, 4), (3, 2), (1, 3)]),
            (6, 8, &[(3, 2), (1, 0), (2, 1)]),
            (6, 0, &[(3, 2), (0, 2)]),
        ] {
            let block = block(&mut source, offset, axes, kind);
            whole_tree(&checked(), n, vec![block], &mut source);
        }
    }
    let blocks = vec![
        block(&mut source, 512, &[(3, 2), (5, 3), (9, 4)], 0),
        block(&mut source, 0, &[(7, 3), (13, 4)], 1),
        block(&mut source, 128, &[(1, 0)], 2),
        block(&mut source, 129, &[(1, 0)], 3),
        block(&mut source, 131, &[(1, 0)], 3),
        block(&mut source, 160, &[(27, 5)], 3),
        block(&mut source, 256, &[(3, 3), (31, 5)], 2),
    ];
    whole_tree(&checked(), 11, blocks, &mut source);
}

/// Of the longest statements: places of a square need all of 32 bits. Memory is only taken for what is written.
#[test]
fn leaves_at_the_end_of_the_largest_squares_agree() {
    const SIDE: usize = 1 << 16;
    let mut source = Source(12);
    let place = |row: usize, column: usize| row * SIDE + column;
    // To the last place; around the diagonal of the first row that has no place in 31 bits, and of one near the end.
    let runs = [place(SIDE - 1, SIDE - 1100), place(1 << 15, (1 << 15) - 700), place(65_300, 65_300 - 1029)];
    let mut values = Integers::zeros(SIDE * (SIDE + 1) / 2);
    for first in runs {
        let stored = zkllm_kernels::ints::below(SIDE, first)..zkllm_kernels::ints::below(SIDE, first + 1100);
        stored.for_each(|at| values.set(at, source.below(50) as i64));
    }
    let (rows, table) = (Numbers::causal(values.into(), 0, SIDE), Arc::new(source.frs(50)));
    let blocks = runs.iter().zip(0..).map(|(&first, number)| Block {
        offset: number << 11,
        lengths: vec![1100],
        bits: vec![11],
        numerators: Numerators::One,
        denominators: Denominators::Rows { rows: rows.slice(first..first + 1100), table: table.clone() },
    });
    whole_tree(&checked(), 13, blocks.collect(), &mut source);
}

#[test]
fn a_large_tree_agrees_on_its_coarse_layers() {
    let mut source = Source(6);
    let blocks = vec![
        block(&mut source, 0, &[(3, 2), (3001, 12)], 0),
        block(&mut source, 1 << 14, &[(1025, 11)], 1),
        block(&mut source, 3 << 13, &[(61, 6), (100, 7)], 0),
    ];
    whole_tree(&checked(), 15, blocks, &mut source);
}

/// A tree that takes 3 MB, and much less when its lowest levels are made as they are read.
#[allow(dead_code)]
pub fn a_tall_tree<B: Backend>(backend: &B) {
    let mut source = Source(9);
    let blocks = vec![
        block(&mut source, 0, &[(5, 3), (300, 9), (31, 5)], 0),
        block(&mut source, 8 << 14, &[(1025, 11)], 0),
        block(&mut source, 9 << 14, &[(17, 5), (100, 7)], 1),
        block(&mut source, 10 << 14, &[(90, 7)], 2),
        block(&mut source, 11 << 14, &[(30, 5), (129, 8)], 0),
    ];
    whole_tree(backend, 18, blocks, &mut source);
}

#[test]
fn products_agree() {
    let mut source = Source(7);
    for axes in [
        &[] as &[(usize, usize)],
        &[(1, 0)],
        &[(1, 1)],
        &[(2, 1)],
        &[(1, 3)],
        &[(7, 3)],
        &[(8, 3)],
        &[(9, 4)],
        &[(3, 2), (5, 3), (9, 4)],
        &[(3, 2), (8, 3), (4, 2)],
        &[(2, 2), (1, 1), (1, 2)],
        &[(3, 2), (0, 1)],
        &[(3, 2), (2100, 12)],
        &[(3, 14)],
        &[(1, 13), (3, 2)],
    ] {
        let size = axes.iter().map(|axis| axis.0).product();
        let lengths: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
        let bits: Vec<usize> = axes.iter().map(|axis| axis.1).collect();
        let variables = bits.iter().sum();
        for mask in 0..1usize << axes.len() {
            let eq: Vec<_> =
                bits.iter().enumerate().map(|(k, bits)| (mask >> k & 1 == 1).then(|| source.frs(*bits))).collect();
            let (a, b) = (source.frs(size), source.frs(size));
            let (c, d, e) = (source.u8s(size), source.i32s(size), source.u16s(size));
            let table = |values: &Vec<Fr>| Factor::Table(checked().table(values.clone()));
            let [c, d, e] = [Ints::U8(&c), Ints::I32(&d), Ints::U16(&e)];
            let factors = [
                (table(&a), Some(table(&b))),
                (table(&a), None),
                (Factor::Ints(c), Some(Factor::Ints(d))),
                (Factor::Ints(e), None),
                (Factor::Ints(d), Some(table(&b))),
            ];
            for (a, b) in factors {
                let mut product = checked().product(&lengths, &bits, a, b, eq.clone());
                product.value();
                run(product, variables, &mut source);
            }
        }
    }
}

#[test]
fn pairs_agree() {
    let mut source = Source(8);
    for (count, log_length) in [(0, 2), (1, 0), (3, 1), (5, 6), (2, 12)] {
        let tables = (0..count).map(|_| (source.frs(1 << log_length), source.frs(1 << log_length))).collect();
        run(checked().pairs(log_length, tables), log_length, &mut source);
    }
}

#[test]
fn integer_products_agree() {
    let mut source = Source(10);
    let depths = [1, 3, 4, 5, 31, 32, 33, 127, 128, 129];
    for (m, n) in
        [(0, 0), (0, 3), (3, 0), (1, 1), (1, 33), (63, 1), (3, 4), (4, 5), (5, 3), (64, 32), (65, 31), (7, 129)]
    {
        for depth in depths {
            let small = |values: Vec<i32>, bits: u32| values.iter().map(|x| x >> bits).collect::<Vec<_>>();
            let (left, right) = (source.i32s(m * depth), source.i16s(n * depth));
            let product = checked().multiply(&left, Rows::I16(&right), depth).expect("2^46 times the depth");
            assert_eq!(product.len(), m * n);
            let right = small(source.i32s(n * depth), 9);
            assert!(checked().multiply(&left, Rows::I32(&right), depth).is_ok());
        }
    }
}

#[test]
fn integer_products_are_exact_up_to_the_bound_and_an_error_beyond() {
    let two_to_the = |bits: u32| -(1i64 << bits) as i32;
    for (bits, depth) in [(31, 2), (30, 4), (30, 3), (0, 1)] {
        // 2^(31 + bits) depth, which is 2^63 in the first case.
        let (left, right) = (vec![i32::MIN; 5 * depth], vec![two_to_the(bits); 6 * depth]);
        let exact = (1i128 << (31 + bits)) * depth as i128;
        let expected = i64::try_from(exact).map(|exact| vec![exact; 30]).map_err(|_| Overflow);
        assert_eq!(checked().multiply(&left, Rows::I32(&right), depth), expected);
        // One less than the bound, of both signs.
        let below = vec![i32::MAX; 6 * depth];
        let expected = i128::from(i32::MIN) * i128::from(i32::MAX) * depth as i128;
        let expected = i64::try_from(expected).map(|exact| vec![exact; 30]).map_err(|_| Overflow);
        assert_eq!(checked().multiply(&left, Rows::I32(&below), depth), expected);
    }
    let depth = 20_000;
    for (a, b) in [(i32::MIN, i16::MIN), (i32::MIN, i16::MAX), (i32::MAX, i16::MIN), (i32::MAX, i16::MAX), (0, -1)] {
        let product = checked().multiply(&vec![a; depth], Rows::I16(&vec![b; depth]), depth);
        assert_eq!(product, Ok(vec![i64::from(a) * i64::from(b) * depth as i64]));
    }
    // The bound is of the magnitudes: what would cancel is an error too, and 16-bit integers count as the largest.
    assert_eq!(checked().multiply(&[i32::MIN, 0], Rows::I32(&[i32::MIN, 0]), 2), Err(Overflow));
    assert_eq!(checked().multiply(&vec![i32::MIN; 1 << 17], Rows::I16(&vec![0; 1 << 17]), 1 << 17), Err(Overflow));
    assert_eq!(checked().multiply(&[], Rows::I32(&[i32::MIN; 4]), 4), Ok(vec![]));
}

#[test]
fn histograms_and_eq_tables_agree() {
    let mut source = Source(9);
    for (count, size) in [(0, 0), (0, 3), (1, 1), (1000, 7), (100_000, 1000)] {
        let rows: Vec<u32> = (0..count).map(|_| source.below(size.max(1)) as u32).collect();
        assert_eq!(checked().histogram(&rows, size).iter().sum::<u32>() as usize, count);
    }
    for variables in 0..7 {
        let point = source.frs(variables);
        for length in 0..=1 << variables {
            checked().eq_table(&point, length);
        }
    }
}
