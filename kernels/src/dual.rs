//! Decides that two backends agree: runs both, asserts equal results, returns the first's.

use std::fmt::Debug;
use std::sync::Arc;

use ark_bls12_381::{Fr, G1Affine};

use crate::{
    Addend, Backend, Block, Entries, Factor, FractionTree, Integers, Ints, Overflow, Piece, ProductSumcheck, Rows,
    Sumcheck,
};

/// Two backends side by side; panics where they differ.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dual<A, B> {
    pub first: A,
    pub second: B,
}

/// The same state on both backends.
pub struct Both<A, B>(A, B);

fn same<T: PartialEq + Debug>(verb: &str, first: T, second: T) -> T {
    assert_eq!(first, second, "backends differ in {verb}");
    first
}

impl<A: Sumcheck, B: Sumcheck<End = A::End>> Sumcheck for Both<A, B>
where
    A::End: PartialEq + Debug,
{
    type End = A::End;

    fn round(&mut self) -> (Fr, Fr) {
        same("round", self.0.round(), self.1.round())
    }

    fn bind(&mut self, r: Fr) {
        self.0.bind(r);
        self.1.bind(r);
    }

    fn finish(self) -> A::End {
        same("finish", self.0.finish(), self.1.finish())
    }
}

impl<A: ProductSumcheck, B: ProductSumcheck> ProductSumcheck for Both<A, B> {
    fn value(&mut self) -> Fr {
        same("value", self.0.value(), self.1.value())
    }
}

impl<A: FractionTree, B: FractionTree> FractionTree for Both<A, B> {
    type Layer = Both<A::Layer, B::Layer>;

    fn root(&self) -> (Fr, Fr) {
        same("root", self.0.root(), self.1.root())
    }

    fn layer(&mut self, depth: usize, rho: &[Fr], lambda: Fr) -> Self::Layer {
        Both(self.0.layer(depth, rho, lambda), self.1.layer(depth, rho, lambda))
    }
}

/// What each backend reads of a source.
fn apart<'a, A, B>(source: Entries<'a, Both<A, B>>) -> (Entries<'a, A>, Entries<'a, B>) {
    match source {
        Entries::Ints(tensor) => (Entries::Ints(tensor), Entries::Ints(tensor)),
        Entries::Table(Both(first, second)) => (Entries::Table(first), Entries::Table(second)),
    }
}

/// What each backend multiplies.
fn halves<A, B>(factor: Factor<'_, Both<A, B>>) -> (Factor<'_, A>, Factor<'_, B>) {
    match factor {
        Factor::Ints(ints) => (Factor::Ints(ints), Factor::Ints(ints)),
        Factor::Table(Both(first, second)) => (Factor::Table(first), Factor::Table(second)),
    }
}

impl<A: Backend, B: Backend> Dual<A, B> {
    fn same_table(&self, verb: &str, first: A::Table, second: B::Table) -> Both<A::Table, B::Table> {
        same(verb, self.first.values(&first), self.second.values(&second));
        Both(first, second)
    }
}

impl<A: Backend, B: Backend> Backend for Dual<A, B> {
    type Bases = Both<A::Bases, B::Bases>;
    type Table = Both<A::Table, B::Table>;
    type Kept = Both<A::Kept, B::Kept>;
    type Tree = Both<A::Tree, B::Tree>;
    type Product = Both<A::Product, B::Product>;
    type Pairs = Both<A::Pairs, B::Pairs>;

    fn keep(&self, columns: &[Arc<Integers>]) -> Self::Kept {
        Both(self.first.keep(columns), self.second.keep(columns))
    }

    fn prepare_bases(&self, bases: &[G1Affine]) -> Self::Bases {
        Both(self.first.prepare_bases(bases), self.second.prepare_bases(bases))
    }

    fn commit_rows(&self, bases: &Self::Bases, rows: usize, pieces: &[Piece]) -> Vec<G1Affine> {
        let second = self.second.commit_rows(&bases.1, rows, pieces);
        same("commit_rows", self.first.commit_rows(&bases.0, rows, pieces), second)
    }

    fn table(&self, values: Vec<Fr>) -> Self::Table {
        Both(self.first.table(values.clone()), self.second.table(values))
    }

    fn values(&self, table: &Self::Table) -> Vec<Fr> {
        same("values", self.first.values(&table.0), self.second.values(&table.1))
    }

    fn contract(&self, x: Entries<Self::Table>, outer: usize, inner: usize, weights: &[Fr]) -> Self::Table {
        let (first, second) = apart(x);
        let second = self.second.contract(second, outer, inner, weights);
        self.same_table("contract", self.first.contract(first, outer, inner, weights), second)
    }

    fn gather(&self, lengths: &[usize], addends: &[Addend<Self::Table>]) -> Self::Table {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for Addend { coefficient, source, steps, scan } in addends {
            let (coefficient, steps, scan, sources) = (*coefficient, steps.clone(), scan.clone(), apart(*source));
            first.push(Addend { coefficient, source: sources.0, steps: steps.clone(), scan: scan.clone() });
            second.push(Addend { coefficient, source: sources.1, steps, scan });
        }
        let second = self.second.gather(lengths, &second);
        self.same_table("gather", self.first.gather(lengths, &first), second)
    }

    fn multiply_table(&self, x: Ints, y: &Self::Table, weights: &[Fr], depth: usize) -> Self::Table {
        let second = self.second.multiply_table(x, &y.1, weights, depth);
        self.same_table("multiply_table", self.first.multiply_table(x, &y.0, weights, depth), second)
    }

    fn contract_left(&self, pieces: &[Piece], row_weights: &[Fr], columns: usize) -> Vec<Fr> {
        let second = self.second.contract_left(pieces, row_weights, columns);
        same("contract_left", self.first.contract_left(pieces, row_weights, columns), second)
    }

    fn contract_right(&self, pieces: &[Piece], column_weights: &[Fr], rows: usize) -> Vec<Fr> {
        let second = self.second.contract_right(pieces, column_weights, rows);
        same("contract_right", self.first.contract_right(pieces, column_weights, rows), second)
    }

    fn combine_rows(&self, vectors: &[&[G1Affine]], scalars: &[Fr]) -> Vec<G1Affine> {
        let second = self.second.combine_rows(vectors, scalars);
        same("combine_rows", self.first.combine_rows(vectors, scalars), second)
    }

    fn tree(&self, n: usize, blocks: Vec<Block>) -> Self::Tree {
        Both(self.first.tree(n, blocks.clone()), self.second.tree(n, blocks))
    }

    fn product(
        &self,
        lengths: &[usize],
        bits: &[usize],
        a: Factor<Self::Table>,
        b: Option<Factor<Self::Table>>,
        eq: Vec<Option<Vec<Fr>>>,
    ) -> Self::Product {
        let ((a, other_a), (b, other_b)) = (halves(a), b.map(halves).unzip());
        let first = self.first.product(lengths, bits, a, b, eq.clone());
        Both(first, self.second.product(lengths, bits, other_a, other_b, eq))
    }

    fn pairs(&self, log_length: usize, tables: Vec<(Vec<Fr>, Vec<Fr>)>) -> Self::Pairs {
        Both(self.first.pairs(log_length, tables.clone()), self.second.pairs(log_length, tables))
    }

    fn histogram(&self, rows: &[u32], size: usize) -> Vec<u32> {
        same("histogram", self.first.histogram(rows, size), self.second.histogram(rows, size))
    }

    fn multiply(&self, left: &[i32], right: Rows, depth: usize) -> Result<Vec<i64>, Overflow> {
        let second = self.second.multiply(left, right, depth);
        same("multiply", self.first.multiply(left, right, depth), second)
    }

    fn eq_table(&self, point: &[Fr], length: usize) -> Vec<Fr> {
        same("eq_table", self.first.eq_table(point, length), self.second.eq_table(point, length))
    }
}
