//! Decides the vectors of cards and receipts, and those of receipts for small programs that are no card's: one argument each.

use super::mutations::{self, Element, Patch};
use super::{case, check, programs as json_programs, write};
use crate::Case;
use crate::channels::Recorder;
use crate::forge::{exists, integer, unravel};
use serde_json::{Value, json};
use sha3::{Digest, Sha3_256};
use std::io;
use std::iter::zip;
use std::path::Path;
use std::sync::Arc;
use zkllm_kernels::{Backend, Cpu, Integers, Numbers};
use zkllm_prover::causal::side;
use zkllm_prover::commit::setup::Generators;
use zkllm_prover::commit::{Commitments, commit_chunk};
use zkllm_prover::infer::interpret::{lookup_values, zero_value};
use zkllm_prover::prove::blinding::Blinding;
use zkllm_prover::prove::{Leaves, Subject, Witness, attempt, chunks, pieces};
use zkllm_prover::quantise::{Tiny, tiny};
use zkllm_verifier::card::Card;
use zkllm_verifier::channel::Reader;
use zkllm_verifier::dory::Setup;
use zkllm_verifier::drive::{drive, transcript};
use zkllm_verifier::groups;
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::{
    AxisId, Builder, ColumnId, Index, Origin, ProductKind, Program, Rotary, Rule, Source, Sum, Table, Zero,
};
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;

use Index::{All, At, Before, Pick};

/// The least model that has everything.
const LEAST: Tiny = Tiny {
    layers: 1,
    width: 3,
    kv_heads: 1,
    group: 1,
    pairs: 1,
    hidden: 3,
    vocabulary: 5,
    tied: true,
    biases: false,
    digit_bits: 6,
};

/// A model with chunks of `2^chunk_log` rows, its greedy answer and the blinding of its receipt.
fn model(shape: Tiny, seed: u64, name: &str, chunk_log: u32, prompt: &[u32], outputs: usize) -> Case {
    let (card, columns) = tiny(seed, shape).expect("a model");
    Case::of(Card { name: name.to_string(), chunk_log, ..card }, columns, prompt, outputs)
}

fn file(name: &str, patches: &[Patch]) -> Value {
    json!({ "file": name, "patches": mutations::json(patches) })
}

/// Writes card and receipt, and their case.
fn accepted(folder: &Path, name: &str, case: &Case) -> io::Result<Vec<u8>> {
    let receipt = case.receipt(name);
    write(&folder.join(name).join("model.card"), case.card.to_bytes())?;
    write(&folder.join(name).join("answer.receipt"), &receipt)?;
    let value = json!({ "card": file("model.card", &[]), "receipt": file("answer.receipt", &[]) });
    super::case(folder, name, value, true)?;
    Ok(receipt)
}

/// The elements of the proof in a receipt.
fn listed(card: &Card, statement: &Statement, plan: &Plan, receipt: &[u8]) -> Vec<Element> {
    let proof = Receipt::parse(receipt).expect("a receipt").proof;
    let setup = Setup::shipped(plan.chunk_log).expect("constants");
    let mut recorder = Recorder::new(Reader::new(proof, transcript(card, statement)));
    drive(plan, card, &setup, &mut recorder).expect("an honest proof");
    mutations::elements(receipt.len() - proof.len(), &recorder.messages)
}

/// Receipts of models.
pub fn receipts(folder: &Path) -> io::Result<()> {
    let honest = model(LEAST, 1, "least", 4, &[1, 3], 2);
    let receipt = accepted(folder, "honest", &honest)?;
    let untied = Tiny { layers: 2, kv_heads: 2, group: 2, width: 5, tied: false, biases: true, ..LEAST };
    accepted(folder, "grouped-query-untied-biased", &model(untied, 2, "", 5, &[0, 1, 2, 3], 3))?;
    let deep = Tiny { layers: 3, width: 4, vocabulary: 16, hidden: 4, digit_bits: 9, ..LEAST };
    accepted(folder, "three-layers-no-padding", &model(deep, 3, "Größe ☃", 5, &[9, 1, 15], 1))?;
    accepted(folder, "one-token-answers-one", &model(LEAST, 4, "x", 3, &[4], 1))?;

    let refused = |name: &str, card: &[Patch], receipt: &[Patch]| {
        let value =
            json!({ "card": file("../honest/model.card", card), "receipt": file("../honest/answer.receipt", receipt) });
        case(folder, name, value, false)
    };
    let elements = listed(&honest.card, &honest.statement, &honest.plan, &receipt);
    for (name, patches) in mutations::all(&receipt, &elements) {
        refused(&name, &[], &patches)?;
    }
    // One element of each question, changed to its neighbour of the same kind.
    let mut asked: Vec<&str> = Vec::new();
    for pair in elements.windows(2) {
        let [element, next] = pair else { continue };
        let read = |element: &Element| receipt[element.at..element.at + element.length].to_vec();
        if element.length == next.length && read(element) != read(next) && !asked.contains(&element.ask.as_str()) {
            asked.push(&element.ask);
            refused(
                &format!("{}-is-the-next-message", kebab(&element.ask)),
                &[],
                &[(element.at, element.length, read(next))],
            )?;
        }
    }
    headers(&refused, &honest, &receipt)?;
    bound_cards(&refused, &honest)?;
    false_witnesses(folder, &honest)
}

fn kebab(name: &str) -> String {
    let letter = |(at, c): (usize, char)| {
        let dash = if at > 0 && c.is_uppercase() { "-" } else { "" };
        format!("{dash}{}", c.to_lowercase())
    };
    name.chars().enumerate().map(letter).collect()
}

type Refused<'a> = dyn Fn(&str, &[Patch], &[Patch]) -> io::Result<()> + 'a;

/// Receipts that say something else before the proof.
fn headers(refused: &Refused<'_>, honest: &Case, receipt: &[u8]) -> io::Result<()> {
    let number = |at: usize, value: u32| vec![(at, 4, value.to_le_bytes().to_vec())];
    let tokens = honest.statement.tokens();
    let token = |at: usize, value: u32| number(50 + 4 * at, value);
    refused("receipt-of-nothing", &[], &[(0, receipt.len(), Vec::new())])?;
    refused("receipt-of-another-magic", &[], &[(7, 1, b"Q".to_vec())])?;
    refused("receipt-of-version-0", &[], &[(8, 2, vec![0, 0])])?;
    refused("receipt-of-version-2", &[], &[(8, 2, vec![2, 0])])?;
    refused("receipt-of-another-card", &[], &[(10, 1, vec![receipt[10] ^ 1])])?;
    refused("fingerprint-cut", &[], &[(41, receipt.len() - 41, Vec::new())])?;
    refused("tokens-cut", &[], &[(53, receipt.len() - 53, Vec::new())])?;
    refused("more-tokens-than-any-statement", &[], &number(42, (1 << 16) + 1))?;
    refused("more-tokens-than-bytes", &[], &number(42, 1 << 16))?;
    refused("no-prompt", &[], &number(46, 0))?;
    refused("prompt-of-all-tokens", &[], &number(46, tokens.len() as u32))?;
    refused("prompt-of-more-than-all-tokens", &[], &number(46, u32::MAX))?;
    refused("prompt-one-shorter", &[], &number(46, 1))?;
    refused("prompt-one-longer", &[], &number(46, 3))?;
    let more: Vec<u8> = (tokens.len()..65).flat_map(|_| 0u32.to_le_bytes()).collect();
    let end = 50 + 4 * tokens.len();
    refused("more-tokens-than-the-context", &[], &[number(42, 65)[0].clone(), (end, 0, more)])?;
    refused("token-outside-the-vocabulary", &[], &token(0, 5))?;
    refused("token-of-all-ones", &[], &token(3, u32::MAX))?;
    refused("another-prompt-token", &[], &token(0, (tokens[0] + 1) % 5))?;
    refused("another-answer", &[], &token(2, (tokens[2] + 1) % 5))?;
    refused("another-last-token", &[], &token(3, (tokens[3] + 1) % 5))?;
    refused("a-token-less", &[], &[number(42, 3)[0].clone(), (end - 4, 4, Vec::new())])?;
    refused("a-token-more", &[], &[number(42, 5)[0].clone(), (end, 0, 0u32.to_le_bytes().to_vec())])
}

/// Cards that say something else, with receipts that name them.
fn bound_cards(refused: &Refused<'_>, honest: &Case) -> io::Result<()> {
    let bound = |name: &str, change: &dyn Fn(&mut Card)| {
        let mut card = honest.card.clone();
        change(&mut card);
        let (old, new) = (honest.card.to_bytes(), card.to_bytes());
        // One patch: from the first byte that differs to the last.
        let same = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
        let head = same(&old, &new);
        let reversed = |bytes: &[u8]| bytes[head..].iter().rev().copied().collect::<Vec<_>>();
        let tail = same(&reversed(&old), &reversed(&new));
        let patch = (head, old.len() - head - tail, new[head..new.len() - tail].to_vec());
        refused(name, &[patch], &[(10, 32, Sha3_256::digest(&new).to_vec())])
    };
    refused("card-changed-under-its-receipt", &[(12, 1, b"L".to_vec())], &[])?;
    bound("card-of-another-name", &|card| card.name = "lease".into())?;
    bound("card-of-another-epsilon", &|card| card.epsilon += 1)?;
    bound("card-of-no-epsilon", &|card| card.epsilon = 0)?;
    bound("card-of-another-base", &|card| card.rotary_base += 1)?;
    bound("card-of-another-tokenizer", &|card| card.tokenizer[0] ^= 1)?;
    bound("card-of-two-layers", &|card| card.layers = 2)?;
    bound("card-of-another-width", &|card| card.width = 4)?;
    bound("card-of-a-large-width", &|card| card.width = 1 << 17)?;
    bound("card-of-biases", &|card| card.biases = true)?;
    bound("card-of-an-untied-head", &|card| card.tied = false)?;
    bound("card-of-a-shorter-context", &|card| card.context = 3)?;
    bound("card-of-a-longer-context", &|card| card.context = 128)?;
    bound("card-of-more-pairs-than-a-table", &|card| card.pairs = (1 << 17) - 1)?;
    bound("card-without-commitments", &|card| card.commitments.clear())?;
    bound("card-with-a-commitment-more", &|card| card.commitments.push(card.commitments[0]))?;
    bound("card-with-another-commitment", &|card| {
        let generator = groups::read_gt(&card.commitments[0]).expect("an element");
        card.commitments[0] = groups::write_gt(&(generator + generator));
    })?;
    bound("card-with-a-commitment-outside-the-group", &|card| card.commitments[0] = [1; 192])?;
    bound("card-with-a-commitment-that-is-not-reduced", &|card| card.commitments[0] = [255; 192])?;
    bound("card-of-larger-chunks", &|card| card.chunk_log += 1)?;
    bound("card-of-chunks-too-small", &|card| card.chunk_log = 1)?;
    bound("card-of-digits-of-no-bits", &|card| card.precision.digit_bits = 0)?;
    bound("card-of-digits-of-too-many-bits", &|card| card.precision.digit_bits = 21)?;
    bound("card-of-a-shift-of-0", &|card| card.precision.norm_shift = 0)?;
    bound("card-that-shifts-up", &|card| card.precision.gate_fraction = 100)?;
    bound("card-that-could-wrap", &|card| card.precision.inverse_bits = 100)?;
    bound("card-of-a-wide-norm", &|card| card.precision.norm_shift = 60)?;
    bound("card-of-a-narrow-margin", &|card| card.precision.logit_width -= 1)?;
    bound("card-of-a-wide-gap", &|card| card.precision.gap_bits = 21)?;
    bound("card-of-a-gate-of-no-bits", &|card| card.precision.gate_bits = 0)?;
    bound("card-of-a-range-of-no-bits", &|card| card.precision.value_bits = 0)?;
    bound("card-of-too-fine-angles", &|card| card.precision.rotary_fraction = 31)?;
    let other = model(LEAST, 5, "least", 4, &[1, 3], 2);
    bound("card-of-another-model", &|card| *card = other.card.clone())?;
    too_much_work(refused, honest)
}

/// A card of sizes that are each allowed, and a statement of 32 tokens about it.
fn too_much_work(refused: &Refused<'_>, honest: &Case) -> io::Result<()> {
    let mut card = honest.card.clone();
    (card.width, card.kv_heads, card.pairs, card.hidden) = (30, 996, 1 << 17, 32_112);
    (card.vocabulary, card.chunk_log, card.precision.digit_bits) = (1 << 20, 14, 4);
    (card.precision.gap_bits, card.precision.gate_bits) = (20, 20);
    let (old, new) = (honest.card.to_bytes(), card.to_bytes());
    let tokens = honest.statement.tokens().len();
    let receipt = [
        (10, 32, Sha3_256::digest(&new).to_vec()),
        (42, 4, 32u32.to_le_bytes().to_vec()),
        (50 + 4 * tokens, 0, vec![0; 4 * (32 - tokens)]),
    ];
    refused("card-of-too-much-work", &[(0, old.len(), new)], &receipt)
}

/// Proofs that are well made but for a witness that is false.
fn false_witnesses(folder: &Path, honest: &Case) -> io::Result<()> {
    for name in ["down", "attention", "exp", "gate", "final_norm", "multiplicity0"] {
        let mut cells = honest.cells();
        let column = honest.column(name);
        let value = cells[column].get(0);
        cells[column].set(0, value + 1);
        let leaves = honest.trace.lookups.iter().cloned().map(Leaves::Rows).collect();
        let witness = Witness { columns: cells.iter().map(Integers::view).collect(), leaves };
        let backend = Cpu;
        let (receipt, ..) =
            attempt(&backend, honest.generators(), &honest.subject(), witness, Blinding::seeded(b"false"), &|_| {});
        let name = format!("false-{}", name.replace('_', "-"));
        write(&folder.join(&name).join("answer.receipt"), receipt)?;
        let value = json!({ "card": file("../honest/model.card", &[]), "receipt": file("answer.receipt", &[]) });
        case(folder, &name, value, false)?;
    }
    Ok(())
}

/// Cards.
pub fn cards(folder: &Path) -> io::Result<()> {
    let honest = model(LEAST, 1, "least", 4, &[1, 3], 2).card;
    write(&folder.join("honest/model.card"), honest.to_bytes())?;
    case(folder, "honest", json!({ "card": file("model.card", &[]), "fields": check::fields(&honest) }), true)?;
    let changed: [(&str, fn(&mut Card)); 9] = [
        ("no-name", |card| card.name.clear()),
        ("a-name-of-128-bytes", |card| card.name = "n".repeat(128)),
        ("a-name-in-another-script", |card| card.name = "模型 ☃ Größe".into()),
        ("a-name-from-right-to-left", |card| card.name = "דגם 2 نموذج".into()),
        ("no-commitments", |card| card.commitments.clear()),
        ("the-greatest-sizes", |card| {
            (card.layers, card.width, card.hidden, card.vocabulary, card.context) =
                (1 << 10, 1 << 17, 1 << 17, 1 << 20, 1 << 16);
            (card.kv_heads, card.group, card.pairs) = (1 << 17, 1 << 17, 1 << 17);
        }),
        ("the-greatest-numbers", |card| (card.rotary_base, card.epsilon) = (u64::MAX, u64::MAX)),
        ("no-epsilon", |card| card.epsilon = 0),
        ("commitments-that-are-no-elements", |card| card.commitments[0] = [255; 192]),
    ];
    for (name, change) in changed {
        let mut card = honest.clone();
        change(&mut card);
        write(&folder.join(name).join("model.card"), card.to_bytes())?;
        case(folder, name, json!({ "card": file("model.card", &[]), "fields": check::fields(&card) }), true)?;
    }
    let bytes = honest.to_bytes();
    let name = usize::from(bytes[11]);
    let (sizes, flags) = (12 + name, 12 + name + 32);
    let (precision, tail) = (flags + 18, flags + 18 + 31);
    let u32s = |value: u32| value.to_le_bytes().to_vec();
    let mut broken: Vec<(String, Patch)> = vec![
        ("of-nothing".into(), (0, bytes.len(), Vec::new())),
        ("of-another-magic".into(), (7, 1, b"P".to_vec())),
        ("of-version-0".into(), (8, 2, vec![0, 0])),
        ("of-version-2".into(), (8, 2, vec![2, 0])),
        ("of-version-257".into(), (8, 2, vec![1, 1])),
        ("of-architecture-0".into(), (10, 1, vec![0])),
        ("of-architecture-2".into(), (10, 1, vec![2])),
        ("a-name-of-129-bytes".into(), (11, 1 + name, [vec![129], vec![b'n'; 129]].concat())),
        ("a-name-that-is-no-utf-8".into(), (12, 1, vec![0xff])),
        ("a-name-of-an-overlong-letter".into(), (12, 2, vec![0xc1, 0xa1])),
        ("a-name-with-a-line-break".into(), (12, 1, vec![b'\n'])),
        ("a-name-with-a-c1-control".into(), (12, 2, vec![0xc2, 0x85])),
        ("a-name-with-a-soft-hyphen".into(), (12, 2, vec![0xc2, 0xad])),
        ("a-name-with-a-zero-width-space".into(), (12, 3, vec![0xe2, 0x80, 0x8b])),
        ("a-name-that-turns-right-to-left".into(), (12, 3, vec![0xe2, 0x80, 0xae])),
        ("a-name-with-a-byte-order-mark".into(), (12, 3, vec![0xef, 0xbb, 0xbf])),
        ("a-name-that-begins-with-a-space".into(), (12, 1, b" ".to_vec())),
        ("a-name-that-ends-with-a-space".into(), (16, 1, b" ".to_vec())),
        ("a-name-with-two-spaces".into(), (13, 2, b"  ".to_vec())),
        ("tied-is-2".into(), (flags, 1, vec![2])),
        ("biases-is-255".into(), (flags + 1, 1, vec![255])),
        ("a-precision-of-101".into(), (precision, 1, vec![101])),
        ("the-last-precision-of-255".into(), (precision + 30, 1, vec![255])),
        ("chunks-of-one-entry".into(), (tail + 32, 1, vec![0])),
        ("chunks-over-the-limit".into(), (tail + 32, 1, vec![17])),
        ("more-commitments-than-any-card".into(), (tail + 33, 2, vec![1, 4])),
        ("more-commitments-than-bytes".into(), (tail + 33, 2, vec![0, 4])),
        ("last-byte-missing".into(), (bytes.len() - 1, 1, Vec::new())),
        ("cut-in-the-sizes".into(), (sizes + 6, bytes.len() - sizes - 6, Vec::new())),
        ("byte-after-the-end".into(), (bytes.len(), 0, vec![0])),
        ("a-commitment-after-the-last".into(), (bytes.len(), 0, vec![0; 192])),
    ];
    // A character of every range, and of every way of being invisible.
    for c in [
        '\u{7f}',
        '\u{a0}',
        '\u{34f}',
        '\u{605}',
        '\u{61c}',
        '\u{6dd}',
        '\u{70f}',
        '\u{891}',
        '\u{8e2}',
        '\u{115f}',
        '\u{1160}',
        '\u{1680}',
        '\u{17b5}',
        '\u{180e}',
        '\u{2000}',
        '\u{200d}',
        '\u{2029}',
        '\u{202f}',
        '\u{2066}',
        '\u{2800}',
        '\u{3000}',
        '\u{3164}',
        '\u{e000}',
        '\u{fdd0}',
        '\u{fe0f}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{fffe}',
        '\u{110bd}',
        '\u{110cd}',
        '\u{13430}',
        '\u{16fe4}',
        '\u{1bca0}',
        '\u{1d159}',
        '\u{1d173}',
        '\u{1ffff}',
        '\u{2fffe}',
        '\u{3ffff}',
        '\u{e0041}',
        '\u{e0100}',
        '\u{10ffff}',
    ] {
        let bytes = c.to_string().into_bytes();
        broken.push((format!("a-name-with-u-{:04x}", u32::from(c)), (12, bytes.len(), bytes)));
    }
    let names = ["layers", "width", "kv-heads", "group", "pairs", "hidden", "vocabulary", "context"];
    let limits = [1 << 10, 1 << 17, 1 << 17, 1 << 17, 1 << 17, 1 << 17, 1 << 20, 1 << 16];
    for (at, (name, limit)) in names.into_iter().zip(limits).enumerate() {
        broken.push((format!("no-{name}"), (sizes + 4 * at, 4, u32s(0))));
        broken.push((format!("{name}-over-the-limit"), (sizes + 4 * at, 4, u32s(limit + 1))));
    }
    for (name, patch) in broken {
        let value = json!({ "card": file("../honest/model.card", &[patch]), "fields": {} });
        case(folder, &name, value, false)?;
    }
    Ok(())
}

/// A small program, with the values of its model columns.
type Small = (&'static str, &'static str, fn(&mut Builder));

/// Programs of one argument each: subject, name, statements.
const PROGRAMS: [Small; 9] = [
    ("sumcheck", "einsum", |b| {
        let (i, j, k) = (b.axis("i", 3), b.axis("j", 5), b.axis("k", 2));
        let (x, y) = (b.model("x", &[i, j]), b.model("y", &[j, k]));
        let product = b.einsum("xy", &[i, k], one(x, &[i, j]), one(y, &[j, k]));
        b.exact("z", &[i, k], Sum::product(1, product, &[i, k]).plus(Sum::constant(-2)));
        ranged(b, i);
    }),
    ("sumcheck", "einsum-with-shared-axes", |b| {
        let (l, i, j) = (b.axis("l", 2), b.axis("i", 3), b.axis("j", 4));
        let (x, y) = (b.model("x", &[l, i, j]), b.model("y", &[l, j]));
        let product = b.einsum("xy", &[l, i], one(x, &[l, i, j]), one(y, &[l, j]));
        let square = b.einsum("xx", &[l], one(x, &[l, i, j]), one(x, &[l, i, j]));
        b.exact("z", &[l, i], Sum::product(3, product, &[l, i]).plus(Sum::product(-1, square, &[l])));
        ranged(b, i);
    }),
    ("sumcheck", "rotary", |b| {
        let (t, h, e) = (b.axis("t", 3), b.axis("h", 2), b.axis("e", 3));
        let x = b.model("x", &[t, h, e]);
        let kind = ProductKind::Rotary(Rotary { time: t, half: h, pair: e, base: 100, fraction: 6 });
        let product = b.product("turned", &[t, h, e], one(x, &[t, h, e]), kind);
        b.exact("z", &[t, h, e], Sum::product(1, product, &[t, h, e]));
        ranged(b, t);
    }),
    ("sumcheck", "scores", |b| {
        let (t, u, e) = (b.axis("t", 3), b.axis("u", 3), b.axis("e", 2));
        let (x, y) = (b.model("x", &[t, e]), b.model("y", &[t, e]));
        let product =
            b.product("xy", &[t, u], one(x, &[t, e]), ProductKind::Scores(Sum::of(1, y, &[u, e]).over(&[u, e])));
        let table = b.table(Table::Range { bits: 6 });
        b.lookup("xy", &[t, u], true, table, vec![Sum::product(1, product, &[t, u])]);
        ranged(b, t);
    }),
    ("sumcheck", "every-index", |b| {
        let (l, i, v) = (b.axis("l", 3), b.axis("i", 3), b.axis("v", 5));
        let list = b.list(vec![4, 0, 4]);
        let (x, y) = (b.model("x", &[l, i]), b.model("y", &[v]));
        let sum = Sum::term(1, Source::Column(x), &[Before(l), At(i)])
            .plus(Sum::term(-2, Source::Column(x), &[All, At(l)]))
            .plus(Sum::term(3, Source::Column(y), &[Pick(i, list)]));
        b.exact("z", &[l, i], sum);
        let below = Sum::term(2, Source::Below(list), &[At(i), At(v)]).plus(Sum::of(1, y, &[v]));
        b.exact("w", &[i, v], below);
        ranged(b, i);
    }),
    ("tlookup", "range", |b| {
        let i = b.axis("i", 5);
        ranged(b, i);
    }),
    ("tlookup", "two-tables", |b| {
        let (i, j) = (b.axis("i", 5), b.axis("j", 3));
        ranged(b, i);
        let table = b.table(Table::Exp { bits: 3, fraction: 1, precision: 5 });
        let x = b.model("x", &[i, j]);
        let row = || Sum::of(1, x, &[i, j]).plus(Sum::constant(1));
        let out = [0, 1].map(|output| b.witness("out", &[i, j], false, Rule::Output { table, of: row(), output }));
        b.lookup("exp", &[i, j], false, table, vec![row(), Sum::of(1, out[0], &[i, j]), Sum::of(1, out[1], &[i, j])]);
    }),
    ("tlookup", "silu", |b| {
        let i = b.axis("i", 6);
        let table = b.table(Table::Silu { bits: 4, fraction: 1, out: 3 });
        let x = b.model("x", &[i]);
        let row = || Sum::of(1, x, &[i]).plus(Sum::constant(5));
        let out = b.witness("out", &[i], false, Rule::Output { table, of: row(), output: 0 });
        b.lookup("silu", &[i], false, table, vec![row(), Sum::of(1, out, &[i])]);
    }),
    ("tlookup", "causal", |b| {
        let (l, t, u, e) = (b.axis("l", 2), b.axis("t", 3), b.axis("u", 3), b.axis("e", 1));
        let table = b.table(Table::Exp { bits: 5, fraction: 1, precision: 5 });
        let (x, y, z) = (b.model("x", &[l, t]), b.model("y", &[t, e]), b.model("z", &[t, e]));
        let right = ProductKind::Scores(Sum::of(1, z, &[u, e]).over(&[u, e]));
        let scores = b.product("yz", &[t, u], one(y, &[t, e]), right);
        let row = || Sum::of(1, x, &[l, t]).plus(Sum::product(1, scores, &[t, u]));
        let pair = [l, t, u];
        let out = [0, 1].map(|output| b.witness("out", &pair, true, Rule::Output { table, of: row(), output }));
        b.lookup("exp", &pair, true, table, vec![row(), Sum::of(1, out[0], &pair), Sum::of(1, out[1], &pair)]);
        ranged(b, t);
    }),
];

fn one(column: ColumnId, axes: &[AxisId]) -> zkllm_verifier::program::Operand {
    Sum::of(1, column, axes).over(axes)
}

/// A column of the model in a range.
fn ranged(builder: &mut Builder, axis: AxisId) {
    let column = builder.model("ranged", &[axis]);
    builder.unsigned("ranged", &[axis], false, Sum::of(1, column, &[axis]), 3).expect("a narrow range");
}

/// Receipts for small programs.
pub fn programs(folder: &Path) -> io::Result<()> {
    for ((subject, ..), (name, program)) in zip(PROGRAMS, built()) {
        small(&folder.join(subject), name, &program)?;
    }
    Ok(())
}

/// The small programs, by name.
pub fn built() -> impl Iterator<Item = (&'static str, Program)> {
    PROGRAMS.into_iter().map(|(_, name, statements)| {
        let mut builder = Builder::new(6);
        statements(&mut builder);
        (name, builder.finish().expect("a program"))
    })
}

/// The values of a small program: the model's as they come, the others by their rules.
fn values(program: &Program) -> Vec<Integers> {
    let mut cells: Vec<Integers> =
        program.columns.iter().map(|column| Integers::zeros(program.lengths(&column.axes).iter().product())).collect();
    for (id, column) in program.columns.iter().enumerate() {
        for at in 0..cells[id].len() {
            let reads = |sum: &Sum| {
                let zero = Zero { name: String::new(), axes: column.axes.clone(), sum: sum.clone() };
                integer(zero_value(program, &cells[..], &zero, at)) as i64
            };
            let value = match &column.origin {
                Origin::Model => ((7 * at + 3 * id) % 5) as i64,
                Origin::Witness(Rule::Exact { of }) => reads(of),
                Origin::Witness(Rule::Output { table, of, output }) => {
                    let index = unravel(at, &program.lengths(&column.axes));
                    let row = reads(of) as usize;
                    let holds = exists(program, &column.axes, column.causal, &index);
                    if holds { program.tables[*table].outputs()[*output][row] } else { 0 }
                }
                _ => 0,
            };
            cells[id].set(at, value);
        }
    }
    cells
}

/// The rows that lookups read, with multiplicities counted into `cells`.
fn rows(program: &Program, cells: &mut [Integers]) -> Vec<Numbers> {
    let mut found = Vec::new();
    for lookup in &program.lookups {
        let lengths = program.lengths(&lookup.axes);
        let multiplicity = program
            .columns
            .iter()
            .position(|column| matches!(column.origin, Origin::Multiplicity(table) if table == lookup.table));
        let multiplicity = multiplicity.expect("a column for every table");
        let rows = (0..lengths.iter().product::<usize>())
            .filter(|&at| exists(program, &lookup.axes, lookup.causal, &unravel(at, &lengths)))
            .map(|at| {
                let row = integer(lookup_values(program, &cells[..], lookup, at)[0]) as usize;
                let count = cells[multiplicity].get(row);
                cells[multiplicity].set(row, count + 1);
                row as i64
            })
            .collect();
        let rows = Arc::new(Integers::narrowed(rows));
        found.push(match side(program, &lookup.axes, lookup.causal) {
            0 => Numbers::new(rows, 0),
            side => Numbers::causal(rows, 0, side),
        });
    }
    found
}

/// The cases of one program.
fn small(folder: &Path, name: &str, program: &Program) -> io::Result<()> {
    let mut cells = values(program);
    let rows = rows(program, &mut cells);
    let plan = Plan::new(program.clone(), 2).expect("a plan");
    let (mut card, _) = tiny(1, LEAST).expect("a card");
    (card.name, card.chunk_log) = (name.to_string(), 2);
    let statement = Statement::new(&card, vec![1, 2, 3], 2).expect("a statement");
    let (backend, generators) = (Cpu, Generators::new(2));
    let bases = backend.prepare_bases(&generators.g1[..4]);
    let views: Vec<_> = cells.iter().map(Integers::view).collect();
    let mut blinding = Blinding::seeded(name.as_bytes());
    let mut model = Commitments::default();
    for parts in chunks(&plan, &views).iter().take(plan.model_chunks) {
        let chunk = commit_chunk(&backend, &bases, &generators, &pieces(parts), blinding.scalar());
        card.commitments.push(groups::write_gt(&chunk.commitment));
        model.chunks.push(chunk);
    }
    let subject = Subject { card: &card, statement: &statement, plan: &plan, model: &model };
    let prove = |cells: &[Integers], seed: &str| {
        let leaves = rows.iter().cloned().map(Leaves::Rows).collect();
        let witness = Witness { columns: cells.iter().map(Integers::view).collect(), leaves };
        attempt(&backend, generators.clone(), &subject, witness, Blinding::seeded(seed.as_bytes()), &|_| {}).0
    };
    let receipt = prove(&cells, name);
    write(&folder.join(name).join("model.card"), card.to_bytes())?;
    write(&folder.join(name).join("answer.receipt"), &receipt)?;
    write(&folder.join(name).join("program.json"), format!("{}\n", json_programs::write(program)))?;
    let value = |card: &[Patch], receipt: Value| {
        let (card, program) = (file(&format!("../{name}/model.card"), card), format!("../{name}/program.json"));
        json!({ "card": card, "receipt": receipt, "program": program })
    };
    let own = format!("../{name}/answer.receipt");
    case(folder, name, value(&[], file(&own, &[])), true)?;

    // A false value in each column that is not the model's.
    for (id, column) in program.columns.iter().enumerate().filter(|(_, c)| !matches!(c.origin, Origin::Model)) {
        let mut wrong = cells.clone();
        let last = wrong[id].len() - 1;
        let value_there = wrong[id].get(last);
        wrong[id].set(last, value_there + 1);
        let case_name = format!("{name}-false-{}-{id}", column.name);
        write(&folder.join(&case_name).join("answer.receipt"), prove(&wrong, &case_name))?;
        case(folder, &case_name, value(&[], file("answer.receipt", &[])), false)?;
    }
    let elements = listed(&card, &statement, &plan, &receipt);
    let read = |element: &Element| receipt[element.at..element.at + element.length].to_vec();
    // The first, middle and last ledger entries, one after the other made the next one.
    let entries: Vec<&Element> = elements.iter().filter(|element| element.length == 48).collect();
    for (place, at) in [("first", 0), ("second", 1), ("middle", entries.len() / 2)] {
        let (element, next) = (entries[at], entries[at + 1]);
        let patch = [(element.at, 48, read(next))];
        case(folder, &format!("{name}-{place}-point-is-the-next"), value(&[], file(&own, &patch)), false)?;
    }
    let chunk = elements.iter().find(|element| element.length == 192).expect("a chunk");
    let patch = [(chunk.at, 192, vec![0; 192])];
    case(folder, &format!("{name}-a-chunk-is-the-identity"), value(&[], file(&own, &patch)), false)?;
    if let [.., first, second] = &card.commitments[..] {
        let patch = [(card.to_bytes().len() - 384, 384, [*second, *first].concat())];
        case(folder, &format!("{name}-commitments-swapped"), value(&patch, file(&own, &[])), false)?;
    }
    case(folder, &format!("{name}-another-card"), value(&[(12, 1, b"?".to_vec())], file(&own, &[])), false)?;
    if name == "einsum" || name == "two-tables" {
        for (kind, patches) in mutations::all(&receipt, &elements) {
            case(folder, &format!("{name}-{kind}"), value(&[], file(&own, &patches)), false)?;
        }
    }
    Ok(())
}
