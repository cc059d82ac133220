//! Decides what a lookup table holds.

use crate::arith::{mle, tables};
use crate::limits;
use alloc::vec::Vec;
use ark_bls12_381::Fr;

/// A lookup table of `2^bits` rows; the first entry of a row is its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are named in the formulas.
pub enum Table {
    /// No outputs: the numbers below `2^bits`.
    Range { bits: u32 },
    /// Outputs `(round(2^precision * exp(-row / 2^fraction)), [row = 0])`. Spec: tables.exp.
    Exp { bits: u32, fraction: u32, precision: u32 },
    /// Output `round(2^(out-fraction) * silu(x))` for `x = row - 2^(bits-1)`, of `fraction` fractional bits.
    /// Spec: tables.silu.
    Silu { bits: u32, fraction: u32, out: u32 },
}

impl Table {
    /// Whether the recurrences behind the table have the range for it. Spec: tables.limits.
    pub fn is_representable(self) -> bool {
        let bits = self.bits();
        let fits = match self {
            Table::Range { .. } => true,
            Table::Exp { fraction, precision, .. } => fraction <= 40 && precision < 40,
            Table::Silu { bits, fraction, out } => bits >= 1 && fraction <= 40 && out <= 40,
        };
        bits <= limits::TABLE_BITS && fits
    }

    /// Entries of a row: its number and the outputs.
    pub fn entries(self) -> usize {
        match self {
            Table::Range { .. } => 1,
            Table::Exp { .. } => 3,
            Table::Silu { .. } => 2,
        }
    }

    /// log2 of the number of rows.
    pub fn bits(self) -> usize {
        match self {
            Table::Range { bits } | Table::Exp { bits, .. } | Table::Silu { bits, .. } => bits as usize,
        }
    }

    /// The columns of outputs.
    pub fn outputs(self) -> Vec<Vec<i64>> {
        match self {
            Table::Range { .. } => Vec::new(),
            Table::Exp { bits, fraction, precision } => {
                let rows = 1 << bits;
                let zero = (0..rows).map(|row| i64::from(row == 0)).collect();
                alloc::vec![tables::exp(fraction, precision).take(rows).collect(), zero]
            }
            Table::Silu { bits, fraction, out } => alloc::vec![tables::silu(bits, fraction, out).collect()],
        }
    }

    /// The extensions of the outputs at `point`, of as many coordinates as the table has bits, without a table in memory.
    pub fn extensions(self, point: &[Fr]) -> Vec<Fr> {
        match self {
            Table::Range { .. } => Vec::new(),
            Table::Exp { fraction, precision, .. } => {
                alloc::vec![mle::extension(point, tables::exp(fraction, precision)), mle::eq_index(point, 0)]
            }
            Table::Silu { bits, fraction, out } => {
                alloc::vec![mle::extension(point, tables::silu(bits, fraction, out))]
            }
        }
    }
}
