//! Decides how text becomes tokens and tokens become text, from the vocabulary inside the model file alone.
//!
//! Control tokens are cut out of the text here, before it is split, so that text written by a user never turns into a
//! control token unless the caller asks for it.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::byte_level;
use super::digest::Record;
use super::error::ModelError;
use super::gguf::{Gguf, Value};
use super::sentencepiece::Pieces;
use super::special::{named, review};

/// Most merges; vocabularies of 256,000 tokens have half a million.
const MERGES: usize = 1 << 21;

/// Most bytes of tokens that are looked for in texts; vocabularies have some thousand of them.
const MARKS: usize = 1 << 20;

/// Kinds of token, numbered as in GGUF (`tokenizer.ggml.token_type`); 0 is undefined and 5 unused.
pub(super) const NORMAL: u8 = 1;
pub(super) const UNKNOWN: u8 = 2;
pub(super) const CONTROL: u8 = 3;
pub(super) const USER_DEFINED: u8 = 4;
pub(super) const BYTE: u8 = 6;

enum Algorithm {
    ByteLevel(Box<tokenizers::Tokenizer>),
    SentencePiece(Pieces),
    /// Token = byte modulo the vocabulary: for random test models.
    Bytes,
}

/// A token as the vocabulary writes it.
struct Entry {
    text: String,
    kind: u8,
    /// What it stands for; nothing for control tokens.
    bytes: Vec<u8>,
}

/// The tokenizer of one model.
pub struct Tokenizer {
    algorithm: Algorithm,
    entries: Vec<Entry>,
    /// Tokens that are read wherever they are written.
    always: Marks,
    /// These and control tokens.
    special: Marks,
    ends: Vec<u32>,
    add_bos: bool,
    digest: [u8; 32],
    /// Token before the first token of a text, if the model has one.
    pub bos: Option<u32>,
    /// Token that ends an answer, if the model has one.
    pub eos: Option<u32>,
}

/// Texts that are tokens as they stand.
#[derive(Default)]
struct Marks {
    finder: Option<AhoCorasick>,
    ids: Vec<u32>,
}

impl Marks {
    /// Of tokens of these kinds; of two with one text the later kind, and of one kind the later token.
    fn new(tokens: &[&str], kinds: &[u8], wanted: &[&[u8]]) -> Result<Marks, ModelError> {
        let mut marks = BTreeMap::new();
        for wanted in wanted {
            let tokens = (0u32..).zip(tokens.iter().zip(kinds));
            let found = tokens.filter(|(_, (text, kind))| wanted.contains(kind) && !text.is_empty());
            marks.extend(found.map(|(id, (text, _))| (*text, id)));
        }
        if marks.keys().map(|text| text.len()).sum::<usize>() > MARKS {
            return Err(refuse(format!("control tokens of more than {MARKS} bytes")));
        }
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            // The library's choice for few patterns takes a kilobyte for each of their bytes.
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(marks.keys());
        let finder = finder.map_err(|error| refuse(error.to_string()))?;
        Ok(Marks { finder: Some(finder), ids: marks.into_values().collect() })
    }

    /// Where the marks stand in a text, the longest where several begin, and which tokens they are.
    fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (std::ops::Range<usize>, u32)> {
        let found = self.finder.iter().flat_map(move |finder| finder.find_iter(text));
        found.map(|found| (found.range(), self.ids[found.pattern().as_usize()]))
    }
}

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Text, of as many tokens as follow each other.
    Text(String),
    /// A control token (or any other that stands for no text), as the vocabulary writes it.
    Control(u32, String),
}

pub(super) fn refuse(reason: impl Into<String>) -> ModelError {
    ModelError::Tokenizer { reason: reason.into() }
}

impl Tokenizer {
    /// Builds the tokenizer described in a model file.
    ///
    /// # Errors
    /// `Metadata`, `Tokenizer`, `Unsupported`.
    pub fn from_gguf(gguf: &Gguf, vocabulary: usize) -> Result<Tokenizer, ModelError> {
        let tokens = gguf.texts("tokenizer.ggml.tokens", 1 << 21)?;
        if tokens.len() != vocabulary {
            return Err(refuse(format!("{} tokens for an embedding of {vocabulary} rows", tokens.len())));
        }
        refuse_variations(gguf, &tokens)?;
        let mut kinds = token_kinds(gguf, vocabulary)?;
        let model = gguf.text("tokenizer.ggml.model")?;
        let sentencepiece = model == "llama";
        // LLaMA's vocabulary, if the file does not say; for others llama.cpp has no default that fits.
        let usual = |id: u32| Some(id).filter(|id| sentencepiece && (*id as usize) < vocabulary);
        let bos = named(gguf, "bos", vocabulary)?.or(usual(1));
        let eos = named(gguf, "eos", vocabulary)?.or(usual(2));
        let ends = review(gguf, &tokens, &mut kinds, eos)?;
        let mut record = Record::new(model, &tokens, &kinds);
        let (algorithm, bytes, default_bos) = match model {
            "gpt2" => {
                let name = gguf.text("tokenizer.ggml.pre")?;
                let merges = gguf.texts("tokenizer.ggml.merges", MERGES)?;
                record.text(name).list(&merges);
                let library = byte_level::library(name, &tokens, &merges)?;
                let bytes = byte_level::bytes(&tokens, &kinds);
                (Algorithm::ByteLevel(Box::new(library)), bytes, byte_level::adds_first_token(name))
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
        if add_bos && bos.is_none() {
            return Err(refuse("prompts begin with a first token, and no bos_token_id names it"));
        }
        record.special(bos).special(eos).byte(u8::from(add_bos));
        let always = Marks::new(&tokens, &kinds, &[&[USER_DEFINED]])?;
        let special = Marks::new(&tokens, &kinds, &[&[USER_DEFINED], &[CONTROL, UNKNOWN]])?;
        let texts = tokens.iter().map(|text| text.to_string());
        let entries = texts.zip(kinds).zip(bytes).map(|((text, kind), bytes)| Entry { text, kind, bytes }).collect();
        Ok(Tokenizer { algorithm, entries, always, special, ends, add_bos, digest: record.finish(), bos, eos })
    }

    /// A tokenizer for random test models: every byte is the token `byte % vocabulary`; no special tokens.
    pub fn bytes(vocabulary: usize) -> Tokenizer {
        let entry = |id| {
            let bytes = u8::try_from(id).map(|byte| vec![byte]).unwrap_or_default();
            Entry { text: String::new(), kind: NORMAL, bytes }
        };
        let digest = Record::new("bytes", &[], &[]).special(u32::try_from(vocabulary).ok()).finish();
        let entries = (0..vocabulary).map(entry).collect();
        Tokenizer {
            algorithm: Algorithm::Bytes,
            entries,
            always: Marks::default(),
            special: Marks::default(),
            ends: Vec::new(),
            add_bos: false,
            digest,
            bos: None,
            eos: None,
        }
    }

    /// Tokens of a text, without a first token added.
    ///
    /// With `with_special`, control tokens written in the text (`<|im_end|>`) become those tokens, as a rendered chat
    /// template needs; without, they are ordinary characters. Bytes that the vocabulary cannot express are dropped, as
    /// the published byte-level tokenizers do.
    pub fn encode(&self, text: &str, with_special: bool) -> Vec<u32> {
        let mut out = Vec::new();
        let mut start = 0;
        let marks = if with_special { &self.special } else { &self.always };
        for (place, id) in marks.find(text) {
            self.encode_plain(&text[start..place.start], &mut out);
            out.push(id);
            start = place.end;
        }
        self.encode_plain(&text[start..], &mut out);
        out
    }

    /// Tokens of a plain prompt: the first token if the file asks for one, then the text with no control tokens read in
    /// it.
    pub fn encode_prompt(&self, text: &str) -> Vec<u32> {
        let mut out: Vec<u32> = self.bos.filter(|_| self.add_bos).into_iter().collect();
        out.extend(self.encode(text, false));
        out
    }

    fn encode_plain(&self, text: &str, out: &mut Vec<u32>) {
        if text.is_empty() {
            return;
        }
        match &self.algorithm {
            Algorithm::ByteLevel(library) => {
                // Without an unknown token and without truncation the library has no error left to give for a valid
                // text.
                if let Ok(encoding) = library.encode_fast(text, false) {
                    out.extend_from_slice(encoding.get_ids());
                }
            }
            Algorithm::SentencePiece(pieces) => pieces.encode(text, out),
            Algorithm::Bytes => out.extend(text.bytes().map(|byte| u32::from(byte) % self.entries.len() as u32)),
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

    /// Whether this token is in the vocabulary and stands for no text: a control token, or an unknown or unused one.
    pub fn is_control(&self, token: u32) -> bool {
        let entry = self.entries.get(token as usize);
        entry.is_some_and(|entry| !matches!(entry.kind, NORMAL | USER_DEFINED | BYTE))
    }

    /// The text by which the vocabulary writes a token; empty outside it.
    pub fn written(&self, token: u32) -> &str {
        self.entries.get(token as usize).map_or("", |entry| &entry.text)
    }

    /// What some tokens stand for, with control tokens apart from the text that they may look like.
    pub fn shown(&self, tokens: &[u32]) -> Vec<Shown> {
        let mut shown = Vec::new();
        let mut stream = self.stream();
        let mut text = String::new();
        for &token in tokens {
            if self.is_control(token) || token as usize >= self.entries.len() {
                text.push_str(&stream.flush());
                shown.extend(
                    Some(Shown::Text(std::mem::take(&mut text))).filter(|text| *text != Shown::Text("".into())),
                );
                shown.push(Shown::Control(token, self.written(token).to_string()));
            }
            text.push_str(&stream.push(token));
        }
        text.push_str(&stream.finish());
        shown.extend(Some(Shown::Text(text)).filter(|text| *text != Shown::Text("".into())));
        shown
    }

    /// Some tokens in a form that no text can imitate: text in quotes and escaped, control tokens in brackets outside
    /// them, as `[1 "<|im_start|>"] "user\nHello" [2 "<|im_end|>"]`.
    pub fn describe(&self, tokens: &[u32]) -> String {
        let parts = self.shown(tokens).into_iter().map(|part| match part {
            Shown::Text(text) => format!("{text:?}"),
            Shown::Control(token, text) => format!("[{token} {text:?}]"),
        });
        parts.collect::<Vec<_>>().join(" ")
    }

    /// Tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.entries.len()
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
        let bytes = self.tokenizer.entries.get(token as usize).map_or(&[][..], |entry| &entry.bytes);
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

    /// What is left of a character that the next token cannot complete: U+FFFD, or nothing.
    fn flush(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }

    /// What is left at the end: U+FFFD for a character that was never completed.
    pub fn finish(mut self) -> String {
        self.flush()
    }
}

/// What a file may ask of a tokenizer that is not done here.
fn refuse_variations(gguf: &Gguf, tokens: &[&str]) -> Result<(), ModelError> {
    if gguf.flag("tokenizer.ggml.add_eos_token")? == Some(true) {
        return Err(ModelError::Unsupported {
            what: "an end token after every prompt (add_eos_token)".into(),
            next: "choose a model that goes on with a text",
        });
    }
    let text = |value| if let Value::Text(text) = value { Some(text) } else { None };
    let added = gguf.array("tokenizer.ggml.added_tokens", tokens.len(), text)?.unwrap_or_default();
    let known: std::collections::HashSet<&str> = tokens.iter().copied().collect();
    match added.iter().find(|added| !known.contains(*added)) {
        Some(added) => Err(refuse(format!("the added token {added:?} is not in the vocabulary"))),
        None => Ok(()),
    }
}

fn token_kinds(gguf: &Gguf, vocabulary: usize) -> Result<Vec<u8>, ModelError> {
    let kind = |value| match value {
        Value::Integer(kind @ 0..=6) => u8::try_from(kind).ok(),
        _ => None,
    };
    let kinds = gguf.array("tokenizer.ggml.token_type", vocabulary, kind)?;
    let kinds = kinds.unwrap_or_else(|| vec![NORMAL; vocabulary]);
    Some(kinds)
        .filter(|kinds| kinds.len() == vocabulary)
        .ok_or_else(|| refuse("token_type does not fit the vocabulary"))
}

fn scores(gguf: &Gguf, vocabulary: usize) -> Result<Vec<f32>, ModelError> {
    let score = |value| if let Value::Real(score) = value { Some(score) } else { None };
    let scores = gguf.array("tokenizer.ggml.scores", vocabulary, score)?;
    let scores = scores.ok_or_else(|| refuse("tokenizer.ggml.scores is missing"))?;
    // NaN is not equal to itself.
    if scores.len() != vocabulary || scores.iter().any(|score| f64::from(*score as f32) != *score) {
        return Err(refuse("the scores do not fit the vocabulary"));
    }
    Ok(scores.into_iter().map(|score| score as f32).collect())
}
