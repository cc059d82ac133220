//! Decides how a card and its secret side come to stand in a folder: the secret first, the card last, and an older pair is
//! kept, for the card of it may be published.

use super::store::Secret;
use crate::files::{FileError, Readers, can_write, read, write_all};
use crate::hex;
use sha3::{Digest, Sha3_256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use zkllm_verifier::card::Card;
use zkllm_verifier::limits;

/// The public file.
const CARD: &str = "model.card";
/// The file to keep.
const SECRET: &str = "model.secret";

/// Why nothing will be written to a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something stands there.
    #[error(
        "{0} is there already: what was published with it can be proved with the secret side beside it only. Give another \
         --out, or --force, which keeps both under other names"
    )]
    Taken(PathBuf),
    /// It cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A folder that a card and its secret side can be written to.
pub struct Folder {
    folder: PathBuf,
    /// What stands there, and the names under which it will be kept.
    pub kept: Vec<(PathBuf, PathBuf)>,
}

impl Folder {
    /// Looks whether it can be written, and whether a pair stands there, which `force` would keep under other names.
    ///
    /// # Errors
    /// See [`FolderError`].
    pub fn new(folder: &Path, force: bool) -> Result<Self, FolderError> {
        let mut there = Vec::new();
        for name in [CARD, SECRET] {
            let path = folder.join(name);
            can_write(&path)?;
            if path.symlink_metadata().is_ok() {
                if !force {
                    return Err(FolderError::Taken(path));
                }
                there.push(path);
            }
        }
        let names = free(&there);
        Ok(Self { folder: folder.to_path_buf(), kept: std::iter::zip(there, names).collect() })
    }

    /// Writes both. Where that is interrupted there is no new card.
    ///
    /// # Errors
    /// When a file cannot be written; what stood there stays, under one name or the other.
    pub fn write(&self, card: &Card, secret: &Secret) -> Result<(), FileError> {
        let (secret, card) = (secret.to_bytes(card), card.to_bytes());
        let paths = [SECRET, CARD].map(|name| self.folder.join(name));
        write_all(&self.kept, &[(&paths[0], &secret, Readers::Owner), (&paths[1], &card, Readers::All)])
    }
}

/// Names that are free for what stands at `paths`, which belongs together: with the first digits of the card's fingerprint.
fn free(paths: &[PathBuf]) -> Vec<PathBuf> {
    let digits =
        |path: &PathBuf| head(path).or_else(|| Some(hex(&Sha3_256::digest(read(path, limits::FILE).ok()?)[..4])));
    let stem = paths.iter().find_map(digits).map_or("model-old".to_string(), |digits| format!("model-{digits}"));
    let under = |n: usize| {
        let stem = if n == 1 { stem.clone() } else { format!("{stem}-{n}") };
        let name = |path: &PathBuf| {
            path.with_file_name(format!("{stem}.{}", path.extension().unwrap_or_default().to_string_lossy()))
        };
        paths.iter().map(name).collect::<Vec<_>>()
    };
    let are_free = |names: &Vec<PathBuf>| names.iter().all(|name| name.symlink_metadata().is_err());
    (1..).map(under).find(are_free).unwrap_or_default()
}

/// The first digits of the fingerprint that a secret side names.
fn head(path: &Path) -> Option<String> {
    let mut bytes = [0; Secret::NAMED];
    File::open(path).ok()?.read_exact(&mut bytes).ok()?;
    Secret::fingerprint(&bytes).map(|fingerprint| hex(&fingerprint[..4]))
}
