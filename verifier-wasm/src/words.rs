//! Decides how verdicts are said to someone who is no engineer.

use serde_json::{Value, json};
use zkllm_verifier::{Blame, Refusal};

/// What an accepted receipt proves.
pub const PROVED: &str = "The committed model gave exactly this answer to this prompt.";

/// The class of a refusal.
pub fn blame(refusal: Refusal) -> &'static str {
    match refusal.blame() {
        Blame::Malformed => "malformed",
        Blame::Unsupported => "unsupported",
        Blame::False => "false",
    }
}

/// One or two sentences about a refusal.
pub fn of(refusal: Refusal) -> &'static str {
    WORDS.iter().find(|(code, _)| *code == refusal.code()).map_or("A check of the proof failed.", |(_, words)| words)
}

/// Every refusal with its words.
pub fn refusals() -> Value {
    let describe =
        |&refusal: &Refusal| json!({ "code": refusal.code(), "blame": blame(refusal), "words": of(refusal) });
    Refusal::ALL.iter().map(describe).collect()
}

const WORDS: &[(&str, &str)] = &[
    ("truncated", "The file ends too early: a part of it is missing."),
    ("trailing-bytes", "The file goes on after its end: something was added to it."),
    (
        "wrong-magic",
        "This is not the kind of file expected here. Were card and receipt mixed up, or is it another file altogether?",
    ),
    ("unknown-version", "The file is of a version that this verifier does not know. A newer verifier may."),
    (
        "unknown-architecture",
        "The card is of a family of models that this verifier does not know. A newer verifier may.",
    ),
    ("over-limit", "Something in the file is larger than this verifier accepts."),
    (
        "over-work",
        "Checking this receipt would take more time or memory than is allowed here. No honest receipt of a known model does.",
    ),
    ("bad-card", "The card says something that no honest card says."),
    (
        "could-wrap",
        "With the number formats on this card, a calculation could overflow unnoticed. No honest card has such formats.",
    ),
    ("token-out-of-range", "The receipt names a token that the model's vocabulary does not have."),
    ("bad-prompt-length", "The receipt has no prompt, or no answer after it."),
    ("other-card", "This receipt was made for another model: it names another card than the one given."),
    ("bad-scalar", "The proof holds a number that is not written as it must be: it was damaged or changed."),
    ("bad-point", "The proof holds a value that is not of the required form: it was damaged or changed."),
    (
        "wrong-subgroup",
        "The proof or the card holds a value outside the set in which the proof is sound. Honest ones never do.",
    ),
    (
        "degenerate-challenge",
        "A challenge took a value that has practically no chance of occurring. The proof is not accepted.",
    ),
    (
        "ledger-value",
        "The hidden numbers of the proof do not satisfy the equations of the model's calculation. Prompt, answer or proof were changed, or the answer is not this model's.",
    ),
    (
        "ledger-opening",
        "The hidden numbers of the proof are not those it committed to. Prompt, answer or proof were changed, or the answer is not this model's.",
    ),
    (
        "opening-link",
        "The value shown for the committed data is not the one used in the calculation. Prompt, answer or proof were changed, or the answer is not this model's.",
    ),
    (
        "opening-vmv",
        "The proof does not match the model's committed weights. Prompt, answer or proof were changed, or the answer is not this model's.",
    ),
    (
        "opening-final",
        "The last equation about the model's committed weights does not hold. Prompt, answer or proof were changed, or the answer is not this model's.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_words_of_its_own() {
        for refusal in Refusal::ALL {
            assert!(WORDS.iter().any(|(code, _)| *code == refusal.code()), "{refusal} has no words");
        }
        assert!(
            WORDS.iter().all(|(code, _)| Refusal::ALL.iter().any(|refusal| refusal.code() == *code)),
            "words without a refusal"
        );
    }
}
