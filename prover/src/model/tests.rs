//! Decides that model files are read as published, and that damaged or unsupported ones are refused by name.

use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

use super::float::{Cache, Float, Site};
use super::{Chat, Kind, Message, Model, ModelError, Shape, Tokenizer};

mod file;
mod format;
mod raw;
mod real;
mod special;
mod template;
mod text;

use raw::Raw;

/// A shape in which no size is a power of two.
fn shape() -> Shape {
    Shape {
        layers: 3,
        width: 36,
        heads: 6,
        kv_heads: 3,
        head_dim: 6,
        hidden: 50,
        vocabulary: 259,
        context: 40,
        rope_base: 10000.0,
        norm_epsilon: f64::from(1e-5f32),
        tied: true,
    }
}

fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/models/tiny-kjv.gguf")
}

/// A GGUF file in the making.
struct Draft {
    metadata: Vec<(String, Value)>,
    tensors: Vec<(String, QTensor)>,
}

fn quantised(values: &[f32], dims: &[usize], kind: GgmlDType) -> QTensor {
    QTensor::quantize(&Tensor::from_slice(values, dims, &Device::Cpu).unwrap(), kind).unwrap()
}

/// Rows in the order in which `llama` files hold them: the two rows of a rotary pair next to each other.
fn adjacent(rows: &[f32], dims: &[usize], head_dim: usize) -> Vec<f32> {
    let row = dims.get(1).copied().unwrap_or(1);
    let mut out = vec![0.0; rows.len()];
    for (r, values) in rows.chunks_exact(row).enumerate() {
        let (head, place) = (r / head_dim, r % head_dim);
        let target = head * head_dim + 2 * (place % (head_dim / 2)) + place / (head_dim / 2);
        out[target * row..][..row].copy_from_slice(values);
    }
    out
}

impl Draft {
    /// `model` as a file of the named architecture, every matrix stored as `kind`.
    fn of(model: &Model, architecture: &str, kind: GgmlDType) -> Draft {
        let shape = &model.shape;
        let mut metadata = vec![("general.architecture".to_string(), Value::String(architecture.into()))];
        for (key, value) in [
            ("block_count", shape.layers),
            ("context_length", shape.context),
            ("embedding_length", shape.width),
            ("feed_forward_length", shape.hidden),
            ("attention.head_count", shape.heads),
            ("attention.head_count_kv", shape.kv_heads),
            ("rope.dimension_count", shape.head_dim),
        ] {
            metadata.push((format!("{architecture}.{key}"), Value::U32(value as u32)));
        }
        metadata
            .push((format!("{architecture}.attention.layer_norm_rms_epsilon"), Value::F32(shape.norm_epsilon as f32)));
        metadata.push((format!("{architecture}.rope.freq_base"), Value::F32(shape.rope_base as f32)));
        let texts = |texts: Vec<String>| Value::Array(texts.into_iter().map(Value::String).collect());
        let mut tokens: Vec<String> = (0..=255u32).map(|byte| byte_level_text(byte as u8).to_string()).collect();
        tokens.extend((256..shape.vocabulary).map(|id| format!("<|{id}|>")));
        let kinds = (0..shape.vocabulary).map(|id| Value::I32(if id < 256 { 1 } else { 3 })).collect();
        metadata.push(("tokenizer.ggml.model".into(), Value::String("gpt2".into())));
        metadata.push(("tokenizer.ggml.pre".into(), Value::String("gpt-2".into())));
        metadata.push(("tokenizer.ggml.tokens".into(), texts(tokens)));
        metadata.push(("tokenizer.ggml.merges".into(), texts(Vec::new())));
        metadata.push(("tokenizer.ggml.token_type".into(), Value::Array(kinds)));
        metadata.push(("tokenizer.ggml.bos_token_id".into(), Value::U32(256)));
        metadata.push(("tokenizer.ggml.eos_token_id".into(), Value::U32(257)));
        let mut tensors = Vec::new();
        for tensor in Kind::ALL.into_iter().filter(|tensor| model.has(*tensor)) {
            for layer in 0..if tensor.per_layer() { shape.layers } else { 1 } {
                let (mut values, dims) = (model.tensor(tensor, layer).unwrap(), shape.dims(tensor));
                let rotary = matches!(tensor, Kind::Query | Kind::Key | Kind::QueryBias | Kind::KeyBias);
                if rotary && architecture == "llama" {
                    values = adjacent(&values, &dims, shape.head_dim);
                }
                let stored = if dims.len() == 2 && dims[1] % kind.block_size() == 0 { kind } else { GgmlDType::F32 };
                tensors.push((tensor.gguf_name(layer), quantised(&values, &dims, stored)));
            }
        }
        Draft { metadata, tensors }
    }

    fn small() -> Draft {
        Draft::of(&Model::random(shape(), 1).unwrap(), "llama", GgmlDType::F32)
    }

    fn set(mut self, key: &str, value: Value) -> Draft {
        self.metadata.retain(|(other, _)| other != key);
        self.metadata.push((key.into(), value));
        self
    }

    fn without(mut self, name: &str) -> Draft {
        self.metadata.retain(|(key, _)| key != name);
        self.tensors.retain(|(other, _)| other != name);
        self
    }

    fn put(mut self, name: &str, values: &[f32], dims: &[usize], kind: GgmlDType) -> Draft {
        self.tensors.retain(|(other, _)| other != name);
        self.tensors.push((name.into(), quantised(values, dims, kind)));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        Raw::of(self).bytes()
    }

    fn load(&self) -> Result<Model, ModelError> {
        load_bytes(&self.bytes())
    }
}

fn load_bytes(bytes: &[u8]) -> Result<Model, ModelError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Model::load(file.path())
}

/// GPT-2's printable stand-in for a byte, written down independently of the code under test.
fn byte_level_text(byte: u8) -> char {
    let printable: Vec<u8> = (33..=126).chain(161..=172).chain(174..=255).collect();
    if printable.contains(&byte) {
        return char::from(byte);
    }
    let hidden: Vec<u8> = (0..=255).filter(|b| !printable.contains(b)).collect();
    char::from_u32(256 + hidden.iter().position(|b| *b == byte).unwrap() as u32).unwrap()
}
