//! Decides how the opening sums weights on causal pairs: by tables for every row of their squares, made anew for each round
//! until enough variables are bound that they are small.

use super::layout::Part;
use super::opening::Rows;
use super::weights::Squares;
use ark_bls12_381::Fr;
use ark_ff::AdditiveGroup;
use rayon::prelude::*;
use std::iter::zip;
use std::ops::Range;
use zkllm_kernels::{Backend, Sumcheck as _};

/// Bytes of tables that are kept, of all rows of squares together.
const KEPT: usize = 1 << 27;
/// Bytes of those that are made at once.
const MADE: usize = 1 << 26;

/// Weights on the squares of a column that agree on their rows: they share the sums of these.
pub struct Shared {
    /// The first row of each square.
    pub rows: Rows,
    /// The weights.
    pub weights: Vec<Squares>,
}

/// `sum over all rows of squares of columns(lo) rows(lo)`, over the variables of a row.
pub struct Sum<'a, B: Backend> {
    backend: &'a B,
    chunks: &'a [Vec<Part<'a>>],
    log: usize,
    shared: Vec<Shared>,
    /// Some rows of the squares of one of them, whose tables are made at once.
    batches: Vec<(usize, Range<usize>)>,
    /// Variables that are bound before tables are kept.
    late: usize,
    kept: Vec<B::Pairs>,
    challenges: Vec<Fr>,
}

impl<'a, B: Backend> Sum<'a, B> {
    /// Of chunks with rows of `2^log` entries.
    pub fn new(backend: &'a B, chunks: &'a [Vec<Part<'a>>], log: usize, shared: Vec<Shared>) -> Self {
        let (late, at_once) = (late(table_bytes(log) * shared.iter().map(Shared::len).sum::<usize>()), at_once(log));
        let batches = shared.iter().enumerate().flat_map(|(of, shared)| {
            let length = shared.len();
            (0..length).step_by(at_once).map(move |first| (of, first..length.min(first + at_once)))
        });
        let batches = batches.collect();
        let mut sum = Self { backend, chunks, log, shared, batches, late, kept: Vec::new(), challenges: Vec::new() };
        sum.keep();
        sum
    }

    /// The next message.
    pub fn round(&mut self) -> (Fr, Fr) {
        let add = |a: (Fr, Fr), b: (Fr, Fr)| (a.0 + b.0, a.1 + b.1);
        let rounds = self.kept.iter_mut().map(|pairs| pairs.round()).fold((Fr::ZERO, Fr::ZERO), add);
        if self.challenges.len() >= self.late {
            return rounds;
        }
        self.batches.iter().map(|batch| self.made(batch).round()).fold(rounds, add)
    }

    /// Binds the next variable.
    pub fn bind(&mut self, r: Fr) {
        self.kept.iter_mut().for_each(|pairs| pairs.bind(r));
        self.challenges.push(r);
        self.keep();
    }

    /// Keeps the tables from now on, if it is time.
    fn keep(&mut self) {
        if self.challenges.len() == self.late {
            self.kept = self.batches.iter().map(|batch| self.made(batch)).collect();
        }
    }

    /// The tables of a batch, all challenges bound.
    fn made(&self, (of, numbers): &(usize, Range<usize>)) -> B::Pairs {
        let (Shared { rows, weights }, log) = (&self.shared[*of], self.log);
        let columns = |number: usize| {
            let mut columns = vec![Fr::ZERO; 1 << log];
            weights.iter().for_each(|squares| squares.add_columns(number, &mut columns));
            columns
        };
        let columns: Vec<Vec<Fr>> = numbers.clone().into_par_iter().map(columns).collect();
        let combined = |number: usize| rows.combined(self.backend, self.chunks, log, number);
        let mut pairs = self.backend.pairs(log, zip(columns, numbers.clone().map(combined)).collect());
        self.challenges.iter().for_each(|r| pairs.bind(*r));
        pairs
    }
}

impl Shared {
    /// How many rows of chunks a square has.
    fn len(&self) -> usize {
        self.weights.iter().map(Squares::len).max().unwrap_or(0)
    }
}

/// Bytes of the two tables of a row of `2^log` entries.
fn table_bytes(log: usize) -> usize {
    (2 * size_of::<Fr>()) << log
}

/// Rows of squares whose tables are made at once.
fn at_once(log: usize) -> usize {
    (MADE / table_bytes(log)).max(1)
}

/// Variables to be bound before so many bytes of tables are few enough to be kept.
fn late(bytes: usize) -> usize {
    bytes.div_ceil(KEPT).next_power_of_two().ilog2() as usize
}

/// Bytes of the tables of all rows of squares of `side` rows, which share rows of `2^log` entries.
pub fn square_bytes(log: usize, side: usize) -> usize {
    let together = (1 << log) / side.next_power_of_two();
    side.div_ceil(together.max(1)) * table_bytes(log)
}

/// Bytes of those that are there at one time at most, if all would have so many.
pub fn most_bytes(log: usize, bytes: usize) -> usize {
    (bytes >> late(bytes)) + bytes.min(table_bytes(log) * at_once(log))
}
