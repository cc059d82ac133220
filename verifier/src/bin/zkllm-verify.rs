//! `zkllm-verify CARD RECEIPT`: exit 0 proved, 1 refused, 2 unusable input or usage. Links no prover code.

use std::fmt::Arguments;
use std::io::{Read, Write, stdout};
use std::process::ExitCode;
use zkllm_verifier::verify;

/// A receipt or card larger than this is no honest one.
const MAX_BYTES: u64 = 64 << 20;

fn read(path: &str) -> Result<Vec<u8>, String> {
    let complain = |error: std::io::Error| format!("cannot read {path}: {error}");
    // What a file says of its length need not be so: a pipe has none.
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(complain)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(complain)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("{path} has more than {MAX_BYTES} bytes: no card or receipt is that large"));
    }
    Ok(bytes)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [card, receipt] = arguments.as_slice() else {
        eprintln!("usage: zkllm-verify CARD RECEIPT");
        return ExitCode::from(2);
    };
    let (card, receipt) = match (read(card), read(receipt)) {
        (Ok(card), Ok(receipt)) => (card, receipt),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("zkllm-verify: {error}");
            return ExitCode::from(2);
        }
    };
    match verify(&card, &receipt) {
        Ok(verified) => {
            let statement = verified.statement();
            let (prompt, answer) = statement.tokens().split_at(statement.prompt_length());
            let fingerprint: String = verified.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect();
            say(format_args!("proved: model {:?} {fingerprint} answers {prompt:?} with {answer:?}", verified.name()));
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            say(format_args!("refused: {refusal}"));
            ExitCode::from(if refusal.is_unusable() { 2 } else { 1 })
        }
    }
}

/// Prints a line. A closed output changes no verdict: the exit code tells it.
fn say(line: Arguments<'_>) {
    let _ = writeln!(stdout(), "{line}");
}
