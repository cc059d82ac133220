//! Decides how byte-level BPE (`tokenizer.ggml.model = gpt2`) splits a text, by the `tokenizers` library with one of
//! the known pre-tokenizers, and which bytes its tokens stand for.

use std::collections::HashMap;

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, normalizers::unicode::NFC};

use super::error::ModelError;
use super::gguf::guarded;
use super::tokenizer::{NORMAL, USER_DEFINED, refuse};

/// Pre-tokenizers that are known.
const PRE_TOKENIZERS: &str = "gpt-2, smollm, llama-bpe, qwen2";

const LLAMA_BPE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Whether llama.cpp puts the first token before a prompt where the file does not say.
pub fn adds_first_token(pre: &str) -> bool {
    pre == "llama-bpe"
}

/// The printable character that byte-level BPE writes for a byte (GPT-2's table).
fn byte_character(byte: u8) -> char {
    let printable = |b: u8| matches!(b, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    if printable(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|&b| !printable(b)).count() as u32;
    char::from_u32(256 + before).unwrap_or('\u{fffd}')
}

fn pre_tokenizer(name: &str) -> Result<PreTokenizerWrapper, ModelError> {
    let split = |pattern: &str| {
        let split = Split::new(SplitPattern::Regex(pattern.into()), SplitDelimiterBehavior::Isolated, false)
            .map_err(|e| refuse(e.to_string()))?;
        let parts = vec![split.into(), ByteLevel::new(false, true, false).into()];
        Ok(Sequence::new(parts).into())
    };
    match name {
        "gpt-2" => Ok(ByteLevel::new(false, true, true).into()),
        "smollm" => Ok(Sequence::new(vec![Digits::new(true).into(), ByteLevel::new(false, true, true).into()]).into()),
        "llama-bpe" => split(LLAMA_BPE),
        "qwen2" => split(QWEN2),
        other => Err(ModelError::Unsupported {
            what: format!(
                "the pre-tokenizer `{}` (known: {PRE_TOKENIZERS})",
                other.chars().take(64).collect::<String>()
            ),
            next: "choose a model with one of the known ones",
        }),
    }
}

/// A tokenizer of the library from the file's tokens and merges; of two tokens with one text the later one is written,
/// of two equal merges the earlier one counts, as in llama.cpp.
///
/// # Errors
/// `Unsupported` if the pre-tokenizer is not known, `Tokenizer` if a merge has no two parts or its parts are no tokens.
pub fn library(pre: &str, tokens: &[&str], merges: &[&str]) -> Result<tokenizers::Tokenizer, ModelError> {
    let vocabulary: HashMap<String, u32> = tokens.iter().map(|text| text.to_string()).zip(0..).collect();
    let mut seen = std::collections::HashSet::new();
    let merges = merges
        .iter()
        .filter(|merge| seen.insert(**merge))
        .map(|merge| {
            // Byte-level text holds no space, so the first one parts the two.
            let (left, right) =
                merge.split_once(' ').ok_or_else(|| refuse(format!("the merge {merge:?} has no two parts")))?;
            Ok((left.to_string(), right.to_string()))
        })
        .collect::<Result<Vec<_>, ModelError>>()?;
    let pre_tokenizer = pre_tokenizer(pre)?;
    let builder = BPE::builder().vocab_and_merges(vocabulary.into_iter().collect::<Vocab>(), merges);
    let bpe = guarded(|| builder.ignore_merges(pre == "llama-bpe").build()).map_err(refuse)?;
    let mut library = tokenizers::Tokenizer::new(bpe);
    library.with_pre_tokenizer(Some(pre_tokenizer));
    if pre == "qwen2" {
        guarded(|| library.with_normalizer(Some(NFC)).map(drop)).map_err(refuse)?;
    }
    Ok(library)
}

/// The bytes that each token stands for.
pub fn bytes(tokens: &[&str], kinds: &[u8]) -> Vec<Vec<u8>> {
    let table: HashMap<char, u8> = (0..=255).map(|byte| (byte_character(byte), byte)).collect();
    let bytes = |(text, kind): (&&str, &u8)| match *kind {
        NORMAL => text.chars().filter_map(|c| table.get(&c).copied()).collect(),
        USER_DEFINED => text.as_bytes().to_vec(),
        _ => Vec::new(),
    };
    tokens.iter().zip(kinds).map(bytes).collect()
}
