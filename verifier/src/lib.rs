//! Decides whether a receipt proves that a committed language model gave an answer.
//!
//! The modules stand in the order in which data flows: a card becomes a program, a program becomes a
//! plan, the plan is driven over a channel that reads the proof.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
// Nothing that panics on purpose, and no floats.
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented,
    clippy::string_slice,
    clippy::float_arithmetic
)]
// What may panic or lose bits when a bound is forgotten: outside the modules below that say why, not at all.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::as_conversions)]

extern crate alloc;

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "fixed-point numbers whose bounds stand beside them"
)]
pub mod arith;
pub mod bytes;
#[allow(clippy::as_conversions, reason = "writers: a parsed card is within u8, u16, u32")]
pub mod card;
pub mod channel;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ids the builder made; points as long as the plan says"
)]
pub mod claim;
#[allow(clippy::arithmetic_side_effects, reason = "the length of an opening, s at most 16")]
pub mod dory;
pub mod drive;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "ids the builder made; sizes below limits::ROTARY"
)]
pub mod einsum;
pub mod groups;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "slots the ledger gave out; numbers of messages that were read"
)]
pub mod ledger;
pub mod limits;
pub mod name;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "ids and addresses of the plan"
)]
pub mod opening;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "ids the builder made; addresses below 2^60"
)]
pub mod plan;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "ids the builder made; sums of bytes of at most limits::BITS"
)]
pub mod program;
#[allow(clippy::as_conversions, reason = "u32 to usize, on machines of 32 bits and more")]
pub mod receipt;
pub mod refusal;
#[allow(clippy::as_conversions, reason = "at most limits::TOKENS tokens")]
pub mod statement;
pub mod sumcheck;
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "ids the builder made; points as long as the plan says"
)]
pub mod tlookup;
#[allow(clippy::as_conversions, reason = "lengths of labels in this crate")]
pub mod transcript;
#[allow(clippy::as_conversions, reason = "u32 to usize, on machines of 32 bits and more")]
pub mod verify;

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "ids the builder made; sizes of at most 48 bits, numbers that saturate"
)]
pub mod work;

pub use ark_bls12_381::Fr;
pub use refusal::{Blame, Refusal};
pub use verify::{Verified, verify, verify_with, verify_within};
pub use work::{Limits, Work};
