//! Runs a language model in integers and proves what it answered.

pub mod commit;
pub mod prove;
