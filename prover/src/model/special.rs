//! Decides which tokens are control tokens and which end an answer, as llama.cpp decides it: by the file's keys, and by
//! the texts of `special-tokens.txt`, whatever kind the file gives them.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ModelError;
use super::gguf::Gguf;
use super::tokenizer::{CONTROL, NORMAL, USER_DEFINED};

/// A line each: what a token of that text is, and the text. `tools/page-vocabulary.py` reads them too.
const LISTED: &str = include_str!("special-tokens.txt");

/// Roles in filling a gap in a text, the keys that give their tokens, and whether they end an answer.
const INFILL: [(&str, &[&str], bool); 6] = [
    ("fim_pre", &["fim_pre", "prefix"], false),
    ("fim_suf", &["fim_suf", "suffix"], false),
    ("fim_mid", &["fim_mid", "middle"], false),
    ("fim_pad", &["fim_pad"], true),
    ("fim_rep", &["fim_rep"], true),
    ("fim_sep", &["fim_sep"], true),
];

/// The token that a key names, if it does.
///
/// # Errors
/// `Metadata`, `Tokenizer` if it is outside the vocabulary.
pub fn named(gguf: &Gguf, name: &str, vocabulary: usize) -> Result<Option<u32>, ModelError> {
    match gguf.count(&format!("tokenizer.ggml.{name}_token_id"))? {
        Some(id) if id >= vocabulary => {
            Err(ModelError::Tokenizer { reason: format!("{name} token {id} is outside the vocabulary") })
        }
        Some(id) => Ok(u32::try_from(id).ok()),
        None => Ok(None),
    }
}

/// The tokens that end an answer, in order; `kinds` become those that llama.cpp works with. `eos` is the file's end
/// token.
///
/// Where several tokens have one role in filling a gap, llama.cpp takes whichever its hash table gives first; here it
/// is the lowest.
///
/// # Errors
/// As [`named`].
pub fn review(gguf: &Gguf, tokens: &[&str], kinds: &mut [u8], eos: Option<u32>) -> Result<Vec<u32>, ModelError> {
    let ids: BTreeMap<&str, u32> = tokens.iter().copied().zip(0..).collect();
    let listed = |wanted: &'static str| {
        let texts = LISTED.lines().filter_map(|line| line.split_once(' ')).filter(move |(role, _)| *role == wanted);
        texts.filter_map(|(_, text)| ids.get(text).copied())
    };
    let mut ends = BTreeSet::new();
    for (role, keys, end) in INFILL {
        let mut token = None;
        for key in keys {
            token = named(gguf, key, tokens.len())?.or(token);
        }
        if token.is_none() {
            token = listed(role).min();
            token.iter().for_each(|token| kinds[*token as usize] = CONTROL);
        }
        ends.extend(token.filter(|_| end));
    }
    for token in listed("end") {
        kinds[token as usize] = CONTROL;
        ends.insert(token);
    }
    for token in listed("text") {
        kinds[token as usize] = USER_DEFINED;
    }
    ends.extend(eos);
    for name in ["eot", "eom"] {
        ends.extend(named(gguf, name, tokens.len())?);
    }
    let ending = |text: &str, ends: &BTreeSet<u32>| ids.get(text).copied().filter(|token| ends.contains(token));
    let any = |texts: &[&str], ends: &BTreeSet<u32>| texts.iter().any(|text| ending(text, ends).is_some());
    // Where an answer has channels, <|end|> ends one of them; where tools answer, </s> is text.
    let channels =
        any(&["<|call|>", "<|calls|>"], &ends) && (any(&["<|flush|>"], &ends) || any(&["<|return|>"], &ends));
    if let Some(token) = ending("<|end|>", &ends).filter(|_| channels) {
        ends.remove(&token);
        kinds[token as usize] = USER_DEFINED;
    }
    let tools = any(&["<|tool_response>", "<|plamo:eos|>"], &ends);
    if let Some(token) = ending("</s>", &ends).filter(|_| tools) {
        ends.remove(&token);
        kinds[token as usize] = NORMAL;
    }
    Ok(ends.into_iter().collect())
}
