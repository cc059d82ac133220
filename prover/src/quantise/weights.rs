//! Decides the integer weights: norm gains and the score's scale folded in, scaled by a power of two, rounded to nearest.

use super::QuantiseError;
use crate::infer::Columns;
use crate::model::{Kind, Model};
use rayon::prelude::*;
use zkllm_kernels::Integers;
use zkllm_verifier::card::Card;

/// The columns of the model, in the order of the program's axes.
///
/// # Errors
/// `Model`, and `Weight` for weights beyond 32 bits.
pub fn weights(model: &Model, card: &Card) -> Result<Columns, QuantiseError> {
    let p = card.precision;
    let mut columns = Columns::new();
    columns.insert("embedding", column(model, "embedding", &[Kind::Embedding], p.residual_fraction, 1.0)?);
    let score = 2f64.powi(p.score_scale as i32) / (2.0 * f64::from(card.pairs)).sqrt();
    let weight = p.weight_fraction;
    let accumulated = p.norm_fraction + p.weight_fraction;
    let attention = Kind::AttentionNorm;
    let feed_forward = Kind::FeedForwardNorm;
    columns.insert("query.weight", column(model, "query.weight", &[Kind::Query, attention], weight, score)?);
    columns.insert("key.weight", column(model, "key.weight", &[Kind::Key, attention], weight, 1.0)?);
    columns.insert("value.weight", column(model, "value.weight", &[Kind::Value, attention], weight, 1.0)?);
    if card.biases {
        columns.insert("query.bias", column(model, "query.bias", &[Kind::QueryBias], accumulated, score)?);
        columns.insert("key.bias", column(model, "key.bias", &[Kind::KeyBias], accumulated, 1.0)?);
        columns.insert("value.bias", column(model, "value.bias", &[Kind::ValueBias], accumulated, 1.0)?);
    }
    columns.insert("attention_out.weight", column(model, "attention_out.weight", &[Kind::AttentionOut], weight, 1.0)?);
    columns.insert("gate.weight", column(model, "gate.weight", &[Kind::Gate, feed_forward], weight, 1.0)?);
    columns.insert("up.weight", column(model, "up.weight", &[Kind::Up, feed_forward], weight, 1.0)?);
    columns.insert("down.weight", column(model, "down.weight", &[Kind::Down], weight, 1.0)?);
    if card.tied {
        columns.insert("final_gain", column(model, "final_gain", &[Kind::FinalNorm], weight, 1.0)?);
    } else {
        columns.insert("head", column(model, "head", &[Kind::Head, Kind::FinalNorm], p.residual_fraction, 1.0)?);
    }
    Ok(columns)
}

/// One tensor of all its layers, times the gain of the second kind along its rows, times `2^fraction * factor`.
fn column(
    model: &Model,
    name: &'static str,
    kinds: &[Kind],
    fraction: u32,
    factor: f64,
) -> Result<Integers, QuantiseError> {
    let layers = if kinds[0].per_layer() { model.shape.layers } else { 1 };
    let scale = 2f64.powi(fraction as i32) * factor;
    let mut narrow: Vec<i16> = Vec::new();
    let mut wide: Option<Vec<i32>> = None;
    for layer in 0..layers {
        let values = model.tensor(kinds[0], layer)?;
        let gain =
            kinds.get(1).map(|&kind| model.tensor(kind, if kind.per_layer() { layer } else { 0 })).transpose()?;
        let rounded = |(index, &value): (usize, &f32)| {
            let gain = gain.as_ref().map_or(1.0, |gain| f64::from(gain[index % gain.len()]));
            (f64::from(value) * gain * scale).round()
        };
        let rounded: Vec<f64> = values.par_iter().enumerate().map(rounded).collect();
        if let Some(&value) = rounded.par_iter().find_first(|value| value.abs() > f64::from(i32::MAX)) {
            return Err(QuantiseError::Weight { column: name, layer, value: value / scale });
        }
        if wide.is_none() && rounded.par_iter().any(|value| value.abs() > f64::from(i16::MAX)) {
            wide = Some(std::mem::take(&mut narrow).into_iter().map(i32::from).collect());
        }
        match &mut wide {
            Some(wide) => wide.par_extend(rounded.par_iter().map(|&value| value as i32)),
            None => narrow.par_extend(rounded.par_iter().map(|&value| value as i16)),
        }
    }
    Ok(wide.map_or(Integers::I16(narrow), Integers::I32))
}
