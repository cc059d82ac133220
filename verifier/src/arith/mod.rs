//! Decides small numbers: multilinear extensions over public data, and integer tables.

pub mod mle;
pub mod tables;
