//! Decides the integer weights: norm gains and the score's scale folded in, scaled by a power of two, rounded to nearest.

use super::{QuantiseError, power_of_two};
use crate::infer::{Columns, Multiply, ON_CPU};
use crate::model::{Kind, Model, ModelError};
use rayon::prelude::*;
use zkllm_kernels::tensors::{Layout, Tensors};
use zkllm_kernels::{Integers, each_width};
use zkllm_verifier::card::Card;

/// Least and greatest weight of 16 bits, and of 32.
const SHORT: (i64, i64) = (-(i16::MAX as i64), i16::MAX as i64);
const LONG: (i64, i64) = (-(i32::MAX as i64), i32::MAX as i64);
/// Weights that a thread rounds at a time at least.
const RUN: usize = 1 << 12;

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
    let score = power_of_two(p.score_scale) / (2.0 * f64::from(card.pairs)).sqrt();
    let weight = p.weight_fraction;
    let accumulated = p.norm_fraction + p.weight_fraction;
    let attention = Kind::AttentionNorm;
    let feed_forward = Kind::FeedForwardNorm;
    let mut columns = Columns::new();
    let mut add = |name, kinds: &[Kind], fraction: u32, factor: f64| {
        let scale = power_of_two(fraction) * factor;
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

/// One tensor of all its layers, times the gain of the second kind along its rows, times `scale`; of 16 bits each where these
/// hold all. Weights are rounded twice, first for their range, so that nothing is beside a layer's tensor and the column.
#[allow(clippy::unnecessary_cast)] // One of the widths is that of the rounded weights.
fn column(model: &Model, name: &'static str, kinds: &[Kind], scale: f64) -> Result<Integers, QuantiseError> {
    let (layers, size) = (layers(model, kinds[0]), model.shape.dims(kinds[0]).iter().product::<usize>());
    let (mut room, mut column) = (SHORT, Integers::zeros_for(layers * size, SHORT));
    for layer in 0..layers {
        let (values, gains) = (model.tensor(kinds[0], layer)?, gains(model, kinds, layer)?);
        let rounded = |index: usize| (f64::from(values[index]) * gains[index % gains.len()] * scale).round();
        let beyond = |(least, greatest): (i64, i64)| {
            let beyond = move |&value: &f64| !(least as f64..=greatest as f64).contains(&value);
            (0..size).into_par_iter().with_min_len(RUN).map(rounded).find_first(beyond)
        };
        if beyond(room).is_some() {
            if let Some(value) = beyond(LONG) {
                return Err(QuantiseError::Weight { column: name, layer, value: value / scale });
            }
            room = LONG;
            column.widen(room);
        }
        each_width!(Integers, &mut column, column => {
            let places = column[layer * size..][..size].par_iter_mut().enumerate().with_min_len(RUN);
            places.for_each(|(index, place)| *place = rounded(index) as _);
        });
    }
    Ok(column)
}

/// [`column`] of random weights made on a device, where all have 16 bits; `None` leaves it to the host.
fn made_there(tensors: &dyn Tensors, model: &Model, kinds: &[Kind], scale: f64) -> Option<Integers> {
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
