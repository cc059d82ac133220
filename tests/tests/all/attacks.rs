//! What a reviewer will try: false statements, wrong values with everything else to match, messages moved about.

use ark_bls12_381::Fr;
use ark_ec::{AffineRepr, PrimeGroup};
use std::collections::HashSet;
use std::sync::OnceLock;
use zkllm_kernels::Integers;
use zkllm_prover::infer::Columns;
use zkllm_prover::quantise::{Tiny, tiny};
use zkllm_prover::session;
use zkllm_tests::channels::Recorder;
use zkllm_tests::forge::Forgery;
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::card::Card;
use zkllm_verifier::channel::{Ask, Channel, Reader};
use zkllm_verifier::dory::Setup;
use zkllm_verifier::drive::{drive, transcript};
use zkllm_verifier::groups::{G1, G2, Gt, write_g1, write_g2, write_gt, write_scalar};
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::{Refusal, verify};

fn case() -> &'static Case {
    static CASE: OnceLock<Case> = OnceLock::new();
    CASE.get_or_init(|| Case::new(SHAPE, 1, &[3, 1], 3))
}

fn receipt() -> &'static [u8] {
    static RECEIPT: OnceLock<Vec<u8>> = OnceLock::new();
    RECEIPT.get_or_init(|| case().receipt("blinding"))
}

/// A forgery of `tokens`, everything computed as the model computes it.
fn lie(case: &Case, tokens: Vec<u32>) -> (Result<(), Refusal>, Vec<String>) {
    let mut forgery = Forgery::new(case);
    forgery.state(Statement::new(&case.card, tokens, case.statement.prompt_length()).expect("a statement"));
    forgery.dirty[case.column("embedding")] = true;
    forgery.infer(&[]);
    forgery.verdict()
}

#[test]
fn no_other_token_is_proved() {
    let case = case();
    let honest = case.statement.tokens();
    for position in case.statement.prompt_length()..honest.len() {
        // Every token in the last place, a few in the others.
        let last = position + 1 == honest.len();
        for other in (0..case.card.vocabulary).filter(|other| last || other % 5 == 0) {
            let mut tokens = honest.to_vec();
            tokens[position] = other;
            let (verdict, broken) = lie(case, tokens.clone());
            if tokens == honest {
                assert_eq!((verdict, broken), (Ok(()), vec![]));
            } else {
                assert!(broken.iter().any(|name| name.starts_with("margin")), "{tokens:?}: {broken:?}");
                assert_eq!(verdict, Err(Refusal::LedgerValue), "{tokens:?}");
            }
        }
    }
}

#[test]
fn of_equal_logits_only_the_lowest_index_is_proved() {
    let (mut card, columns) = tiny(3, Tiny { tied: false, ..SHAPE }).expect("a model");
    card.chunk_log = 6;
    let greedy = |columns: &Columns| Case::of(card.clone(), columns.clone(), &[3, 1], 1).statement.tokens()[2];
    let top = greedy(&columns);
    // The row of the answer again, at the next index.
    let width = card.width as usize;
    let (low, high) = if top + 1 < card.vocabulary { (top, top + 1) } else { (top - 1, top) };
    let mut head: Integers = (**columns.column("head").expect("a head")).clone();
    for at in 0..width {
        let value = head.get(top as usize * width + at);
        [low, high].iter().for_each(|&row| head.set(row as usize * width + at, value));
    }
    let mut equal = Columns::new();
    for (name, values) in columns.iter() {
        equal.insert(name, if name == "head" { head.clone() } else { (**values).clone() });
    }
    let case = Case::of(card, equal, &[3, 1], 1);
    assert_eq!(case.statement.tokens()[2], low);
    assert!(verify(&case.card.to_bytes(), &case.receipt("tie")).is_ok());
    let (verdict, broken) = lie(&case, vec![3, 1, high]);
    assert_eq!(verdict, Err(Refusal::LedgerValue));
    assert!(broken.iter().any(|name| name.starts_with("margin")), "{broken:?}");
}

#[test]
fn a_wrong_value_with_all_that_follows_from_it_is_refused() {
    // A result one too high or low, its remainder 2^k off; a maximum nobody reaches; an inverse one too small.
    let attacks = [
        ("query", 1),
        ("query", -1),
        ("attention_out", 1),
        ("down", -1),
        ("hidden", 1),
        ("top", 1),
        ("top", -1),
        ("attention_norm.inverse", 1),
        ("attention_norm.inverse", -1),
        ("final_norm.inverse", -1),
        ("attention", 1),
        ("attention", -1),
        ("exp", 3),
        ("is_top", 1),
        ("swish", -1),
        ("gap", -1),
        ("margin.high", -1),
    ];
    for (name, amount) in attacks {
        let mut forgery = Forgery::new(case());
        let id = case().column(name);
        // In the last layer: nothing that follows is of the same column, which is not inferred anew.
        let program = &case().plan.program;
        let axes = &program.columns[id].axes;
        let layer = axes.iter().find(|&&axis| program.axes[axis].name == "layer");
        let layers = layer.map_or(1, |&layer| program.axes[layer].length);
        forgery.add(id, forgery.cells[id].len() / layers * (layers - 1), amount);
        forgery.infer(&[id]);
        let (verdict, broken) = forgery.verdict();
        println!("{name} {amount:+}: {verdict:?}, false: {broken:?}");
        assert_eq!(verdict, Err(Refusal::LedgerValue), "{name}");
        assert!(!broken.is_empty(), "{name}");
    }
}

#[test]
fn multiplicities_do_not_balance_wrong_lookups() {
    let case = case();
    // Two outputs of silu, one too high and one too low, in all ways to count them.
    let column = case.column("swish");
    let table = case.plan.program.lookups.iter().find(|lookup| lookup.name == "swish").expect("a lookup").table;
    let counts = case.column(&format!("multiplicity{table}"));
    for shift in [0, 1, -1] {
        let mut forgery = Forgery::new(case);
        forgery.add(column, 0, 1);
        forgery.add(column, 1, -1);
        forgery.infer(&[column]);
        let _ = forgery.leaves();
        let row = (0..forgery.cells[counts].len()).find(|&row| forgery.cells[counts].get(row) > 0).expect("a row");
        forgery.add(counts, row, 2 + shift);
        forgery.add(counts, row + 1, -shift);
        assert_eq!(forgery.verdict().0, Err(Refusal::LedgerValue));
    }
}

#[test]
fn another_statement_or_card_is_refused() {
    let (case, receipt) = (case(), receipt());
    let card = case.card.to_bytes();
    assert!(verify(&card, receipt).is_ok());
    let proof = Receipt::parse(receipt).expect("a receipt").proof;
    let tokens = case.statement.tokens();
    let mut statements =
        vec![(tokens.to_vec(), 1), (tokens.to_vec(), 3), (tokens[..4].to_vec(), 2), ([tokens, &[0]].concat(), 2)];
    for at in 0..tokens.len() {
        let mut other = tokens.to_vec();
        other[at] = (other[at] + 1) % case.card.vocabulary;
        statements.push((other, 2));
    }
    for (tokens, prompt) in statements {
        let statement = Statement::new(&case.card, tokens.clone(), prompt).expect("a statement");
        assert!(verify(&card, &Receipt::to_bytes(&case.card, &statement, proof)).is_err(), "{tokens:?} {prompt}");
    }
    // A token outside the vocabulary, and the model of another seed.
    let mut outside = receipt.to_vec();
    outside[50..54].copy_from_slice(&case.card.vocabulary.to_le_bytes());
    assert_eq!(verify(&card, &outside), Err(Refusal::TokenOutOfRange));
    let other = Case::new(SHAPE, 2, &[3, 1], 3);
    assert_eq!(verify(&other.card.to_bytes(), receipt), Err(Refusal::OtherCard));
    let moved = Receipt::to_bytes(&other.card, &case.statement, proof);
    assert!(verify(&other.card.to_bytes(), &moved).is_err());
    // The same model under another name, or with another tokenizer: the transcript holds the card.
    for card in [Card { name: "other".into(), ..case.card.clone() }, Card { tokenizer: [9; 32], ..case.card.clone() }] {
        assert!(verify(&card.to_bytes(), &Receipt::to_bytes(&card, &case.statement, proof)).is_err());
    }
    // A chunk of the model without a commitment, or a commitment without a chunk.
    let commitments = &case.card.commitments;
    for commitments in [commitments[1..].to_vec(), [&commitments[..1], commitments].concat()] {
        let card = Card { commitments, ..case.card.clone() };
        let receipt = Receipt::to_bytes(&card, &case.statement, proof);
        assert_eq!(verify(&card.to_bytes(), &receipt), Err(Refusal::BadCard));
    }
}

/// Who knows challenges before saying what they test proves anything; see `frozen.rs`.
#[test]
fn challenges_depend_on_the_card_the_statement_and_every_message() {
    let Case { card, statement, .. } = case();
    let (tokens, prompt) = (statement.tokens(), statement.prompt_length());
    let mut statements =
        vec![Statement::new(card, tokens.to_vec(), prompt - 1), Statement::new(card, tokens[1..].into(), prompt)];
    for at in 0..tokens.len() {
        let mut other = tokens.to_vec();
        other[at] = (other[at] + 1) % card.vocabulary;
        statements.push(Statement::new(card, other, prompt));
    }
    let mut first = vec![transcript(card, statement).challenge("first")];
    first.extend(
        statements.iter().map(|other| transcript(card, other.as_ref().expect("a statement")).challenge("first")),
    );
    let mut cards = vec![Card { name: "other".into(), ..card.clone() }, Card { tokenizer: [9; 32], ..card.clone() }];
    cards.push(Card { commitments: vec![[0; 192]; card.commitments.len()], ..card.clone() });
    first.extend(cards.iter().map(|card| transcript(card, statement).challenge("first")));

    let ask = Ask::Chunk(0);
    let mut after = |message: &[u8], read: fn(&mut Reader<'_>, Ask<'_>) -> bool| {
        let mut reader = Reader::new(message, transcript(card, statement));
        assert!(read(&mut reader, ask));
        first.push(reader.challenge("first"));
    };
    for scalar in [Fr::from(1), Fr::from(2)] {
        after(&write_scalar(&scalar), |reader, ask| reader.scalar(ask).is_ok());
        after(&write_g1(&(G1::generator() * scalar).into()), |reader, ask| reader.g1(ask).is_ok());
        after(&write_g2(&(G2::generator() * scalar).into()), |reader, ask| reader.g2(ask).is_ok());
        after(&write_gt(&(Gt::generator() * scalar)), |reader, ask| reader.gt(ask).is_ok());
    }
    let different: HashSet<Fr> = first.iter().copied().collect();
    assert_eq!(different.len(), first.len());
}

#[test]
fn messages_have_one_order() {
    let (case, receipt) = (case(), receipt());
    let card = case.card.to_bytes();
    let proof = Receipt::parse(receipt).expect("a receipt").proof;
    let setup = Setup::shipped(case.plan.chunk_log).expect("constants");
    let mut recorder = Recorder::new(Reader::new(proof, transcript(&case.card, &case.statement)));
    drive(&case.plan, &case.card, &setup, &mut recorder).expect("accepted");
    let mut at = receipt.len() - proof.len();
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (length, _) in &recorder.messages {
        places.push((at, *length));
        at += length;
    }
    assert_eq!(at, receipt.len());
    // Neighbours of one kind exchanged, or the first said twice: every pair of chunks, a sample of the rest.
    let pairs: Vec<_> = places.windows(2).filter(|pair| pair[0].1 == pair[1].1).collect();
    let step = (pairs.len() / 40).max(1);
    for (number, pair) in pairs.into_iter().enumerate().filter(|(number, _)| *number < 4 || number % step == 0) {
        let ((first, length), (second, _)) = (pair[0], pair[1]);
        let mut swapped = receipt.to_vec();
        swapped.copy_within(second..second + length, first);
        swapped[second..second + length].copy_from_slice(&receipt[first..first + length]);
        let mut doubled = receipt.to_vec();
        doubled.copy_within(first..first + length, second);
        for other in [swapped, doubled] {
            assert!(other == receipt || verify(&card, &other).is_err(), "pair {number}");
        }
    }
}

#[test]
fn a_doctored_card_does_not_help_against_the_tokens() {
    // The prover's own model answers otherwise; its card is its own, and so is the fingerprint.
    let case = case();
    let mut forgery = Forgery::new(case);
    let id = case.column("embedding");
    forgery.add(id, 0, 1);
    forgery.infer(&[id]);
    forgery.doctor_card();
    assert_ne!(forgery.card.fingerprint(), case.card.fingerprint());
    let (leaves, broken) = forgery.leaves();
    let (receipt, verdict) = forgery.attempt(leaves, true);
    assert_eq!(verdict.is_ok(), broken.is_empty(), "{verdict:?} {broken:?}");
    assert!(verify(&case.card.to_bytes(), &receipt).is_err());
    let _ = session::plan(&case.card, &case.statement);
}
