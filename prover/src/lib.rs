//! Runs a language model in integers and proves what it answered.
//!
//! The modules stand in the order in which data flows: a model file becomes integers and a card, a prompt becomes tokens
//! and a trace, a trace becomes a receipt.

pub mod causal;
pub mod cli;
pub mod commit;
pub mod cost;
pub mod files;
pub mod infer;
pub mod model;
pub mod prove;
pub mod quantise;
pub mod session;

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
