//! Decides how the process begins and ends: one line and a code, whatever happens in between.

use super::{out, tell};
use crate::files;
use anyhow::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::{ExitCode, exit};
use std::sync::Once;
use zkllm_kernels::device::catch;

/// Runs the command of this process.
pub fn guarded(run: impl FnOnce() -> Result<ExitCode>) -> ExitCode {
    no_core_dumps();
    set_hook(Box::new(|panic| {
        // The first one is the cause of all others.
        static FIRST: Once = Once::new();
        FIRST.call_once(|| {
            let payload = panic.payload();
            let what = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
            let (what, at) =
                (what.unwrap_or("no reason given"), panic.location().map_or(String::new(), |at| format!(" at {at}")));
            tell!("zkllm: stopped by a fault of the program: {what}{at}; please report it with the command");
        });
    }));
    let _ = on_stop(|| {
        let written: Vec<String> = files::stop().iter().map(|path| path.display().to_string()).collect();
        match written.as_slice() {
            [] => tell!("\nzkllm: stopped; no file was written"),
            written => tell!("\nzkllm: stopped; written before, and whole: {}", written.join(", ")),
        }
        exit(130);
    });
    ended(run)
}

/// What Linux says of this process under that name; no other system does.
pub fn status(name: &str) -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_string())
}

/// Calls `stop` when the process is to end: but not for a signal that it was started to ignore, as `nohup` does.
#[cfg(unix)]
fn on_stop(stop: impl Fn() + Send + 'static) -> std::io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let ignored = status("SigIgn:").and_then(|mask| u64::from_str_radix(&mask, 16).ok()).unwrap_or(0);
    let wanted = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| (ignored >> (signal - 1)) & 1 == 0);
    let mut signals = signal_hook::iterator::Signals::new(wanted)?;
    std::thread::spawn(move || signals.forever().for_each(|_| stop()));
    Ok(())
}

#[cfg(not(unix))]
fn on_stop(stop: impl FnMut() + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(stop)
}

/// The code of a command: 2 with a line on stderr for an error, for a panic, and where stdout did not take all that was
/// printed.
fn ended(run: impl FnOnce() -> Result<ExitCode>) -> ExitCode {
    // A GPU that fails unwinds to here.
    let outcome = catch_unwind(AssertUnwindSafe(|| catch(run)));
    let code = match outcome {
        Ok(Ok(Ok(code))) => code,
        Ok(Ok(Err(error))) => {
            tell!("zkllm: {}", said_once(&error));
            ExitCode::from(2)
        }
        Ok(Err(fault)) => {
            tell!("zkllm: {fault}");
            ExitCode::from(2)
        }
        Err(_) => ExitCode::from(2),
    };
    match out::broken() {
        Some(why) => {
            tell!("zkllm: not all could be printed: {why}");
            ExitCode::from(2)
        }
        None => code,
    }
}

/// An error and its causes, but for those that another one says already.
fn said_once(error: &Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match () {
        () if said.is_empty() => cause,
        () if said.contains(&cause) => said,
        () => format!("{said}: {cause}"),
    })
}

/// A crash writes no memory, which holds weights and blindings, to a disk.
fn no_core_dumps() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Less than any file has; and Linux gives no dump to another program where the limit is 1.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_on_any_thread_ends_with_code_2() {
        let two = format!("{:?}", ExitCode::from(2));
        let panics: [fn() -> Result<ExitCode>; 2] =
            [|| panic!("here"), || Ok(rayon::join(|| ExitCode::SUCCESS, || panic!("there")).0)];
        for panics in panics {
            assert_eq!(format!("{:?}", ended(panics)), two);
        }
        assert_eq!(format!("{:?}", ended(|| Ok(ExitCode::SUCCESS))), format!("{:?}", ExitCode::SUCCESS));
    }
}
