//! Decides what a model computes in floating point: the plain reading of the architecture that tests, calibration and
//! accuracy measurements compare the integer inference with.

use rayon::prelude::*;

use super::{Kind, Model, ModelError, Shape};

struct Layer {
    attention_norm: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    /// Query, key and value biases; empty where there is none.
    biases: [Vec<f32>; 3],
    attention_out: Vec<f32>,
    feed_forward_norm: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    down: Vec<f32>,
}

impl Layer {
    fn read(model: &Model, layer: usize) -> Result<Layer, ModelError> {
        let bias = |kind| {
            if model.has(kind) { model.tensor(kind, layer) } else { Ok(Vec::new()) }
        };
        Ok(Layer {
            attention_norm: model.tensor(Kind::AttentionNorm, layer)?,
            query: model.tensor(Kind::Query, layer)?,
            key: model.tensor(Kind::Key, layer)?,
            value: model.tensor(Kind::Value, layer)?,
            biases: [bias(Kind::QueryBias)?, bias(Kind::KeyBias)?, bias(Kind::ValueBias)?],
            attention_out: model.tensor(Kind::AttentionOut, layer)?,
            feed_forward_norm: model.tensor(Kind::FeedForwardNorm, layer)?,
            gate: model.tensor(Kind::Gate, layer)?,
            up: model.tensor(Kind::Up, layer)?,
            down: model.tensor(Kind::Down, layer)?,
        })
    }
}

/// A model with its weights in memory in f32 (4 bytes a weight).
pub struct Float {
    shape: Shape,
    embedding: Vec<f32>,
    /// Empty if tied.
    head: Vec<f32>,
    final_norm: Vec<f32>,
    layers: Vec<Layer>,
}

/// Keys and values of the tokens seen so far, `[layer][token, kv head, head_dim]`.
#[derive(Default, Clone)]
pub struct Cache {
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    length: usize,
}

/// Places where activations can be watched; all `[token, ..]`, row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Site {
    /// Residual before the layer, `[width]`.
    Residual,
    AttentionNorm,
    /// After rotation, `[heads * head_dim]`.
    Query,
    /// After rotation, `[kv_heads * head_dim]`.
    Key,
    Value,
    /// `q . k / sqrt(head_dim)` of one token, `[heads, tokens so far]`.
    Scores,
    /// Heads' outputs before the output projection.
    Attention,
    AttentionOut,
    FeedForwardNorm,
    Gate,
    Up,
    /// `silu(gate) * up`.
    Hidden,
    Down,
    /// `layer` is 0 for these two.
    FinalNorm,
    Logits,
}

/// Called with site, layer and values.
pub type Watch<'a> = &'a mut dyn FnMut(Site, usize, &[f32]);

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0f32; 16];
    let (a_blocks, b_blocks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..16 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    rest + lanes.iter().sum::<f32>()
}

/// `x [tokens, in]` times the transpose of `weights [out, in]`, plus `bias [out]` unless empty: `[tokens, out]`.
fn project(x: &[f32], weights: &[f32], bias: &[f32], width: usize) -> Vec<f32> {
    let (tokens, out) = (x.len() / width, weights.len() / width);
    let columns: Vec<f32> =
        weights.par_chunks_exact(width).flat_map_iter(|row| x.chunks_exact(width).map(move |x| dot(x, row))).collect();
    let at = |t: usize, o: usize| columns[o * tokens + t] + bias.get(o).copied().unwrap_or(0.0);
    (0..tokens).flat_map(|t| (0..out).map(move |o| (t, o))).map(|(t, o)| at(t, o)).collect()
}

fn add(x: &mut [f32], y: &[f32]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += y);
}

impl Float {
    /// Reads every weight of a model.
    ///
    /// # Errors
    /// As `Model::tensor`.
    pub fn new(model: &Model) -> Result<Float, ModelError> {
        let layers =
            (0..model.shape.layers).map(|layer| Layer::read(model, layer)).collect::<Result<_, ModelError>>()?;
        Ok(Float { layers, ..Float::without_layers(model)? })
    }

    fn without_layers(model: &Model) -> Result<Float, ModelError> {
        Ok(Float {
            shape: model.shape.clone(),
            embedding: model.tensor(Kind::Embedding, 0)?,
            head: if model.shape.tied { Vec::new() } else { model.tensor(Kind::Head, 0)? },
            final_norm: model.tensor(Kind::FinalNorm, 0)?,
            layers: Vec::new(),
        })
    }

    /// Logits after each token of each sequence, `[sequence][token][vocabulary]`, with one layer of the model in memory at a
    /// time.
    ///
    /// # Errors
    /// As `Model::tensor`, and `Token`.
    pub fn logits_of(model: &Model, sequences: &[&[u32]]) -> Result<Vec<Vec<Vec<f32>>>, ModelError> {
        let float = Float::without_layers(model)?;
        let mut states = sequences.iter().map(|tokens| float.embed(tokens)).collect::<Result<Vec<_>, _>>()?;
        for index in 0..model.shape.layers {
            let layer = Layer::read(model, index)?;
            for x in &mut states {
                // A sequence is read at once: no layer looks at what another one kept.
                float.layer(0, &layer, x, &mut float.cache(1), &mut |_, _, _| {});
            }
        }
        Ok(states.iter().map(|x| float.head(x, &mut |_, _, _| {})).collect())
    }

    /// Logits after each token, `[token][vocabulary]`.
    ///
    /// # Errors
    /// `Token` for a token outside the vocabulary.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.extend(&mut Cache::default(), tokens, &mut |_, _, _| {})
    }

    /// The `count` tokens that follow greedily (the lowest id among equals), stopping after one for which `is_end` holds.
    ///
    /// # Errors
    /// `Token`.
    pub fn greedy(&self, tokens: &[u32], count: usize, is_end: impl Fn(u32) -> bool) -> Result<Vec<u32>, ModelError> {
        let (mut cache, mut out, mut next) = (Cache::default(), Vec::new(), tokens.to_vec());
        while out.len() < count {
            let logits = self.extend(&mut cache, &next, &mut |_, _, _| {})?;
            let Some(last) = logits.last() else { break };
            let best = (0u32..)
                .zip(last)
                .fold((0, f32::MIN), |best, (id, value)| if *value > best.1 { (id, *value) } else { best })
                .0;
            out.push(best);
            next = vec![best];
            if is_end(best) {
                break;
            }
        }
        Ok(out)
    }

    /// Mean negative log-likelihood of each token given those before it, in nats a token (the first is not scored).
    ///
    /// # Errors
    /// `Token`.
    pub fn loss(&self, tokens: &[u32]) -> Result<f64, ModelError> {
        let logits = self.logits(tokens)?;
        let scored = logits.iter().zip(tokens.iter().skip(1));
        let losses: Vec<f64> = scored
            .map(|(logits, token)| {
                let top = logits.iter().copied().fold(f32::MIN, f32::max);
                let sum: f64 = logits.iter().map(|logit| f64::from(logit - top).exp()).sum();
                sum.ln() - f64::from(logits[*token as usize] - top)
            })
            .collect();
        Ok(losses.iter().sum::<f64>() / losses.len().max(1) as f64)
    }

    /// Runs more tokens after those in the cache; returns the logits after each new token and lets `watch` see activations.
    ///
    /// # Errors
    /// `Token`.
    pub fn extend(&self, cache: &mut Cache, tokens: &[u32], watch: Watch) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut x = self.embed(tokens)?;
        if cache.keys.is_empty() {
            *cache = self.cache(self.shape.layers);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            self.layer(index, layer, &mut x, cache, watch);
        }
        cache.length += tokens.len();
        Ok(self.head(&x, watch))
    }

    fn cache(&self, layers: usize) -> Cache {
        Cache { keys: vec![Vec::new(); layers], values: vec![Vec::new(); layers], length: 0 }
    }

    fn embed(&self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let Shape { width, vocabulary, .. } = self.shape;
        let mut x = Vec::with_capacity(tokens.len() * width);
        for &token in tokens {
            let row = self.embedding.get(token as usize * width..(token as usize + 1) * width);
            x.extend_from_slice(row.ok_or(ModelError::Token { token, vocabulary })?);
        }
        Ok(x)
    }

    fn layer(&self, index: usize, layer: &Layer, x: &mut [f32], cache: &mut Cache, watch: Watch) {
        watch(Site::Residual, index, x);
        let out = self.attention(index, layer, x, cache, watch);
        add(x, &out);
        let out = self.feed_forward(index, layer, x, watch);
        add(x, &out);
    }

    fn head(&self, x: &[f32], watch: Watch) -> Vec<Vec<f32>> {
        let normed = self.norm(x, &self.final_norm);
        watch(Site::FinalNorm, 0, &normed);
        let head = if self.shape.tied { &self.embedding } else { &self.head };
        let logits = project(&normed, head, &[], self.shape.width);
        watch(Site::Logits, 0, &logits);
        logits.chunks_exact(self.shape.vocabulary).map(<[f32]>::to_vec).collect()
    }

    /// RMSNorm of each row: `x * gain / sqrt(mean(x^2) + epsilon)`.
    fn norm(&self, x: &[f32], gain: &[f32]) -> Vec<f32> {
        let row = |x: &[f32]| {
            let square: f64 = x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>() / x.len() as f64;
            let scale = 1.0 / (square + self.shape.norm_epsilon).sqrt();
            x.iter().zip(gain).map(|(x, gain)| (f64::from(*x) * scale) as f32 * gain).collect::<Vec<f32>>()
        };
        x.chunks_exact(self.shape.width).flat_map(row).collect()
    }

    /// Turns each pair `(i, i + head_dim / 2)` of every head by its position's angle.
    fn rotate(&self, x: &mut [f32], heads: usize, first: usize) {
        let (dim, half) = (self.shape.head_dim, self.shape.head_dim / 2);
        for (t, token) in x.chunks_exact_mut(heads * dim).enumerate() {
            for i in 0..half {
                let angle = (first + t) as f64 * self.shape.rope_base.powf(-2.0 * i as f64 / dim as f64);
                let (sin, cos) = (angle.sin() as f32, angle.cos() as f32);
                for head in token.chunks_exact_mut(dim) {
                    let (low, high) = (head[i], head[i + half]);
                    head[i] = low * cos - high * sin;
                    head[i + half] = high * cos + low * sin;
                }
            }
        }
    }

    fn attention(&self, index: usize, layer: &Layer, x: &[f32], cache: &mut Cache, watch: Watch) -> Vec<f32> {
        let Shape { width, heads, kv_heads, head_dim, .. } = self.shape;
        let normed = self.norm(x, &layer.attention_norm);
        watch(Site::AttentionNorm, index, &normed);
        let mut query = project(&normed, &layer.query, &layer.biases[0], width);
        let mut key = project(&normed, &layer.key, &layer.biases[1], width);
        let value = project(&normed, &layer.value, &layer.biases[2], width);
        self.rotate(&mut query, heads, cache.length);
        self.rotate(&mut key, kv_heads, cache.length);
        watch(Site::Query, index, &query);
        watch(Site::Key, index, &key);
        watch(Site::Value, index, &value);
        cache.keys[index].extend_from_slice(&key);
        cache.values[index].extend_from_slice(&value);
        let (keys, values) = (&cache.keys[index], &cache.values[index]);
        let row = kv_heads * head_dim;
        let scale = 1.0 / (head_dim as f32).sqrt();
        let mut out = vec![0f32; query.len()];
        for (t, (query, out)) in
            query.chunks_exact(heads * head_dim).zip(out.chunks_exact_mut(heads * head_dim)).enumerate()
        {
            let seen = cache.length + t + 1;
            let mut all_scores = Vec::with_capacity(heads * seen);
            for (head, (query, out)) in query.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim)).enumerate() {
                let start = head / (heads / kv_heads) * head_dim;
                let scores: Vec<f32> =
                    (0..seen).map(|u| scale * dot(query, &keys[u * row + start..][..head_dim])).collect();
                let top = scores.iter().copied().fold(f32::MIN, f32::max);
                let powers: Vec<f32> = scores.iter().map(|score| (score - top).exp()).collect();
                let sum: f32 = powers.iter().sum();
                for (u, power) in powers.iter().enumerate() {
                    let value = &values[u * row + start..][..head_dim];
                    out.iter_mut().zip(value).for_each(|(out, value)| *out += power / sum * value);
                }
                all_scores.extend(scores);
            }
            watch(Site::Scores, index, &all_scores);
        }
        watch(Site::Attention, index, &out);
        let out = project(&out, &layer.attention_out, &[], heads * head_dim);
        watch(Site::AttentionOut, index, &out);
        out
    }

    fn feed_forward(&self, index: usize, layer: &Layer, x: &[f32], watch: Watch) -> Vec<f32> {
        let normed = self.norm(x, &layer.feed_forward_norm);
        watch(Site::FeedForwardNorm, index, &normed);
        let gate = project(&normed, &layer.gate, &[], self.shape.width);
        let up = project(&normed, &layer.up, &[], self.shape.width);
        watch(Site::Gate, index, &gate);
        watch(Site::Up, index, &up);
        let hidden: Vec<f32> = gate.iter().zip(&up).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up).collect();
        watch(Site::Hidden, index, &hidden);
        let down = project(&hidden, &layer.down, &[], self.shape.hidden);
        watch(Site::Down, index, &down);
        down
    }
}
