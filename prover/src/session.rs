//! Decides how the parts make a card and a receipt: commit once, then answer and prove as often as asked.

use crate::commit::setup::Generators;
use crate::commit::store::Secret;
use crate::commit::{Commitments, commit_chunks};
use crate::infer::{self, Columns, InferError};
use crate::prove::blinding::Randomness;
use crate::prove::{Leaves, ProveError, Subject, Witness, chunks, pieces, prove};
use rayon::prelude::*;
use sha3::{Digest, Sha3_256};
use zkllm_kernels::{Backend, Ints};
use zkllm_verifier::card::Card;
use zkllm_verifier::drive::PROTOCOL;
use zkllm_verifier::groups;
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{Origin, Program};
use zkllm_verifier::statement::Statement;
use zkllm_verifier::{Limits, Refusal, Work, verify};

/// Why there is no card or receipt.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The program refuses the card or the statement.
    #[error("the card or the tokens are not acceptable to a verifier: {0}")]
    Refused(#[from] Refusal),
    /// The inference failed.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// The proof failed.
    #[error(transparent)]
    Prove(#[from] ProveError),
    /// The weights are not those of the card.
    #[error(
        "this model file does not hold the weights that the card commits to; give the file that `zkllm commit` was given"
    )]
    OtherWeights,
    /// No randomness.
    #[error("the system gives no randomness: {0}")]
    Random(#[from] getrandom::Error),
}

/// The plan of a statement, one that a verifier takes the time for.
pub fn plan(card: &Card, statement: &Statement) -> Result<Plan, Refusal> {
    let plan = Plan::new(Program::new(card, statement)?, card.chunk_log as usize)?;
    Limits::default().allow(&Work::of(&plan))?;
    Ok(plan)
}

/// Values that are hashed at once, by one core.
const HASHED: usize = 1 << 18;

/// SHA3-256 of a model's columns: names, lengths, and digests of runs of their values, in 16 bits where these hold all of a run,
/// else in 64.
pub fn digest(columns: &Columns) -> [u8; 32] {
    let mut hash = Sha3_256::new();
    for (name, values) in columns.iter() {
        hash.update(name.as_bytes());
        hash.update((values.len() as u64).to_le_bytes());
        let run = |start: usize| -> [u8; 32] {
            let run = values.view().slice(start..values.len().min(start + HASHED));
            let ends = run.range();
            let narrow = i16::try_from(ends.0).is_ok() && i16::try_from(ends.1).is_ok();
            let mut bytes = vec![u8::from(narrow)];
            for value in (0..run.len()).map(|index| run.at(index)) {
                if narrow {
                    bytes.extend((value as i16).to_le_bytes());
                } else {
                    bytes.extend(value.to_le_bytes());
                }
            }
            Sha3_256::digest(bytes).into()
        };
        let runs: Vec<[u8; 32]> = (0..values.len()).into_par_iter().step_by(HASHED).map(run).collect();
        runs.iter().for_each(|run| hash.update(run));
    }
    hash.finalize().into()
}

/// Commits to a model: fills in the card's commitments and gives the secret side, blinded by `randomness`, the weights and the
/// card. `progress` is told of every chunk.
pub fn commit<B: Backend>(
    backend: &B,
    card: &mut Card,
    columns: &Columns,
    randomness: Randomness,
    progress: &dyn Fn(usize, usize),
) -> Result<Secret, SessionError> {
    // The model's columns and their places are the same for every statement.
    let plan = plan(card, &Statement::new(card, vec![0, 0], 1)?)?;
    let views: Vec<Ints> = plan
        .program
        .columns
        .iter()
        .map(|column| match column.origin {
            Origin::Model => columns.column(&column.name).map_or(Ints::U8(&[]), |values| values.view()),
            _ => Ints::U8(&[]),
        })
        .collect();
    let weights = digest(columns);
    let said = Card { commitments: Vec::new(), ..card.clone() }.to_bytes();
    let mut blinding = randomness.hedged("zkLLM card", [PROTOCOL.as_bytes(), &weights[..], &said]);
    let generators = Generators::new(plan.chunk_log);
    let bases = backend.prepare_bases(&generators.g1);
    let parts = chunks(&plan, &views);
    let of_model = parts.iter().take(plan.model_chunks).enumerate().map(|(number, parts)| {
        progress(number, plan.model_chunks);
        (pieces(parts), blinding.scalar())
    });
    let commitments = Commitments { chunks: commit_chunks(backend, &bases, &generators, of_model) };
    card.commitments = commitments.chunks.iter().map(|chunk| groups::write_gt(&chunk.commitment)).collect();
    Ok(Secret { commitments, weights })
}

/// Proves a statement: a receipt that has been verified, blinded by `randomness`, the card's secret side, card and statement.
pub fn receipt<B: Backend>(
    backend: &B,
    card: &Card,
    columns: &Columns,
    secret: &Secret,
    statement: &Statement,
    randomness: Randomness,
    progress: &dyn Fn(&str),
) -> Result<Vec<u8>, SessionError> {
    let plan = plan(card, statement)?;
    progress("inference");
    let of_model: Vec<_> = columns.iter().map(|(_, values)| values.clone()).collect();
    let _kept = backend.keep(&of_model);
    let trace = infer::trace_by(&infer::multiply_on(backend), &plan.program, columns)?;
    let _kept_too = backend.keep(&trace.columns);
    let witness = Witness {
        columns: trace.columns.iter().map(|column| column.view()).collect(),
        leaves: trace.lookups.into_iter().map(Leaves::Rows).collect(),
    };
    let subject = Subject { card, statement, plan: &plan, model: &secret.commitments };
    let (blindings, card_bytes) = (secret.blindings(), card.to_bytes());
    let parts = [&secret.weights[..], &blindings, &card_bytes, &statement.to_bytes()];
    let blinding = randomness.hedged("zkLLM proof", parts);
    let receipt = prove(backend, Generators::new(plan.chunk_log), &subject, witness, blinding, progress)?;
    progress("check");
    verify(&card_bytes, &receipt)?;
    Ok(receipt)
}
