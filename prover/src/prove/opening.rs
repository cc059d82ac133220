//! Decides the messages of the opening's sumcheck: columns of the matrices first, then rows, never a table of whole chunks.

use super::layout::Part;
use super::weights::{Rank, ranks};
use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use rayon::prelude::*;
use std::iter::zip;
use zkllm_kernels::{Backend, Piece, Sumcheck as _};
use zkllm_verifier::arith::mle;
use zkllm_verifier::opening::PoolClaim;
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::ColumnId;

/// The opening's sumcheck `sum_c sum_b F_c(b) P_c(b)`.
pub struct Opening<'a, B: Backend> {
    backend: &'a B,
    plan: &'a Plan,
    chunks: &'a [Vec<Part<'a>>],
    weights: Vec<Rank>,
    stage: Stage<B::Pairs>,
    challenges: Vec<Fr>,
}

/// Weights that need the same combination of rows.
struct Group<'a> {
    chunk: usize,
    column: Option<ColumnId>,
    pieces: Vec<Piece<'a>>,
    rows: Vec<Fr>,
    columns: Vec<Fr>,
}

impl<'a> Group<'a> {
    /// The rows of a column that fills whole rows are its own, and weights on its empty rows do not matter; a smaller column
    /// shares its row with others, and all of the row counts. None for a column that is empty here.
    fn new(plan: &Plan, chunks: &[Vec<Part<'a>>], column: ColumnId, rank: &Rank) -> Option<Self> {
        let parts = &chunks[rank.chunk];
        let own = plan.places[column].bits >= plan.chunk_log;
        let (pieces, rows) = if own {
            let pieces = &parts.iter().find(|part| part.column == column)?.pieces;
            let mut rows = vec![Fr::ZERO; rank.rows.len()];
            pieces.iter().for_each(|piece| rows[piece.row] = rank.rows[piece.row]);
            (vec![pieces], rows)
        } else {
            (parts.iter().map(|part| &part.pieces).collect(), rank.rows.clone())
        };
        let pieces: Vec<Piece> =
            pieces.into_iter().flatten().filter(|piece| rows[piece.row] != Fr::ZERO).copied().collect();
        Some(Self { chunk: rank.chunk, column: own.then_some(column), pieces, rows, columns: rank.columns.clone() })
    }

    fn same_rows(&self, other: &Self) -> bool {
        self.chunk == other.chunk && self.column == other.column && self.rows == other.rows
    }
}

enum Stage<P> {
    Columns(P),
    Rows(P),
    Moving,
}

impl<'a, B: Backend> Opening<'a, B> {
    /// The sumcheck of `claims`, combined with powers of `gamma`.
    pub fn new(backend: &'a B, plan: &'a Plan, chunks: &'a [Vec<Part<'a>>], claims: &[PoolClaim], gamma: Fr) -> Self {
        let mut scaled = Vec::new();
        let mut power = Fr::ONE;
        for claim in claims {
            scaled.extend(claim.terms.iter().map(|term| (term, power)));
            power *= gamma;
        }
        let side = 1 << plan.chunk_log;
        let scaled = scaled.into_par_iter().flat_map_iter(|(term, scale)| {
            let grouped = |rank: Rank| (Group::new(plan, chunks, term.column, &rank), rank);
            ranks(plan, term, scale).into_iter().map(grouped)
        });
        let (apart, weights): (Vec<Option<Group>>, Vec<Rank>) = scaled.unzip();
        // Z(lo) = sum_hi rows(hi) P(hi, lo), once for all weights that agree on the rows that matter.
        let mut groups: Vec<Group> = Vec::new();
        for group in apart.into_iter().flatten() {
            match groups.iter_mut().find(|other| other.same_rows(&group)) {
                Some(other) => zip(&mut other.columns, group.columns).for_each(|(sum, weight)| *sum += weight),
                None => groups.push(group),
            }
        }
        let tables = groups
            .into_iter()
            .map(|group| (group.columns, backend.contract_left(&group.pieces, &group.rows, side)))
            .collect();
        let stage = Stage::Columns(backend.pairs(plan.chunk_log, tables));
        Self { backend, plan, chunks, weights, stage, challenges: Vec::new() }
    }

    /// The next message.
    pub fn round(&mut self) -> (Fr, Fr) {
        match &mut self.stage {
            Stage::Columns(pairs) | Stage::Rows(pairs) => pairs.round(),
            Stage::Moving => (Fr::ZERO, Fr::ZERO),
        }
    }

    /// Binds the next variable.
    pub fn bind(&mut self, r: Fr) {
        match &mut self.stage {
            Stage::Columns(pairs) | Stage::Rows(pairs) => pairs.bind(r),
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
            Stage::Columns(pairs) | Stage::Rows(pairs) => pairs.finish().into_iter().map(|(_, value)| value).collect(),
            Stage::Moving => Vec::new(),
        }
    }

    /// For every chunk the tables of its weights and of its matrix with the columns bound.
    fn rows(&self) -> B::Pairs {
        let side = 1 << self.plan.chunk_log;
        let point: Vec<Fr> = self.challenges.iter().rev().copied().collect();
        let eq = mle::eq_table(&point, side);
        let mut weights = vec![vec![Fr::ZERO; side]; self.chunks.len()];
        let values: Vec<Fr> =
            self.weights.par_iter().map(|rank| zip(&rank.columns, &eq).map(|(a, b)| *a * b).sum()).collect();
        for (rank, value) in zip(&self.weights, values) {
            zip(&mut weights[rank.chunk], &rank.rows)
                .filter(|(_, row)| **row != Fr::ZERO)
                .for_each(|(sum, row)| *sum += *row * value);
        }
        let matrix = |parts: &Vec<Part<'a>>| self.backend.contract_right(&pieces(parts), &eq, side);
        self.backend.pairs(self.plan.chunk_log, zip(weights, self.chunks.iter().map(matrix)).collect())
    }
}

/// All pieces of a chunk.
pub fn pieces<'a>(parts: &[Part<'a>]) -> Vec<Piece<'a>> {
    parts.iter().flat_map(|part| part.pieces.iter().copied()).collect()
}
