//! Runs a language model in integers and proves what it answered.
//!
//! The modules stand in the order in which data flows: a model file becomes integers and a card, a prompt becomes tokens
//! and a trace, a trace becomes a receipt.

pub mod model;
pub mod quantise;
pub mod infer;
pub mod commit;
pub mod prove;
pub mod session;
pub mod files;
pub mod cost;
pub mod cli;
