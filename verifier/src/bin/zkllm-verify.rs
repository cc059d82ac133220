//! `zkllm-verify CARD RECEIPT`: exit 0 proved, 1 refused, 2 unusable input or usage. Links no prover code.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{Read, Write, stderr, stdout};
use std::panic::{catch_unwind, set_hook};
use std::path::Path;
use std::process::ExitCode;
use zkllm_verifier::{Verified, limits, verify};

const HELP: &str = "\
Verifies a receipt: whether the model of a card gave this answer.

usage: zkllm-verify [--json] CARD RECEIPT
       zkllm-verify --help | --version

  --json  print one JSON object

exit code: 0 proved, 1 refused, 2 the files cannot be used, or the usage is wrong, or nothing could be printed";

fn main() -> ExitCode {
    // One line and code 2 for a fault of the program too.
    set_hook(Box::new(|_| ()));
    let outcome = catch_unwind(|| outcome(std::env::args_os().skip(1).collect()));
    let (text, code) =
        match outcome.unwrap_or_else(|_| Err("stopped by a fault of the program; please report it".into())) {
            Ok(outcome) => outcome,
            Err(error) => {
                let _ = writeln!(stderr(), "zkllm-verify: {error}");
                return ExitCode::from(2);
            }
        };
    let mut out = stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => ExitCode::from(code),
        // A verdict that nobody can read is none.
        Err(error) => {
            let _ = writeln!(stderr(), "zkllm-verify: cannot print the verdict: {error}");
            ExitCode::from(2)
        }
    }
}

/// What to print, and the exit code.
fn outcome(arguments: Vec<OsString>) -> Result<(String, u8), String> {
    let (options, files): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|argument| argument.as_encoded_bytes().starts_with(b"--"));
    match options.iter().map(|option| option.to_str()).collect::<Vec<_>>()[..] {
        [Some("--help")] => return Ok((HELP.into(), 0)),
        [Some("--version")] => return Ok((concat!("zkllm-verify ", env!("CARGO_PKG_VERSION")).into(), 0)),
        [] | [Some("--json")] => {}
        _ => return Err(format!("there is no option {options:?}; zkllm-verify --help says what there is")),
    }
    let [card, receipt] = files[..] else {
        return Err("give a card and a receipt: zkllm-verify CARD RECEIPT".into());
    };
    let json = !options.is_empty();
    Ok(match verify(&read(card.as_ref())?, &read(receipt.as_ref())?) {
        Ok(verified) if json => (as_json(&verified), 0),
        Ok(verified) => {
            let statement = verified.statement();
            let (prompt, answer) = statement.tokens().split_at(statement.prompt_length());
            let fingerprint = hex(verified.fingerprint());
            (format!("proved: model {:?} {fingerprint} answers {prompt:?} with {answer:?}", verified.name()), 0)
        }
        Err(refusal) => {
            let text = if json {
                format!(r#"{{"verdict":"refused","code":"{refusal}"}}"#)
            } else {
                format!("refused: {refusal}")
            };
            (text, if refusal.is_unusable() { 2 } else { 1 })
        }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let complain = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    // What a file says of its length need not be so: a pipe has none.
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(complain)?;
    file.take(limits::FILE + 1).read_to_end(&mut bytes).map_err(complain)?;
    if bytes.len() as u64 > limits::FILE {
        return Err(format!(
            "{} has more than {} bytes: no card or receipt is that large",
            path.display(),
            limits::FILE
        ));
    }
    Ok(bytes)
}

fn as_json(verified: &Verified) -> String {
    let statement = verified.statement();
    let name = verified.name().chars().fold(String::new(), |mut name, c| {
        let _ = match c {
            ' ' | '!' | '#'..='[' | ']'..='~' => write!(name, "{c}"),
            _ => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(name, "\\u{unit:04x}")),
        };
        name
    });
    format!(
        r#"{{"verdict":"proved","code":"proved","model":"{name}","fingerprint":"{}","tokens":{:?},"prompt_len":{}}}"#,
        hex(verified.fingerprint()),
        statement.tokens(),
        statement.prompt_length()
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
