//! Decides the weights and tokens of random models, for tests and for measuring: each is a pure function of seed, kind, layer
//! and index, so none is stored.

use super::shape::{Kind, Shape};
use rayon::prelude::*;

/// What the counter goes on by.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 (Steele, Lea, Flood 2014): the next output of a 64-bit counter.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// About normal, mean 0, variance 1, in (-3.5, 3.5): the sum of four uniform 16-bit numbers.
    fn normal(&mut self) -> f32 {
        let bits = self.next();
        let sum: i32 = (0..4).map(|part| (bits >> (16 * part) & 0xffff) as i32).sum();
        (sum as f32 - 131_070.0) / 37_837.2
    }
}

/// One tensor of the random model, with values the size of a trained model's: matrices keep the variance of what they are
/// multiplied with, norms are near 1, embedding rows have unit variance so that logits differ clearly.
pub fn tensor(shape: &Shape, seed: u64, kind: Kind, layer: usize) -> Vec<f32> {
    let dims = shape.dims(kind);
    let place = Kind::ALL.iter().position(|other| *other == kind).unwrap_or(0) as u64;
    let mut mix = SplitMix(seed);
    let stream = mix.next() ^ ((layer as u64) << 8 | place);
    let (centre, spread) = match kind {
        Kind::FinalNorm | Kind::AttentionNorm | Kind::FeedForwardNorm => (1.0, 0.1),
        Kind::QueryBias | Kind::KeyBias | Kind::ValueBias => (0.0, 0.3),
        Kind::Embedding | Kind::Head => (0.0, 0.5),
        _ => (0.0, 1.0 / (dims.last().copied().unwrap_or(1) as f32).sqrt()),
    };
    let weight = |index: u64| centre + spread * SplitMix(stream.wrapping_add(index.wrapping_mul(STEP))).normal();
    (0..dims.iter().product::<usize>() as u64).into_par_iter().map(weight).collect()
}

/// `count` tokens, each below the vocabulary.
pub fn tokens(shape: &Shape, seed: u64, count: usize) -> Vec<u32> {
    let mut mix = SplitMix(!seed);
    (0..count).map(|_| (mix.next() % shape.vocabulary as u64) as u32).collect()
}
