//! Any bytes as a card and as a receipt: never a panic, and what is read is written as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zkllm_verifier::card::Card;
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::verify;

fuzz_target!(|input: &[u8]| {
    if let Ok(card) = Card::parse(input) {
        assert_eq!(card.to_bytes(), input, "a card has one encoding");
    }
    if let Ok(receipt) = Receipt::parse(input) {
        let proof = input.len() - receipt.proof.len();
        assert_eq!(proof, 50 + 4 * receipt.tokens.len(), "the statement is read to its end");
    }
    // The same bytes as both halves of a pair.
    if let Some((&at, rest)) = input.split_first() {
        let (card, receipt) = rest.split_at(usize::from(at) * rest.len() / 256);
        if let (Ok(card), Ok(receipt)) = (Card::parse(card), Receipt::parse(receipt)) {
            let _ = Statement::new(&card, receipt.tokens, receipt.prompt_length);
        }
        if let Ok(verified) = verify(card, receipt) {
            panic!("a pair out of nothing was accepted: {verified:?}");
        }
    }
});
