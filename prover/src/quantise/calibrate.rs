//! Decides the ranges of a card: what an inference on calibration text needed, a margin, and even widths.

use super::QuantiseError;
use crate::infer::{Columns, Executor, InferError, Multiply};
use zkllm_verifier::Refusal;
use zkllm_verifier::card::{Card, Precision};
use zkllm_verifier::program::Program;
use zkllm_verifier::statement::Statement;

/// Least and greatest value of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The least, at most 0.
    pub least: i128,
    /// The greatest, at least 0.
    pub greatest: i128,
}

impl Extent {
    fn include(&mut self, least: i128, greatest: i128) {
        self.least = self.least.min(least);
        self.greatest = self.greatest.max(greatest);
    }

    /// Bits of the signed range that holds all values, at least 1, where a card splits ranges into digits of
    /// `digit_bits`: its upper end is a little below a power of two.
    pub fn signed(self, digit_bits: u32) -> u32 {
        (1..127)
            .find(|&bits| fits(self.least, bits, digit_bits) && fits(self.greatest, bits, digit_bits))
            .unwrap_or(127)
    }

    /// Bits of the unsigned range that holds the greatest value.
    pub fn unsigned(self) -> u32 {
        128 - self.greatest.leading_zeros()
    }
}

/// Whether the program's signed range check of `bits` accepts `value`.
fn fits(value: i128, bits: u32, digit_bits: u32) -> bool {
    let low = digit_bits.min(bits);
    let shifted = value + (1 << (low - 1));
    let high = shifted >> low;
    if bits > low { fits(high, bits - low, digit_bits) } else { high == 0 }
}

/// What calibration saw: the extent of each column of the program, by name.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// Extents by name of column; `norm bound` is what no norm can exceed, `margin` is that of the logits' differences, `embedding` of the whole vocabulary.
    pub extents: Vec<(String, Extent)>,
}

impl Measurement {
    fn include(&mut self, name: &str, least: i128, greatest: i128) {
        let known = self.extents.iter().position(|(own, _)| own == name).unwrap_or_else(|| {
            self.extents.push((name.to_string(), Extent::default()));
            self.extents.len() - 1
        });
        self.extents[known].1.include(least, greatest);
    }

    /// The extent of all columns whose name is one of `names`.
    pub fn extent(&self, names: &[&str]) -> Extent {
        let mut all = Extent::default();
        for (name, extent) in &self.extents {
            if names.contains(&name.as_str()) {
                all.include(extent.least, extent.greatest);
            }
        }
        all
    }

    /// The card's precision with ranges that hold what was measured times `2^margin`.
    pub fn precision(&self, card: &Card, margin: u32) -> Precision {
        let even = |bits: u32| (bits + margin).next_multiple_of(2);
        let digit_bits = card.precision.digit_bits;
        let signed = |names: &[&str]| even(self.extent(names).signed(digit_bits));
        // Tables of functions are evaluated by the verifier: one bit of margin less.
        let table = |bits: u32| (bits + margin.saturating_sub(1)).next_multiple_of(2);
        let norms = ["attention_norm", "feed_forward_norm", "final_norm"];
        let rows = |part: &str| -> Vec<String> { norms.iter().map(|norm| format!("{norm}.{part}")).collect() };
        let of = |part: &str| -> Extent {
            let names = rows(part);
            self.extent(&names.iter().map(String::as_str).collect::<Vec<_>>())
        };
        // Both remainders are below 2 * inverse * sum + sum.
        let mut remainder = Extent::default();
        remainder.include(0, 2 * of("inverse_times_sum").greatest + of("sum_of_squares").greatest);
        let logits = self.extent(&["margin"]);
        let mut difference = Extent::default();
        difference.include(0, logits.greatest - logits.least);
        Precision {
            gap_bits: table(self.extent(&["gap"]).unsigned()).max(2),
            norm_width: even(remainder.unsigned()),
            inverse_bits: even(of("inverse").unsigned()),
            logit_width: even(difference.unsigned()),
            // All of the vocabulary was seen.
            embedding_bits: self.extent(&["embedding"]).signed(digit_bits).next_multiple_of(2),
            norm_bits: self.extent(&["norm bound"]).signed(digit_bits).next_multiple_of(2),
            query_bits: signed(&["query", "key"]),
            value_bits: signed(&["value"]),
            top_bits: signed(&["top"]),
            attention_bits: signed(&["attention"]),
            projection_bits: signed(&["attention_out"]),
            gate_bits: table(self.extent(&["gate"]).signed(32)),
            up_bits: signed(&["up"]),
            hidden_bits: signed(&["hidden"]),
            down_bits: signed(&["down"]),
            ..card.precision
        }
    }
}

/// Runs the model on `sequences` with ranges that hold everything, its matrices multiplied by `multiply`.
///
/// # Errors
/// `TooShort`, `Calibration`.
pub fn measure(
    multiply: Multiply<'_>,
    card: &Card,
    columns: &Columns,
    sequences: &[Vec<u32>],
) -> Result<Measurement, QuantiseError> {
    let mut wide = card.clone();
    wide.context = u32::MAX;
    wide.precision = widest(card.precision);
    let mut measurement = Measurement::default();
    if let Some(embedding) = columns.column("embedding") {
        let (least, greatest) = embedding.range();
        measurement.include("embedding", least.into(), greatest.into());
    }
    // No value exceeds the root of the sum of all squares, whatever the text.
    let p = card.precision;
    let squares = 1u128.checked_shl(2 * p.norm_fraction).and_then(|one| one.checked_mul(card.width.into()));
    let root = squares.ok_or(InferError::Refused(Refusal::CouldWrap))?.isqrt() as i128 + 1;
    let gain =
        columns.column("final_gain").map_or(0, |gain| gain.range().0.unsigned_abs().max(gain.range().1.unsigned_abs()));
    let bound = root.max(((root * i128::from(gain)) >> p.weight_fraction) + 1);
    measurement.include("norm bound", -bound, bound);
    for (index, tokens) in sequences.iter().enumerate() {
        if tokens.len() < 2 {
            return Err(QuantiseError::TooShort { index });
        }
        let statement = Statement::new(&wide, tokens.clone(), 1).map_err(InferError::from)?;
        let program = Program::new(&wide, &statement).map_err(InferError::from)?;
        let mut executor = Executor::new(multiply, program, columns)?;
        executor.run_all()?;
        for (id, column) in executor.program().columns.iter().enumerate() {
            if let Some((least, greatest)) = executor.digit_range(id)
                && column.name == "margin.high"
            {
                measurement.include("margin", least, greatest);
            }
            if executor.program().schedule.contains(&id)
                && let Some(values) = executor.column(id)
            {
                let (least, greatest) = values.range();
                measurement.include(&column.name, least.into(), greatest.into());
            }
        }
    }
    Ok(measurement)
}

/// Ranges that hold everything a model does that is not broken; tables as large as verifiers allow.
fn widest(precision: Precision) -> Precision {
    Precision {
        digit_bits: 20,
        // Gaps of 1024 nats, gates of 1024.
        gap_bits: (precision.score_fraction + 10).min(20),
        gate_bits: (precision.gate_fraction + 11).min(20),
        norm_width: 120,
        inverse_bits: 48,
        logit_width: 80,
        embedding_bits: 44,
        norm_bits: 40,
        query_bits: 40,
        value_bits: 40,
        top_bits: 40,
        attention_bits: 40,
        projection_bits: 44,
        up_bits: 40,
        hidden_bits: 50,
        down_bits: 44,
        ..precision
    }
}
