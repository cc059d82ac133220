//! Commitments to the columns.

pub mod setup;
pub mod tier2;
