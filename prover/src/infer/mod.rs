//! Decides how inference runs: any program, in integers, by one executor that knows no architecture.
//!
//! What it computes is what is proved: columns by their rules, products by the integer kernels, lookups by their
//! tables. [`interpret`] computes the same by the definitions alone and serves as the oracle of tests.

mod evaluate;
mod execute;
mod far;
mod generate;
pub mod interpret;
mod multiply;
mod structure;
mod tensor;
mod trace;

#[cfg(test)]
mod tests;

pub use execute::Executor;
pub use generate::{generate, generate_by, logits};
pub use multiply::{Arithmetic, Multiply, ON_CPU, multiply_on};
pub use trace::{Trace, trace, trace_by};
pub(crate) use trace::{direct, held};

use std::sync::Arc;
use zkllm_kernels::Integers;
use zkllm_verifier::Refusal;

/// The model's columns by name, as integers in the order of the program's axes.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    columns: Vec<(String, Arc<Integers>)>,
}

impl Columns {
    /// No columns.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a column.
    pub fn insert(&mut self, name: &str, values: Integers) {
        self.columns.push((name.to_string(), Arc::new(values)));
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Arc<Integers>> {
        self.columns.iter().find(|(own, _)| own == name).map(|(_, values)| values)
    }

    /// All columns.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Integers>)> {
        self.columns.iter().map(|(name, values)| (name.as_str(), values))
    }
}

/// Why an inference cannot be run or proved. For the operator only: ranges and positions depend on secret activations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InferError {
    /// A value outside the range that the card gives its site.
    #[error("{site} leaves its range{}: the card would need {needed_bits} bits there; quantise again with text like this in the calibration, or with more bits", place(*layer, *position))]
    OutOfRange {
        /// The site: a lookup or a column.
        site: String,
        /// The layer, where the site has layers.
        layer: Option<usize>,
        /// The position among the tokens or outputs, where the site has positions.
        position: Option<usize>,
        /// Bits that would hold the value.
        needed_bits: u32,
    },
    /// The statement is false.
    #[error(
        "the token at position {position} is {token}, and the model's greedy choice is {greedy}; prove the model's own answer"
    )]
    NotGreedy {
        /// Position among all tokens.
        position: usize,
        /// The statement's token.
        token: u32,
        /// The model's.
        greedy: u32,
    },
    /// A value of more than 126 bits.
    #[error("values of {site} could exceed {bits} bits; use fewer fractional bits in the card")]
    Overflow {
        /// The site.
        site: String,
        /// The width that does not suffice.
        bits: u32,
    },
    /// A division by something not positive.
    #[error("{site} divides by a number that is not positive; the card is not one that `quantise` makes")]
    Divisor {
        /// The site.
        site: String,
    },
    /// The model's columns are not those of the card.
    #[error(
        "the model's column {name} should have {expected} values and has {found}; quantise the model this card was made from"
    )]
    Column {
        /// The column.
        name: String,
        /// Values the program expects.
        expected: usize,
        /// Values given, 0 if there is no such column.
        found: usize,
    },
    /// A row of a lookup is not in its table, or a zero statement not zero, although its rule was followed.
    #[error("the rule of {site} contradicts its statement{}: report this as a bug", place(*layer, *position))]
    Contradiction {
        /// The lookup or zero statement.
        site: String,
        /// The layer, where the site has layers.
        layer: Option<usize>,
        /// The position among the tokens or outputs, where the site has positions.
        position: Option<usize>,
    },
    /// The program has a shape that the executor does not run.
    #[error("the executor cannot run {site}: {what}; report this as a bug")]
    Unsupported {
        /// The column, product or lookup.
        site: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The card or the statement is not acceptable to a verifier.
    #[error("the card and these tokens make no program ({0}); check prompt length, vocabulary and the card's context")]
    Refused(#[from] Refusal),
}

fn place(layer: Option<usize>, position: Option<usize>) -> String {
    let layer = layer.map(|layer| format!(" in layer {layer}")).unwrap_or_default();
    let position = position.map(|position| format!(" at position {position}")).unwrap_or_default();
    layer + &position
}
