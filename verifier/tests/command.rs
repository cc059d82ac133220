//! The binary `zkllm-verify`: 0 proved, 1 refused, 2 for all else, and one line.

use std::ffi::OsStr;
use std::fs::File;
use std::process::{Command, Output, Stdio};

const CARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/samples/tiny.card");
const RECEIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/samples/tiny.receipt");
const FORGED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/samples/tiny-forged.receipt");

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zkllm-verify"));
    command.args(arguments);
    command
}

fn call(arguments: &[&str]) -> (Option<i32>, String, String) {
    told(command(arguments).output().expect("the binary runs"))
}

fn told(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Code 2 and a line with `words` on stderr.
fn unusable(output: Output, words: &str) {
    let (code, _, error) = told(output);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains(words) && error.trim_end().lines().count() == 1, "{words:?} is not in: {error}");
}

#[test]
fn verdicts_are_lines_and_json() {
    let (code, line, _) = call(&[CARD, RECEIPT]);
    assert!(code == Some(0) && line.starts_with("proved: model \"tiny-kjv\" "), "{line}");
    let (code, proved, _) = call(&["--json", CARD, RECEIPT]);
    let proved: serde_json::Value = serde_json::from_str(&proved).expect("JSON");
    assert_eq!((code, &proved["verdict"], &proved["model"]), (Some(0), &"proved".into(), &"tiny-kjv".into()));
    assert!(line.contains(proved["fingerprint"].as_str().expect("a fingerprint")));
    assert!(proved["prompt_len"].as_u64() < Some(proved["tokens"].as_array().expect("tokens").len() as u64));
    let (code, refused, _) = call(&[CARD, FORGED, "--json"]);
    let refused: serde_json::Value = serde_json::from_str(&refused).expect("JSON");
    assert_eq!((code, &refused["verdict"]), (Some(1), &"refused".into()));
    assert!(call(&[CARD, FORGED]).1.starts_with("refused: "));
    assert_eq!(call(&[RECEIPT, CARD]).0, Some(2));
}

#[test]
fn help_and_version_are_there() {
    assert_eq!(call(&["--version"]), (Some(0), format!("zkllm-verify {}\n", env!("CARGO_PKG_VERSION")), String::new()));
    let (code, help, _) = call(&["--help"]);
    assert!(code == Some(0) && help.contains("usage: zkllm-verify"), "{help}");
}

#[test]
fn what_is_wrong_is_a_line_and_code_2() {
    unusable(command(&["--jsno", CARD, RECEIPT]).output().expect("it runs"), "--help says what there is");
    unusable(command(&[CARD]).output().expect("it runs"), "give a card and a receipt");
    unusable(command(&["/nowhere", RECEIPT]).output().expect("it runs"), "cannot read /nowhere");
    unusable(command(&["/dev/zero", RECEIPT]).output().expect("it runs"), "has more than");
    #[cfg(unix)]
    {
        let odd: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff");
        unusable(command(&[CARD]).arg(odd).output().expect("it runs"), "cannot read");
    }
    let full = File::options().write(true).open("/dev/full").expect("a device");
    unusable(command(&[CARD, RECEIPT]).stdout(full).output().expect("it runs"), "cannot print the verdict");
    let mut child = command(&[CARD, RECEIPT]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    unusable(child.wait_with_output().expect("it ends"), "cannot print the verdict");
}
