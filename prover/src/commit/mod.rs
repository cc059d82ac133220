//! Decides how integers are committed: rows over fixed bases, then rows under pairings.

pub mod setup;
pub mod store;
pub mod tier2;

use ark_bls12_381::Fr;
use setup::Generators;
use zkllm_kernels::{Backend, Piece};
use zkllm_verifier::groups::{G1, Gt};

/// The secret side of a commitment to the matrix of a chunk.
#[derive(Clone)]
pub struct Committed {
    /// The commitments to the rows.
    pub rows: Vec<G1>,
    /// The blinding.
    pub rho: Fr,
    /// The commitment itself, which is public.
    pub commitment: Gt,
}

/// The model's chunks.
#[derive(Clone, Default)]
pub struct Commitments {
    /// In the order of the plan.
    pub chunks: Vec<Committed>,
}

/// Commits to the matrix made of `pieces`.
pub fn commit_chunk<B: Backend>(
    backend: &B,
    bases: &B::Bases,
    generators: &Generators,
    pieces: &[Piece],
    rho: Fr,
) -> Committed {
    let rows = backend.commit_rows(bases, generators.g1.len(), pieces);
    let commitment = tier2::commit_rows(&rows, generators, rho);
    Committed { rows, rho, commitment }
}
