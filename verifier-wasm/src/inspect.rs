//! Decides what is shown of a card, a receipt and a plan without verifying anything.

use crate::outcome::{hex, refused};
use serde_json::{Map, Value, json};
use zkllm_verifier::card::Card;
use zkllm_verifier::dory;
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{AxisId, Origin, ProductKind, Program, Table};
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::{Refusal, Work};

/// A card's contents, or why it is none.
pub fn card(bytes: &[u8]) -> Value {
    let card = match Card::parse(bytes) {
        Ok(card) => card,
        Err(refusal) => return refused(refusal),
    };
    let precision: Map<String, Value> =
        card.precision.fields().into_iter().map(|(name, bits)| (name.to_string(), json!(bits))).collect();
    json!({
        "verdict": "read",
        "kind": "card",
        "bytes": bytes.len(),
        "name": card.name,
        "fingerprint": hex(&card.fingerprint()),
        "architecture": format!("{:?}", card.architecture).to_lowercase(),
        "layers": card.layers,
        "width": card.width,
        "kvHeads": card.kv_heads,
        "heads": u64::from(card.kv_heads) * u64::from(card.group),
        "headDimension": u64::from(card.pairs) * 2,
        "hidden": card.hidden,
        "vocabulary": card.vocabulary,
        "context": card.context,
        "tied": card.tied,
        "biases": card.biases,
        "rotaryBase": card.rotary_base.to_string(),
        "tokenizer": hex(&card.tokenizer),
        "chunkLog": card.chunk_log,
        "commitments": card.commitments.len(),
        "precision": precision,
    })
}

/// A receipt's contents, or why it is none.
pub fn receipt(bytes: &[u8]) -> Value {
    match Receipt::parse(bytes) {
        Ok(receipt) => json!({
            "verdict": "read",
            "kind": "receipt",
            "bytes": bytes.len(),
            "fingerprint": hex(&receipt.fingerprint),
            "tokens": receipt.tokens,
            "promptLength": receipt.prompt_length,
            "proofBytes": receipt.proof.len(),
        }),
        Err(refusal) => refused(refusal),
    }
}

/// The plan behind a receipt, or why there is none.
pub fn plan(card: &[u8], receipt: &[u8]) -> Value {
    describe(card, receipt).unwrap_or_else(refused)
}

fn describe(card: &[u8], receipt: &[u8]) -> Result<Value, Refusal> {
    let card = Card::parse(card)?;
    let receipt = Receipt::parse(receipt)?;
    let proof_bytes = receipt.proof.len();
    let statement = Statement::new(&card, receipt.tokens, receipt.prompt_length)?;
    let plan = Plan::new(Program::new(&card, &statement)?, card.chunk_log as usize)?;
    let (program, work) = (&plan.program, Work::of(&plan));
    let axes = |axes: &[AxisId]| {
        axes.iter()
            .filter_map(|&axis| program.axes.get(axis))
            .map(|axis| json!([axis.name, axis.length]))
            .collect::<Value>()
    };
    // Floats: a product of lengths may be beyond what JSON's readers hold exactly, and this is for drawing.
    let count = |axes: &[AxisId]| program.lengths(axes).into_iter().map(|length| length as f64).product::<f64>();
    let columns: Value = program.columns.iter().zip(&plan.places).map(|(column, place)| {
        let origin = match column.origin {
            Origin::Model => "model",
            Origin::Witness(_) => "witness",
            Origin::Multiplicity(_) => "multiplicity",
        };
        json!({ "name": column.name, "origin": origin, "axes": axes(&column.axes), "causal": column.causal, "numbers": count(&column.axes), "chunk": place.chunk, "bits": place.bits })
    }).collect();
    let products: Value = program
        .products
        .iter()
        .map(|product| {
            let kind = match product.kind {
                ProductKind::Einsum(_) => "einsum",
                ProductKind::Scores(_) => "scores",
                ProductKind::Rotary(_) => "rotary",
            };
            json!({ "name": product.name, "kind": kind, "axes": axes(&product.axes), "numbers": count(&product.axes) })
        })
        .collect();
    let lookups: Value = program.lookups.iter().map(|lookup| {
        json!({ "name": lookup.name, "table": lookup.table, "axes": axes(&lookup.axes), "causal": lookup.causal, "numbers": count(&lookup.axes) })
    }).collect();
    let tables: Value = program
        .tables
        .iter()
        .map(|table| {
            let kind = match table {
                Table::Range { .. } => "range",
                Table::Exp { .. } => "exp",
                Table::Silu { .. } => "silu",
            };
            json!({ "kind": kind, "bits": table.bits() })
        })
        .collect();
    Ok(json!({
        "verdict": "read",
        "kind": "plan",
        "columns": columns,
        "products": products,
        "lookups": lookups,
        "tables": tables,
        "zeros": program.zeros.len(),
        "leafBits": plan.leaf_bits,
        "chunkLog": plan.chunk_log,
        "modelChunks": plan.model_chunks,
        "witnessChunks": plan.witness_chunks,
        "proofBytes": proof_bytes,
        "openingBytes": dory::proof_length(plan.chunk_log),
        "work": work.units,
        "memory": work.bytes,
    }))
}
