//! Decides how text becomes tokens and tokens become text, from the vocabulary inside the model file alone.
//!
//! Byte-level BPE (`tokenizer.ggml.model = gpt2`) runs in the `tokenizers` library; control tokens are cut out of the text
//! here, before it, so that text written by a user never turns into a control token unless the caller asks for it.

use std::collections::HashMap;

use candle_core::quantized::gguf_file::Value;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{SplitDelimiterBehavior, normalizers::unicode::NFC};

use super::digest::Record;
use super::error::ModelError;
use super::gguf::{Gguf, guarded};
use super::sentencepiece::Pieces;

/// Pre-tokenizers of byte-level BPE that are known.
const PRE_TOKENIZERS: &str = "gpt-2, smollm, llama-bpe, qwen2";

const LLAMA_BPE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Kinds of token, numbered as in GGUF (`tokenizer.ggml.token_type`).
pub(super) const NORMAL: u8 = 1;
pub(super) const UNKNOWN: u8 = 2;
const CONTROL: u8 = 3;
pub(super) const USER_DEFINED: u8 = 4;
pub(super) const BYTE: u8 = 6;

enum Algorithm {
    ByteLevel(Box<tokenizers::Tokenizer>),
    SentencePiece(Pieces),
    /// Token = byte modulo the vocabulary: for random test models.
    Bytes,
}

/// The tokenizer of one model.
pub struct Tokenizer {
    algorithm: Algorithm,
    vocabulary: usize,
    /// The bytes each token stands for; empty for control tokens.
    bytes: Vec<Vec<u8>>,
    /// Control tokens and their text, longest text first.
    control: Vec<(String, u32)>,
    /// Tokens that are recognised wherever they are written, longest text first.
    always: Vec<(String, u32)>,
    ends: Vec<u32>,
    add_bos: bool,
    digest: [u8; 32],
    /// Token before the first token of a text, if the model has one.
    pub bos: Option<u32>,
    /// Token that ends an answer, if the model has one.
    pub eos: Option<u32>,
}

fn refuse(reason: impl Into<String>) -> ModelError {
    ModelError::Tokenizer { reason: reason.into() }
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

impl Tokenizer {
    /// Builds the tokenizer described in a model file.
    ///
    /// # Errors
    /// `Metadata`, `Tokenizer`, `Unsupported`.
    pub fn from_gguf(gguf: &Gguf, vocabulary: usize) -> Result<Tokenizer, ModelError> {
        let tokens = gguf.texts("tokenizer.ggml.tokens")?;
        if tokens.len() != vocabulary {
            return Err(refuse(format!("{} tokens for an embedding of {vocabulary} rows", tokens.len())));
        }
        let kinds = token_kinds(gguf, vocabulary)?;
        let bos = special(gguf, "bos", vocabulary)?;
        let eos = special(gguf, "eos", vocabulary)?;
        let mut ends: Vec<u32> = eos.into_iter().collect();
        for name in ["eot", "eom"] {
            ends.extend(special(gguf, name, vocabulary)?);
        }
        let listed = |wanted: u8| {
            let mut found: Vec<(String, u32)> = (0u32..)
                .zip(&tokens)
                .zip(&kinds)
                .filter(|((_, text), kind)| **kind == wanted && !text.is_empty())
                .map(|((id, text), _)| (text.to_string(), id))
                .collect();
            found.sort_by_key(|(text, id)| (std::cmp::Reverse(text.len()), *id));
            found
        };
        let model = gguf.text("tokenizer.ggml.model")?;
        let mut record = Record::new(model, &tokens, &kinds);
        let (algorithm, bytes, default_bos) = match model {
            "gpt2" => {
                let name = gguf.text("tokenizer.ggml.pre")?;
                let merges = gguf.texts("tokenizer.ggml.merges")?;
                record.text(name).list(&merges);
                (byte_level(name, &tokens, &merges)?, byte_level_bytes(&tokens, &kinds), false)
            }
            "llama" => {
                let scores = scores(gguf, vocabulary)?;
                let prefix = gguf.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(true);
                record.text("sentencepiece").scores(&scores).byte(u8::from(prefix));
                let pieces = Pieces::new(&tokens, &kinds, scores, prefix)?;
                let bytes = pieces.bytes();
                (Algorithm::SentencePiece(pieces), bytes, true)
            }
            other => {
                return Err(ModelError::Unsupported {
                    what: format!("the tokenizer model `{}`", other.chars().take(64).collect::<String>()),
                    next: "choose a model with a byte-level BPE (gpt2) or SentencePiece (llama) tokenizer",
                });
            }
        };
        let add_bos = gguf.flag("tokenizer.ggml.add_bos_token")?.unwrap_or(default_bos);
        record.special(bos).special(eos).byte(u8::from(add_bos));
        let (control, always) = (listed(CONTROL), listed(USER_DEFINED));
        Ok(Tokenizer {
            algorithm,
            vocabulary,
            bytes,
            control,
            always,
            ends,
            add_bos,
            digest: record.finish(),
            bos,
            eos,
        })
    }

    /// A tokenizer for random test models: every byte is the token `byte % vocabulary`; no special tokens.
    pub fn bytes(vocabulary: usize) -> Tokenizer {
        let bytes = (0..vocabulary).map(|id| u8::try_from(id).map(|byte| vec![byte]).unwrap_or_default()).collect();
        let digest = Record::new("bytes", &[], &[]).special(u32::try_from(vocabulary).ok()).finish();
        let (control, always, ends) = (Vec::new(), Vec::new(), Vec::new());
        Tokenizer {
            algorithm: Algorithm::Bytes,
            vocabulary,
            bytes,
            control,
            always,
            ends,
            add_bos: false,
            digest,
            bos: None,
            eos: None,
        }
    }

    /// Tokens of a text, without a first token added.
    ///
    /// With `with_special`, control tokens written in the text (`<|im_end|>`) become those tokens, as a rendered chat
    /// template needs; without, they are ordinary characters. Bytes that the vocabulary cannot express are dropped, as the
    /// published byte-level tokenizers do.
    pub fn encode(&self, text: &str, with_special: bool) -> Vec<u32> {
        let mut out = Vec::new();
        let (mut start, mut at) = (0, 0);
        let starts: std::collections::HashSet<u8> =
            self.marks(with_special).filter_map(|(mark, _)| mark.as_bytes().first().copied()).collect();
        while at < text.len() {
            let found = if starts.contains(&text.as_bytes()[at]) {
                let here =
                    self.marks(with_special).filter(|(mark, _)| text.as_bytes()[at..].starts_with(mark.as_bytes()));
                here.max_by_key(|(mark, _)| mark.len())
            } else {
                None
            };
            match found {
                Some((mark, id)) => {
                    self.encode_plain(&text[start..at], &mut out);
                    out.push(*id);
                    at += mark.len();
                    start = at;
                }
                None => at += 1,
            }
        }
        self.encode_plain(&text[start..], &mut out);
        out
    }

    /// Tokens of a plain prompt: the first token if the file asks for one, then the text with no control tokens read in it.
    pub fn encode_prompt(&self, text: &str) -> Vec<u32> {
        let mut out: Vec<u32> = self.bos.filter(|_| self.add_bos).into_iter().collect();
        out.extend(self.encode(text, false));
        out
    }

    fn marks(&self, with_special: bool) -> impl Iterator<Item = &(String, u32)> {
        self.always.iter().chain(if with_special { self.control.as_slice() } else { &[] })
    }

    fn encode_plain(&self, text: &str, out: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        match &self.algorithm {
            Algorithm::ByteLevel(library) => {
                // Without an unknown token and without truncation the library has no error left to give for a valid text.
                if let Ok(encoding) = library.encode_fast(text, false) {
                    out.extend_from_slice(encoding.get_ids());
                }
            }
            Algorithm::SentencePiece(pieces) => pieces.encode(text, out),
            Algorithm::Bytes => out.extend(text.bytes().map(|byte| u32::from(byte) % self.vocabulary as u32)),
        }
    }

    /// The text of some tokens; control tokens and unknown ids give nothing, broken UTF-8 gives U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let mut stream = self.stream();
        let mut text: String = tokens.iter().map(|token| stream.push(*token)).collect();
        text.push_str(&stream.finish());
        text
    }

    /// Decodes token by token, never showing half a character.
    pub fn stream(&self) -> Stream<'_> {
        let skip_space = matches!(&self.algorithm, Algorithm::SentencePiece(pieces) if pieces.space_prefix);
        Stream { tokenizer: self, pending: Vec::new(), skip_space }
    }

    /// Whether this token ends an answer.
    pub fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// Whether this is a control token.
    pub fn is_control(&self, token: u32) -> bool {
        self.control.iter().any(|(_, id)| *id == token)
    }

    /// The text by which a control token is written, empty for other tokens.
    pub fn control_text(&self, token: u32) -> &str {
        self.control.iter().find(|(_, id)| *id == token).map_or("", |(text, _)| text)
    }

    /// Tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// SHA3-256 of everything that decides how text becomes tokens.
    ///
    /// The bytes that are hashed are defined in `digest.rs`.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// Decodes tokens one by one; see `Tokenizer::stream`.
pub struct Stream<'a> {
    tokenizer: &'a Tokenizer,
    pending: Vec<u8>,
    skip_space: bool,
}

impl Stream<'_> {
    /// The characters that this token completes; may be empty.
    pub fn push(&mut self, token: u32) -> String {
        let bytes = self.tokenizer.bytes.get(token as usize).map_or(&[][..], Vec::as_slice);
        let leading = self.skip_space && bytes.first() == Some(&b' ');
        self.skip_space &= bytes.is_empty();
        self.pending.extend_from_slice(&bytes[usize::from(leading)..]);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(whole) => {
                    text.push_str(whole);
                    self.pending.clear();
                    return text;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    text.push_str(&String::from_utf8_lossy(&self.pending[..valid]));
                    let broken = error.error_len();
                    text.extend(broken.map(|_| '\u{fffd}'));
                    self.pending.drain(..valid + broken.unwrap_or(0));
                    if broken.is_none() {
                        return text;
                    }
                }
            }
        }
    }

    /// What is left at the end: U+FFFD for a character that was never completed.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.pending).into_owned()
    }
}

fn byte_level(pre: &str, tokens: &[&str], merges: &[&str]) -> Result<Algorithm, ModelError> {
    let vocabulary: HashMap<String, u32> = tokens.iter().map(|text| text.to_string()).zip(0..).collect();
    if vocabulary.len() != tokens.len() {
        return Err(refuse("two tokens have the same text"));
    }
    let merges = merges
        .iter()
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
        library.with_normalizer(Some(NFC));
    }
    Ok(Algorithm::ByteLevel(Box::new(library)))
}

fn byte_level_bytes(tokens: &[&str], kinds: &[u8]) -> Vec<Vec<u8>> {
    let table: HashMap<char, u8> = (0..=255).map(|byte| (byte_character(byte), byte)).collect();
    let bytes = |(text, kind): (&&str, &u8)| match *kind {
        NORMAL => text.chars().filter_map(|c| table.get(&c).copied()).collect(),
        USER_DEFINED => text.as_bytes().to_vec(),
        _ => Vec::new(),
    };
    tokens.iter().zip(kinds).map(bytes).collect()
}

fn token_kinds(gguf: &Gguf, vocabulary: usize) -> Result<Vec<u8>, ModelError> {
    let Some(value) = gguf.value("tokenizer.ggml.token_type") else {
        return Ok(vec![NORMAL; vocabulary]);
    };
    let Value::Array(values) = value else {
        return Err(refuse("token_type is not an array"));
    };
    let kind = |value: &Value| match value {
        Value::I32(kind) => u8::try_from(*kind).ok(),
        Value::U32(kind) => u8::try_from(*kind).ok(),
        _ => None,
    };
    let kinds: Option<Vec<u8>> = values.iter().map(kind).collect();
    kinds.filter(|kinds| kinds.len() == vocabulary).ok_or_else(|| refuse("token_type does not fit the vocabulary"))
}

fn scores(gguf: &Gguf, vocabulary: usize) -> Result<Vec<f32>, ModelError> {
    let Some(Value::Array(values)) = gguf.value("tokenizer.ggml.scores") else {
        return Err(refuse("tokenizer.ggml.scores is missing"));
    };
    let scores: Option<Vec<f32>> =
        values.iter().map(|value| if let Value::F32(score) = value { Some(*score) } else { None }).collect();
    scores
        .filter(|scores| scores.len() == vocabulary && scores.iter().all(|score| !score.is_nan()))
        .ok_or_else(|| refuse("the scores do not fit the vocabulary"))
}

fn special(gguf: &Gguf, name: &str, vocabulary: usize) -> Result<Option<u32>, ModelError> {
    match gguf.count(&format!("tokenizer.ggml.{name}_token_id"))? {
        Some(id) if id >= vocabulary => Err(refuse(format!("{name} token {id} is outside the vocabulary"))),
        Some(id) => Ok(u32::try_from(id).ok()),
        None => Ok(None),
    }
}
