//! Decides what can be wrong with a model file, and what its owner should do about each.

use std::path::PathBuf;

/// Why a model could not be loaded or used. Every message ends in what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    #[error("cannot read {path}: {source}; check the path and its permissions", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },

    #[error("{path} is {found}; {next}", path = path.display())]
    Foreign { path: PathBuf, found: String, next: &'static str },

    #[error("the header of the model file is damaged ({reason}); fetch the file again and compare its SHA-256")]
    Header { reason: String },

    #[error("the model file can be read in two ways ({what}); convert the model again with a current converter")]
    Ambiguous { what: String },

    #[error(
        "the model file has no usable metadata entry `{key}` ({reason}); convert the model again with a current converter"
    )]
    Metadata { key: String, reason: String },

    #[error("architecture `{found}` is not supported; use a model whose general.architecture is llama or qwen2")]
    Architecture { found: String },

    #[error("the model uses {what}, which is not supported; {next}")]
    Unsupported { what: String, next: &'static str },

    #[error(
        "tensor `{name}` is missing; the file is incomplete or not of the architecture it names: convert the model again"
    )]
    MissingTensor { name: String },

    #[error(
        "tensor `{name}` has shape {found:?}, expected {expected:?}; the metadata and the weights are of two models: convert again"
    )]
    WrongShape { name: String, expected: Vec<usize>, found: Vec<usize> },

    #[error("tensor `{name}` is stored as {found}; requantise the file to one of {supported}", supported = super::gguf::SUPPORTED)]
    Quantisation { name: String, found: String },

    #[error(
        "tensor `{name}` begins at {offset}, which is no multiple of the file's alignment {alignment}; convert the model again"
    )]
    Misplaced { name: String, offset: u64, alignment: u64 },

    #[error("tensor `{name}` ends at byte {needed} of a file of {length}: the file is truncated; fetch it again")]
    Truncated { name: String, needed: u64, length: u64 },

    #[error(
        "tensor `{name}` has a value that is not finite at index {index}; the weights are damaged: fetch or convert the file again"
    )]
    NotFinite { name: String, index: usize },

    #[error("tensor `{name}` could not be decoded ({reason}); fetch the file again and compare its SHA-256")]
    Decode { name: String, reason: String },

    #[error("layer {layer} was asked of a model of {layers} layers; this is a mistake of the caller")]
    Layer { layer: usize, layers: usize },

    #[error("the file's tokenizer cannot be used ({reason}); convert the model again with a current converter")]
    Tokenizer { reason: String },

    #[error("the model file has no chat template; give a plain prompt, or use an instruction-tuned model")]
    NoChatTemplate,

    #[error("the chat template of the model file failed ({reason}); give a plain prompt instead")]
    ChatTemplate { reason: String },

    #[error("token {token} is outside the vocabulary of {vocabulary}; use tokens from this model's tokenizer")]
    Token { token: u32, vocabulary: usize },
}
