//! Decides which bytes a token stands for, given the vocabulary file that the card's tokenizer digest names.
//!
//! The file is the record that the prover hashes (`prover/src/model/digest.rs`): `zkllm tokenizer 1\n`, the tokenizer model,
//! the number of tokens, then each token's text and kind; what follows decides how text becomes tokens and is only hashed
//! here. Numbers are little endian, counts and lengths take 8 bytes.

use crate::outcome::{hex, refused};
use serde_json::{Value, json};
use sha3::{Digest, Sha3_256};
use std::collections::BTreeMap;
use zkllm_verifier::Refusal;
use zkllm_verifier::bytes::Cursor;
use zkllm_verifier::card::Card;

const MAGIC: &[u8; 18] = b"zkllm tokenizer 1\n";
const NORMAL: u8 = 1;
const USER_DEFINED: u8 = 4;
const BYTE: u8 = 6;

/// Bytes of text and names of all tokens that were asked for, each as often as it occurs: more is refused.
const MOST: usize = 4 << 20;

/// What each different token stands for, in the order of their numbers, if the vocabulary is the card's.
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

/// For each different token its bytes, the text it has in the vocabulary, and whether it is a control token, which stands for
/// nothing.
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
    let mut times: BTreeMap<u32, usize> = BTreeMap::new();
    tokens.iter().for_each(|&token| *times.entry(token).or_default() += 1);
    let mut wanted = times.into_iter().peekable();
    let (mut decoded, mut total) = (Vec::new(), 0usize);
    for id in 0..u32::try_from(count).map_err(|_| Refusal::OverLimit)? {
        let (name, kind) = (text(&mut cursor)?, cursor.u8()?);
        if let Some((_, times)) = wanted.next_if(|(token, _)| *token == id) {
            total = total.saturating_add(name.len().saturating_mul(times));
            if total > MOST {
                return Err(Refusal::OverLimit);
            }
            let control = !matches!(kind, NORMAL | USER_DEFINED | BYTE);
            decoded.push(json!({ "id": id, "bytes": bytes(name, kind, byte_level), "name": name, "control": control }));
        }
    }
    if wanted.next().is_some() { Err(Refusal::TokenOutOfRange) } else { Ok(decoded.into()) }
}

/// The bytes that a token stands for.
fn bytes(name: &str, kind: u8, byte_level: bool) -> Vec<u8> {
    let hexadecimal =
        || name.strip_prefix("<0x")?.strip_suffix('>').and_then(|digits| u8::from_str_radix(digits, 16).ok());
    match kind {
        NORMAL if byte_level => name.chars().filter_map(byte_of).collect(),
        USER_DEFINED if byte_level => name.into(),
        NORMAL | USER_DEFINED => name.replace('\u{2581}', " ").into(),
        BYTE => hexadecimal().into_iter().collect(),
        _ => Vec::new(),
    }
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

    /// A vocabulary of two tokens, the second of `length` letters.
    fn vocabulary(length: usize) -> Vec<u8> {
        let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
        let token = |name: &str| [text(name), vec![NORMAL]].concat();
        [MAGIC.to_vec(), text("gpt2"), 2u64.to_le_bytes().into(), token("a"), token(&"b".repeat(length))].concat()
    }

    #[test]
    fn a_token_is_decoded_once_however_often_it_occurs() {
        let decoded = texts(&vocabulary(3), &[1, 0, 1, 1]).map(|value| value.to_string());
        let [a, b] = [(0, "a", "[97]"), (1, "bbb", "[98,98,98]")]
            .map(|(id, name, bytes)| format!(r#"{{"bytes":{bytes},"control":false,"id":{id},"name":"{name}"}}"#));
        assert_eq!(decoded, Ok(format!("[{a},{b}]")));
        assert_eq!(texts(&vocabulary(3), &[2, 0]), Err(Refusal::TokenOutOfRange));
    }

    #[test]
    fn tokens_of_too_much_text_together_are_refused() {
        let asked = |times: usize| texts(&vocabulary(1 << 16), &vec![1; times]).map(|_| ());
        assert_eq!(asked(64), Ok(()));
        assert_eq!([65, 1 << 16].map(asked), [Err(Refusal::OverLimit); 2]);
    }
}
