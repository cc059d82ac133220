//! Decides what every verb means: the naive backend, small sizes only, oracle of the fast ones.

use std::sync::Arc;

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ec::CurveGroup;
use ark_ff::{One, Zero};

use crate::field::eq_at;
use crate::{
    Addend, Backend, Block, Denominators, Entries, Factor, FractionTree, Integers, Ints, Numerators, Overflow, Piece,
    ProductSumcheck, Rows, Scan, Sumcheck, Tensor, integer, table_shape,
};

/// The naive backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference;

/// All `2^n` leaves and all levels above, padding included.
pub struct Tree {
    levels: Vec<Vec<(Fr, Fr)>>,
}

/// One layer: its four tables over the unbound variables.
pub struct Layer {
    point: Vec<Fr>,
    lambda: Fr,
    tables: [Vec<Fr>; 4],
}

/// A product sumcheck over padded tables.
pub struct Product {
    /// Of each variable, most significant first: its eq coordinate.
    point: Vec<Option<Fr>>,
    a: Vec<Fr>,
    b: Vec<Fr>,
}

/// A sumcheck over pairs of tables.
pub struct Pairs {
    tables: Vec<(Vec<Fr>, Vec<Fr>)>,
}

fn fold(table: &mut Vec<Fr>, r: Fr) {
    *table = table.chunks(2).map(|pair| pair[0] + r * (pair[1] - pair[0])).collect();
}

/// Coefficients of X and X^2 of `h`, from its values at 0, 1 and 2.
fn coefficients(h: impl Fn(Fr) -> Fr) -> (Fr, Fr) {
    let two = Fr::from(2u64);
    let (h0, h1, h2) = (h(Fr::zero()), h(Fr::one()), h(two));
    // c2 = (h0 - 2 h1 + h2) / 2, c1 = h1 - h0 - c2.
    let c2 = (h0 - h1 - h1 + h2) / two;
    (h1 - h0 - c2, c2)
}

fn at(table: &[Fr], x: usize, r: Fr) -> Fr {
    table[2 * x] + r * (table[2 * x + 1] - table[2 * x])
}

impl FractionTree for Tree {
    type Layer = Layer;

    fn root(&self) -> (Fr, Fr) {
        self.levels[0][0]
    }

    fn layer(&mut self, depth: usize, rho: &[Fr], lambda: Fr) -> Layer {
        assert_eq!(rho.len(), depth, "one coordinate a level");
        let children = &self.levels[depth + 1];
        let table = |pick: fn(&[(Fr, Fr)]) -> Fr| children.chunks(2).map(pick).collect();
        Layer {
            point: rho.to_vec(),
            lambda,
            tables: [table(|c| c[0].0), table(|c| c[1].0), table(|c| c[0].1), table(|c| c[1].1)],
        }
    }
}

impl Sumcheck for Layer {
    type End = [Vec<Fr>; 4];

    fn round(&mut self) -> (Fr, Fr) {
        let rest = &self.point[..self.point.len() - 1];
        coefficients(|r| {
            (0..1usize << rest.len())
                .map(|x| {
                    let [p0, p1, q0, q1] = [0, 1, 2, 3].map(|k: usize| at(&self.tables[k], x, r));
                    eq_at(rest, x as u64) * (p0 * q1 + p1 * q0 + self.lambda * q0 * q1)
                })
                .sum()
        })
    }

    fn bind(&mut self, r: Fr) {
        self.point.pop().expect("a variable is left");
        self.tables.iter_mut().for_each(|table| fold(table, r));
    }

    fn finish(self) -> [Vec<Fr>; 4] {
        let [p0, p1, q0, q1] = self.tables;
        let s = p1.iter().zip(&q1).map(|(p1, q1)| *p1 + self.lambda * q1).collect();
        [p0, s, q0, q1]
    }
}

/// `eq(point, x)` of the coordinates that there are.
fn weight(point: &[Option<Fr>], x: usize) -> Fr {
    let eq = |(k, coordinate): (usize, &Option<Fr>)| {
        coordinate.map_or(Fr::one(), |rho| if x >> k & 1 == 1 { rho } else { Fr::one() - rho })
    };
    point.iter().rev().enumerate().map(eq).product()
}

impl ProductSumcheck for Product {
    fn value(&mut self) -> Fr {
        (0..self.a.len()).map(|x| weight(&self.point, x) * self.a[x] * self.b[x]).sum()
    }
}

impl Sumcheck for Product {
    type End = (Fr, Fr);

    fn round(&mut self) -> (Fr, Fr) {
        let rest = &self.point[..self.point.len() - 1];
        coefficients(|r| {
            (0..1usize << rest.len()).map(|x| weight(rest, x) * at(&self.a, x, r) * at(&self.b, x, r)).sum()
        })
    }

    fn bind(&mut self, r: Fr) {
        self.point.pop().expect("a variable is left");
        fold(&mut self.a, r);
        fold(&mut self.b, r);
    }

    fn finish(self) -> (Fr, Fr) {
        assert!(self.point.is_empty(), "variables left");
        (self.a[0], self.b[0])
    }
}

impl Sumcheck for Pairs {
    type End = Vec<(Fr, Fr)>;

    fn round(&mut self) -> (Fr, Fr) {
        coefficients(|r| {
            self.tables.iter().map(|(a, b)| (0..a.len() / 2).map(|x| at(a, x, r) * at(b, x, r)).sum::<Fr>()).sum()
        })
    }

    fn bind(&mut self, r: Fr) {
        for (a, b) in &mut self.tables {
            fold(a, r);
            fold(b, r);
        }
    }

    fn finish(self) -> Vec<(Fr, Fr)> {
        self.tables
            .into_iter()
            .map(|(a, b)| {
                assert!(a.len() == 1 && b.len() == 1, "variables left");
                (a[0], b[0])
            })
            .collect()
    }
}

/// The padded address of every entry of a compact tensor, row-major.
fn addresses(lengths: &[usize], bits: &[usize]) -> Vec<usize> {
    assert_eq!(lengths.len(), bits.len(), "one length and one bit count an axis");
    let mut list = vec![0];
    for (length, bits) in lengths.iter().zip(bits) {
        assert!(*length <= 1 << bits, "axis longer than its bits allow");
        list = list.iter().flat_map(|high| (0..*length).map(move |low| (high << bits) + low)).collect();
    }
    list
}

fn entries(source: Entries<Vec<Fr>>) -> Vec<Fr> {
    match source {
        Entries::Ints(tensor) => (0..tensor.len()).map(|at| Fr::from(tensor.at(at))).collect(),
        Entries::Table(table) => table.clone(),
    }
}

fn dense(pieces: &[Piece], rows: usize, columns: usize) -> Vec<Vec<i64>> {
    let mut matrix = vec![vec![0; columns]; rows];
    for piece in pieces {
        for i in 0..piece.values.len() {
            matrix[piece.row][piece.column + i] = piece.values.at(i);
        }
    }
    matrix
}

impl Backend for Reference {
    type Bases = Vec<G1Affine>;
    type Table = Vec<Fr>;
    type Kept = ();
    type Tree = Tree;
    type Product = Product;
    type Pairs = Pairs;

    fn keep(&self, _: &[Arc<Integers>]) {}

    fn prepare_bases(&self, bases: &[G1Affine]) -> Vec<G1Affine> {
        bases.to_vec()
    }

    fn commit_rows(&self, bases: &Vec<G1Affine>, rows: usize, pieces: &[Piece]) -> Vec<G1Affine> {
        let sum = |row: &Vec<i64>| row.iter().zip(bases).map(|(x, base)| *base * Fr::from(*x)).sum::<G1Projective>();
        dense(pieces, rows, bases.len()).iter().map(|row| sum(row).into_affine()).collect()
    }

    fn table(&self, values: Vec<Fr>) -> Vec<Fr> {
        values
    }

    fn values(&self, table: &Vec<Fr>) -> Vec<Fr> {
        table.clone()
    }

    fn contract(&self, x: Entries<Vec<Fr>>, outer: usize, inner: usize, weights: &[Fr]) -> Vec<Fr> {
        let (x, middle) = (entries(x), weights.len());
        assert_eq!(x.len(), outer * middle * inner, "x has shape outer x middle x inner");
        let mut out = vec![Fr::zero(); outer * inner];
        for o in 0..outer {
            for m in 0..middle {
                for i in 0..inner {
                    out[o * inner + i] += weights[m] * x[(o * middle + m) * inner + i];
                }
            }
        }
        out
    }

    fn gather(&self, lengths: &[usize], addends: &[Addend<Vec<Fr>>]) -> Vec<Fr> {
        let mut indices = vec![vec![]];
        for length in lengths {
            indices =
                indices.iter().flat_map(|head| (0..*length).map(move |last| [&head[..], &[last]].concat())).collect();
        }
        let mut out = vec![Fr::zero(); indices.len()];
        for Addend { coefficient, source, steps, scan } in addends {
            let entries = entries(*source);
            let entry =
                |index: &[usize]| entries[index.iter().zip(steps).map(|(index, steps)| steps[*index]).sum::<usize>()];
            let value = |index: &Vec<usize>| {
                let Some(Scan { axis, weights, before }) = scan else { return entry(index) };
                let at = |other: usize| [&index[..*axis], &[other], &index[axis + 1..]].concat();
                (0..index[*axis] + usize::from(!before)).map(|other| weights[other] * entry(&at(other))).sum()
            };
            out.iter_mut().zip(&indices).for_each(|(out, index)| *out += *coefficient * value(index));
        }
        out
    }

    fn multiply_table(&self, x: Ints, y: &Vec<Fr>, weights: &[Fr], depth: usize) -> Vec<Fr> {
        let (rows, columns) = table_shape(x, y.len(), weights, depth);
        let entry = |m: usize, n: usize| -> Fr {
            let of_batch = |b: usize| -> Fr {
                let pair = |k| Fr::from(x.at((b * rows + m) * depth + k)) * y[(b * columns + n) * depth + k];
                weights[b] * (0..depth).map(pair).sum::<Fr>()
            };
            (0..weights.len()).map(of_batch).sum()
        };
        (0..rows * columns).map(|at| entry(at / columns, at % columns)).collect()
    }

    fn contract_left(&self, pieces: &[Piece], row_weights: &[Fr], columns: usize) -> Vec<Fr> {
        let mut out = vec![Fr::zero(); columns];
        for (row, weight) in dense(pieces, row_weights.len(), columns).iter().zip(row_weights) {
            for (sum, x) in out.iter_mut().zip(row) {
                *sum += *weight * Fr::from(*x);
            }
        }
        out
    }

    fn contract_right(&self, pieces: &[Piece], column_weights: &[Fr], rows: usize) -> Vec<Fr> {
        dense(pieces, rows, column_weights.len())
            .iter()
            .map(|row| row.iter().zip(column_weights).map(|(x, weight)| *weight * Fr::from(*x)).sum())
            .collect()
    }

    fn combine_rows(&self, vectors: &[&[G1Affine]], scalars: &[Fr]) -> Vec<G1Affine> {
        assert_eq!(vectors.len(), scalars.len(), "one scalar a vector");
        (0..vectors.first().map_or(0, |vector| vector.len()))
            .map(|i| vectors.iter().zip(scalars).map(|(vector, mu)| vector[i] * mu).sum::<G1Projective>().into_affine())
            .collect()
    }

    fn tree(&self, n: usize, blocks: Vec<Block>) -> Tree {
        let mut leaves = vec![(Fr::zero(), Fr::one()); 1 << n];
        for block in &blocks {
            for (i, address) in addresses(&block.lengths, &block.bits).into_iter().enumerate() {
                let p = match &block.numerators {
                    Numerators::One => Fr::one(),
                    Numerators::Values(values) => values[i],
                };
                leaves[block.offset as usize + address] = match &block.denominators {
                    Denominators::Rows { rows, table } => {
                        rows.at(i).map_or((Fr::zero(), Fr::one()), |row| (p, table[row]))
                    }
                    Denominators::Values(values) => (p, values[i]),
                };
            }
        }
        let mut levels = vec![leaves];
        for _ in 0..n {
            let above = levels[levels.len() - 1]
                .chunks(2)
                .map(|c| (c[0].0 * c[1].1 + c[1].0 * c[0].1, c[0].1 * c[1].1))
                .collect();
            levels.push(above);
        }
        levels.reverse();
        Tree { levels }
    }

    fn product(
        &self,
        lengths: &[usize],
        bits: &[usize],
        a: Factor<Vec<Fr>>,
        b: Option<Factor<Vec<Fr>>>,
        eq: Vec<Option<Vec<Fr>>>,
    ) -> Product {
        let padded = |values: &[Fr]| {
            let mut table = vec![Fr::zero(); 1 << bits.iter().sum::<usize>()];
            let list = addresses(lengths, bits);
            assert_eq!(values.len(), list.len(), "a tensor has its shape");
            for (address, value) in list.into_iter().zip(values) {
                table[address] = *value;
            }
            table
        };
        let mut point = Vec::new();
        for (coordinates, bits) in eq.iter().zip(bits) {
            match coordinates {
                Some(rho) => point.extend(rho.iter().copied().map(Some)),
                None => point.extend(vec![None; *bits]),
            }
        }
        let values = |factor| match factor {
            Factor::Ints(ints) => entries(Entries::Ints(Tensor::from(ints))),
            Factor::Table(table) => table,
        };
        let a = padded(&values(a));
        let b = b.map_or_else(|| a.clone(), |b| padded(&values(b)));
        Product { point, a, b }
    }

    fn pairs(&self, log_length: usize, tables: Vec<(Vec<Fr>, Vec<Fr>)>) -> Pairs {
        assert!(tables.iter().all(|(a, b)| a.len() == 1 << log_length && b.len() == 1 << log_length));
        Pairs { tables }
    }

    fn histogram(&self, rows: &[u32], size: usize) -> Vec<u32> {
        let mut counts = vec![0; size];
        for row in rows {
            counts[*row as usize] += 1;
        }
        counts
    }

    fn multiply(&self, left: &[i32], right: Rows, depth: usize) -> Result<Vec<i64>, Overflow> {
        let (m, n) = integer::shape(left, right, depth)?;
        let right = |at: usize| match right {
            Rows::I16(rows) => i128::from(rows[at]),
            Rows::I32(rows) => i128::from(rows[at]),
        };
        let dot = |m, n| (0..depth).map(|k| i128::from(left[m * depth + k]) * right(n * depth + k)).sum::<i128>();
        let result = |at| i64::try_from(dot(at / n, at % n)).expect("within the bound");
        Ok((0..m * n).map(result).collect())
    }

    fn eq_table(&self, point: &[Fr], length: usize) -> Vec<Fr> {
        assert!(length <= 1 << point.len(), "eq table longer than its point allows");
        (0..length).map(|x| eq_at(point, x as u64)).collect()
    }
}
