//! Decides the test vectors: `generate` writes every case of every subject, always the same bytes.

pub mod inference;

use std::path::Path;
use std::{fs, io};

/// Writes every vector that Rust makes into `folder`.
pub fn generate(folder: &Path) -> io::Result<()> {
    inference::generate(&folder.join("inference"))
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
