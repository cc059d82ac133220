//! Decides what is said of a verification.

use crate::words;
use serde_json::{Value, json};
use zkllm_verifier::{Refusal, Verified};

/// Verifies; the verdict is `zkllm_verifier::verify`'s.
pub fn verify(card: &[u8], receipt: &[u8]) -> Value {
    match zkllm_verifier::verify(card, receipt) {
        Ok(verified) => proved(&verified),
        Err(refusal) => refused(refusal),
    }
}

fn proved(verified: &Verified) -> Value {
    let statement = verified.statement();
    json!({
        "verdict": "proved",
        "code": "proved",
        "words": words::PROVED,
        "model": verified.name(),
        "fingerprint": hex(verified.fingerprint()),
        "tokens": statement.tokens(),
        "promptLength": statement.prompt_length(),
    })
}

/// A refusal with its code, class and words.
pub fn refused(refusal: Refusal) -> Value {
    json!({ "verdict": "refused", "code": refusal.code(), "blame": words::blame(refusal), "words": words::of(refusal) })
}

/// What is said of a file that was not even copied.
pub fn too_large() -> Value {
    refused(Refusal::OverLimit)
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
