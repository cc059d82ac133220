//! Decides the integer weights: norm gains and the score's scale folded in, scaled by a power of two, rounded to nearest.

use super::QuantiseError;
use crate::infer::{Columns, Multiply, ON_CPU};
use crate::model::{Kind, Model, ModelError};
use rayon::prelude::*;
use zkllm_kernels::Integers;
use zkllm_kernels::tensors::{Layout, Tensors};
use zkllm_verifier::card::Card;

/// The columns of the model, in the order of the program's axes.
///
/// # Errors
/// `Model`, and `Weight` for weights beyond 32 bits.
pub fn weights(model: &Model, card: &Card) -> Result<Columns, QuantiseError> {
    weights_by(ON_CPU, model, card)
}

/// [`weights`], random ones made by `multiply` where it has tensors.
///
/// # Errors
/// As [`weights`].
pub fn weights_by(multiply: Multiply<'_>, model: &Model, card: &Card) -> Result<Columns, QuantiseError> {
    let p = card.precision;
    let score = 2f64.powi(p.score_scale as i32) / (2.0 * f64::from(card.pairs)).sqrt();
    let weight = p.weight_fraction;
    let accumulated = p.norm_fraction + p.weight_fraction;
    let attention = Kind::AttentionNorm;
    let feed_forward = Kind::FeedForwardNorm;
    let mut columns = Columns::new();
    let mut add = |name, kinds: &[Kind], fraction: u32, factor: f64| {
        let scale = 2f64.powi(fraction as i32) * factor;
        let made = multiply.tensors().and_then(|tensors| made_there(tensors, model, kinds, scale));
        columns.insert(name, made.map_or_else(|| column(model, name, kinds, scale), Ok)?);
        Ok::<_, QuantiseError>(())
    };
    add("embedding", &[Kind::Embedding], p.residual_fraction, 1.0)?;
    add("query.weight", &[Kind::Query, attention], weight, score)?;
    add("key.weight", &[Kind::Key, attention], weight, 1.0)?;
    add("value.weight", &[Kind::Value, attention], weight, 1.0)?;
    if card.biases {
        add("query.bias", &[Kind::QueryBias], accumulated, score)?;
        add("key.bias", &[Kind::KeyBias], accumulated, 1.0)?;
        add("value.bias", &[Kind::ValueBias], accumulated, 1.0)?;
    }
    add("attention_out.weight", &[Kind::AttentionOut], weight, 1.0)?;
    add("gate.weight", &[Kind::Gate, feed_forward], weight, 1.0)?;
    add("up.weight", &[Kind::Up, feed_forward], weight, 1.0)?;
    add("down.weight", &[Kind::Down], weight, 1.0)?;
    if card.tied {
        add("final_gain", &[Kind::FinalNorm], weight, 1.0)?;
    } else {
        add("head", &[Kind::Head, Kind::FinalNorm], p.residual_fraction, 1.0)?;
    }
    Ok(columns)
}

fn layers(model: &Model, kind: Kind) -> usize {
    if kind.per_layer() { model.shape.layers } else { 1 }
}

/// The gains of the second kind, if there is one.
fn gains(model: &Model, kinds: &[Kind], layer: usize) -> Result<Vec<f64>, ModelError> {
    let Some(&kind) = kinds.get(1) else { return Ok(vec![1.0]) };
    let gains = model.tensor(kind, layer.min(layers(model, kind) - 1))?;
    Ok(gains.into_iter().map(f64::from).collect())
}

/// One tensor of all its layers, times the gain of the second kind along its rows, times `scale`.
fn column(model: &Model, name: &'static str, kinds: &[Kind], scale: f64) -> Result<Integers, QuantiseError> {
    let mut narrow: Vec<i16> = Vec::new();
    let mut wide: Option<Vec<i32>> = None;
    for layer in 0..layers(model, kinds[0]) {
        let values = model.tensor(kinds[0], layer)?;
        let gains = gains(model, kinds, layer)?;
        let rounded = |(index, &value): (usize, &f32)| (f64::from(value) * gains[index % gains.len()] * scale).round();
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

/// [`column`] of random weights made on a device, where all have 16 bits; `None` leaves it to the host.
fn made_there(tensors: &dyn Tensors, model: &Model, kinds: &[Kind], scale: f64) -> Option<Integers> {
    const SHORT: (i64, i64) = (-(i16::MAX as i64), i16::MAX as i64);
    let (layers, size) = (layers(model, kinds[0]), model.shape.dims(kinds[0]).iter().product());
    // A layer at a time, of 8 bytes and of 2.
    if size < tensors.least() || 10 * size > tensors.room() {
        return None;
    }
    let weights: Option<Vec<_>> = (0..layers).map(|layer| model.random_weights(kinds[0], layer)).collect();
    let (weights, mut column) = (weights?, Integers::zeros_for(layers * size, SHORT));
    for (layer, weights) in weights.iter().enumerate() {
        let made = tensors.random(weights, &gains(model, kinds, layer).ok()?, scale, size);
        let (least, greatest) = tensors.ends(&made);
        if least < SHORT.0 || greatest > SHORT.1 {
            return None;
        }
        tensors.near(&tensors.stored(&made, SHORT, Layout::Whole), &mut column, layer * size);
    }
    Some(column)
}
