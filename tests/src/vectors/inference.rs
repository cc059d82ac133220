//! Decides the vectors of integer inference: a model's integers and tokens, and the digest of every column they lead to.

use super::{hex, write};
use crate::Case;
use serde_json::json;
use sha3::{Digest, Sha3_256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use zkllm_kernels::Integers;
use zkllm_prover::causal::whole;
use zkllm_prover::infer::interpret::{exists, lookup_values};
use zkllm_prover::infer::{self, Columns, Executor, InferError, Trace};
use zkllm_prover::quantise::Tiny;
use zkllm_verifier::Fr;
use zkllm_verifier::card::{Card, Precision};
use zkllm_verifier::program::{Origin, Program};
use zkllm_verifier::statement::Statement;

/// Models that differ in all that shapes a program.
fn shapes() -> [(&'static str, Tiny); 6] {
    let base = Tiny::default();
    [
        ("grouped-query-tied", base),
        ("grouped-query-untied-biased", Tiny { tied: false, biases: true, ..base }),
        ("one-head-one-layer", Tiny { layers: 1, kv_heads: 1, group: 1, pairs: 1, width: 3, hidden: 5, ..base }),
        ("one-query-per-key-biased", Tiny { layers: 2, kv_heads: 3, group: 1, pairs: 2, biases: true, ..base }),
        ("narrow-digits", Tiny { layers: 2, digit_bits: 4, vocabulary: 11, ..base }),
        ("wide-digits-untied", Tiny { layers: 5, kv_heads: 1, group: 2, width: 9, digit_bits: 9, tied: false, ..base }),
    ]
}

/// Every case.
pub fn generate(folder: &Path) -> io::Result<()> {
    for (seed, (name, shape)) in shapes().into_iter().enumerate() {
        let prompt: Vec<u32> = (0..4).map(|step| (seed as u32 + step * 3) % shape.vocabulary as u32).collect();
        let case = Case::new(shape, seed as u64, &prompt, 3);
        model(&folder.join(name), &case.card, &case.columns, &case.statement, &case.trace)?;
    }
    let shape =
        Tiny { layers: 2, kv_heads: 1, group: 2, pairs: 1, width: 5, hidden: 7, vocabulary: 11, ..Tiny::default() };
    let Case { card, columns, statement, .. } = Case::new(shape, 9, &[2, 7, 1], 3);
    let mut tokens = statement.tokens().to_vec();
    tokens[4] = (tokens[4] + 1) % card.vocabulary;
    let edited = Statement::new(&card, tokens, 3).expect("a statement");
    no_proof(&folder.join("another-token"), &card, &columns, &edited)?;
    let fields: [(&str, fn(&mut Precision) -> &mut u32); 6] = [
        ("value-out-of-range", |p| &mut p.value_bits),
        ("attention-out-of-range", |p| &mut p.attention_bits),
        ("gap-without-row", |p| &mut p.gap_bits),
        ("gate-without-row", |p| &mut p.gate_bits),
        ("up-out-of-range", |p| &mut p.up_bits),
        ("margin-out-of-range", |p| &mut p.logit_width),
    ];
    for (name, field) in fields {
        let mut card = card.clone();
        // The widest range that does not hold.
        while infer::trace(&Program::new(&card, &statement).expect("a program"), &columns).is_ok() {
            *field(&mut card.precision) -= 1;
        }
        no_proof(&folder.join(name), &card, &columns, &statement)?;
    }
    Ok(())
}

/// The case of one inference.
pub fn model(folder: &Path, card: &Card, columns: &Columns, statement: &Statement, trace: &Trace) -> io::Result<()> {
    let program = Program::new(card, statement).expect("a program");
    inputs(folder, card, columns, statement)?;
    let mut expected = String::from("{\n  \"outcome\": \"accept\",\n  \"columns\": {");
    let mut comma = "";
    for (column, values) in program.columns.iter().zip(trace.whole(&program)) {
        if !matches!(column.origin, Origin::Model) {
            let _ = write!(expected, "{comma}\n    \"{}\": \"{}\"", column.name, digest(&values));
            comma = ",";
        }
    }
    let first = statement.prompt_length() - 1;
    let logits = infer::logits(card, columns, statement.tokens()).expect("logits").split_off(first);
    let next: Vec<usize> = logits
        .iter()
        .map(|row| (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best }))
        .collect();
    let logits = digest(&Integers::I64(logits.concat()));
    let _ = write!(expected, "\n  }},\n  \"logits_sha3\": \"{logits}\",\n  \"next_tokens\": {}\n}}\n", json!(next));
    write(&folder.join("expected.json"), expected)
}

/// The case of an inference that has no proof: the one lookup that does not hold.
fn no_proof(folder: &Path, card: &Card, columns: &Columns, statement: &Statement) -> io::Result<()> {
    inputs(folder, card, columns, statement)?;
    let program = Program::new(card, statement).expect("a program");
    let lookup = broken(&program, columns);
    let expected = json!({ "outcome": "no-proof", "lookup": lookup, "site": program.lookups[lookup].name });
    write(&folder.join("expected.json"), format!("{expected:#}\n"))
}

/// The number of the lookup that fails somewhere.
fn broken(program: &Program, columns: &Columns) -> usize {
    let mut executor = Executor::new(infer::ON_CPU, program.clone(), columns).expect("an executor");
    match executor.run_all() {
        // A column would be filled with an output of a row that does not exist.
        Err(InferError::OutOfRange { site, .. }) => {
            return program.lookups.iter().position(|lookup| lookup.name == site).expect("a lookup of that name");
        }
        other => other.expect("columns"),
    }
    let column = |id: usize| whole(program, &program.columns[id], &executor.column(id).expect("a column"));
    let values: Vec<Integers> = (0..program.columns.len()).map(column).collect();
    let fails = |lookup: &zkllm_verifier::program::Lookup| {
        let outputs = program.tables[lookup.table].outputs();
        let count = program.lengths(&lookup.axes).iter().product();
        (0..count).filter(|&at| exists(program, &lookup.axes, lookup.causal, at)).any(|at| {
            let values = lookup_values(program, &values[..], lookup, at);
            let row = (0..1u64 << program.tables[lookup.table].bits()).find(|&row| values[0] == Fr::from(row));
            row.is_none_or(|row| values[1..].iter().zip(&outputs).any(|(v, out)| *v != Fr::from(out[row as usize])))
        })
    };
    let broken: Vec<usize> = (0..program.lookups.len()).filter(|&id| fails(&program.lookups[id])).collect();
    assert_eq!(broken.len(), 1, "not one lookup fails: {broken:?}");
    broken[0]
}

/// The case of a folder: the columns have their digests, or the inference has no proof.
pub fn check(folder: &Path) {
    let read = |name: &str| fs::read(folder.join(name)).expect("a file");
    let json = |name: &str| serde_json::from_slice::<serde_json::Value>(&read(name)).expect("JSON");
    let (tokens, expected) = (json("tokens.json"), json("expected.json"));
    let card = Card::parse(&read("model.card")).expect("a card");
    let list = tokens["tokens"].as_array().expect("a list").iter().map(|token| token.as_u64().expect("a token") as u32);
    let prompt = tokens["prompt_len"].as_u64().expect("a number") as usize;
    let statement = Statement::new(&card, list.collect(), prompt).expect("a statement");
    let program = Program::new(&card, &statement).expect("a program");
    let bytes = read("model.columns");
    let mut rest = bytes.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().expect("eight")));
    let mut columns = Columns::new();
    for column in program.columns.iter().filter(|column| matches!(column.origin, Origin::Model)) {
        let count = program.lengths(&column.axes).iter().product();
        columns.insert(&column.name, Integers::narrowed(rest.by_ref().take(count).collect()));
    }
    assert_eq!(rest.next(), None, "{}", folder.display());
    if expected["outcome"] == "no-proof" {
        assert!(infer::trace(&program, &columns).is_err(), "{}", folder.display());
        assert_eq!(expected["lookup"], broken(&program, &columns), "{}", folder.display());
        return;
    }
    let trace = infer::trace(&program, &columns).expect("an inference");
    for (column, values) in program.columns.iter().zip(trace.whole(&program)) {
        if !matches!(column.origin, Origin::Model) {
            assert_eq!(expected["columns"][&column.name], digest(&values), "{} in {}", column.name, folder.display());
        }
    }
}

/// What an implementation is given.
fn inputs(folder: &Path, card: &Card, columns: &Columns, statement: &Statement) -> io::Result<()> {
    write(&folder.join("model.card"), card.to_bytes())?;
    let tokens = json!({ "tokens": statement.tokens(), "prompt_len": statement.prompt_length() });
    write(&folder.join("tokens.json"), format!("{tokens}\n"))?;
    fs::create_dir_all(folder)?;
    let mut file = BufWriter::new(File::create(folder.join("model.columns"))?);
    let program = Program::new(card, statement).expect("a program");
    for column in program.columns.iter().filter(|column| matches!(column.origin, Origin::Model)) {
        let values = columns.column(&column.name).expect("a column of the model");
        assert_eq!(values.len(), program.lengths(&column.axes).iter().product::<usize>());
        for at in 0..values.len() {
            file.write_all(&values.get(at).to_le_bytes())?;
        }
    }
    file.flush()
}

/// SHA3-256 of the integers as 64-bit little-endian numbers.
fn digest(values: &Integers) -> String {
    let mut hash = Sha3_256::new();
    for at in 0..values.len() {
        hash.update(values.get(at).to_le_bytes());
    }
    hex(&hash.finalize())
}
