//! Decides what is said of a verification.

use crate::steps::Steps;
use crate::words;
use serde_json::{Value, json};
use zkllm_verifier::{Limits, Refusal, Verified, verify_with};

/// Verifies; the verdict is `zkllm_verifier::verify_within`'s. `on_message` hears of every message before it is read: its step, the
/// bytes read so far, and the bytes of the proof.
pub fn verify(
    card: &[u8],
    receipt: &[u8],
    limits: &Limits,
    on_message: &mut dyn FnMut(&'static str, usize, usize),
) -> Value {
    let mut steps = Steps::default();
    let verdict = verify_with(card, receipt, limits, &mut |ask, unread| {
        let (step, read, total) = steps.hear(ask, unread);
        on_message(step, read, total);
    });
    let heard = steps.describe(verdict.is_ok());
    let mut said = match verdict {
        Ok(verified) => proved(&verified),
        Err(refusal) => refused(refusal),
    };
    if let Some(said) = said.as_object_mut() {
        said.extend(heard);
    }
    said
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
