//! Well-formed cards of any shape, any statement, any answers: the driver ends in a refusal, within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use zkllm_fuzz::{AnyAnswer, Choices, SETUP, ZERO, card, tokens};
use zkllm_verifier::card::Card;
use zkllm_verifier::drive::{drive, transcript};
use zkllm_verifier::plan::Plan;
use zkllm_verifier::program::Program;
use zkllm_verifier::receipt::Receipt;
use zkllm_verifier::statement::Statement;
use zkllm_verifier::verify;

fuzz_target!(|input: &[u8]| {
    let choices = &mut Choices::new(input);
    let mut card = card(choices);
    let (tokens, prompt_length) = tokens(choices, &card);
    let statement = Statement::new(&card, tokens, prompt_length).expect("tokens of the vocabulary");
    let plan = Program::new(&card, &statement).and_then(|program| Plan::new(program, card.chunk_log as usize));
    if let Ok(plan) = &plan {
        card.commitments = vec![ZERO; plan.model_chunks];
    }
    let bytes = card.to_bytes();
    assert_eq!(Card::parse(&bytes).as_ref(), Ok(&card), "a card is read as it was written");
    let Ok(plan) = plan else { return };

    // All that an attacker has is bytes: identities for the chunks, then for the ledger, until the first scalar.
    let mut proof = vec![0; plan.witness_chunks * ZERO.len()];
    for _ in 0..choices.byte() {
        proof.push(0xc0);
        proof.extend([0; 47]);
    }
    assert!(verify(&bytes, &Receipt::to_bytes(&card, &statement, &proof)).is_err(), "a proof of nothing was accepted");

    // A channel without bytes reaches every line.
    let mut channel = AnyAnswer::new(choices, transcript(&card, &statement));
    assert!(drive(&plan, &card, &SETUP, &mut channel).is_err(), "a proof of nothing was accepted");
});
