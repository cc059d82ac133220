//! Decides how a proof is made: the verifier's driver over a channel that computes what it is asked for.

pub mod blinding;
mod channel;
pub mod dory;
mod layout;
pub mod ledger;
mod opening;
mod products;
mod squares;
mod tail;
mod tree;
mod weights;

pub use channel::Prover;
pub(crate) use layout::piece_count;
pub use layout::{Part, chunks};
pub use opening::pieces;
pub(crate) use squares::{most_bytes, square_bytes};

use crate::commit::{Commitments, setup::Generators};
use ark_bls12_381::Fr;
use blinding::Blinding;
use std::sync::Arc;
use zkllm_kernels::{Backend, Ints, Numbers};
use zkllm_verifier::card::Card;
use zkllm_verifier::drive::{drive, transcript};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::{Refusal, dory::Setup};

/// All integers of an inference.
pub struct Witness<'a> {
    /// Every column of the program over the true lengths of its axes, row major; those of causal pairs as [`crate::causal`] says.
    pub columns: Vec<Ints<'a>>,
    /// What every lookup looks up over the true lengths of its axes, row major.
    pub leaves: Vec<Leaves>,
}

/// What a lookup looks up.
#[derive(Clone)]
pub enum Leaves {
    /// Row numbers, all in the table; causal if the lookup is.
    Rows(Numbers),
    /// Tuples that need not be in the table, with the numerator of each, none where the lookup has no such index: the business
    /// of cheating provers, who look up what is not there, do not count it, and fill the padding.
    Tuples(Vec<(Option<Fr>, [Fr; 3])>),
}

/// What a proof is about: the card and statement, their plan, and the model's committed chunks.
pub struct Subject<'a> {
    /// The card.
    pub card: &'a Card,
    /// The statement.
    pub statement: &'a Statement,
    /// The plan of both.
    pub plan: &'a Plan,
    /// The model's rows and blindings.
    pub model: &'a Commitments,
}

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The witness does not satisfy the program.
    #[error("the proof would not verify: {0:?} do not hold; report this as a bug")]
    Mistakes(Vec<&'static str>),
    /// A check of the driver failed on the way.
    #[error("the proof would not verify: {0}; report this as a bug")]
    Refused(Refusal),
}

/// Makes a receipt. `progress` is told of every step as it starts.
///
/// # Errors
/// The names of the checks that the receipt would not pass.
pub fn prove<B: Backend>(
    backend: &B,
    generators: Arc<Generators>,
    subject: &Subject<'_>,
    witness: Witness<'_>,
    blinding: Blinding,
    progress: &dyn Fn(&str),
) -> Result<Vec<u8>, ProveError> {
    let (receipt, mistakes, outcome) = attempt(backend, generators, subject, witness, blinding, progress);
    match outcome {
        _ if !mistakes.is_empty() => Err(ProveError::Mistakes(mistakes)),
        Err(refusal) => Err(ProveError::Refused(refusal)),
        Ok(()) => Ok(receipt),
    }
}

/// Makes a receipt from any witness, true or false: with the names of the checks it will not pass and the driver's own
/// outcome. A receipt that a check stopped half-way is short.
pub fn attempt<B: Backend>(
    backend: &B,
    generators: Arc<Generators>,
    subject: &Subject<'_>,
    witness: Witness<'_>,
    blinding: Blinding,
    progress: &dyn Fn(&str),
) -> (Vec<u8>, Vec<&'static str>, Result<(), Refusal>) {
    let setup = match Setup::shipped(subject.plan.chunk_log) {
        Ok(setup) => setup,
        Err(refusal) => return (Vec::new(), Vec::new(), Err(refusal)),
    };
    let transcript = transcript(subject.card, subject.statement);
    let chunks = chunks(subject.plan, &witness.columns);
    let mut prover = Prover::new(backend, generators, subject, witness, &chunks, transcript, blinding, progress);
    let outcome = drive(subject.plan, subject.card, &setup, &mut prover);
    let (proof, mistakes) = prover.finish();
    (Receipt::to_bytes(subject.card, subject.statement, &proof), mistakes, outcome)
}
