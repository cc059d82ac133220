//! Decides how integers are committed: rows over fixed bases, then rows under pairings.

pub mod folder;
pub mod setup;
pub mod store;
pub mod tier2;

use ark_bls12_381::Fr;
use rayon::ThreadPoolBuilder;
use setup::Generators;
use std::panic::resume_unwind;
use std::sync::mpsc;
use std::thread;
use zeroize::{Zeroize, ZeroizeOnDrop};
use zkllm_kernels::{Backend, Piece};
use zkllm_verifier::groups::{G1, Gt};

/// The secret side of a commitment to the matrix of a chunk.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Committed {
    /// The commitments to the rows.
    pub rows: Vec<G1>,
    /// The blinding.
    pub rho: Fr,
    /// The commitment itself, which is public.
    #[zeroize(skip)]
    pub commitment: Gt,
}

impl Committed {
    fn new(rows: Vec<G1>, rho: Fr, generators: &Generators) -> Self {
        let commitment = tier2::commit_rows(&rows, generators, rho);
        Self { rows, rho, commitment }
    }
}

/// The model's chunks.
#[derive(Clone, Default)]
pub struct Commitments {
    /// In the order of the plan.
    pub chunks: Vec<Committed>,
}

/// Commits to the matrix made of `pieces`, blinded by `rho`.
pub fn commit_chunk<B: Backend>(
    backend: &B,
    bases: &B::Bases,
    generators: &Generators,
    pieces: &[Piece],
    rho: Fr,
) -> Committed {
    let rows = backend.commit_rows(bases, generators.g1.len(), pieces);
    Committed::new(rows, rho, generators)
}

/// [`commit_chunk`] for many: a device makes the rows of a chunk while the pairings of the one before are made here.
pub fn commit_chunks<'a, B: Backend>(
    backend: &B,
    bases: &B::Bases,
    generators: &Generators,
    chunks: impl Iterator<Item = (Vec<Piece<'a>>, Fr)>,
) -> Vec<Committed> {
    // Threads of their own: what a device waits for would have to wait for the pairings of a chunk among those that all share.
    let threads = ThreadPoolBuilder::new().build().expect("threads");
    thread::scope(|scope| {
        // A chunk waits while another one is in hand.
        let (made, ready) = mpsc::sync_channel(1);
        let pairings = scope.spawn(move || {
            let committed = |(rows, rho)| threads.install(|| Committed::new(rows, rho, generators));
            ready.into_iter().map(committed).collect::<Vec<_>>()
        });
        for (pieces, rho) in chunks {
            let rows = backend.commit_rows(bases, generators.g1.len(), &pieces);
            if made.send((rows, rho)).is_err() {
                break;
            }
        }
        drop(made);
        pairings.join().unwrap_or_else(|cause| resume_unwind(cause))
    })
}
