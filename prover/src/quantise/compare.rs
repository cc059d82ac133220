//! Decides how two readings of the same tokens are compared: likelihood of the text, greedy choices, distance.

use super::{QuantiseError, calibration};
use crate::infer::{Columns, logits};
use crate::model::Model;
use crate::model::float::Float;
use zkllm_verifier::card::Card;

/// How far the integers of a card are from floating point, on the beginnings of two of the texts that a model is calibrated
/// with: a figure that tells a model which these fractions do not fit, not a benchmark.
///
/// # Errors
/// When the model cannot be read, or its inference leaves 64 bits.
pub fn accuracy(model: &Model, card: &Card, columns: &Columns) -> Result<Reading, QuantiseError> {
    const TOKENS: usize = 32;
    // The first is English, the last a conversation if the model has a chat template.
    let texts = calibration(model);
    let (first, rest) = texts.split_first().into_iter().next().unzip();
    let ends = first.into_iter().chain(rest.and_then(<[_]>::last));
    let sequences: Vec<&[u32]> = ends.map(|tokens| &tokens[..tokens.len().min(TOKENS)]).collect();
    let scale = 2f64.powi((card.precision.norm_fraction + card.precision.residual_fraction) as i32);
    let mut reading = Reading::default();
    for (tokens, expected) in sequences.iter().zip(Float::logits_of(model, &sequences)?) {
        let found = logits(card, columns, tokens)?;
        for ((expected, found), next) in expected.iter().zip(&found).zip(&tokens[1..]) {
            reading.add(expected, found.iter().map(|&logit| logit as f64 / scale), greedy(found), *next);
        }
    }
    Ok(reading)
}

/// The index of the greatest logit, the lowest among equals.
pub fn greedy<T: PartialOrd + Copy>(logits: &[T]) -> u32 {
    (1..logits.len()).fold(0, |best, index| if logits[index] > logits[best] { index } else { best }) as u32
}

/// Log-probabilities, by f64.
fn log_softmax(logits: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let top = logits.clone().fold(f64::MIN, f64::max);
    let sum: f64 = logits.clone().map(|logit| (logit - top).exp()).sum();
    logits.map(|logit| logit - top - sum.ln()).collect()
}

/// What one inference says of a text, token by token, and how far it is from the reference.
#[derive(Default)]
pub struct Reading {
    /// `-log p(next token)` by the reference and by this inference.
    losses: Vec<(f64, f64)>,
    agreed: usize,
    /// Sum of the Kullback-Leibler divergences from the reference.
    divergence: f64,
    /// Sum over positions of the variance of the logits' differences (a constant in all logits changes nothing).
    variance: f64,
}

impl Reading {
    /// One position: the reference's logits, this inference's, and the token that follows in the text.
    pub fn add(&mut self, reference: &[f32], own: impl Iterator<Item = f64> + Clone, own_greedy: u32, token: u32) {
        let count = reference.len() as f64;
        let expected = log_softmax(reference.iter().map(|&logit| f64::from(logit)));
        let found = log_softmax(own);
        self.losses.push((-expected[token as usize], -found[token as usize]));
        self.agreed += usize::from(greedy(reference) == own_greedy);
        let (mut sum, mut squares) = (0.0, 0.0);
        for (expected, found) in expected.iter().zip(&found) {
            self.divergence += expected.exp() * (expected - found);
            sum += found - expected;
            squares += (found - expected) * (found - expected);
        }
        self.variance += squares / count - (sum / count) * (sum / count);
    }

    /// Positions compared.
    pub fn count(&self) -> usize {
        self.losses.len()
    }

    fn mean(&self, of: impl Fn(&(f64, f64)) -> f64) -> f64 {
        self.losses.iter().map(of).sum::<f64>() / self.count().max(1) as f64
    }

    /// Perplexity by the reference and by this inference.
    pub fn perplexities(&self) -> (f64, f64) {
        (self.mean(|losses| losses.0).exp(), self.mean(|losses| losses.1).exp())
    }

    /// Relative increase of the perplexity in percent, and its standard error (of the mean difference over positions).
    pub fn increase(&self) -> (f64, f64) {
        let mean = self.mean(|losses| losses.1 - losses.0);
        let variance = self.mean(|losses| (losses.1 - losses.0 - mean).powi(2));
        (100.0 * mean.exp_m1(), 100.0 * (variance / self.count().max(1) as f64).sqrt())
    }

    /// Share of positions with the same greedy choice, in percent.
    pub fn agreement(&self) -> f64 {
        100.0 * self.agreed as f64 / self.count().max(1) as f64
    }

    /// Mean Kullback-Leibler divergence from the reference, in nats.
    pub fn divergence(&self) -> f64 {
        self.divergence / self.count().max(1) as f64
    }

    /// Root mean square of the logits' differences, without a constant common to all logits of a position.
    pub fn distance(&self) -> f64 {
        (self.variance / self.count().max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_of_the_same_logits_differs_in_nothing() {
        let mut reading = Reading::default();
        let logits = [0.5f32, -1.0, 2.0, 2.0];
        reading.add(&logits, logits.iter().map(|&logit| f64::from(logit) + 7.0), 2, 1);
        let (reference, own) = reading.perplexities();
        let sum: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        assert!((reference - sum / (-1f64).exp()).abs() < 1e-9 && (own - reference).abs() < 1e-9);
        assert!(reading.increase().0.abs() < 1e-9 && reading.divergence().abs() < 1e-12 && reading.distance() < 1e-7);
        assert_eq!((reading.agreement(), reading.count()), (100.0, 1));
    }

    #[test]
    fn half_the_probability_is_twice_the_perplexity() {
        let mut reading = Reading::default();
        reading.add(&[0.0, 0.0], [0.0, 3f64.ln()].into_iter(), 1, 0);
        assert!((reading.increase().0 - 100.0).abs() < 1e-9);
        assert_eq!(reading.agreement(), 0.0);
        assert!((reading.divergence() - (0.5 * 2f64.ln() - 0.5 * 1.5f64.ln())).abs() < 1e-12);
    }

    #[test]
    fn the_lowest_index_wins_among_equals() {
        assert_eq!((greedy(&[1.0, 3.0, 3.0]), greedy(&[2i64, 2])), (1, 0));
    }
}
