//! Decides how files come to be: written aside, synced, renamed; a half-written file never has its name.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {path}: {source}{advice}")]
pub struct FileError {
    verb: &'static str,
    path: PathBuf,
    source: std::io::Error,
    advice: &'static str,
}

impl FileError {
    fn new(verb: &'static str, path: &Path, source: std::io::Error) -> Self {
        let advice = match source.kind() {
            std::io::ErrorKind::StorageFull => "; free some space on that disk and run the command again",
            std::io::ErrorKind::NotFound => "; check the path",
            std::io::ErrorKind::PermissionDenied => "; check the permissions",
            _ => "",
        };
        Self { verb, path: path.to_path_buf(), source, advice }
    }
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Everybody.
    All,
    /// The owner alone: mode 600.
    Owner,
}

/// Writes `bytes` to `path`, whole or not at all.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), FileError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let complain = |source| FileError::new("write", path, source);
    std::fs::create_dir_all(folder).map_err(complain)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(complain)?;
    file.write_all(bytes).map_err(complain)?;
    file.as_file().sync_all().map_err(complain)?;
    let mode = if readers == Readers::All { 0o644 } else { 0o600 };
    file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(complain)?;
    file.persist(path).map_err(|error| complain(error.error))?;
    Ok(())
}

/// Reads a file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let complain = |source| FileError::new("read", path, source);
    let length = std::fs::metadata(path).map_err(complain)?.len();
    if length > limit {
        return Err(complain(std::io::Error::other(format!("{length} bytes, and no such file has more than {limit}"))));
    }
    std::fs::read(path).map_err(complain)
}
