//! Decides what the integers are compared with: f32 inference by candle-transformers with the dequantised weights.
//!
//! Candle's own product with quantised weights rounds the activations to 8 bits, which is far coarser than what is
//! measured here. So the file is rewritten in memory with every tensor in f32 before candle reads it.

use anyhow::{Context, Result};
use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;

/// A model run by candle in f32.
pub struct Reference {
    weights: ModelWeights,
    position: usize,
}

impl Reference {
    pub fn load(path: &Path) -> Result<Self> {
        let cpu = Device::Cpu;
        let mut file = BufReader::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?);
        let content = Content::read(&mut file)?;
        let mut tensors = Vec::new();
        for name in content.tensor_infos.keys() {
            let values = content.tensor(&mut file, name, &cpu)?.dequantize(&cpu)?;
            tensors.push((name.as_str(), QTensor::quantize(&values, GgmlDType::F32)?));
        }
        let metadata: Vec<(&str, &Value)> = content
            .metadata
            .iter()
            .filter(|(key, _)| !key.starts_with("tokenizer."))
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
        let mut floats = Cursor::new(Vec::new());
        gguf_file::write(&mut floats, &metadata, &tensors)?;
        drop(tensors);
        floats.set_position(0);
        let content = Content::read(&mut floats)?;
        Ok(Self { weights: ModelWeights::from_gguf(content, &mut floats, &cpu)?, position: 0 })
    }

    /// Forgets all tokens.
    pub fn restart(&mut self) {
        self.weights.clear_kv_cache();
        self.position = 0;
    }

    /// The logits after one more token. Candle gives those of the last token only, so tokens come one by one.
    pub fn next(&mut self, token: u32) -> Result<Vec<f32>> {
        let input = Tensor::new(&[[token]], &Device::Cpu)?;
        let logits = self.weights.forward(&input, self.position)?;
        self.position += 1;
        Ok(logits.squeeze(0)?.to_vec1()?)
    }

    /// The `most` greedy tokens after `prompt`, fewer if one ends the answer (it is the last one then).
    pub fn greedy(&mut self, prompt: &[u32], most: usize, is_end: impl Fn(u32) -> bool) -> Result<Vec<u32>> {
        self.restart();
        let mut logits = Vec::new();
        for &token in prompt {
            logits = self.next(token)?;
        }
        let mut answer = Vec::new();
        while answer.len() < most {
            let token = crate::compare::greedy(&logits);
            answer.push(token);
            if is_end(token) {
                break;
            }
            logits = self.next(token)?;
        }
        Ok(answer)
    }
}
