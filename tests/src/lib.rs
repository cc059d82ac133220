//! Small models and their provers, honest and cheating, for the cross-crate tests.

pub mod channels;
pub mod forge;
pub mod hostile;
pub mod vectors;

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};
use zkllm_kernels::{Backend, Cpu, Integers};
use zkllm_prover::commit::setup::Generators;
use zkllm_prover::commit::store::Secret;
use zkllm_prover::infer::{self, Columns, Trace};
use zkllm_prover::prove::blinding::{Blinding, Randomness};
use zkllm_prover::prove::{Leaves, Subject, Witness, prove};
use zkllm_prover::quantise::{Tiny, tiny};
use zkllm_prover::session;
use zkllm_verifier::card::Card;
use zkllm_verifier::plan::Plan;
use zkllm_verifier::statement::Statement;

/// A statement that is true, and all that its prover knows.
pub struct Case {
    /// The card.
    pub card: Card,
    /// The model's columns.
    pub columns: Columns,
    /// What the card's commitments open to.
    pub secret: Secret,
    /// The statement.
    pub statement: Statement,
    /// Its plan.
    pub plan: Plan,
    /// Its inference.
    pub trace: Trace,
}

/// A shape in which every axis but the vocabulary's halves has padding, small enough to be proved many times.
pub const SHAPE: Tiny = Tiny {
    layers: 3,
    width: 5,
    kv_heads: 3,
    group: 3,
    pairs: 1,
    hidden: 5,
    vocabulary: 11,
    tied: true,
    biases: false,
    digit_bits: 6,
};

impl Case {
    /// The greedy answer of a random model to `prompt`.
    pub fn new(shape: Tiny, seed: u64, prompt: &[u32], outputs: usize) -> Self {
        let (mut card, columns) = tiny(seed, shape).expect("a model");
        card.chunk_log = 6;
        Self::of(card, columns, prompt, outputs)
    }

    /// The greedy answer of a model to `prompt`.
    pub fn of(mut card: Card, columns: Columns, prompt: &[u32], outputs: usize) -> Self {
        let commit = session::commit(&Cpu, &mut card, &columns, Randomness::known([1; 64]), &|_, _| {});
        let secret = commit.expect("a commitment");
        let mut tokens = prompt.to_vec();
        tokens.extend(
            infer::generate(&card, &columns, prompt, outputs, &[], |_| ControlFlow::Continue(())).expect("an answer"),
        );
        let statement = Statement::new(&card, tokens, prompt.len()).expect("a statement");
        let plan = session::plan(&card, &statement).expect("a plan");
        let trace = infer::trace(&plan.program, &columns).expect("a trace");
        Self { card, columns, secret, statement, plan, trace }
    }

    /// The subject of its proofs.
    pub fn subject(&self) -> Subject<'_> {
        Subject { card: &self.card, statement: &self.statement, plan: &self.plan, model: &self.secret.commitments }
    }

    /// The generators of its chunks.
    pub fn generators(&self) -> Arc<Generators> {
        static SIX: OnceLock<Arc<Generators>> = OnceLock::new();
        match self.plan.chunk_log {
            6 => SIX.get_or_init(|| Generators::new(6)).clone(),
            other => Generators::new(other),
        }
    }

    /// The witness of an honest prover.
    pub fn witness(&self) -> Witness<'_> {
        Witness {
            columns: self.trace.columns.iter().map(|column| column.view()).collect(),
            leaves: self.trace.lookups.iter().cloned().map(Leaves::Rows).collect(),
        }
    }

    /// A receipt. Compiled once for all tests.
    pub fn receipt(&self, blinding: &str) -> Vec<u8> {
        self.receipt_by(&Cpu, blinding)
    }

    /// A receipt, by any backend.
    pub fn receipt_by<B: Backend>(&self, backend: &B, blinding: &str) -> Vec<u8> {
        let blinding = Blinding::seeded(blinding.as_bytes());
        prove(backend, self.generators(), &self.subject(), self.witness(), blinding, &|_| {}).expect("a receipt")
    }

    /// All columns' integers, dense.
    pub fn cells(&self) -> Vec<Integers> {
        self.trace.whole(&self.plan.program)
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> usize {
        self.plan.program.columns.iter().position(|column| column.name == name).expect("a column of that name")
    }
}
