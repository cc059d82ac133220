//! Decides small numbers: multilinear extensions over public data, integer tables, and sums of them.

pub mod dot;
pub mod mle;
pub mod tables;
