//! Decides what is computed: columns, products of columns, table lookups and zero statements over named axes.
//!
//! A program is data. Prover and verifier build it from the card and the statement by the same function; the
//! proving machine knows nothing of language models. Spec: program.

use alloc::string::String;
use alloc::vec::Vec;

mod builder;
mod check;
mod llama;
mod table;

pub use builder::Builder;
pub use table::Table;

use crate::card::{Architecture, Card};
use crate::statement::Statement;
use crate::{Refusal, limits};

/// Index of an axis in [`Program::axes`].
pub type AxisId = usize;
/// Index of a column in [`Program::columns`].
pub type ColumnId = usize;
/// Index of a product in [`Program::products`].
pub type ProductId = usize;
/// Index of a table in [`Program::tables`].
pub type TableId = usize;
/// Index of a public list in [`Program::lists`].
pub type ListId = usize;

/// A named dimension: `length` true indices, padded to `2^bits`.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it counts.
    pub name: &'static str,
    /// True length, at least 1.
    pub length: usize,
    /// `ceil(log2(length))`.
    pub bits: usize,
}

/// A committed tensor, row major over `axes`, zero outside its support: `index < length` on every axis and, when
/// `causal`, `u <= t` on the last two axes `(t, u)`.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name in plans, errors and figures.
    pub name: String,
    /// Its axes, the last one contiguous.
    pub axes: Vec<AxisId>,
    /// Whether the last two axes are a causal pair.
    pub causal: bool,
    /// Where its values come from.
    pub origin: Origin,
}

/// Where a column's values come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// The model; committed in the card.
    Model,
    /// The inference; committed in the proof. The rule is how an honest prover fills it; the lookups and zero
    /// statements are what makes it the only way.
    Witness(Rule),
    /// How often each row of a table is looked up.
    Multiplicity(TableId),
}

/// How an honest prover fills a witness column, for every index of its support. Spec: inference.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // The fields are named in the formulas.
pub enum Rule {
    /// `floor((of + 2^(shift-1)) / 2^shift)`, `shift >= 1`.
    Round { of: Sum, shift: u32 },
    /// `of`.
    Exact { of: Sum },
    /// `floor(sqrt(constant / of))`.
    InverseSqrt { constant: i128, of: ColumnId },
    /// `max over u <= t of floor(of / 2^shift)`; `of` has the axes of the column and `u`.
    RowMax { of: Sum, over: AxisId, shift: u32 },
    /// `top - floor(of / 2^shift)`; `top` has the column's axes without the last.
    Gap { top: ColumnId, of: Sum, shift: u32 },
    /// Output `output` of `table` at row `of`.
    Output { table: TableId, of: Sum, output: usize },
    /// `floor((2 * numerator + denominator) / (2 * denominator))`.
    Divide { numerator: Sum, denominator: Sum },
    /// `floor(of / 2^shift)`.
    Digit { of: Sum, shift: u32 },
}

/// `constant + sum of terms`, a tensor over axes known from where it stands. The constant counts inside the
/// support only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sum {
    /// The constant.
    pub constant: i128,
    /// The terms.
    pub terms: Vec<Term>,
}

/// `coefficient * source[index..]`; axes that no index names are broadcast over.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The factor.
    pub coefficient: i128,
    /// The tensor.
    pub source: Source,
    /// One index for each axis of the source.
    pub index: Vec<Index>,
}

/// The tensors a term can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A committed column.
    Column(ColumnId),
    /// A product of two sums.
    Product(ProductId),
    /// The public matrix `[i < list[t]]` over axes `(t, i)`.
    Below(ListId),
}

/// How an axis of a source follows the axes of the tensor that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// Equal to the reader's axis.
    At(AxisId),
    /// Summed over.
    All,
    /// Summed over the indices below the reader's.
    Before(AxisId),
    /// `list[reader's index]`.
    Pick(AxisId, ListId),
}

impl Index {
    /// The reader's axis, if one is named.
    pub fn reader(self) -> Option<AxisId> {
        match self {
            Index::At(axis) | Index::Before(axis) | Index::Pick(axis, _) => Some(axis),
            Index::All => None,
        }
    }
}

/// A sum and the axes it stands over; zero where an index reaches an axis' length.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    /// Its axes.
    pub axes: Vec<AxisId>,
    /// Its value.
    pub sum: Sum,
}

/// A tensor that is never committed.
#[derive(Clone, Debug)]
pub struct Product {
    /// Its name.
    pub name: String,
    /// Its axes.
    pub axes: Vec<AxisId>,
    /// How it is made.
    pub kind: ProductKind,
    /// The left factor.
    pub left: Operand,
}

/// The kinds of product.
#[derive(Clone, Debug)]
pub enum ProductKind {
    /// `sum over the axes that the result lacks of left * right`.
    Einsum(Operand),
    /// The same, with axes `(t, u)` last in the result, `t` in `left` and `u` in `right`; only `u <= t` is read.
    Scores(Operand),
    /// Rotary embedding over the axes `(t, .., half, e)` of the left factor: with angle `t * base^(-e/E)`,
    /// `out[0] = cos*left[0] - sin*left[1]`, `out[1] = sin*left[0] + cos*left[1]`, cos and sin times `2^fraction`.
    Rotary(Rotary),
}

impl Product {
    /// The left operand, and the right one where the kind has one.
    pub fn operands(&self) -> impl Iterator<Item = &Operand> {
        let right = match &self.kind {
            ProductKind::Einsum(right) | ProductKind::Scores(right) => Some(right),
            ProductKind::Rotary(_) => None,
        };
        core::iter::once(&self.left).chain(right)
    }
}

/// The integer table of a rotary embedding. Spec: tables.rotary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotary {
    /// The positions' axis.
    pub time: AxisId,
    /// The axis of length 2.
    pub half: AxisId,
    /// The axis of the pairs of a head.
    pub pair: AxisId,
    /// The base of the frequencies.
    pub base: u64,
    /// Fractional bits of cosine and sine.
    pub fraction: u32,
}

/// At every index of the support, `(values[0], values[1], ..)` is a row of `table`.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// Its name.
    pub name: String,
    /// Its axes.
    pub axes: Vec<AxisId>,
    /// Whether the last two axes are a causal pair.
    pub causal: bool,
    /// The table.
    pub table: TableId,
    /// The row's number, then the table's outputs.
    pub values: Vec<Sum>,
}

/// `sum` is zero at every index of the support.
#[derive(Clone, Debug)]
pub struct Zero {
    /// Its name.
    pub name: String,
    /// Its axes.
    pub axes: Vec<AxisId>,
    /// What is zero.
    pub sum: Sum,
}

/// What is computed.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Named dimensions.
    pub axes: Vec<Axis>,
    /// Committed tensors.
    pub columns: Vec<Column>,
    /// The witness columns in the order of inference: a rule reads earlier ones, and later ones of lower layers.
    pub schedule: Vec<ColumnId>,
    /// Uncommitted products.
    pub products: Vec<Product>,
    /// Lookup tables; the tag of a table is its index + 1.
    pub tables: Vec<Table>,
    /// Lookups.
    pub lookups: Vec<Lookup>,
    /// Zero statements.
    pub zeros: Vec<Zero>,
    /// Public lists of indices, from the statement.
    pub lists: Vec<Vec<usize>>,
}

impl Program {
    /// The program of a statement about the model of `card`.
    ///
    /// # Errors
    /// `BadCard`, `CouldWrap` and `OverLimit` for cards no honest prover makes.
    pub fn new(card: &Card, statement: &Statement) -> Result<Self, Refusal> {
        let digit_bits = card.precision.digit_bits as usize;
        if digit_bits == 0 || digit_bits > limits::TABLE_BITS {
            return Err(Refusal::BadCard);
        }
        match card.architecture {
            Architecture::Llama => llama::program(card, statement),
        }
    }

    /// Address bits of a tensor over `axes`.
    pub fn bits(&self, axes: &[AxisId]) -> usize {
        axes.iter().map(|&axis| self.axes[axis].bits).sum()
    }

    /// True lengths of `axes`.
    pub fn lengths(&self, axes: &[AxisId]) -> Vec<usize> {
        axes.iter().map(|&axis| self.axes[axis].length).collect()
    }
}
