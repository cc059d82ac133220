//! Decides which bytes a token stands for, given the vocabulary file that the card's tokenizer digest names.
//!
//! The file is the record that the prover hashes (`prover/src/model/digest.rs`): `zkllm tokenizer 1\n`, the tokenizer model,
//! the number of tokens, then each token's text and kind; what follows decides how text becomes tokens and is only hashed
//! here. Numbers are little endian, counts and lengths take 8 bytes.

use crate::outcome::{hex, refused};
use serde_json::{Value, json};
use sha3::{Digest, Sha3_256};
use zkllm_verifier::Refusal;
use zkllm_verifier::bytes::Cursor;
use zkllm_verifier::card::Card;

const MAGIC: &[u8; 18] = b"zkllm tokenizer 1\n";
const NORMAL: u8 = 1;
const USER_DEFINED: u8 = 4;
const BYTE: u8 = 6;

/// What tokens stand for, if the vocabulary is the card's.
pub fn decode(card: &[u8], vocabulary: &[u8], tokens: &[u32]) -> Value {
    let card = match Card::parse(card) {
        Ok(card) => card,
        Err(refusal) => return refused(refusal),
    };
    let digest: [u8; 32] = Sha3_256::digest(vocabulary).into();
    if digest != card.tokenizer {
        return json!({
            "verdict": "refused", "code": "other-vocabulary", "blame": "false",
            "words": "This vocabulary is not the one whose digest is in the card.",
            "digest": hex(&digest), "expected": hex(&card.tokenizer),
        });
    }
    match texts(vocabulary, tokens) {
        Ok(texts) => json!({ "verdict": "read", "kind": "text", "digest": hex(&digest), "tokens": texts }),
        Err(refusal) => refused(refusal),
    }
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, Refusal> {
    let length = usize::try_from(cursor.u64()?).map_err(|_| Refusal::OverLimit)?;
    core::str::from_utf8(cursor.slice(length)?).map_err(|_| Refusal::BadCard)
}

/// For each token its bytes, the text it has in the vocabulary, and whether it is a control token, which stands for nothing.
fn texts(vocabulary: &[u8], tokens: &[u32]) -> Result<Value, Refusal> {
    let mut cursor = Cursor::new(vocabulary);
    if cursor.array()? != *MAGIC {
        return Err(Refusal::WrongMagic);
    }
    let byte_level = match text(&mut cursor)? {
        "gpt2" => true,
        "llama" => false,
        _ => return Err(Refusal::UnknownVersion),
    };
    let count = cursor.u64()?;
    if count > u64::from(zkllm_verifier::limits::VOCABULARY) {
        return Err(Refusal::OverLimit);
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push((text(&mut cursor)?, cursor.u8()?));
    }
    tokens.iter().map(|&token| {
        let &(name, kind) = entries.get(token as usize).ok_or(Refusal::TokenOutOfRange)?;
        let bytes: Vec<u8> = match kind {
            NORMAL if byte_level => name.chars().filter_map(byte_of).collect(),
            USER_DEFINED if byte_level => name.into(),
            NORMAL | USER_DEFINED => name.replace('\u{2581}', " ").into(),
            BYTE => name.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>')).and_then(|digits| u8::from_str_radix(digits, 16).ok()).into_iter().collect(),
            _ => Vec::new(),
        };
        Ok(json!({ "id": token, "bytes": bytes, "name": name, "control": !matches!(kind, NORMAL | USER_DEFINED | BYTE) }))
    }).collect()
}

/// The byte that byte-level BPE writes as this character (GPT-2's table), the inverse of the prover's `byte_character`.
fn byte_of(character: char) -> Option<u8> {
    let printable = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let code = u32::from(character);
    match u8::try_from(code) {
        Ok(byte) => printable(byte).then_some(byte),
        Err(_) => (0..=255).filter(|&byte| !printable(byte)).nth(usize::try_from(code.checked_sub(256)?).ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_byte_level_bpe_are_bytes() {
        assert_eq!(byte_of('\u{120}'), Some(b' '));
        assert_eq!(byte_of('\u{10a}'), Some(b'\n'));
        assert_eq!(byte_of('a'), Some(b'a'));
        assert_eq!(byte_of('\u{4e00}'), None);
        let all: Vec<u8> = (0..512).filter_map(char::from_u32).filter_map(byte_of).collect();
        assert_eq!(all.len(), 256);
    }
}
