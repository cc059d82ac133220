//! Decides the messages of the opening's sumcheck: columns of the matrices first, then rows, never a table of whole chunks.

use super::layout::Part;
use super::squares::{Shared, Sum};
use super::weights::{Squares, Weights, weights};
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::iter::zip;
use zkllm_kernels::{Backend, Piece, Sumcheck as _};
use zkllm_verifier::arith::mle;
use zkllm_verifier::opening::{PoolClaim, PoolTerm};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::ColumnId;

/// The opening's sumcheck `sum_c sum_b F_c(b) P_c(b)`.
pub struct Opening<'a, B: Backend> {
    backend: &'a B,
    plan: &'a Plan,
    chunks: &'a [Vec<Part<'a>>],
    /// The terms of all claims, and what they are scaled by.
    terms: Vec<(PoolTerm, Fr)>,
    stage: Stage<'a, B>,
    challenges: Vec<Fr>,
}

/// Which rows are to be combined: of a column that fills whole rows those that it has, as weights on its empty rows do not
/// matter; a smaller column shares its row with others, and all of the row counts.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct Rows {
    column: Option<ColumnId>,
    weights: Vec<(usize, Fr)>,
}

impl Rows {
    fn new(plan: &Plan, chunks: &[Vec<Part>], column: ColumnId, rows: &[(usize, Fr)]) -> Self {
        let column = (plan.places[column].bits >= plan.chunk_log).then_some(column);
        let has = |(row, _): &&(usize, Fr)| in_row(chunks, plan.chunk_log, column, *row).next().is_some();
        Self { column, weights: rows.iter().filter(has).copied().collect() }
    }

    /// The sum of the rows that are so far behind these, times the weights.
    pub fn combined<B: Backend>(&self, backend: &B, chunks: &[Vec<Part>], log: usize, behind: usize) -> Vec<Fr> {
        let there = |(number, (row, _)): (usize, &(usize, Fr))| {
            in_row(chunks, log, self.column, row + behind).map(move |piece| Piece { row: number, ..*piece })
        };
        let pieces: Vec<Piece> = self.weights.iter().enumerate().flat_map(there).collect();
        let weights: Vec<Fr> = self.weights.iter().map(|(_, weight)| *weight).collect();
        backend.contract_left(&pieces, &weights, 1 << log)
    }
}

/// The pieces of a row, of one column or of all; a column's are in the order of their rows.
fn in_row<'p, 'a>(
    chunks: &'p [Vec<Part<'a>>],
    log: usize,
    column: Option<ColumnId>,
    row: usize,
) -> impl Iterator<Item = &'p Piece<'a>> {
    let (parts, row) = (&chunks[row >> log], row & ((1 << log) - 1));
    parts.iter().filter(move |part| column.is_none_or(|column| part.column == column)).flat_map(move |part| {
        let first = part.pieces.partition_point(|piece| piece.row < row);
        part.pieces[first..].iter().take_while(move |piece| piece.row == row)
    })
}

enum Stage<'a, B: Backend> {
    Columns(B::Pairs, Sum<'a, B>),
    Rows(B::Pairs),
    Moving,
}

impl<'a, B: Backend> Opening<'a, B> {
    /// The sumcheck of `claims`, combined with powers of `gamma`.
    pub fn new(backend: &'a B, plan: &'a Plan, chunks: &'a [Vec<Part<'a>>], claims: &[PoolClaim], gamma: Fr) -> Self {
        let mut terms = Vec::new();
        let mut power = Fr::ONE;
        for claim in claims {
            terms.extend(claim.terms.iter().map(|term| (term.clone(), power)));
            power *= gamma;
        }
        // Z(lo) = sum_hi rows(hi) P(hi, lo), once for all weights that agree on the rows that matter.
        let mut apart = BTreeMap::<Rows, Vec<Fr>>::new();
        let mut squares = BTreeMap::<(Rows, usize), Vec<Squares>>::new();
        for (term, weights) in all_weights(plan, &terms) {
            let rows = |rows: &[(usize, Fr)]| Rows::new(plan, chunks, term.column, rows);
            match weights {
                Weights::Squares(own) => squares.entry((rows(&own.rows), own.len())).or_default().push(own),
                Weights::Ranks(ranks) => {
                    for rank in ranks {
                        let sums = apart.entry(rows(&rank.rows)).or_insert_with(|| vec![Fr::ZERO; rank.columns.len()]);
                        zip(sums, rank.columns).for_each(|(sum, weight)| *sum += weight);
                    }
                }
            }
        }
        apart.retain(|rows, _| !rows.weights.is_empty());
        let combined = |(rows, columns): (Rows, Vec<Fr>)| (columns, rows.combined(backend, chunks, plan.chunk_log, 0));
        let tables = apart.into_iter().map(combined).collect();
        let shared = squares.into_iter().map(|((rows, _), weights)| Shared { rows, weights }).collect();
        let squares = Sum::new(backend, chunks, plan.chunk_log, shared);
        let stage = Stage::Columns(backend.pairs(plan.chunk_log, tables), squares);
        Self { backend, plan, chunks, terms, stage, challenges: Vec::new() }
    }

    /// The next message.
    pub fn round(&mut self) -> (Fr, Fr) {
        match &mut self.stage {
            Stage::Columns(pairs, squares) => {
                let (of_pairs, of_squares) = (pairs.round(), squares.round());
                (of_pairs.0 + of_squares.0, of_pairs.1 + of_squares.1)
            }
            Stage::Rows(pairs) => pairs.round(),
            Stage::Moving => (Fr::ZERO, Fr::ZERO),
        }
    }

    /// Binds the next variable.
    pub fn bind(&mut self, r: Fr) {
        match &mut self.stage {
            Stage::Columns(pairs, squares) => {
                pairs.bind(r);
                squares.bind(r);
            }
            Stage::Rows(pairs) => pairs.bind(r),
            Stage::Moving => {}
        }
        self.challenges.push(r);
        if self.challenges.len() == self.plan.chunk_log {
            self.stage = Stage::Moving;
            self.stage = Stage::Rows(self.rows());
        }
    }

    /// The value of every chunk.
    pub fn finish(self) -> Vec<Fr> {
        match self.stage {
            Stage::Rows(pairs) => pairs.finish().into_iter().map(|(_, value)| value).collect(),
            Stage::Columns(..) | Stage::Moving => Vec::new(),
        }
    }

    /// For every chunk the tables of its weights and of its matrix with the columns bound.
    fn rows(&self) -> B::Pairs {
        let side = 1 << self.plan.chunk_log;
        let point: Vec<Fr> = self.challenges.iter().rev().copied().collect();
        let eq = mle::eq_table(&point, side);
        let mut weights = vec![vec![Fr::ZERO; side]; self.chunks.len()];
        let mut add = |rows: &[(usize, Fr)], behind: usize, value: Fr| {
            for (row, weight) in rows {
                weights[(row + behind) / side][(row + behind) % side] += *weight * value;
            }
        };
        for (_, weights) in all_weights(self.plan, &self.terms) {
            let values = weights.values(&eq);
            match weights {
                Weights::Ranks(ranks) => zip(ranks, values).for_each(|(rank, value)| add(&rank.rows, 0, value)),
                Weights::Squares(squares) => (0..).zip(values).for_each(|(row, value)| add(&squares.rows, row, value)),
            }
        }
        let matrix = |parts: &Vec<Part<'a>>| self.backend.contract_right(&pieces(parts), &eq, side);
        self.backend.pairs(self.plan.chunk_log, zip(weights, self.chunks.iter().map(matrix)).collect())
    }
}

/// The weights of all terms, some made at a time.
fn all_weights<'t>(plan: &'t Plan, terms: &'t [(PoolTerm, Fr)]) -> impl Iterator<Item = (&'t PoolTerm, Weights)> {
    const TOGETHER: usize = 16;
    let some = |terms: &'t [(PoolTerm, Fr)]| -> Vec<_> {
        terms.par_iter().map(|(term, scale)| (term, weights(plan, term, *scale))).collect()
    };
    terms.chunks(TOGETHER).flat_map(some)
}

/// All pieces of a chunk.
pub fn pieces<'a>(parts: &[Part<'a>]) -> Vec<Piece<'a>> {
    parts.iter().flat_map(|part| part.pieces.iter().copied()).collect()
}
