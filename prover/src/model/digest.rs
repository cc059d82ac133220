//! Decides the bytes whose SHA3-256 names a tokenizer.
//!
//! In order: the bytes `zkllm tokenizer 1\n`; the tokenizer model (`gpt2`, `llama`); the number of tokens, then each
//! token's text and its kind (one byte, numbered as in GGUF, after `special.rs` has reviewed it). Then for `gpt2` the
//! pre-tokenizer's name, the number of merges and each merge as written in the file; for `llama` the text
//! `sentencepiece`, the number of scores, each score's IEEE bits (4 bytes) and one byte for the space prefix. Then the
//! first token and the end token (a byte 1 and the id in 4 bytes, or a byte 0), and one byte for whether the first
//! token is added to a prompt. Numbers are little-endian, counts and lengths take 8 bytes, texts are UTF-8 preceded by
//! their length in bytes.

use sha3::{Digest, Sha3_256};

/// The bytes hashed so far.
pub struct Record(Sha3_256);

impl Record {
    /// Starts with the tokenizer model and the vocabulary.
    pub fn new(model: &str, tokens: &[&str], kinds: &[u8]) -> Record {
        let mut record = Record(Sha3_256::new());
        record.0.update(b"zkllm tokenizer 1\n");
        record.text(model).count(tokens.len());
        for (token, kind) in tokens.iter().zip(kinds) {
            record.text(token).byte(*kind);
        }
        record
    }

    pub fn count(&mut self, count: usize) -> &mut Record {
        self.0.update((count as u64).to_le_bytes());
        self
    }

    pub fn byte(&mut self, byte: u8) -> &mut Record {
        self.0.update([byte]);
        self
    }

    pub fn text(&mut self, text: &str) -> &mut Record {
        self.count(text.len());
        self.0.update(text.as_bytes());
        self
    }

    pub fn list(&mut self, texts: &[&str]) -> &mut Record {
        self.count(texts.len());
        for text in texts {
            self.text(text);
        }
        self
    }

    pub fn scores(&mut self, scores: &[f32]) -> &mut Record {
        self.count(scores.len());
        for score in scores {
            self.0.update(score.to_bits().to_le_bytes());
        }
        self
    }

    pub fn special(&mut self, id: Option<u32>) -> &mut Record {
        self.byte(u8::from(id.is_some()));
        if let Some(id) = id {
            self.0.update(id.to_le_bytes());
        }
        self
    }

    pub fn finish(&mut self) -> [u8; 32] {
        self.0.finalize_reset().into()
    }
}
