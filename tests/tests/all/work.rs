//! The work of a verification is known before it begins: what published models need is allowed, and more is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;
use zkllm_prover::quantise::STANDARD;
use zkllm_tests::hostile::{self, TOGETHER, hostile};
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::card::Card;
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::Program;
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::{Limits, Refusal, Work, limits, verify, verify_within};

/// Pairs of honest files: the samples of the page, and those of the vectors.
fn honest() -> Vec<[PathBuf; 2]> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let samples = ["smollm2", "tiny"].map(|name| root.join("../web/samples").join(name));
    let pairs = samples.map(|path| ["card", "receipt"].map(|kind| path.with_extension(kind)));
    let vectors = ["honest", "grouped-query-untied-biased", "three-layers-no-padding", "one-token-answers-one"];
    let of_vector =
        |name| ["model.card", "answer.receipt"].map(|file| root.join("vectors/receipt").join(name).join(file));
    pairs.into_iter().chain(vectors.map(of_vector)).collect()
}

fn work(card: &Card, tokens: Vec<u32>, prompt_length: usize) -> Work {
    let statement = Statement::new(card, tokens, prompt_length).expect("a statement");
    let program = Program::new(card, &statement).expect("a program");
    Work::of(&Plan::new(program, card.chunk_log as usize).expect("a plan"))
}

#[test]
fn the_length_of_a_proof_is_known_from_its_plan() {
    for [card, receipt] in honest() {
        let (card, receipt) = (fs::read(card).expect("a card"), fs::read(receipt).expect("a receipt"));
        let (card, receipt) = (Card::parse(&card).expect("a card"), Receipt::parse(&receipt).expect("a receipt"));
        let proof_bytes = work(&card, receipt.tokens, receipt.prompt_length).proof_bytes;
        assert_eq!(proof_bytes, receipt.proof.len() as u64, "{}", card.name);
    }
}

#[test]
fn a_caller_may_allow_less_and_not_more() {
    static CASE: OnceLock<(Case, Vec<u8>)> = OnceLock::new();
    let (case, receipt) = CASE.get_or_init(|| {
        let case = Case::new(SHAPE, 1, &[3, 1], 2);
        let receipt = case.receipt("work");
        (case, receipt)
    });
    let (card, work) = (case.card.to_bytes(), Work::of(&case.plan));
    let within = |work, memory| verify_within(&card, receipt, &Limits { work, memory }).map(|_| ());
    assert_eq!(verify(&card, receipt).map(|_| ()), Ok(()));
    assert_eq!(within(work.units, work.bytes), Ok(()));
    assert_eq!(within(work.units - 1, u64::MAX), Err(Refusal::OverWork));
    assert_eq!(within(u64::MAX, work.bytes - 1), Err(Refusal::OverWork));
    // Nothing of the proof is read before.
    let header = receipt.len() - Receipt::parse(receipt).expect("a receipt").proof.len();
    let empty = verify_within(&card, &receipt[..header], &Limits { work: work.units - 1, memory: u64::MAX });
    assert_eq!(empty.err(), Some(Refusal::OverWork));
    let most = Limits { work: u64::MAX, memory: u64::MAX };
    assert_eq!(most.allow(&Work { units: limits::WORK, ..work }), Ok(()));
    assert_eq!(most.allow(&Work { units: limits::WORK + 1, ..work }), Err(Refusal::OverWork));
    assert_eq!(Limits::default().allow(&Work { units: limits::WORK, bytes: u64::MAX, ..work }), Ok(()));
}

/// Layers, width, key-value heads, group, pairs, hidden, vocabulary, tied; tokens of the longest statement to be allowed.
const PUBLISHED: [(&str, [u32; 7], bool, usize); 8] = [
    ("SmolLM2-135M", [30, 576, 3, 3, 32, 1536, 49_152], true, 1 << 15),
    ("LLaMA-2-7B", [32, 4096, 32, 1, 64, 11_008, 32_000], false, 1 << 15),
    ("LLaMA-2-13B", [40, 5120, 40, 1, 64, 13_824, 32_000], false, 1 << 11),
    ("LLaMA-2-13B", [40, 5120, 40, 1, 64, 13_824, 32_000], false, 1 << 13),
    ("LLaMA-3-8B", [32, 4096, 8, 4, 64, 14_336, 128_256], false, 1 << 15),
    ("Qwen2.5-0.5B", [24, 896, 2, 7, 32, 4864, 151_936], true, 1 << 15),
    ("Qwen2.5-14B", [48, 5120, 8, 5, 64, 13_824, 152_064], false, 1 << 13),
    ("Gemma-2-2B", [26, 2304, 4, 2, 128, 9216, 256_000], true, 1 << 14),
];

#[test]
fn published_models_are_within_the_limits() {
    for (name, sizes, tied, tokens) in PUBLISHED {
        let made = hostile("", 2, |_| ()).card;
        let [layers, width, kv_heads, group, pairs, hidden, vocabulary] = sizes;
        let card =
            Card { layers, width, kv_heads, group, pairs, hidden, vocabulary, tied, precision: STANDARD, ..made };
        let work = work(&card, vec![1; tokens], tokens / 2);
        println!("{name} {tokens}: {work:?}");
        assert_eq!(Limits::default().allow(&work), Ok(()), "{name} {tokens}: {work:?}");
        assert!(work.bytes < 200 << 20, "{name} {tokens}: {work:?}");
    }
}

#[test]
fn sizes_that_are_each_allowed_are_refused_together() {
    for hostile in hostile::all() {
        let work = Work::of(&hostile.plan);
        println!("{}: {work:?}", hostile.name);
        assert_eq!(Limits::default().allow(&work).is_err(), hostile.name == TOGETHER, "{}: {work:?}", hostile.name);
    }
}

/// `cargo test --release -p zkllm-tests --test work -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn times() {
    println!("| card of {:33} | bytes | units | forecast | refused after | ns a unit |", "");
    for hostile in hostile::all().into_iter().filter(|hostile| hostile.name != TOGETHER) {
        let (work, card, receipt) = (Work::of(&hostile.plan), hostile.card.to_bytes(), hostile.receipt());
        let start = Instant::now();
        let refusal = verify(&card, &receipt).expect_err("nothing was proved");
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "| {:40} | {} | {} | {} | {seconds:.3} s, {refusal} | {:.1} |",
            hostile.name,
            card.len(),
            work.units,
            work.bytes,
            seconds * 1e9 / work.units as f64
        );
    }
    for [card, receipt] in honest() {
        let (name, card, receipt) =
            (card.clone(), fs::read(card).expect("a card"), fs::read(receipt).expect("a receipt"));
        let start = Instant::now();
        verify(&card, &receipt).expect("an honest receipt");
        let seconds = start.elapsed().as_secs_f64();
        let (parsed, read) = (Card::parse(&card).expect("a card"), Receipt::parse(&receipt).expect("a receipt"));
        let work = work(&parsed, read.tokens, read.prompt_length);
        println!(
            "| {} | {} | {} | {} | {seconds:.3} s | {:.1} |",
            name.display(),
            card.len(),
            work.units,
            work.bytes,
            seconds * 1e9 / work.units as f64
        );
    }
}
