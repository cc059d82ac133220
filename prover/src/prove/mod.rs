//! Making proofs.

pub mod dory;
