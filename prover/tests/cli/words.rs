//! What is printed is what is so: no text under another tokenizer, no raw control character, one line and code 2 for what
//! went wrong.

use super::command::{MODEL, command, fails, run, said};
use super::{at, made, prove, zkllm};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::process::{Output, Stdio};

/// The small model with the texts of the space and of the escape character exchanged.
fn escaping() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut bytes = fs::read(MODEL).expect("the small model");
    // What byte-level vocabularies write for them, in the header: the name of a tensor is near its end.
    let [space, escape] = ["\u{120}", "\u{11b}"].map(str::as_bytes);
    let header = bytes.windows(21).position(|name| name == b"blk.3.ffn_down.weight").expect("a tensor");
    for at in 0..header {
        if bytes[at..].starts_with(space) {
            bytes[at..at + 2].copy_from_slice(escape);
        } else if bytes[at..].starts_with(escape) {
            bytes[at..at + 2].copy_from_slice(space);
        }
    }
    let path = folder.path().join("escaping.gguf");
    fs::write(&path, bytes).expect("written");
    let path = path.display().to_string();
    (folder, path)
}

#[test]
fn text_is_shown_with_the_card_s_tokenizer_only() {
    let verify = |model: &str, more: &[&str]| {
        zkllm(&[&["verify", "--card", &at("model.card"), &at("answer.receipt"), "--model", model], more].concat())
    };
    let own = verify(MODEL, &[]);
    assert!(own.status.success() && said(&own).contains("prompt text  "), "{}", said(&own));
    let (_folder, other) = escaping();
    for more in [&[][..], &["--json"]] {
        let foreign = verify(&other, more);
        assert!(foreign.status.success(), "{}", said(&foreign));
        assert!(said(&foreign).contains("has another tokenizer than the card says"), "{}", said(&foreign));
        assert!(!said(&foreign).contains("text  ") && !said(&foreign).contains("_text"), "{}", said(&foreign));
    }
    let report: serde_json::Value = serde_json::from_slice(&verify(MODEL, &["--json"]).stdout).expect("JSON");
    assert!(report["prompt_text"].as_str().expect("a text").contains("LORD"));
}

#[test]
fn control_tokens_are_shown_as_such() {
    let out = made().join("control.receipt").display().to_string();
    // The small model's only control token is 0.
    let proved = prove(&at("model.card"), &out, &["--tokens", "[0, 40, 41, 0, 42]", "--max-tokens", "1"]);
    assert!(proved.status.success(), "{}", said(&proved));
    let verified = said(&zkllm(&["verify", "--card", &at("model.card"), &out, "--model", MODEL]));
    let line = verified.lines().find(|line| line.starts_with("prompt text")).expect("a line");
    assert_eq!(line.matches("[0 \"<|endoftext|>\"]").count(), 2, "{line}");
}

#[test]
fn no_escape_of_a_model_reaches_a_terminal() {
    let (folder, model) = escaping();
    let out = folder.path().join("out");
    let committed = zkllm(&["commit", &model, "--out", &out.display().to_string(), "--chunk-log", "9"]);
    assert!(committed.status.success(), "{}", said(&committed));
    let [card, receipt] = ["model.card", "a.receipt"].map(|name| out.join(name).display().to_string());
    let arguments = ["--card", &card, "--model", &model, "--prompt", "And the", "--max-tokens", "8"];
    let generated = zkllm(&[&["generate"][..], &arguments].concat());
    let to = ["prove", "--out", &receipt];
    let proved = zkllm(&[&to[..], &arguments, &["--json", "--force"]].concat());
    let streamed = zkllm(&[&to[..], &arguments, &["--force"]].concat());
    let verified = zkllm(&["verify", "--card", &card, &receipt, "--model", &model]);
    let report = zkllm(&["verify", "--card", &card, &receipt, "--model", &model, "--json"]);
    for output in [&generated, &proved, &streamed, &verified, &report] {
        assert!(output.status.success(), "{}", said(output));
        assert!(!said(output).contains('\u{1b}'), "{:?}", said(output));
    }
    for output in [&generated, &proved, &streamed, &verified] {
        assert!(said(output).contains("\\u{1b}"), "{}", said(output));
    }
    assert!(said(&report).contains("\\u001b"), "{}", said(&report));
}

fn one_line(output: &Output, words: &str) {
    fails(output, 2, words, None);
    let lines = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines.trim_end().lines().count(), 1, "{lines}");
}

#[test]
fn what_cannot_be_printed_ends_with_code_2_and_a_line() {
    let (card, receipt) = (at("model.card"), at("answer.receipt"));
    for arguments in [
        &["verify", "--card", &card, &receipt][..],
        &["verify", "--card", &card, &receipt, "--json"],
        &["inspect", &card],
        &["cost", "--card", &card, "--backend", "cpu"],
        &["--help"],
        &["--version"],
    ] {
        let full = File::options().write(true).open("/dev/full").expect("a device");
        one_line(&run(command(arguments).stdout(full)), "not all could be printed: No space left");
        let mut child =
            command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        one_line(&output, "not all could be printed: Broken pipe");
    }
    // Nor does a stderr that is closed change the code.
    let full = File::options().write(true).open("/dev/full").expect("a device");
    assert_eq!(run(command(&["inspect", "/nowhere"]).stderr(full)).status.code(), Some(2));
}

#[test]
fn arguments_that_are_no_text_are_an_error() {
    let odd = OsStr::from_bytes(b"\xff\xfe");
    for arguments in [&["verify", "--card"][..], &["inspect"], &["generate", "--prompt"], &[]] {
        let output = run(command(arguments).arg(odd));
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    }
    for arguments in [
        &["prove", "--chat", "--tokens", "1", "--card", "c", "--model", "m", "--out", "o"][..],
        &["generate", "--tokens", "1;2", "--card", "c", "--model", "m"],
        &["cost", "--card", &at("model.card"), "--length", "99999999999", "--backend", "cpu"],
        &["cost", "--shape", "tiny", "--length", "99999999999", "--backend", "cpu"],
        &["cost", "--shape", "tiny", "--context", "99999999999", "--length", "99999999999", "--backend", "cpu"],
    ] {
        fails(&zkllm(arguments), 2, "", None);
    }
}

#[test]
fn an_error_is_said_once() {
    let (card, receipt) = (at("model.card"), at("answer.receipt"));
    let out = made().join("once.receipt").display().to_string();
    for arguments in [
        &["verify", "--card", "/nowhere/card", &receipt][..],
        &["inspect", "/nowhere/card"],
        &["commit", "/nowhere/model", "--out", &out, "--backend", "cpu"],
        &["commit", &card, "--out", &out, "--backend", "cpu"],
        &["prove", "--card", &card, "--model", "/nowhere/model", "--out", &out, "--prompt", "a", "--backend", "cpu"],
        &["prove", "--card", &card, "--model", MODEL, "--secret", &card, "--out", &out, "--prompt", "a"],
        &["prove", "--card", &card, "--model", MODEL, "--out", &out, "--tokens", "70000", "--backend", "cpu"],
        &["generate", "--card", &receipt, "--model", MODEL, "--prompt", "a"],
    ] {
        let output = zkllm(arguments);
        one_line(&output, "zkllm: ");
        let line = String::from_utf8_lossy(&output.stderr).trim_end().to_string();
        let mut parts: Vec<&str> = line.split([':', ';']).map(str::trim).collect();
        let all = parts.len();
        parts.sort_unstable();
        parts.dedup();
        assert_eq!(parts.len(), all, "said twice: {line}");
    }
}
