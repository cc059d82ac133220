//! Decides small random models for tests: sizes that are no powers of two, small tables, ranges that hold.

use super::{Options, QuantiseError, quantise};
use crate::infer::Columns;
use crate::model::{Model, Shape};
use zkllm_verifier::card::{Card, Precision};

/// Sizes of a small model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiny {
    /// Layers.
    pub layers: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Query heads for each.
    pub group: usize,
    /// Rotary pairs of a head.
    pub pairs: usize,
    /// Feed-forward width.
    pub hidden: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Whether the head is the embedding.
    pub tied: bool,
    /// Whether there are biases.
    pub biases: bool,
    /// Rows of the widest range table: `2^digit_bits`.
    pub digit_bits: u32,
}

impl Default for Tiny {
    fn default() -> Self {
        Self {
            layers: 3,
            width: 6,
            kv_heads: 2,
            group: 3,
            pairs: 3,
            hidden: 10,
            vocabulary: 19,
            tied: true,
            biases: false,
            digit_bits: 6,
        }
    }
}

/// Fractions of small models.
const SMALL: Precision = Precision {
    digit_bits: 6,
    residual_fraction: 6,
    norm_fraction: 6,
    query_fraction: 4,
    value_fraction: 5,
    attention_fraction: 5,
    gate_fraction: 3,
    swish_fraction: 5,
    up_fraction: 5,
    hidden_fraction: 5,
    weight_fraction: 6,
    rotary_fraction: 6,
    score_fraction: 3,
    exp_precision: 6,
    norm_shift: 6,
    ..super::STANDARD
};

/// The card, without commitments, and the columns of a small random model; statements of up to 64 tokens.
///
/// # Errors
/// Those of [`quantise`], for shapes that are not a model's.
pub fn tiny(seed: u64, tiny: Tiny) -> Result<(Card, Columns), QuantiseError> {
    let shape = Shape {
        layers: tiny.layers,
        width: tiny.width,
        heads: tiny.kv_heads * tiny.group,
        kv_heads: tiny.kv_heads,
        head_dim: 2 * tiny.pairs,
        hidden: tiny.hidden,
        vocabulary: tiny.vocabulary,
        context: 64,
        rope_base: 100.0,
        norm_epsilon: 1e-5,
        tied: tiny.tied,
    };
    let model = if tiny.biases { Model::random_biased(shape, seed)? } else { Model::random(shape, seed)? };
    let vocabulary = tiny.vocabulary as u32;
    // Every token comes first once, so that every first row is seen.
    let sequence =
        |first: u32| (0..24).map(|step: u32| (first + step * step * 7 + step * first) % vocabulary).collect();
    let options = Options {
        name: None,
        chunk_log: 4,
        context: 64,
        precision: Precision { digit_bits: tiny.digit_bits, ..SMALL },
        calibration: (0..vocabulary.min(8)).map(sequence).collect(),
        margin: 2,
    };
    quantise(&model, &options)
}
