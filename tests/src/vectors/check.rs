//! Decides what the verifier says to a case of any subject: what an implementation in another language has to do too.

use super::programs;
use ark_ff::PrimeField;
use serde_json::Value;
use sha3::{Digest, Sha3_256};
use std::fs;
use std::path::Path;
use zkllm_prover::commit::setup::{hash_g1, hash_g2};
use zkllm_verifier::arith::tables;
use zkllm_verifier::card::Card;
use zkllm_verifier::channel::{Ask, Channel, Reader};
use zkllm_verifier::dory::{self, Setup};
use zkllm_verifier::drive::{PROTOCOL, drive, transcript};
use zkllm_verifier::ledger::{Form, Ledger};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{Program, Table};
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::transcript::Transcript;
use zkllm_verifier::{Fr, Refusal, groups, verify};

/// The code of cases whose value is another than the specification's; no verifier says it.
pub const WRONG_VALUE: &str = "wrong-value";

/// The outcome of a case: no code, or the code it is refused with.
pub fn code(subject: &str, folder: &Path, case: &Value) -> Option<&'static str> {
    let outcome = match subject {
        "transcript" => return talk(folder, case),
        "hash-to-curve" => return hashed(case),
        "tables" => return table(case),
        "card" => return card(folder, case),
        "ledger" => ledger(folder, case),
        "dory" => opened(folder, case),
        "program" => program(folder, case).check(),
        "sumcheck" | "tlookup" => proved(folder, case),
        "receipt" => verify(&bytes(folder, &case["card"]), &bytes(folder, &case["receipt"])).map(|_| ()),
        other => panic!("no subject {other}"),
    };
    outcome.err().map(Refusal::code)
}

/// `accept`, `refuse` or `unusable`.
pub fn outcome(code: Option<&str>) -> &'static str {
    let refusal = Refusal::ALL.iter().find(|refusal| Some(refusal.code()) == code);
    match (code, refusal) {
        (None, _) => "accept",
        (_, Some(refusal)) if refusal.is_unusable() => "unusable",
        _ => "refuse",
    }
}

/// Bytes: as hexadecimal, or a file with patches `[at, delete, insert]`, applied one after the other.
pub fn bytes(folder: &Path, value: &Value) -> Vec<u8> {
    if let Some(text) = value.as_str() {
        return unhex(text);
    }
    let mut bytes = fs::read(folder.join(value["file"].as_str().expect("a file"))).expect("a file");
    for patch in value["patches"].as_array().expect("patches") {
        let (at, delete) = (number(&patch[0]), number(&patch[1]));
        bytes.splice(at..at + delete, unhex(patch[2].as_str().expect("bytes")));
    }
    bytes
}

/// Reads hexadecimal.
pub fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal")).collect()
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a number") as usize
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn element<const N: usize>(value: &Value) -> [u8; N] {
    unhex(text(value)).try_into().expect("an element's length")
}

fn scalar(value: &Value) -> Fr {
    Fr::from_le_bytes_mod_order(&unhex(text(value)))
}

/// A transcript that has absorbed a case's card and statement.
fn start(folder: &Path, case: &Value) -> Transcript {
    let mut transcript = Transcript::new(PROTOCOL);
    transcript.absorb("card", &bytes(folder, &case["card"]));
    transcript.absorb("statement", &bytes(folder, &case["statement"]));
    transcript
}

fn talk(folder: &Path, case: &Value) -> Option<&'static str> {
    let proof = bytes(folder, &case["proof"]);
    let mut reader = Reader::new(&proof, start(folder, case));
    for step in list(&case["steps"]) {
        let label = || -> &'static str { Box::leak(text(&step[1]).to_string().into_boxed_str()) };
        let ask = Ask::SchnorrBlinding { challenge: Fr::from(0) };
        let read = match text(&step[0]) {
            "absorb" => {
                reader.absorb(label(), &unhex(text(&step[2])));
                Ok(())
            }
            "challenge" if reader.challenge(label()) != scalar(&step[2]) => return Some(WRONG_VALUE),
            "challenge" => Ok(()),
            "scalar" => reader.scalar(ask).map(|_| ()),
            "g1" => reader.g1(ask).map(|_| ()),
            "g2" => reader.g2(ask).map(|_| ()),
            "gt" => reader.gt(ask).map(|_| ()),
            other => panic!("no step {other}"),
        };
        if let Err(refusal) = read {
            return Some(refusal.code());
        }
    }
    reader.finish().err().map(Refusal::code)
}

fn hashed(case: &Value) -> Option<&'static str> {
    let (name, index) = (text(&case["name"]), number(&case["number"]) as u32);
    let point = match text(&case["group"]) {
        "g1" => groups::write_g1(&hash_g1(name, index)).to_vec(),
        _ => groups::write_g2(&hash_g2(name, index)).to_vec(),
    };
    (point != unhex(text(&case["point"]))).then_some(WRONG_VALUE)
}

/// A table from its kind and parameters.
pub fn read_table(value: &Value) -> Table {
    let field = |name: &str| number(&value[name]) as u32;
    match text(&value["kind"]) {
        "range" => Table::Range { bits: field("bits") },
        "exp" => Table::Exp { bits: field("bits"), fraction: field("fraction"), precision: field("precision") },
        _ => Table::Silu { bits: field("bits"), fraction: field("fraction"), out: field("out") },
    }
}

/// The columns of a case's table.
pub fn outputs(table: &Value) -> Result<Vec<Vec<i64>>, Refusal> {
    if table["kind"] == "rotary" {
        let field = |name: &str| number(&table[name]);
        let rows =
            tables::rotary(field("length"), field("pairs"), field("base") as u64, field("fraction") as u32).concat();
        return Ok(vec![rows.iter().map(|pair| pair.0).collect(), rows.iter().map(|pair| pair.1).collect()]);
    }
    let table = read_table(table);
    if table.is_representable() { Ok(table.outputs()) } else { Err(Refusal::BadCard) }
}

fn table(case: &Value) -> Option<&'static str> {
    let outputs = match outputs(&case["table"]) {
        Ok(outputs) => outputs,
        Err(refusal) => return Some(refusal.code()),
    };
    let same = match case.get("outputs") {
        Some(claimed) => *claimed == serde_json::json!(outputs),
        None => text(&case["outputs_sha3"]) == digest(&outputs),
    };
    (!same).then_some(WRONG_VALUE)
}

/// SHA3-256 of columns of integers as 64-bit little-endian numbers, one column after the other.
pub fn digest(columns: &[Vec<i64>]) -> String {
    let bytes: Vec<u8> = columns.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    super::hex(&Sha3_256::digest(bytes))
}

fn card(folder: &Path, case: &Value) -> Option<&'static str> {
    match Card::parse(&bytes(folder, &case["card"])) {
        Err(refusal) => Some(refusal.code()),
        Ok(card) => (fields(&card) != case["fields"]).then_some(WRONG_VALUE),
    }
}

/// What a card says.
pub fn fields(card: &Card) -> Value {
    let mut fields = serde_json::json!({
        "name": card.name, "layers": card.layers, "width": card.width, "kv_heads": card.kv_heads, "group": card.group,
        "pairs": card.pairs, "hidden": card.hidden, "vocabulary": card.vocabulary, "context": card.context,
        "tied": card.tied, "biases": card.biases, "rotary_base": card.rotary_base, "epsilon": card.epsilon,
        "tokenizer": super::hex(&card.tokenizer), "chunk_log": card.chunk_log,
        "commitments": card.commitments.len(), "fingerprint": super::hex(&card.fingerprint()),
    });
    for (name, value) in card.precision.fields() {
        fields[name] = value.into();
    }
    fields
}

fn form(value: &Value) -> Form {
    let terms = list(&value["terms"]).iter().map(|term| (number(&term[0]), scalar(&term[1])));
    Form { constant: scalar(&value["constant"]), terms: terms.collect() }
}

/// The ledger of a case over any channel.
pub fn close(case: &Value, channel: &mut impl Channel) -> Result<(), Refusal> {
    let setup = Setup::shipped(1)?;
    let mut ledger = Ledger::default();
    for count in list(&case["slots"]) {
        ledger.slots(channel, Ask::Products(&[]), number(count))?;
    }
    for zero in list(&case["zeros"]) {
        ledger.zero("zero", form(zero));
    }
    for gate in list(&case["gates"]) {
        ledger.gate("gate", form(&gate[0]), form(&gate[1]), form(&gate[2]));
    }
    ledger.close(channel, setup.ledger_generators())
}

fn ledger(folder: &Path, case: &Value) -> Result<(), Refusal> {
    let proof = bytes(folder, &case["proof"]);
    let mut reader = Reader::new(&proof, start(folder, case));
    close(case, &mut reader)?;
    reader.finish()
}

/// The opening of a case over any channel.
pub fn open(case: &Value, channel: &mut impl Channel) -> Result<(), Refusal> {
    let s = number(&case["s"]);
    let setup = Setup::shipped(dory::MAX_LOG)?;
    let generators = setup.ledger_generators();
    let commitment = groups::read_gt(&element(&case["commitment"]))?;
    let link = groups::read_g1(&element(&case["link"]))?;
    let point = |name: &str| list(&case[name]).iter().map(scalar).collect::<Vec<_>>();
    let link_generators = (generators.g[0], generators.h);
    dory::open(channel, &setup, s, commitment, &point("rows"), &point("columns"), link, link_generators)
}

fn opened(folder: &Path, case: &Value) -> Result<(), Refusal> {
    let proof = bytes(folder, &case["proof"]);
    let mut reader = Reader::new(&proof, start(folder, case));
    open(case, &mut reader)?;
    reader.finish()
}

/// A program that is no card's.
fn program(folder: &Path, case: &Value) -> Program {
    let bytes = fs::read(folder.join(text(&case["program"]))).expect("a program");
    programs::read(&serde_json::from_slice(&bytes).expect("a program"))
}

/// A receipt for a program that is no card's.
fn proved(folder: &Path, case: &Value) -> Result<(), Refusal> {
    let card = Card::parse(&bytes(folder, &case["card"]))?;
    let receipt = bytes(folder, &case["receipt"]);
    let receipt = Receipt::parse(&receipt)?;
    let statement = Statement::new(&card, receipt.tokens, receipt.prompt_length)?;
    let plan = Plan::new(program(folder, case), card.chunk_log as usize)?;
    let mut reader = Reader::new(receipt.proof, transcript(&card, &statement));
    drive(&plan, &card, &Setup::shipped(plan.chunk_log)?, &mut reader)?;
    reader.finish()
}
