//! Every byte counts: of a receipt, of a card; and no bytes make the verifier panic.

use std::sync::OnceLock;
use zkllm_prover::quantise::Tiny;
use zkllm_tests::{Case, SHAPE};
use zkllm_verifier::card::Card;
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::verify;

fn case() -> &'static (Case, Vec<u8>, Vec<u8>) {
    static CASE: OnceLock<(Case, Vec<u8>, Vec<u8>)> = OnceLock::new();
    CASE.get_or_init(|| {
        let case = Case::new(SHAPE, 1, &[3, 1], 3);
        let (card, receipt) = (case.card.to_bytes(), case.receipt("blinding"));
        (case, card, receipt)
    })
}

/// Refused with any one bit of the byte flipped.
fn flip(receipt: &[u8], card: &[u8], at: usize) {
    let mut other = receipt.to_vec();
    other[at] ^= 1 << (at % 8);
    assert!(verify(card, &other).is_err(), "byte {at}");
}

fn header(receipt: &[u8]) -> usize {
    receipt.len() - Receipt::parse(receipt).expect("a receipt").proof.len()
}

/// Flips a bit of every byte of the header and of every `step`th of the proof of the smallest model: all kinds of messages are
/// there.
fn sweep(step: usize) {
    let small = Tiny { layers: 1, width: 2, kv_heads: 1, group: 1, pairs: 1, hidden: 2, vocabulary: 3, ..SHAPE };
    let case = Case::new(small, 2, &[1], 1);
    let (card, receipt) = (&case.card.to_bytes(), &case.receipt("blinding"));
    verify(card, receipt).expect("an honest receipt");
    let places: Vec<usize> = (0..header(receipt)).chain((header(receipt)..receipt.len()).step_by(step)).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for places in places.chunks(places.len().div_ceil(threads)) {
            scope.spawn(move || places.iter().for_each(|at| flip(receipt, card, *at)));
        }
    });
}

#[test]
fn changed_bytes_of_a_receipt_are_refused() {
    sweep(53);
}

#[test]
#[ignore = "takes many minutes"]
fn every_changed_byte_of_a_receipt_is_refused() {
    sweep(1);
}

#[test]
fn a_changed_card_is_refused_even_with_its_own_fingerprint() {
    let (case, card, receipt) = case();
    let proof = Receipt::parse(receipt).expect("a receipt").proof;
    for at in (0..card.len()).filter(|at| *at < 160 || at % 29 == 0) {
        for bit in [0, 3, 7] {
            let mut other = card.clone();
            other[at] ^= 1 << bit;
            assert!(verify(&other, receipt).is_err(), "byte {at}");
            let Ok(parsed) = Card::parse(&other) else { continue };
            // Cards whose programs are large are not driven here: the fuzz targets have the time.
            if [parsed.layers, parsed.width, parsed.hidden, parsed.vocabulary, parsed.pairs, parsed.group]
                .iter()
                .any(|size| *size > 64)
            {
                continue;
            }
            assert!(verify(&other, &Receipt::to_bytes(&parsed, &case.statement, proof)).is_err(), "byte {at}");
        }
    }
}

#[test]
fn receipts_of_other_lengths_are_refused() {
    let (_, card, receipt) = case();
    let short =
        (0..header(receipt) + 8).chain((header(receipt)..receipt.len()).step_by(997)).chain([receipt.len() - 1]);
    short.for_each(|length| assert!(verify(card, &receipt[..length]).is_err(), "{length}"));
    for more in [1, 31, 48, 192, 1 << 20] {
        assert!(verify(card, &[receipt.as_slice(), &vec![0; more]].concat()).is_err());
    }
    assert!(verify(card, &[receipt.as_slice(), receipt].concat()).is_err());
}

#[test]
fn no_bytes_panic() {
    bytes_do_not_panic(1000);
}

#[test]
#[ignore = "takes minutes"]
fn many_bytes_do_not_panic() {
    bytes_do_not_panic(20_000);
}

fn bytes_do_not_panic(rounds: usize) {
    let (_, card, receipt) = case();
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below.max(1)
    };
    for round in 0..rounds {
        // Absurd sizes and precisions, and receipts that name the card they are shown with.
        let mut card = card.clone();
        let commitments = card.len().min(160);
        for _ in 0..random(4) {
            let at = random(commitments);
            card[at] = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
        }
        card.truncate(if round % 9 == 0 { random(card.len()) } else { card.len() });
        let mut receipt = receipt.clone();
        if let Ok(card) = Card::parse(&card) {
            receipt[10..42].copy_from_slice(&card.fingerprint());
        }
        for _ in 0..random(3) {
            let at = random(80);
            receipt[at] = [0, 1, 0xff, random(256) as u8][random(4)];
        }
        receipt.truncate(if round % 7 == 0 { random(receipt.len()) } else { receipt.len() });
        let _ = verify(&card, &receipt);
    }
}
