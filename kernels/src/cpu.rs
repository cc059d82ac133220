//! Decides what the CPU backend is: every verb on all cores.

pub(crate) mod axes;
mod combine;
mod commit;
mod contract;
#[cfg(target_arch = "x86_64")]
mod fq_lanes;
#[cfg(target_arch = "x86_64")]
mod fr_lanes;
mod gather;
#[cfg(target_arch = "x86_64")]
mod lanes;
mod layer;
mod limbs;
#[cfg(target_arch = "x86_64")]
mod miller_lanes;
pub mod pairing;
mod points;
mod product;
mod runs;
#[cfg(test)]
mod tests;
mod tree;
mod wide;

use ark_bls12_381::{Fr, G1Affine};
use rayon::prelude::*;

pub use commit::Bases;
pub use product::{Pairs, Product};
pub use tree::Tree;

use std::sync::Arc;

use crate::memory::Memory;
use crate::{Addend, Backend, Block, Entries, Factor, Integers, Ints, Overflow, Piece, Rows, integer};

/// All cores of this machine, by rayon's global pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

impl Backend for Cpu {
    type Bases = Bases;
    type Table = Vec<Fr>;
    type Kept = ();
    type Tree = Tree;
    type Product = Product;
    type Pairs = Pairs;

    fn keep(&self, _: &[Arc<Integers>]) {}

    fn prepare_bases(&self, bases: &[G1Affine]) -> Bases {
        Bases::new(bases)
    }

    fn commit_rows(&self, bases: &Bases, rows: usize, pieces: &[Piece]) -> Vec<G1Affine> {
        commit::commit_rows(bases, rows, pieces)
    }

    fn table(&self, values: Vec<Fr>) -> Vec<Fr> {
        values
    }

    fn values(&self, table: &Vec<Fr>) -> Vec<Fr> {
        table.clone()
    }

    fn contract(&self, x: Entries<Vec<Fr>>, outer: usize, inner: usize, weights: &[Fr]) -> Vec<Fr> {
        match x {
            Entries::Ints(x) => contract::contract(x, outer, inner, weights),
            Entries::Table(x) => contract::contract_field(x, outer, inner, weights),
        }
    }

    fn gather(&self, lengths: &[usize], addends: &[Addend<Vec<Fr>>]) -> Vec<Fr> {
        gather::gather(lengths, addends)
    }

    fn multiply_table(&self, x: Ints, y: &Vec<Fr>, weights: &[Fr], depth: usize) -> Vec<Fr> {
        gather::multiply_table(x, y, weights, depth)
    }

    fn contract_left(&self, pieces: &[Piece], row_weights: &[Fr], columns: usize) -> Vec<Fr> {
        contract::contract_left(pieces, row_weights, columns)
    }

    fn contract_right(&self, pieces: &[Piece], column_weights: &[Fr], rows: usize) -> Vec<Fr> {
        contract::contract_right(pieces, column_weights, rows)
    }

    fn combine_rows(&self, vectors: &[&[G1Affine]], scalars: &[Fr]) -> Vec<G1Affine> {
        combine::combine_rows(vectors, scalars)
    }

    fn tree(&self, n: usize, blocks: Vec<Block>) -> Tree {
        let free = Memory::now().map_or(usize::MAX, |memory| usize::try_from(memory.free).unwrap_or(usize::MAX));
        Tree::build(n, blocks, free / 4 * 3)
    }

    fn product(
        &self,
        lengths: &[usize],
        bits: &[usize],
        a: Factor<Vec<Fr>>,
        b: Option<Factor<Vec<Fr>>>,
        eq: Vec<Option<Vec<Fr>>>,
    ) -> Product {
        let table = |factor: Factor<Vec<Fr>>| match factor {
            Factor::Ints(ints) => (0..ints.len()).into_par_iter().map(|at| Fr::from(ints.at(at))).collect(),
            Factor::Table(values) => values,
        };
        Product::new(lengths, bits, table(a), b.map(table), eq)
    }

    fn pairs(&self, log_length: usize, tables: Vec<(Vec<Fr>, Vec<Fr>)>) -> Pairs {
        Pairs::new(log_length, tables)
    }

    fn histogram(&self, rows: &[u32], size: usize) -> Vec<u32> {
        // One table a task: few tasks when the table is large.
        let task = rows.len().div_ceil(rayon::current_num_threads()).max(4 * size).max(1);
        rows.par_chunks(task)
            .map(|rows| {
                let mut counts = vec![0u32; size];
                rows.iter().for_each(|row| counts[*row as usize] += 1);
                counts
            })
            .reduce_with(|mut a, b| {
                a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                a
            })
            .unwrap_or_else(|| vec![0; size])
    }

    fn multiply(&self, left: &[i32], right: Rows, depth: usize) -> Result<Vec<i64>, Overflow> {
        integer::multiply(left, right, depth)
    }

    fn eq_table(&self, point: &[Fr], length: usize) -> Vec<Fr> {
        crate::field::eq_table(point, length)
    }
}
