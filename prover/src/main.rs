//! The command `zkllm`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Mesa's layer that puts a compositor's GPU first complains on stderr where there is no compositor.
    // SAFETY: there is no other thread yet.
    unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    // A reader of the output that has seen enough, `zkllm cost .. | head`, ends the program quietly.
    #[cfg(unix)]
    // SAFETY: no handler is replaced.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL)
    };
    zkllm_prover::cli::main()
}
