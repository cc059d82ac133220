//! Runs a language model in integers and proves what it answered.

pub mod commit;
pub mod files;
pub mod infer;
pub mod prove;
