//! Decides what a model is to the rest of the prover: sizes, weights in f32, a tokenizer and a chat template, read from
//! one GGUF file or made from a seed.
//!
//! Nothing here is proved: the weights become the statement's only after quantisation and commitment.

mod byte_level;
mod chat;
mod digest;
mod error;
pub mod float;
mod gguf;
mod random;
mod sentencepiece;
mod shape;
mod special;
mod template;
#[cfg(test)]
mod tests;
mod tokenizer;

use rayon::prelude::*;
use std::path::Path;
use zkllm_kernels::random::Weights as RandomWeights;

pub use chat::{Chat, Message};
pub use error::ModelError;
pub use random::tokens as random_tokens;
pub use shape::{Kind, Shape};
pub use template::Now;
pub use tokenizer::{Shown, Stream, Tokenizer};

enum Weights {
    File(gguf::Gguf),
    Random { seed: u64, biased: bool },
}

/// A LLaMA-shaped language model. Tensors are read when asked for, so a large model takes little memory.
pub struct Model {
    /// The name in the file, for people.
    pub name: String,
    /// Its sizes.
    pub shape: Shape,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its chat template, if it has one.
    pub chat: Option<Chat>,
    weights: Weights,
}

impl Model {
    /// Opens a GGUF file and checks all of it but the weights' values.
    ///
    /// # Errors
    /// Every way in which a file can be damaged, foreign or not supported; see `ModelError`.
    pub fn load(path: &Path) -> Result<Model, ModelError> {
        let file = gguf::Gguf::open(path)?;
        let shape = file.shape()?;
        let tokenizer = Tokenizer::from_gguf(&file, shape.vocabulary)?;
        let chat = match file.optional_text("tokenizer.chat_template")? {
            Some(template) => Some(Chat::new(template, &special_texts(&file, &tokenizer)?)),
            None => None,
        };
        Ok(Model { name: file.name()?, shape, tokenizer, chat, weights: Weights::File(file) })
    }

    /// A model with random weights, the same for the same shape and seed on every machine; bytes are its tokens.
    ///
    /// # Errors
    /// `Metadata` if the shape is outside the limits.
    pub fn random(shape: Shape, seed: u64) -> Result<Model, ModelError> {
        shape.check()?;
        let tokenizer = Tokenizer::bytes(shape.vocabulary);
        Ok(Model {
            name: format!("random {seed}"),
            shape,
            tokenizer,
            chat: None,
            weights: Weights::Random { seed, biased: false },
        })
    }

    /// Like `random`, with query, key and value biases.
    ///
    /// # Errors
    /// As `random`.
    pub fn random_biased(shape: Shape, seed: u64) -> Result<Model, ModelError> {
        Ok(Model { weights: Weights::Random { seed, biased: true }, ..Model::random(shape, seed)? })
    }

    /// Whether the model has tensors of this kind of its own; a tied model has no `Head`.
    pub fn has(&self, kind: Kind) -> bool {
        match (&self.weights, kind) {
            (Weights::File(file), _) => file.has(kind),
            (Weights::Random { .. }, Kind::Head) => !self.shape.tied,
            (Weights::Random { biased, .. }, _) => *biased || !kind.optional(),
        }
    }

    /// One tensor in f32, row-major, of the dimensions `shape.dims(kind)` (`[out, in]` or `[length]`); every value is
    /// finite.
    ///
    /// Rows of queries and keys (and their biases) are in half layout: within a head, element `i` turns with element
    /// `i + head_dim / 2`. `Head` of a tied model is the embedding. `layer` must be 0 for tensors outside the layers.
    ///
    /// # Errors
    /// `Layer`, `MissingTensor` (an absent bias too: ask `has` first), `Decode`, `NotFinite`.
    pub fn tensor(&self, kind: Kind, layer: usize) -> Result<Vec<f32>, ModelError> {
        let kind = if kind == Kind::Head && self.shape.tied { Kind::Embedding } else { kind };
        let layers = if kind.per_layer() { self.shape.layers } else { 1 };
        if layer >= layers {
            return Err(ModelError::Layer { layer, layers });
        }
        if !self.has(kind) {
            return Err(ModelError::MissingTensor { name: kind.gguf_name(layer) });
        }
        match &self.weights {
            Weights::File(file) => file.tensor(&self.shape, kind, layer),
            Weights::Random { seed, .. } => {
                let weights = random::weights(&self.shape, *seed, kind, layer);
                let count = self.shape.dims(kind).iter().product::<usize>() as u64;
                Ok((0..count).into_par_iter().map(|index| weights.at(index)).collect())
            }
        }
    }

    /// What a tensor of a random model is made by; `None` of a file.
    pub fn random_weights(&self, kind: Kind, layer: usize) -> Option<RandomWeights> {
        match self.weights {
            Weights::File(_) => None,
            Weights::Random { seed, .. } => Some(random::weights(&self.shape, seed, kind, layer)),
        }
    }

    /// Tokens of a conversation, ending where the model's answer begins; with today's date, where the template writes
    /// one. Control tokens that are written in a message become those tokens, as in transformers.
    ///
    /// # Errors
    /// `NoChatTemplate`, `ChatTemplate`.
    pub fn chat_tokens(&self, messages: &[Message]) -> Result<Vec<u32>, ModelError> {
        self.chat_tokens_at(messages, Now::clock())
    }

    /// Like `chat_tokens`, at another time.
    ///
    /// # Errors
    /// As `chat_tokens`.
    pub fn chat_tokens_at(&self, messages: &[Message], now: Now) -> Result<Vec<u32>, ModelError> {
        let chat = self.chat.as_ref().ok_or(ModelError::NoChatTemplate)?;
        Ok(self.tokenizer.encode(&chat.render(messages, true, now)?, true))
    }

    /// Why the chat template cannot be used, if there is one and it cannot.
    pub fn chat_problem(&self) -> Option<ModelError> {
        let rendered = self.chat.as_ref()?.render(&[Message::user("Hello")], true, Now::clock());
        rendered.err()
    }
}

/// The texts of the special tokens that the file names.
fn special_texts<'a>(file: &gguf::Gguf, tokenizer: &'a Tokenizer) -> Result<Vec<(&'static str, &'a str)>, ModelError> {
    let named = |name| special::named(file, name, tokenizer.vocabulary());
    let tokens = [
        ("bos_token", tokenizer.bos),
        ("eos_token", tokenizer.eos),
        ("unk_token", named("unknown")?),
        ("pad_token", named("padding")?),
    ];
    Ok(tokens.into_iter().filter_map(|(name, token)| Some((name, tokenizer.written(token?)))).collect())
}
