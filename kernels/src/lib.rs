//! What the prover asks of a machine: a dozen heavy verbs over the scalar field, G1 and integers, and nothing of the protocol.
//!
//! [`Backend`] is the contract. [`Reference`] is the naive interpreter kept as the oracle, [`Cpu`] the fast one,
//! [`cuda::Cuda`] the one for NVIDIA GPUs, [`wgpu::Wgpu`] the one for any GPU,
//! [`Dual`] runs any two side by side and asserts that they agree.
//!
//! Conventions. A *point* of a multilinear extension has its most significant variable first. A *compact* tensor stores
//! its true `lengths` row-major, first axis most significant; each axis stands for `2^bits` indices, and what lies
//! beyond the length is a known constant (0, or the fraction 0/1). Sumchecks bind the least significant variable first.

pub mod cpu;
pub mod cuda;
pub mod device;
pub mod dual;
pub mod field;
pub mod integer;
pub mod ints;
pub mod layer;
pub mod leaves;
pub mod memory;
pub mod path;
pub mod random;
pub mod reference;
pub mod selftest;
pub mod tensors;
pub mod wgpu;

use std::sync::Arc;

pub use ark_bls12_381::{Fr, G1Affine};
pub use cpu::Cpu;
pub use dual::Dual;
pub use integer::{Overflow, Rows};
pub use ints::{Integers, Ints, Numbers, Tensor};
pub use reference::Reference;
use tensors::Tensors;

/// `matrix[row][column + i] = values[i]`. The pieces of one matrix never overlap; what no piece covers is 0.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    pub row: usize,
    pub column: usize,
    pub values: Ints<'a>,
}

/// Numerators of a block of leaves, row-major over the block's lengths.
#[derive(Clone, Debug)]
pub enum Numerators {
    /// All are 1, but 0 where there is no number of a row.
    One,
    Values(Vec<Fr>),
}

/// Denominators of a block of leaves, row-major over the block's lengths.
#[derive(Clone, Debug)]
pub enum Denominators {
    /// `q = table[rows[i]]`, 1 where there is no number; causal ones go with numerators `One` only.
    Rows {
        rows: Numbers,
        table: Arc<Vec<Fr>>,
    },
    Values(Vec<Fr>),
}

/// A compact tensor of leaf fractions at an aligned address; its padding, and all leaves outside blocks, are 0/1.
#[derive(Clone, Debug)]
pub struct Block {
    /// Address of the first leaf, a multiple of `2^(sum of bits)`.
    pub offset: u64,
    /// True length of each axis, at most `2^bits`.
    pub lengths: Vec<usize>,
    /// Variables of each axis.
    pub bits: Vec<usize>,
    pub numerators: Numerators,
    pub denominators: Denominators,
}

/// A tensor of a product; tables are where the backend computes.
#[derive(Clone, Debug)]
pub enum Factor<'a, T> {
    Ints(Ints<'a>),
    Table(T),
}

/// What a table is made of.
#[derive(Debug)]
pub enum Entries<'a, T> {
    Ints(Tensor<'a>),
    Table(&'a T),
}

impl<'a, T> From<Ints<'a>> for Entries<'a, T> {
    fn from(ints: Ints<'a>) -> Self {
        Entries::Ints(ints.into())
    }
}

/// Whatever the table is.
impl<T> Clone for Entries<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

/// Whatever the table is.
impl<T> Copy for Entries<'_, T> {}

/// What [`Backend::gather`] adds at every index: `coefficient` times the entry of the source whose place is the sum of
/// `steps[axis][index of the axis]`.
#[derive(Debug)]
pub struct Addend<'a, T> {
    pub coefficient: Fr,
    /// No part of squares.
    pub source: Entries<'a, T>,
    pub steps: Vec<Vec<usize>>,
    /// Instead of the entry, a sum of those along an axis.
    pub scan: Option<Scan>,
}

/// The sum of the entries at the indices of `axis` up to the own one, each times the weight of its index.
#[derive(Clone, Debug)]
pub struct Scan {
    pub axis: usize,
    pub weights: Vec<Fr>,
    /// Without the own one.
    pub before: bool,
}

/// Rows and columns of [`Backend::multiply_table`]. Panics unless both factors are of whole batches of whole rows.
fn table_shape(x: Ints, y: usize, weights: &[Fr], depth: usize) -> (usize, usize) {
    let of = |length: usize| {
        let rows = length / (weights.len() * depth).max(1);
        assert_eq!(rows * weights.len() * depth, length, "batches of rows");
        rows
    };
    (of(x.len()), of(y))
}

/// A running degree-2 sumcheck: `round`, `bind` for one variable after the other, then `finish`.
pub trait Sumcheck {
    /// The factors at the bound point.
    type End;
    /// The coefficients `(c1, c2)` of `X` and `X^2` of the next round polynomial, eq factors of `X` and of the bound
    /// variables left out.
    fn round(&mut self) -> (Fr, Fr);
    /// Fix the next variable to `r`.
    fn bind(&mut self, r: Fr);
    /// Panics when variables are left, unless the type says that it may be called before.
    fn finish(self) -> Self::End;
}

/// The sumcheck of a product.
pub trait ProductSumcheck: Sumcheck<End = (Fr, Fr)> {
    /// The sum. Before a variable is bound.
    fn value(&mut self) -> Fr;
}

/// A binary tree of fractions over `2^n` leaves; a node is the sum of its children: `(p0 q1 + p1 q0, q0 q1)`.
pub trait FractionTree {
    /// May be finished early: ends in the tables `[p0, s, q0, q1]`, `s = p1 + lambda q1`, over the variables left.
    type Layer: Sumcheck<End = [Vec<Fr>; 4]>;
    /// The fraction `(p, q)` of all leaves.
    fn root(&self) -> (Fr, Fr);
    /// The sumcheck of `sum_x eq(rho, x) (p0 q1 + p1 q0 + lambda q0 q1)(x)` over the `2^depth` nodes `x` of level
    /// `depth`, whose children are the nodes `2x` and `2x + 1` of level `depth + 1`. Consumes level `depth + 1`: call
    /// once for each `depth` in `0..n`, ascending. Panics unless `rho.len() == depth`.
    fn layer(&mut self, depth: usize, rho: &[Fr], lambda: Fr) -> Self::Layer;
}

/// The verbs. All results are exact, so every backend returns the same values.
pub trait Backend: Sync {
    type Bases: Send + Sync;
    /// Field elements, where the backend computes.
    type Table: Send + Sync;
    /// See [`Backend::keep`].
    type Kept: Send + Sync + 'static;
    type Tree: FractionTree;
    type Product: ProductSumcheck;
    type Pairs: Sumcheck<End = Vec<(Fr, Fr)>>;

    /// Tells that verbs will read parts of these columns, by their place in memory, as long as the result lives: a backend that
    /// computes elsewhere keeps copies as far as there is room.
    fn keep(&self, columns: &[Arc<Integers>]) -> Self::Kept;

    /// Prepare the fixed G1 bases of `commit_rows`.
    fn prepare_bases(&self, bases: &[G1Affine]) -> Self::Bases;

    /// `out[row] = sum_j matrix[row][j] bases[j]` for the `rows x bases.len()` matrix made of `pieces`.
    fn commit_rows(&self, bases: &Self::Bases, rows: usize, pieces: &[Piece]) -> Vec<G1Affine>;

    /// The table of `values`.
    fn table(&self, values: Vec<Fr>) -> Self::Table;

    /// The values of a table.
    fn values(&self, table: &Self::Table) -> Vec<Fr>;

    /// `out[o][i] = sum_m weights[m] x[o][m][i]` for `x` of shape `outer x weights.len() x inner`.
    fn contract(&self, x: Entries<Self::Table>, outer: usize, inner: usize, weights: &[Fr]) -> Self::Table;

    /// The sum of all `addends` at every index of axes of these lengths, row-major.
    fn gather(&self, lengths: &[usize], addends: &[Addend<Self::Table>]) -> Self::Table;

    /// `out[m][n] = sum_b weights[b] sum_k x[b][m][k] y[b][n][k]` for `x` of shape `weights.len() x rows x depth` and `y` of
    /// shape `weights.len() x columns x depth`; `depth` is not 0.
    fn multiply_table(&self, x: Ints, y: &Self::Table, weights: &[Fr], depth: usize) -> Self::Table;

    /// `out[j] = sum_i row_weights[i] matrix[i][j]` for `j < columns`. Rows of weight 0 cost nothing.
    fn contract_left(&self, pieces: &[Piece], row_weights: &[Fr], columns: usize) -> Vec<Fr>;

    /// `out[i] = sum_j matrix[i][j] column_weights[j]` for `i < rows`.
    fn contract_right(&self, pieces: &[Piece], column_weights: &[Fr], rows: usize) -> Vec<Fr>;

    /// `out[i] = sum_k scalars[k] vectors[k][i]`; all vectors have one length. The points lie in the group of order r.
    fn combine_rows(&self, vectors: &[&[G1Affine]], scalars: &[Fr]) -> Vec<G1Affine>;

    /// The fraction tree over `2^n` leaves, 0/1 outside `blocks`.
    fn tree(&self, n: usize, blocks: Vec<Block>) -> Self::Tree;

    /// The sumcheck of `sum_x prod_axis w_axis(x_axis) a(x) b(x)` over compact tensors that are 0 beyond their
    /// lengths; `b: None` means `b = a`. `w_axis = eq(point, .)` where `eq[axis]` is a point of `bits[axis]`
    /// coordinates, 1 where it is `None`. Ends in `(a, b)`.
    fn product(
        &self,
        lengths: &[usize],
        bits: &[usize],
        a: Factor<Self::Table>,
        b: Option<Factor<Self::Table>>,
        eq: Vec<Option<Vec<Fr>>>,
    ) -> Self::Product;

    /// The sumcheck of `sum_k sum_x a_k(x) b_k(x)` over pairs of tables of `2^log_length` values. Ends in the values
    /// `(a_k, b_k)`.
    fn pairs(&self, log_length: usize, tables: Vec<(Vec<Fr>, Vec<Fr>)>) -> Self::Pairs;

    /// `out[row]` = how often `row` occurs. Panics on a row that is not below `size`.
    fn histogram(&self, rows: &[u32], size: usize) -> Vec<u32>;

    /// `out[m][n] = sum_k left[m][k] right[n][k]` for rows of `depth` integers. Panics as [`integer::shape`].
    ///
    /// # Errors
    /// [`Overflow`] by the bound of [`integer::shape`], on every backend.
    fn multiply(&self, left: &[i32], right: Rows, depth: usize) -> Result<Vec<i64>, Overflow>;

    /// Tensors of integers where the backend computes, if that is not here.
    fn tensors(&self) -> Option<&dyn Tensors> {
        None
    }

    /// The first `length` values of `x -> eq(point, x)`; `length <= 2^point.len()`.
    fn eq_table(&self, point: &[Fr], length: usize) -> Vec<Fr>;
}
