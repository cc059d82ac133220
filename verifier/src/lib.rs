//! Decides whether a receipt proves that a committed language model gave an answer.
//!
//! The modules stand in the order in which data flows: a card becomes a program, a program becomes a
//! plan, the plan is driven over a channel that reads the proof.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

pub mod refusal;
pub mod limits;
pub mod bytes;
pub mod card;
pub mod statement;
pub mod arith;
pub mod program;
pub mod plan;
pub mod groups;
pub mod transcript;
pub mod channel;
pub mod ledger;
pub mod sumcheck;
pub mod claim;
pub mod tlookup;
pub mod einsum;
pub mod opening;
pub mod dory;
pub mod drive;
pub mod receipt;
pub mod verify;

pub use ark_bls12_381::Fr;
pub use refusal::{Blame, Refusal};
pub use verify::{Verified, verify};
