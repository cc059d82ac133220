//! Decides the test vectors: `generate` writes every case of every subject, always the same bytes.

pub mod arguments;
pub mod check;
pub mod guards;
pub mod inference;
pub mod mutations;
pub mod programs;
pub mod receipts;
pub mod small;

use serde_json::Value;
use std::path::Path;
use std::{fs, io};

/// The subjects whose cases are one `case.json` each.
pub const SUBJECTS: [&str; 10] =
    ["transcript", "hash-to-curve", "tables", "card", "program", "ledger", "dory", "sumcheck", "tlookup", "receipt"];

/// Writes every vector into `folder`.
pub fn generate(folder: &Path) -> io::Result<()> {
    inference::generate(&folder.join("inference"))?;
    small::transcripts(&folder.join("transcript"))?;
    small::hashes(&folder.join("hash-to-curve"))?;
    small::tables(&folder.join("tables"))?;
    arguments::ledgers(&folder.join("ledger"))?;
    arguments::openings(&folder.join("dory"))?;
    guards::programs(&folder.join("program"))?;
    receipts::programs(folder)?;
    receipts::cards(&folder.join("card"))?;
    receipts::receipts(&folder.join("receipt"))
}

/// Writes a case with its outcome, which must be what is `expected`: accepted or not.
pub fn case(folder: &Path, name: &str, mut case: Value, expected: bool) -> io::Result<()> {
    let subject = folder.file_name().and_then(|name| name.to_str()).expect("a subject");
    let folder = folder.join(name);
    fs::create_dir_all(&folder)?;
    let code = check::code(subject, &folder, &case);
    assert_eq!(code.is_none(), expected, "{subject}/{name}: {code:?}");
    case["outcome"] = check::outcome(code).into();
    if let Some(code) = code {
        case["code"] = code.into();
    }
    write(&folder.join("case.json"), format!("{case:#}\n"))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(path, bytes)
}
