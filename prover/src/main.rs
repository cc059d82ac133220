//! The command `zkllm`.

use std::process::ExitCode;

fn main() -> ExitCode {
    zkllm_prover::cli::main()
}
