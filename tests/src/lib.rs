//! Tiny models and their receipts, for the cross-crate tests.

use std::sync::Arc;
use zkllm_kernels::{Backend, Ints};
use zkllm_prover::commit::setup::Generators;
use zkllm_prover::commit::{Commitments, commit_chunk};
use zkllm_prover::infer::{self, Columns};
use zkllm_prover::prove::blinding::Blinding;
use zkllm_prover::prove::{Leaves, Subject, Witness, chunks, pieces, prove};
use zkllm_verifier::card::{Architecture, Card, Precision};
use zkllm_verifier::groups;
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{Origin, Program};
use zkllm_verifier::statement::Statement;

/// A card of a tiny model, without commitments.
pub fn card() -> Card {
    let precision = Precision {
        digit_bits: 8,
        residual_fraction: 6,
        norm_fraction: 6,
        query_fraction: 6,
        value_fraction: 6,
        attention_fraction: 7,
        gate_fraction: 6,
        swish_fraction: 6,
        up_fraction: 6,
        hidden_fraction: 6,
        weight_fraction: 5,
        rotary_fraction: 6,
        score_fraction: 4,
        score_scale: 1,
        exp_precision: 8,
        gap_bits: 9,
        norm_shift: 10,
        norm_width: 60,
        inverse_bits: 24,
        logit_width: 40,
        embedding_bits: 14,
        norm_bits: 14,
        query_bits: 16,
        value_bits: 16,
        top_bits: 16,
        attention_bits: 16,
        projection_bits: 18,
        gate_bits: 10,
        up_bits: 16,
        hidden_bits: 18,
        down_bits: 18,
    };
    Card {
        name: "tiny".into(),
        architecture: Architecture::Llama,
        layers: 3,
        width: 5,
        kv_heads: 2,
        group: 3,
        pairs: 2,
        hidden: 7,
        vocabulary: 11,
        context: 64,
        tied: true,
        biases: true,
        rotary_base: 10000,
        epsilon: 1,
        precision,
        tokenizer: [7; 32],
        chunk_log: 6,
        commitments: Vec::new(),
    }
}

/// Random columns for the model of `card`.
pub fn columns(card: &Card, seed: u64) -> Columns {
    let statement = Statement::new(card, vec![0, 0], 1).expect("a statement");
    let program = Program::new(card, &statement).expect("a program");
    let mut state = seed;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as i64 % 61 - 30
    };
    let mut columns = Columns::new();
    for column in program.columns.iter().filter(|column| matches!(column.origin, Origin::Model)) {
        let count: usize = program.lengths(&column.axes).iter().product();
        let scale = if column.name == "embedding" { 4 } else { 1 };
        columns.insert(&column.name, infer::Ints::narrowed((0..count).map(|_| random() * scale).collect()));
    }
    columns
}

/// A borrowed view of a column.
pub fn view(ints: &infer::Ints) -> Ints<'_> {
    match ints {
        infer::Ints::I16(values) => Ints::I16(values),
        infer::Ints::I32(values) => Ints::I32(values),
        infer::Ints::I64(values) => Ints::I64(values),
    }
}

/// Commits to the columns of a card's model.
pub fn commit<B: Backend>(
    backend: &B,
    generators: &Generators,
    card: &mut Card,
    columns: &Columns,
    seed: &str,
) -> Commitments {
    let statement = Statement::new(card, vec![0, 0], 1).expect("a statement");
    let plan = Plan::new(Program::new(card, &statement).expect("a program"), card.chunk_log as usize).expect("a plan");
    let views: Vec<Ints> = plan
        .program
        .columns
        .iter()
        .map(|column| columns.column(&column.name).map_or(Ints::I16(&[]), |ints| view(ints)))
        .collect();
    let mut blinding = Blinding::seeded(seed.as_bytes());
    let bases = backend.prepare_bases(&generators.g1);
    let model = chunks(&plan, &views).into_iter().take(plan.model_chunks);
    let chunks =
        model.map(|parts| commit_chunk(backend, &bases, generators, &pieces(&parts), blinding.scalar())).collect();
    let commitments = Commitments { chunks };
    card.commitments = commitments.chunks.iter().map(|chunk| groups::write_gt(&chunk.commitment)).collect();
    commitments
}

/// A receipt for the greedy answer to `prompt`, and its card.
pub fn receipt<B: Backend>(
    backend: &B,
    mut card: Card,
    prompt: &[u32],
    outputs: usize,
    seed: u64,
) -> (Vec<u8>, Vec<u8>) {
    let columns = columns(&card, seed);
    let generators: Arc<Generators> = Generators::new(card.chunk_log as usize);
    let model = commit(backend, &generators, &mut card, &columns, "commit");
    let mut tokens = prompt.to_vec();
    tokens.extend(
        infer::generate(&card, &columns, prompt, outputs, &[], |_| std::ops::ControlFlow::Continue(()))
            .expect("an answer"),
    );
    let statement = Statement::new(&card, tokens, prompt.len()).expect("a statement");
    let plan = Plan::new(Program::new(&card, &statement).expect("a program"), card.chunk_log as usize).expect("a plan");
    let trace = infer::trace(&plan.program, &columns).expect("a trace");
    let witness = Witness {
        columns: trace.columns.iter().map(|column| view(column)).collect(),
        leaves: trace.lookups.into_iter().map(Leaves::Rows).collect(),
    };
    let subject = Subject { card: &card, statement: &statement, plan: &plan, model: &model };
    let receipt =
        prove(backend, generators, &subject, witness, Blinding::seeded(b"prove"), &|_| {}).expect("a receipt");
    (card.to_bytes(), receipt)
}
