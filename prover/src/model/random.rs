//! Decides the weights and tokens of random models, by seed, kind and layer.

use super::shape::{Kind, Shape};
use zkllm_kernels::random::{SplitMix, Weights};

/// The weights of one tensor, with values the size of a trained model's: matrices keep the variance of what they are
/// multiplied with, norms are near 1, embedding rows have unit variance so that logits differ clearly.
pub fn weights(shape: &Shape, seed: u64, kind: Kind, layer: usize) -> Weights {
    let dims = shape.dims(kind);
    let place = Kind::ALL.iter().position(|other| *other == kind).unwrap_or(0) as u64;
    let mut mix = SplitMix(seed);
    let stream = mix.draw() ^ ((layer as u64) << 8 | place);
    let (centre, spread) = match kind {
        Kind::FinalNorm | Kind::AttentionNorm | Kind::FeedForwardNorm => (1.0, 0.1),
        Kind::QueryBias | Kind::KeyBias | Kind::ValueBias => (0.0, 0.3),
        Kind::Embedding | Kind::Head => (0.0, 0.5),
        _ => (0.0, 1.0 / (dims.last().copied().unwrap_or(1) as f32).sqrt()),
    };
    Weights { stream, centre, spread }
}

/// `count` tokens, each below the vocabulary.
pub fn tokens(shape: &Shape, seed: u64, count: usize) -> Vec<u32> {
    let mut mix = SplitMix(!seed);
    (0..count).map(|_| (mix.draw() % shape.vocabulary as u64) as u32).collect()
}
