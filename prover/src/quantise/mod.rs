//! Decides which integers a model's weights become, and how wide every place of its inference is.
//!
//! Fractional bits are chosen, ranges are measured: the model runs on calibration text with ranges that hold
//! everything, and the maxima of each kind of tensor over all layers and tokens, with a margin, rounded up to even
//! widths, become the card's.

mod calibrate;
pub mod compare;
mod tiny;
mod weights;

pub use calibrate::{Extent, Measurement, measure};
pub use tiny::{Tiny, tiny};
pub use weights::{weights, weights_by};

use crate::infer::{Columns, InferError, Multiply, ON_CPU};
use crate::model::{Kind, Message, Model, ModelError, Now};
use zkllm_verifier::card::{Architecture, Card, Precision};
use zkllm_verifier::limits;
use zkllm_verifier::name::{self, Fault};

/// How to quantise.
#[derive(Clone, Debug)]
pub struct Options {
    /// The card's name; the model's own where there is none.
    pub name: Option<String>,
    /// log2 of the rows and of the columns of a commitment's chunk.
    pub chunk_log: u32,
    /// Most tokens of a statement; at most the model's context.
    pub context: usize,
    /// Fractional bits, `digit_bits`, `exp_precision` and `norm_shift` are used as they are; `score_scale` and ranges
    /// are replaced.
    pub precision: Precision,
    /// Token sequences to calibrate with, each of at least two tokens; none means the text that comes with the program.
    pub calibration: Vec<Vec<u32>>,
    /// Bits added to what the calibration needed.
    pub margin: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { name: None, chunk_log: 11, context: 2048, precision: STANDARD, calibration: Vec::new(), margin: 2 }
    }
}

/// Fractions for trained models of about 16-bit weights; the ranges, which calibration replaces, are those of
/// SmolLM2-135M.
pub const STANDARD: Precision = Precision {
    digit_bits: 18,
    residual_fraction: 12,
    norm_fraction: 10,
    query_fraction: 10,
    value_fraction: 10,
    attention_fraction: 10,
    gate_fraction: 8,
    swish_fraction: 10,
    up_fraction: 8,
    hidden_fraction: 8,
    weight_fraction: 12,
    rotary_fraction: 13,
    score_fraction: 8,
    score_scale: 3,
    exp_precision: 15,
    gap_bits: 16,
    norm_shift: 20,
    norm_width: 66,
    inverse_bits: 24,
    logit_width: 32,
    embedding_bits: 14,
    norm_bits: 18,
    query_bits: 18,
    value_bits: 18,
    top_bits: 16,
    attention_bits: 18,
    projection_bits: 24,
    gate_bits: 16,
    up_bits: 18,
    hidden_bits: 24,
    down_bits: 30,
};

/// Why a model cannot be quantised.
#[derive(Debug, thiserror::Error)]
pub enum QuantiseError {
    /// The model could not be read.
    #[error("the model cannot be read: {0}")]
    Model(#[from] ModelError),
    /// The calibration failed.
    #[error("calibration: {0}")]
    Calibration(#[from] InferError),
    /// A name that a card cannot have.
    #[error("a card cannot have the name {name:?}: {problem}; give it another one with --name")]
    Name {
        /// The name, its hidden characters named.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A number that a card cannot hold.
    #[error("{what} is {value}, and a card holds {allowed}; this model is not supported")]
    Unsupported {
        /// What.
        what: &'static str,
        /// Its value.
        value: String,
        /// What would do.
        allowed: &'static str,
    },
    /// A weight that does not fit 32 bits.
    #[error("{column} has the weight {value} in layer {layer}, which does not fit 32 bits; use fewer fractional bits")]
    Weight {
        /// The column.
        column: &'static str,
        /// The layer.
        layer: usize,
        /// The weight.
        value: f64,
    },
    /// Integers that are not the model's any more.
    #[error(
        "as integers the model chooses {agreement:.0} % of its tokens as in floating point, {divergence:.3} nats a token away: its \
         values are too small or too large for the fractions of a card. Use another model; --any-accuracy makes a card all the \
         same, and answers will be of another quality than the file's"
    )]
    Inaccurate {
        /// The same greedy choices, in percent.
        agreement: f64,
        /// Mean Kullback-Leibler divergence, in nats.
        divergence: f64,
    },
    /// A calibration sequence that is too short.
    #[error("calibration sequence {index} has fewer than two tokens; leave it out or make it longer")]
    TooShort {
        /// Which.
        index: usize,
    },
}

/// A card for `model`, without commitments, and its columns.
///
/// # Errors
/// See [`QuantiseError`].
pub fn quantise(model: &Model, options: &Options) -> Result<(Card, Columns), QuantiseError> {
    quantise_by(ON_CPU, model, options)
}

/// The name, if a card can have it.
fn named(name: &str) -> Result<String, QuantiseError> {
    let problem = match name::fault(name) {
        _ if name.len() > limits::NAME => {
            format!("it has {} bytes, and there is room for {}", name.len(), limits::NAME)
        }
        Some(Fault::Hidden(c)) => {
            format!("it has the character U+{:04X}, which is invisible or moves others", u32::from(c))
        }
        Some(Fault::Space) => "it has a space at an end, or two together".into(),
        None => return Ok(name.into()),
    };
    Err(QuantiseError::Name { name: name::visible(name), problem })
}

/// [`quantise`], the arithmetic of the calibration done by `multiply`.
///
/// # Errors
/// See [`QuantiseError`].
pub fn quantise_by(multiply: Multiply<'_>, model: &Model, options: &Options) -> Result<(Card, Columns), QuantiseError> {
    let mut card = uncalibrated(model, options)?;
    let columns = weights_by(multiply, model, &card)?;
    let sequences = if options.calibration.is_empty() { calibration(model) } else { options.calibration.clone() };
    let measurement = measure(multiply, &card, &columns, &sequences)?;
    card.precision = measurement.precision(&card, options.margin);
    Ok((card, columns))
}

/// The card before its ranges are known: enough to forecast the cost of a proof.
///
/// # Errors
/// `Unsupported`.
pub fn uncalibrated(model: &Model, options: &Options) -> Result<Card, QuantiseError> {
    let shape = &model.shape;
    let size = |what: &'static str, value: usize, limit: u32| match u32::try_from(value) {
        Ok(size) if size >= 1 && size <= limit => Ok(size),
        _ => Err(QuantiseError::Unsupported {
            what,
            value: value.to_string(),
            allowed: "sizes within the verifier's limits",
        }),
    };
    if shape.rope_base.fract() != 0.0 || !(2.0..1e15).contains(&shape.rope_base) {
        return Err(QuantiseError::Unsupported {
            what: "the rotary base",
            value: shape.rope_base.to_string(),
            allowed: "whole numbers",
        });
    }
    let mut precision = options.precision;
    let least = |what| if what == "digit_bits" { 1 } else { 0 };
    let wrong = |&(what, bits): &(&'static str, u32)| !(least(what)..=limits::BITS).contains(&bits);
    if let Some((what, bits)) = precision.fields().into_iter().find(wrong) {
        let allowed = "bits within the verifier's limits, and a bit for digits";
        return Err(QuantiseError::Unsupported { what, value: bits.to_string(), allowed });
    }
    // score = q.k / 2^score_scale; the rest of 1/sqrt(head_dim) goes into the query weights.
    precision.score_scale = score_scale(shape.head_dim);
    let epsilon = shape.width as f64 * shape.norm_epsilon * power_of_two(2 * precision.residual_fraction);
    Ok(Card {
        name: named(options.name.as_deref().unwrap_or(&model.name))?,
        architecture: Architecture::Llama,
        layers: size("the number of layers", shape.layers, limits::LAYERS)?,
        width: size("the width", shape.width, limits::WIDTH)?,
        kv_heads: size("the number of key-value heads", shape.kv_heads, limits::WIDTH)?,
        group: size("the number of query heads", shape.heads / shape.kv_heads, limits::WIDTH)?,
        pairs: size("the head's size", shape.head_dim / 2, limits::WIDTH)?,
        hidden: size("the feed-forward width", shape.hidden, limits::WIDTH)?,
        vocabulary: size("the vocabulary", shape.vocabulary, limits::VOCABULARY)?,
        context: size("the context", options.context.min(shape.context), limits::TOKENS as u32)?,
        tied: shape.tied,
        biases: model.has(Kind::QueryBias),
        rotary_base: shape.rope_base as u64,
        epsilon: (epsilon.round() as u64).max(1),
        precision,
        tokenizer: model.tokenizer.digest(),
        chunk_log: options.chunk_log,
        commitments: Vec::new(),
    })
}

/// `round(log2(sqrt(head_dim)))`, by integers: it is `s` where `2^(2s - 1) <= head_dim < 2^(2s + 1)`.
fn score_scale(head_dim: usize) -> u32 {
    head_dim.ilog2().div_ceil(2)
}

/// `2^exponent`, exactly: functions of floats that may be rounded otherwise elsewhere decide nothing here.
fn power_of_two(exponent: u32) -> f64 {
    (0..exponent).fold(1.0, |power, _| 2.0 * power)
}

/// Text of several kinds; the first token of a sequence is where activations are largest, so there are several.
const TEXT: [&str; 4] = [
    "A river does not choose its valley at once. It begins as rain on a slope, and the rain follows whatever fold of the \
     ground is a little lower than the next one. After ten thousand years the fold is a gorge 120 metres deep, and maps show \
     the river as if it had always been there. \"Water is patient,\" the ferryman said; \"people are not.\"",
    "fn main() {\n    let squares: Vec<u64> = (1..=10).map(|n| n * n).collect();\n    println!(\"{:?}\", squares);\n}\n\n\
     | year | price | change |\n|------|-------|--------|\n| 2019 | 41.50 | +3.2% |\n| 2020 | 38.75 | -6.6% |\n",
    "1. Preheat the oven to 220 C. 2. Mix 500 g of flour, 10 g of salt and 7 g of yeast with 340 ml of lukewarm water. 3. \
     Knead until smooth, cover, and let the dough rise for an hour. Why so long? Because flavour takes time.",
    "The capital of Portugal is Lisbon; Madrid, Paris and Rome lie further east. La liberté n'est pas un privilège. \
     Übung macht den Meister! 東京は日本の首都です。 https://example.org/?q=1&page=2",
];

fn calibration(model: &Model) -> Vec<Vec<u32>> {
    let vocabulary = model.shape.vocabulary as u32;
    let questions =
        ["What is the capital of France?", "Write a short poem about the sea, then explain it in two sentences."];
    // A card is the same on every day. A template that cannot be used is no reason not to commit.
    let day = Now::day(2024, 7, 26);
    let chat = |question: &&str| model.chat_tokens_at(&[Message::user(*question)], day?).ok();
    let chats = questions.iter().filter_map(chat);
    let texts = TEXT.iter().map(|text| model.tokenizer.encode(text, true));
    let known = |tokens: Vec<u32>| {
        tokens.into_iter().filter(|&token| token < vocabulary).take(model.shape.context.min(128)).collect::<Vec<_>>()
    };
    let mut sequences: Vec<Vec<u32>> = texts.chain(chats).map(known).filter(|tokens| tokens.len() > 1).collect();
    if sequences.is_empty() {
        // A vocabulary without text.
        sequences.push(
            (0..model.shape.context.clamp(2, 64) as u32).map(|step| step.wrapping_mul(0x9e37) % vocabulary).collect(),
        );
    }
    sequences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Shape;

    #[test]
    fn names_that_no_card_can_have_are_refused_with_what_is_wrong() {
        let long = "n".repeat(129);
        for (name, problem) in [
            ("a\u{200b}b", "U+200B"),
            ("\u{202e}gpj", "U+202E"),
            ("\u{3164}", "U+3164"),
            ("tab\t", "U+0009"),
            ("no\u{a0}break", "U+00A0"),
            (" first", "a space at an end"),
            ("last ", "a space at an end"),
            ("two  of them", "two together"),
            (&long, "129 bytes"),
        ] {
            let said = named(name).expect_err("a name for a card").to_string();
            assert!(said.contains(problem) && said.contains("--name"), "{said}");
            assert!(said.chars().all(|c| !name::is_hidden(c)), "{said:?}");
        }
        for name in ["SmolLM2 135M", "模型 ☃ Größe", "דגם", ""] {
            assert_eq!(named(name).expect("a name"), name);
        }
    }

    #[test]
    fn the_scale_of_scores_is_that_of_rounded_logarithms() {
        // What cards were made by before: floats, whose logarithm another machine may round otherwise.
        let rounded = |head_dim: usize| (head_dim as f64).sqrt().log2().round() as u32;
        assert!((2..=1 << 17).all(|head_dim| score_scale(head_dim) == rounded(head_dim)));
        assert_eq!([1, 2, 7, 8, 31, 32, 127, 128].map(score_scale), [0, 1, 1, 2, 2, 3, 3, 4]);
        assert_eq!([0, 1, 62, 200].map(power_of_two), [1.0, 2.0, (1u64 << 62) as f64, 2f64.powi(200)]);
    }

    #[test]
    fn fractions_that_no_card_may_have_are_refused() {
        let model = Model::random(Shape::named("tiny").expect("a shape"), 1).expect("a model");
        let refused = |precision: Precision| match quantise(&model, &Options { precision, ..Options::default() }) {
            Err(QuantiseError::Unsupported { what, .. }) => what,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("accepted"),
        };
        assert_eq!(refused(Precision { digit_bits: 0, ..STANDARD }), "digit_bits");
        assert_eq!(refused(Precision { norm_fraction: 101, ..STANDARD }), "norm_fraction");
        // Of each alone there may be so many bits, of a square there may not.
        let options = Options { precision: Precision { norm_fraction: 70, ..STANDARD }, ..Options::default() };
        assert!(matches!(quantise(&model, &options), Err(QuantiseError::Calibration(_))));
    }
}
