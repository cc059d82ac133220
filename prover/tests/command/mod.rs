//! What all tests of the command line share.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/models/tiny-kjv.gguf");

/// The command, not yet run.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkllm"));
    command.args(arguments);
    command
}

pub fn run(command: &mut Command) -> Output {
    command.output().expect("the binary runs")
}

/// All that it printed.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The command fails with `code`, says `words`, and `out` does not exist.
pub fn fails(output: &Output, code: i32, words: &str, out: Option<&Path>) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(words), "{words:?} is not in: {said}");
    assert!(!said.contains("panicked"), "{said}");
    if let Some(out) = out {
        assert!(!out.exists(), "{} was written", out.display());
    }
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect()
}
