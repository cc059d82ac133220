//! Decides how a GGUF file becomes a shape and tensors, and which files are refused.
//!
//! `header.rs` reads the container; `candle-core` turns stored blocks into numbers; this file holds the two against
//! each other and against the file's length, and undoes the row order in which `llama` files store rotary pairs.

mod header;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use candle_core::Device;
use candle_core::quantized::GgmlDType::{self, BF16, F16, F32, Q4_0, Q4_1, Q4K, Q6K, Q8_0};
use candle_core::quantized::ggml_file::qtensor_from_ggml;

use super::error::ModelError;
use super::shape::{Kind, Shape};
pub use header::Value;
use header::{HEADER_LIMIT, Header, Place, foreign};

/// Storage types that are read.
pub const SUPPORTED: &str = "F32, F16, BF16, Q4_0, Q4_1, Q8_0, Q4_K, Q6_K";

/// GGML's storage types by their numbers; those without a name were removed from the format.
const STORAGE: [&str; 43] = [
    "F32", "F16", "Q4_0", "Q4_1", "", "", "Q5_0", "Q5_1", "Q8_0", "Q8_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K",
    "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8", "I16", "I32", "I64",
    "F64", "IQ1_M", "BF16", "", "", "", "TQ1_0", "TQ2_0", "", "", "", "MXFP4", "NVFP4", "Q1_0", "Q2_0",
];

/// The version of the layouts of blocks, the only one that GGUF has had; files may leave it out.
const QUANTISATION_VERSION: usize = 2;

/// An open model file: its metadata and where its tensors lie.
pub struct Gguf {
    file: Mutex<File>,
    length: u64,
    header: Header,
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

/// How a storage type is decoded, if it is supported.
fn decoder(kind: u32) -> Option<GgmlDType> {
    Some(match kind {
        0 => F32,
        1 => F16,
        2 => Q4_0,
        3 => Q4_1,
        8 => Q8_0,
        12 => Q4K,
        14 => Q6K,
        30 => BF16,
        _ => return None,
    })
}

fn storage_name(kind: u32) -> String {
    let name = STORAGE.get(kind as usize).filter(|name| !name.is_empty());
    name.map_or_else(|| format!("GGML type {kind}"), |name| name.to_string())
}

impl Gguf {
    /// Opens a file and parses its header; no tensor is read.
    ///
    /// # Errors
    /// `Read`, `Foreign`, `Header`, `Ambiguous`, `Architecture`, `Metadata`, `Unsupported`.
    pub fn open(path: &Path) -> Result<Gguf, ModelError> {
        let read_error = |source| ModelError::Read { path: path.into(), source };
        let other = |(found, next)| ModelError::Foreign { path: path.into(), found, next };
        let mut file = File::open(path).map_err(read_error)?;
        if file.metadata().map_err(read_error)?.is_dir() {
            let next = "give a GGUF file; llama.cpp's convert_hf_to_gguf.py makes one of a Hugging Face folder";
            return Err(other(("a folder".into(), next)));
        }
        let length = file.seek(SeekFrom::End(0)).map_err(read_error)?;
        file.seek(SeekFrom::Start(0)).map_err(read_error)?;
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(HEADER_LIMIT).read_to_end(&mut head).map_err(read_error)?;
        if let Some(found) = foreign(&head) {
            return Err(other(found));
        }
        let header = Header::parse(head).map_err(|error| match error {
            ModelError::Header { reason } if length > HEADER_LIMIT => {
                ModelError::Header { reason: format!("{reason}; a header over 48 MiB is not read") }
            }
            error => error,
        })?;
        let mut gguf = Gguf { file: Mutex::new(file), length, header, architecture: String::new() };
        if let Some(found) = gguf.part()? {
            return Err(other(found));
        }
        gguf.architecture = gguf.text("general.architecture")?.to_string();
        match gguf.architecture.as_str() {
            "llama" | "qwen2" => Ok(gguf),
            other => Err(ModelError::Architecture { found: other.chars().take(64).collect() }),
        }
    }

    /// What a file is that is not the whole of one model, and what to do with it.
    fn part(&self) -> Result<Option<(String, &'static str)>, ModelError> {
        let shards = self.count("split.count")?.unwrap_or(1);
        if shards > 1 {
            let number = self.count("split.no")?.map_or("one".into(), |number| format!("number {}", number + 1));
            let next = "join them first with llama.cpp's llama-gguf-split --merge FIRST.gguf MODEL.gguf";
            return Ok(Some((format!("{number} of {shards} shards of a model"), next)));
        }
        match self.value("general.type") {
            None => Ok(None),
            Some(Value::Text("model")) => Ok(None),
            Some(Value::Text(other)) => {
                let next = "give the model itself, with adapters merged into it";
                Ok(Some((format!("not a model but of the type `{other:.64}`"), next)))
            }
            Some(_) => Err(metadata_error("general.type", "not a string")),
        }
    }

    /// A metadata entry as stored.
    pub fn value(&self, key: &str) -> Option<Value<'_>> {
        self.header.value(key)
    }

    /// A metadata entry that must be a string.
    pub fn text(&self, key: &str) -> Result<&str, ModelError> {
        self.optional_text(key)?.ok_or_else(|| metadata_error(key, "missing"))
    }

    /// A metadata entry that, if there, must be a string.
    pub fn optional_text(&self, key: &str) -> Result<Option<&str>, ModelError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(metadata_error(key, "not a string")),
        }
    }

    /// A metadata entry that, if there, must be a whole number of at least 0, in any type of integer.
    pub fn count(&self, key: &str) -> Result<Option<usize>, ModelError> {
        let number = match self.value(key) {
            None => return Ok(None),
            Some(Value::Integer(number)) => usize::try_from(number).ok(),
            Some(_) => None,
        };
        number.map(Some).ok_or_else(|| metadata_error(key, "not one whole number"))
    }

    /// A metadata entry that, if there, must be a boolean.
    pub fn flag(&self, key: &str) -> Result<Option<bool>, ModelError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(flag)),
            Some(_) => Err(metadata_error(key, "not a boolean")),
        }
    }

    /// A metadata entry that, if there, must be an array of at most `most` values, each of which `read` must take.
    pub fn array<'a, T>(
        &'a self,
        key: &str,
        most: usize,
        read: impl Fn(Value<'a>) -> Option<T>,
    ) -> Result<Option<Vec<T>>, ModelError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(array)) if array.count > most => {
                Err(metadata_error(key, format!("{} values, {most} allowed", array.count)))
            }
            Some(Value::Array(array)) => {
                let values: Option<Vec<T>> = array.values().map(read).collect();
                values.map(Some).ok_or_else(|| metadata_error(key, "an array of values of another type"))
            }
            Some(_) => Err(metadata_error(key, "not an array")),
        }
    }

    /// A metadata entry that must be an array of at most `most` strings.
    pub fn texts(&self, key: &str, most: usize) -> Result<Vec<&str>, ModelError> {
        let text = |value| if let Value::Text(text) = value { Some(text) } else { None };
        self.array(key, most, text)?.ok_or_else(|| metadata_error(key, "missing"))
    }

    fn real(&self, key: &str) -> Result<Option<f64>, ModelError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Real(real)) => Ok(Some(real)),
            Some(_) => Err(metadata_error(key, "not a real number")),
        }
    }

    /// Name of the model as the file has it, whatever is in it; of a longer one the first 200 characters.
    ///
    /// # Errors
    /// `Metadata` if it is not text.
    pub fn name(&self) -> Result<String, ModelError> {
        let name = self.optional_text("general.name")?.unwrap_or("unnamed model");
        Ok(name.chars().take(200).collect())
    }

    /// Reads the sizes and refuses every variation of the architecture that inference would get wrong.
    ///
    /// # Errors
    /// `Metadata`, `MissingTensor`, `WrongShape`, `Quantisation`, `Misplaced`, `Truncated`, `Ambiguous`, `Unsupported`.
    pub fn shape(&self) -> Result<Shape, ModelError> {
        let prefix = &self.architecture;
        let key = |name: &str| format!("{prefix}.{name}");
        let required = |name: &str| self.count(&key(name))?.ok_or_else(|| metadata_error(&key(name), "missing"));
        let (width, heads) = (required("embedding_length")?, required("attention.head_count")?);
        let default_head =
            width.checked_div(heads).ok_or_else(|| metadata_error(&key("attention.head_count"), "zero"))?;
        let head_dim = self.count(&key("attention.key_length"))?.unwrap_or(default_head);
        let embedding = Kind::Embedding.gguf_name(0);
        let Some(table) = self.header.tensors.get(&embedding) else {
            return Err(ModelError::MissingTensor { name: embedding });
        };
        let shape = Shape {
            layers: required("block_count")?,
            width,
            heads,
            kv_heads: self.count(&key("attention.head_count_kv"))?.unwrap_or(heads),
            head_dim,
            hidden: required("feed_forward_length")?,
            vocabulary: table.dims.first().copied().unwrap_or(0),
            context: required("context_length")?,
            rope_base: self.real(&key("rope.freq_base"))?.unwrap_or(10000.0),
            norm_epsilon: self
                .real(&key("attention.layer_norm_rms_epsilon"))?
                .ok_or_else(|| metadata_error(&key("attention.layer_norm_rms_epsilon"), "missing"))?,
            tied: !self.header.tensors.contains_key(&Kind::Head.gguf_name(0)),
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
            ("nextn_predict_layers", 0),
        ] {
            match self.count(&key(name))? {
                Some(found) if found != expected => {
                    return refuse(format!("{} = {found} (expected {expected})", key(name)), other_model);
                }
                _ => {}
            }
        }
        // Scales that must be 1 and bounds that must be 0.
        for (name, neutral) in [
            ("rope.scale", 1.0),
            ("rope.scale_linear", 1.0),
            ("rope.scaling.factor", 1.0),
            ("rope.scaling.attn_factor", 1.0),
            ("attention.scale", 1.0),
            ("logit_scale", 1.0),
            ("embedding_scale", 1.0),
            ("residual_scale", 1.0),
            ("attention.max_alibi_bias", 0.0),
            ("attention.clamp_kqv", 0.0),
            ("attn_logit_softcapping", 0.0),
            ("final_logit_softcapping", 0.0),
        ] {
            if let Some(found) = self.real(&key(name))?.filter(|found| *found != neutral) {
                return refuse(format!("{} = {found} (expected {neutral})", key(name)), other_model);
            }
        }
        if self.flag(&key("use_parallel_residual"))? == Some(true) {
            return refuse("parallel residuals".into(), other_model);
        }
        if self.flag(&key("attention.causal"))? == Some(false) {
            return refuse("attention that is not causal".into(), other_model);
        }
        if self.count(&key("attention.sliding_window"))?.is_some_and(|window| window != 0 && window < shape.context) {
            return refuse("a sliding attention window".into(), "choose a model with full attention");
        }
        if !matches!(self.optional_text(&key("rope.scaling.type"))?, None | Some("none")) {
            return refuse("rotary scaling (rope.scaling.type)".into(), "choose a model without context extension");
        }
        self.refuse_layouts(key)
    }

    /// Refuses weights in another order and blocks of another version.
    fn refuse_layouts(&self, key: &dyn Fn(&str) -> String) -> Result<(), ModelError> {
        let refuse = |what: &str, next| Err(ModelError::Unsupported { what: what.into(), next });
        // llama.cpp reads both layouts as one: the rows of a pair next to each other.
        if !matches!(self.optional_text(&key("tensor_data_layout"))?, None | Some("reference" | "Meta AI original pth"))
        {
            return refuse("another order of weights (tensor_data_layout)", "convert the model again");
        }
        match self.count("general.quantization_version")? {
            None | Some(QUANTISATION_VERSION) => Ok(()),
            Some(_) => refuse("blocks of another quantisation version", "quantise the model again"),
        }
    }

    /// Every tensor the shape asks for is there, of its shape, of a known storage type and inside the file, where no
    /// other is; and there is no other.
    fn check_tensors(&self, shape: &Shape) -> Result<(), ModelError> {
        let mut spans = Vec::new();
        for kind in Kind::ALL {
            for layer in 0..if kind.per_layer() { shape.layers } else { 1 } {
                let name = kind.gguf_name(layer);
                match self.header.tensors.get(&name) {
                    Some(place) => {
                        let bytes = self.check_tensor(&name, place, &shape.dims(kind))?;
                        spans.push((place.offset, place.offset + bytes, name));
                    }
                    None if kind.optional() && self.has(kind) => return Err(ModelError::MissingTensor { name }),
                    None if kind.optional() => continue,
                    None => return Err(ModelError::MissingTensor { name }),
                }
            }
        }
        if spans.len() != self.header.tensors.len() {
            return Err(self.extra_tensor(shape));
        }
        spans.sort();
        match spans.windows(2).find(|pair| pair[0].1 > pair[1].0) {
            None => Ok(()),
            Some(pair) => {
                let what = format!("tensors `{}` and `{}` share bytes", pair[0].2, pair[1].2);
                Err(ModelError::Ambiguous { what })
            }
        }
    }

    fn extra_tensor(&self, shape: &Shape) -> ModelError {
        let expected: std::collections::HashSet<String> =
            Kind::ALL.into_iter().flat_map(|kind| (0..shape.layers).map(move |layer| kind.gguf_name(layer))).collect();
        let extra = self.header.tensors.keys().filter(|name| !expected.contains(*name)).min();
        ModelError::Unsupported {
            what: format!("the extra tensor `{}`", extra.map_or("", |name| name)),
            next: "choose a plain LLaMA-shaped model without rotary scaling, experts or adapters",
        }
    }

    /// The bytes that a tensor takes.
    fn check_tensor(&self, name: &str, place: &Place, expected: &[usize]) -> Result<u64, ModelError> {
        if place.dims != expected {
            return Err(ModelError::WrongShape {
                name: name.into(),
                expected: expected.into(),
                found: place.dims.clone(),
            });
        }
        let row = expected.last().copied().unwrap_or(0);
        let kind = decoder(place.kind).filter(|kind| row.is_multiple_of(kind.block_size())).ok_or_else(|| {
            ModelError::Quantisation {
                name: name.into(),
                found: format!("{} in rows of {row}", storage_name(place.kind)),
            }
        })?;
        // At most 2^36 elements of 4 bytes: `Shape::check` has bounded both factors.
        let bytes = (expected.iter().product::<usize>() / kind.block_size() * kind.type_size()) as u64;
        if !place.offset.is_multiple_of(self.header.alignment) {
            let (offset, alignment) = (place.offset, self.header.alignment);
            return Err(ModelError::Misplaced { name: name.into(), offset, alignment });
        }
        let needed = self.header.data_start.saturating_add(place.offset).saturating_add(bytes);
        if needed > self.length {
            return Err(ModelError::Truncated { name: name.into(), needed, length: self.length });
        }
        Ok(bytes)
    }

    /// Whether the file holds this kind of tensor.
    pub fn has(&self, kind: Kind) -> bool {
        self.header.tensors.contains_key(&kind.gguf_name(0))
    }

    /// One tensor in f32, row-major `[out, in]`, rotary rows in half layout. `shape` must be the one `shape()`
    /// returned.
    ///
    /// # Errors
    /// `MissingTensor`, `Decode`, `NotFinite`.
    pub fn tensor(&self, shape: &Shape, kind: Kind, layer: usize) -> Result<Vec<f32>, ModelError> {
        let name = kind.gguf_name(layer);
        let dims = shape.dims(kind);
        let Some((place, decoder)) =
            self.header.tensors.get(&name).and_then(|place| Some((place, decoder(place.kind)?)))
        else {
            return Err(ModelError::MissingTensor { name });
        };
        let values = guarded(|| {
            let bytes = dims.iter().product::<usize>() / decoder.block_size() * decoder.type_size();
            let mut stored = vec![0; bytes];
            {
                let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                file.seek(SeekFrom::Start(self.header.data_start + place.offset))?;
                file.read_exact(&mut stored)?;
            }
            let blocks = qtensor_from_ggml(decoder, &stored, dims.clone(), &Device::Cpu)?;
            drop(stored);
            blocks.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()
        })
        .map_err(|reason| ModelError::Decode {
            name: name.clone(),
            reason: reason.lines().next().unwrap_or_default().to_string(),
        })?;
        let expected: usize = dims.iter().product();
        if values.len() != expected {
            return Err(ModelError::Decode { name, reason: format!("{} values instead of {expected}", values.len()) });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(ModelError::NotFinite { name, index });
        }
        let rotary = matches!(kind, Kind::Query | Kind::Key | Kind::QueryBias | Kind::KeyBias);
        Ok(if rotary && self.architecture == "llama" { half_layout(&values, shape.head_dim, &dims) } else { values })
    }
}

/// Moves row `2i + b` of each head to row `b * head_dim / 2 + i`.
///
/// `llama` files keep the two rows of a rotary pair next to each other; everything else here pairs `i` with `i +
/// head_dim / 2`.
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
