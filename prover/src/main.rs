//! The command `zkllm`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Mesa's layer that puts a compositor's GPU first complains on stderr where there is no compositor.
    // SAFETY: there is no other thread yet.
    unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    zkllm_prover::cli::main()
}
