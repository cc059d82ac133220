//! Decides how a GGUF file becomes a shape and tensors, and which files are refused.
//!
//! The container and the block formats are read by `candle-core`; this file bounds what that library may be asked to do
//! (header size, exact tensor shapes, offsets inside the file), turns its panics into errors, and undoes the row order in
//! which `llama` files store rotary pairs.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use candle_core::Device;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};

use super::error::ModelError;
use super::shape::{Kind, Shape};

/// Storage types that are read.
pub const SUPPORTED: &str = "F32, F16, BF16, Q4_0, Q4_1, Q8_0, Q4_K, Q6_K";

/// Largest header that is parsed, in bytes. A vocabulary of 256,000 tokens with merges takes about 15 MB; parsing takes up
/// to 32 times the bytes, so this also bounds the memory a hostile file can ask for.
const HEADER_LIMIT: u64 = 48 << 20;

/// An open model file: its metadata and where its tensors lie.
pub struct Gguf {
    file: Mutex<File>,
    length: u64,
    data_offset: u64,
    tensors: HashMap<String, TensorInfo>,
    metadata: HashMap<String, Value>,
    architecture: String,
}

fn metadata_error(key: &str, reason: impl Into<String>) -> ModelError {
    ModelError::Metadata { key: key.into(), reason: reason.into() }
}

/// Runs library code that may panic on hostile input; the panic's text becomes an error.
pub(super) fn guarded<T, E: std::fmt::Display>(work: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => Err(panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| text.to_string()))
            .unwrap_or_else(|| "the decoder panicked".into())),
    }
}

impl Gguf {
    /// Opens a file and parses its header; no tensor is read.
    ///
    /// # Errors
    /// `Read`, `Foreign`, `Header`, `Quantisation`, `Architecture`, `Metadata`.
    pub fn open(path: &Path) -> Result<Gguf, ModelError> {
        let read_error = |source| ModelError::Read { path: path.into(), source };
        let mut file = File::open(path).map_err(read_error)?;
        let length = file.seek(SeekFrom::End(0)).map_err(read_error)?;
        file.seek(SeekFrom::Start(0)).map_err(read_error)?;
        let mut header = Vec::new();
        Read::by_ref(&mut file).take(HEADER_LIMIT).read_to_end(&mut header).map_err(read_error)?;
        if header.get(..4) != Some(b"GGUF".as_slice()) {
            return Err(ModelError::Foreign { path: path.into() });
        }
        let content = guarded(|| Content::read(&mut Cursor::new(&header))).map_err(|reason| {
            let unknown =
                reason.split("unknown dtype for tensor ").nth(1).and_then(|rest| rest.split_whitespace().next());
            match unknown {
                Some(number) => {
                    ModelError::Quantisation { name: "(some tensor)".into(), found: format!("GGML type {number}") }
                }
                None => {
                    let cut = if length > HEADER_LIMIT { "; a header over 48 MiB is not read" } else { "" };
                    ModelError::Header { reason: format!("{}{cut}", reason.lines().next().unwrap_or_default()) }
                }
            }
        })?;
        let mut gguf = Gguf {
            file: Mutex::new(file),
            length,
            data_offset: content.tensor_data_offset,
            tensors: content.tensor_infos,
            metadata: content.metadata,
            architecture: String::new(),
        };
        gguf.architecture = gguf.text("general.architecture")?.to_string();
        match gguf.architecture.as_str() {
            "llama" | "qwen2" => Ok(gguf),
            other => Err(ModelError::Architecture { found: other.chars().take(64).collect() }),
        }
    }

    /// A metadata entry as stored.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// A metadata entry that must be a string.
    pub fn text(&self, key: &str) -> Result<&str, ModelError> {
        match self.value(key) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(metadata_error(key, "not a string")),
            None => Err(metadata_error(key, "missing")),
        }
    }

    /// A metadata entry that, if there, must be a whole number of at least 0.
    pub fn count(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let number = match self.value(key) {
            None => return Ok(None),
            Some(Value::U8(v)) => Some(u64::from(*v)),
            Some(Value::U16(v)) => Some(u64::from(*v)),
            Some(Value::U32(v)) => Some(u64::from(*v)),
            Some(Value::U64(v)) => Some(*v),
            Some(Value::I8(v)) => u64::try_from(*v).ok(),
            Some(Value::I16(v)) => u64::try_from(*v).ok(),
            Some(Value::I32(v)) => u64::try_from(*v).ok(),
            Some(Value::I64(v)) => u64::try_from(*v).ok(),
            Some(_) => None,
        };
        let number = number.and_then(|v| usize::try_from(v).ok());
        number.map(Some).ok_or_else(|| metadata_error(key, "not one whole number"))
    }

    /// A metadata entry that, if there, must be a boolean.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(v)) => Ok(Some(*v)),
            Some(_) => Err(metadata_error(key, "not a boolean")),
        }
    }

    /// A metadata entry that must be an array of strings.
    pub fn texts(&self, key: &str) -> Result<Vec<&str>, ModelError> {
        let Some(Value::Array(values)) = self.value(key) else {
            return Err(metadata_error(key, "missing or not an array"));
        };
        values
            .iter()
            .map(|value| match value {
                Value::String(text) => Ok(text.as_str()),
                _ => Err(metadata_error(key, "not an array of strings")),
            })
            .collect()
    }

    fn real(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::F32(v)) => Ok(Some(f64::from(*v))),
            Some(Value::F64(v)) => Ok(Some(*v)),
            Some(_) => Err(metadata_error(key, "not a real number")),
        }
    }

    /// Name of the model as the file has it, whatever is in it; of a longer one the first 200 characters.
    pub fn name(&self) -> String {
        self.text("general.name").unwrap_or("unnamed model").chars().take(200).collect()
    }

    /// Reads the sizes and refuses every variation of the architecture that inference would get wrong.
    ///
    /// # Errors
    /// `Metadata`, `MissingTensor`, `WrongShape`, `Quantisation`, `Truncated`, `Unsupported`.
    pub fn shape(&self) -> Result<Shape, ModelError> {
        let prefix = &self.architecture;
        let key = |name: &str| format!("{prefix}.{name}");
        let required = |name: &str| self.count(&key(name))?.ok_or_else(|| metadata_error(&key(name), "missing"));
        let (width, heads) = (required("embedding_length")?, required("attention.head_count")?);
        let default_head =
            width.checked_div(heads).ok_or_else(|| metadata_error(&key("attention.head_count"), "zero"))?;
        let head_dim = self.count(&key("attention.key_length"))?.unwrap_or(default_head);
        let embedding = Kind::Embedding.gguf_name(0);
        let Some(table) = self.tensors.get(&embedding) else {
            return Err(ModelError::MissingTensor { name: embedding });
        };
        let shape = Shape {
            layers: required("block_count")?,
            width,
            heads,
            kv_heads: self.count(&key("attention.head_count_kv"))?.unwrap_or(heads),
            head_dim,
            hidden: required("feed_forward_length")?,
            vocabulary: table.shape.dims().first().copied().unwrap_or(0),
            context: required("context_length")?,
            rope_base: self.real(&key("rope.freq_base"))?.unwrap_or(10000.0),
            norm_epsilon: self
                .real(&key("attention.layer_norm_rms_epsilon"))?
                .ok_or_else(|| metadata_error(&key("attention.layer_norm_rms_epsilon"), "missing"))?,
            tied: !self.tensors.contains_key(&Kind::Head.gguf_name(0)),
        };
        shape.check()?;
        self.refuse_variations(&shape, &key)?;
        self.check_tensors(&shape)?;
        Ok(shape)
    }

    fn refuse_variations(&self, shape: &Shape, key: &dyn Fn(&str) -> String) -> Result<(), ModelError> {
        let refuse = |what: String, next| Err(ModelError::Unsupported { what, next });
        let other_model = "choose a plain LLaMA-shaped model";
        for (name, expected) in [
            ("attention.value_length", shape.head_dim),
            ("rope.dimension_count", shape.head_dim),
            ("vocab_size", shape.vocabulary),
            ("expert_count", 0),
            ("expert_used_count", 0),
        ] {
            match self.count(&key(name))? {
                Some(found) if found != expected => {
                    return refuse(format!("{} = {found} (expected {expected})", key(name)), other_model);
                }
                _ => {}
            }
        }
        match self.value(&key("rope.scaling.type")) {
            None => {}
            Some(Value::String(kind)) if kind == "none" => {}
            Some(_) => {
                return refuse("rotary scaling (rope.scaling.type)".into(), "choose a model without context extension");
            }
        }
        for name in [
            "rope.scale_linear",
            "rope.scaling.factor",
            "attention.scale",
            "logit_scale",
            "embedding_scale",
            "residual_scale",
        ] {
            if self.real(&key(name))?.is_some_and(|factor| factor != 1.0) {
                return refuse(format!("the scale factor {}", key(name)), other_model);
            }
        }
        if self.count(&key("attention.sliding_window"))?.is_some_and(|window| window != 0 && window < shape.context) {
            return refuse("a sliding attention window".into(), "choose a model with full attention");
        }
        if self.flag(&key("attention.causal"))? == Some(false) {
            return refuse("attention that is not causal".into(), other_model);
        }
        Ok(())
    }

    /// Every tensor the shape asks for is there, of its shape, of a known storage type and inside the file; there is no other.
    fn check_tensors(&self, shape: &Shape) -> Result<(), ModelError> {
        let mut known = 0;
        for kind in Kind::ALL {
            for layer in 0..if kind.per_layer() { shape.layers } else { 1 } {
                let name = kind.gguf_name(layer);
                match self.tensors.get(&name) {
                    Some(info) => self.check_tensor(&name, info, &shape.dims(kind))?,
                    None if kind.optional() && self.tensors.contains_key(&kind.gguf_name(0)) => {
                        return Err(ModelError::MissingTensor { name });
                    }
                    None if kind.optional() => continue,
                    None => return Err(ModelError::MissingTensor { name }),
                }
                known += 1;
            }
        }
        if known == self.tensors.len() {
            return Ok(());
        }
        let expected: std::collections::HashSet<String> =
            Kind::ALL.into_iter().flat_map(|kind| (0..shape.layers).map(move |layer| kind.gguf_name(layer))).collect();
        let mut extra: Vec<&String> = self.tensors.keys().filter(|name| !expected.contains(*name)).collect();
        extra.sort();
        let what = format!("the extra tensor `{}`", extra.first().map_or("", |name| name));
        Err(ModelError::Unsupported {
            what,
            next: "choose a plain LLaMA-shaped model without rotary scaling, experts or adapters",
        })
    }

    fn check_tensor(&self, name: &str, info: &TensorInfo, expected: &[usize]) -> Result<(), ModelError> {
        if info.shape.dims() != expected {
            return Err(ModelError::WrongShape {
                name: name.into(),
                expected: expected.into(),
                found: info.shape.dims().into(),
            });
        }
        use GgmlDType::{BF16, F16, F32, Q4_0, Q4_1, Q4K, Q6K, Q8_0};
        let kind = info.ggml_dtype;
        let whole_rows = expected.last().is_some_and(|row| row.is_multiple_of(kind.block_size()));
        if !matches!(kind, F32 | F16 | BF16 | Q4_0 | Q4_1 | Q8_0 | Q4K | Q6K) || !whole_rows {
            return Err(ModelError::Quantisation {
                name: name.into(),
                found: format!("{kind:?} in rows of {:?}", expected.last()),
            });
        }
        // At most 2^36 elements of 4 bytes: `Shape::check` has bounded both factors.
        let bytes = expected.iter().product::<usize>() / kind.block_size() * kind.type_size();
        let needed = self.data_offset.saturating_add(info.offset).saturating_add(bytes as u64);
        if needed > self.length {
            return Err(ModelError::Truncated { name: name.into(), needed, length: self.length });
        }
        Ok(())
    }

    /// Whether the file holds this kind of tensor.
    pub fn has(&self, kind: Kind) -> bool {
        self.tensors.contains_key(&kind.gguf_name(0))
    }

    /// One tensor in f32, row-major `[out, in]`, rotary rows in half layout. `shape` must be the one `shape()` returned.
    ///
    /// # Errors
    /// `MissingTensor`, `Decode`, `NotFinite`.
    pub fn tensor(&self, shape: &Shape, kind: Kind, layer: usize) -> Result<Vec<f32>, ModelError> {
        let name = kind.gguf_name(layer);
        let Some(info) = self.tensors.get(&name) else {
            return Err(ModelError::MissingTensor { name });
        };
        let values = guarded(|| {
            let stored = {
                let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                info.read(&mut *file, self.data_offset, &Device::Cpu)?
            };
            stored.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()
        })
        .map_err(|reason| ModelError::Decode {
            name: name.clone(),
            reason: reason.lines().next().unwrap_or_default().to_string(),
        })?;
        let expected: usize = shape.dims(kind).iter().product();
        if values.len() != expected {
            return Err(ModelError::Decode { name, reason: format!("{} values instead of {expected}", values.len()) });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(ModelError::NotFinite { name, index });
        }
        let rotary = matches!(kind, Kind::Query | Kind::Key | Kind::QueryBias | Kind::KeyBias);
        Ok(if rotary && self.architecture == "llama" {
            half_layout(&values, shape.head_dim, &shape.dims(kind))
        } else {
            values
        })
    }
}

/// Moves row `2i + b` of each head to row `b * head_dim / 2 + i`.
///
/// `llama` files keep the two rows of a rotary pair next to each other; everything else here pairs `i` with `i + head_dim / 2`.
fn half_layout(rows: &[f32], head_dim: usize, dims: &[usize]) -> Vec<f32> {
    let row = dims.get(1).copied().unwrap_or(1);
    let half = head_dim / 2;
    let mut out = Vec::with_capacity(rows.len());
    for head in rows.chunks_exact(head_dim * row) {
        for place in 0..head_dim {
            let source = 2 * (place % half) + place / half;
            out.extend_from_slice(&head[source * row..][..row]);
        }
    }
    out
}
