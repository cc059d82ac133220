//! Decides how files are read and how they come to be: looked at before the work, whole or not at all, and nothing that
//! stands there is replaced unasked.
//!
//! A file is written without a name where the system can do that, synced, and named at last. So neither a kill nor a full
//! disk leaves a part of it, and nothing secret is left under a name that nobody knows.

use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use tempfile::NamedTempFile;

/// A file that could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} {path}: {why}{advice}")]
pub struct FileError {
    verb: &'static str,
    path: String,
    why: String,
    advice: &'static str,
}

impl FileError {
    fn new(verb: &'static str, path: &Path, why: &io::Error) -> Self {
        let advice = match why.kind() {
            io::ErrorKind::StorageFull => "; free some space on that disk and run the command again",
            io::ErrorKind::NotFound => "; check the path",
            io::ErrorKind::PermissionDenied => "; check the permissions",
            _ => "",
        };
        Self { verb, path: path.display().to_string(), why: why.to_string(), advice }
    }

    fn because(verb: &'static str, path: &Path, why: &str, advice: &'static str) -> Self {
        Self { verb, path: path.display().to_string(), why: why.to_string(), advice }
    }
}

/// Reads a file of at most `limit` bytes: no more than that is read, whatever the system says of its length.
///
/// # Errors
/// When it cannot be read, or has more.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let complain = |why: io::Error| FileError::new("read", path, &why);
    let file = File::open(path).map_err(complain)?;
    // In one piece where the length is known: what grows is copied, and a secret would be left behind.
    let length = file.metadata().map_or(0, |of| of.len()).min(limit);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0).saturating_add(1));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(complain)?;
    if bytes.len() as u64 > limit {
        return Err(FileError::because(
            "read",
            path,
            &format!("it has more than {limit} bytes"),
            "; it is another kind of file",
        ));
    }
    Ok(bytes)
}

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whoever the umask lets.
    All,
    /// The owner alone: mode 600 on Unix.
    Owner,
}

/// Files that this process has written, in order. It is held while one is written.
static WRITTEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn written() -> MutexGuard<'static, Vec<PathBuf>> {
    WRITTEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Waits for a file that is being written and lets no other one begin; gives those that were. For a process that is told
/// to stop.
pub fn stop() -> Vec<PathBuf> {
    let mut files = written();
    let list = std::mem::take(&mut *files);
    std::mem::forget(files);
    list
}

/// Where a result will go, looked at before it is made.
#[derive(Debug)]
pub struct Output {
    /// `None` is stdout.
    path: Option<PathBuf>,
    replace: bool,
}

impl Output {
    /// Stdout if `path` is `-`, else a file that can be written: there is none yet, or a regular one that is none of
    /// `inputs`, and `replace`.
    ///
    /// # Errors
    /// What would be in the way when the work is done.
    pub fn new(path: &Path, replace: bool, inputs: &[&Path]) -> Result<Self, FileError> {
        if path == Path::new("-") {
            return Ok(Self { path: None, replace });
        }
        let refuse = |why, advice| Err(FileError::because("write", path, why, advice));
        let text = path.to_string_lossy();
        let names_a_folder = text.ends_with(std::path::is_separator) || text.ends_with("/.");
        if names_a_folder || !matches!(path.components().next_back(), Some(Component::Normal(_))) {
            return refuse("that is a folder", "; give the name of a file in it");
        }
        // Through links: what would be replaced is the file, not the link to it.
        let path = match path.metadata() {
            Ok(there) if there.is_dir() => return refuse("that is a folder", "; give the name of a file in it"),
            Ok(there) if !there.is_file() => {
                return refuse("that is no regular file", "; give another path, or - for stdout");
            }
            Ok(there) => {
                if inputs.iter().any(|input| same(input, path, &there)) {
                    return refuse("this command reads that file", "; give another path");
                }
                if !replace {
                    return refuse("there is such a file", "; give another path, or --force to replace it");
                }
                path.canonicalize().map_err(|why| FileError::new("write", path, &why))?
            }
            Err(_) if path.is_symlink() => return refuse("that is a link to nothing", "; give another path"),
            Err(why) if why.kind() == io::ErrorKind::NotFound => path.to_path_buf(),
            Err(why) => return Err(FileError::new("write", path, &why)),
        };
        can_write(&path)?;
        Ok(Self { path: Some(path), replace })
    }

    /// Whether it goes to stdout.
    pub fn is_stdout(&self) -> bool {
        self.path.is_none()
    }

    /// Writes `bytes`, whole or not at all if to a file.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, bytes: &[u8], readers: Readers) -> Result<(), FileError> {
        let Some(path) = &self.path else {
            let mut out = io::stdout().lock();
            return out
                .write_all(bytes)
                .and_then(|()| out.flush())
                .map_err(|why| FileError::new("write", Path::new("stdout"), &why));
        };
        let mut files = written();
        Aside::new(path, bytes, readers)?.named(path, self.replace)?;
        files.push(path.clone());
        Ok(())
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.path {
            Some(path) => path.display().fmt(f),
            None => f.write_str("stdout"),
        }
    }
}

/// Writes some files that belong together, the last one last: whoever stops in between finds those before it. `moved` are
/// renamed first, from and to.
///
/// # Errors
/// When one cannot be written, or stands there already.
pub fn write_all(moved: &[(PathBuf, PathBuf)], new: &[(&Path, &[u8], Readers)]) -> Result<(), FileError> {
    let mut files = written();
    // All are on the disk before one has its name.
    let asides =
        new.iter().map(|(path, bytes, readers)| Aside::new(path, bytes, *readers)).collect::<Result<Vec<_>, _>>()?;
    for (from, to) in moved {
        move_to(from, to).map_err(|why| FileError::new("rename", from, &why))?;
    }
    for (aside, (path, ..)) in asides.into_iter().zip(new) {
        aside.named(path, false)?;
        files.push(path.to_path_buf());
    }
    Ok(())
}

/// Renames a file, and replaces nothing: another process may have taken the name.
fn move_to(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // A file system that cannot say so.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => (),
            done => return Ok(done?),
        }
    }
    std::fs::hard_link(from, to)?;
    std::fs::remove_file(from)
}

/// Whether a file can be made there. Folders that are missing are made when it is.
///
/// # Errors
/// Why not.
pub fn can_write(path: &Path) -> Result<(), FileError> {
    let mut folder = folder(path);
    while !folder.exists() && folder != Path::new(".") {
        if folder.is_symlink() {
            return Err(FileError::because("write", path, "its folder is a link to nothing", "; give another path"));
        }
        folder = self::folder(folder);
    }
    let _files = written();
    Aside::open(folder, Readers::Owner).map(drop).map_err(|why| FileError::new("write", path, &why))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether `input` is the file at `path`, under whatever name.
fn same(input: &Path, path: &Path, there: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let _ = path;
        input.metadata().is_ok_and(|of| (of.dev(), of.ino()) == (there.dev(), there.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = there;
        input.canonicalize().is_ok_and(|input| path.canonicalize().is_ok_and(|path| input == path))
    }
}

/// A file that is not where it belongs yet.
enum Aside {
    /// Without a name: gone with the process, however that ends.
    #[cfg(target_os = "linux")]
    Nameless(File),
    /// Where there is no such thing.
    Named(NamedTempFile),
}

impl Aside {
    fn open(folder: &Path, readers: Readers) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(file) = nameless::open(folder, readers) {
            return Ok(Self::Nameless(file));
        }
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(std::fs::Permissions::from_mode(mode(readers)));
        }
        builder.prefix(".zkllm-").tempfile_in(folder).map(Self::Named)
    }

    /// `bytes`, on the disk of `path`.
    fn new(path: &Path, bytes: &[u8], readers: Readers) -> Result<Self, FileError> {
        let folder = folder(path);
        let aside = std::fs::create_dir_all(folder).and_then(|()| {
            let mut aside = Self::open(folder, readers)?;
            let file = match &mut aside {
                #[cfg(target_os = "linux")]
                Self::Nameless(file) => file,
                Self::Named(file) => file.as_file_mut(),
            };
            file.write_all(bytes)?;
            file.sync_all()?;
            Ok(aside)
        });
        aside.map_err(|why| FileError::new("write", path, &why))
    }

    fn named(self, path: &Path, replace: bool) -> Result<(), FileError> {
        let renamed = |file: NamedTempFile| {
            let named = if replace { file.persist(path) } else { file.persist_noclobber(path) };
            named.map(drop).map_err(|error| error.error)
        };
        let named = match self {
            #[cfg(target_os = "linux")]
            Self::Nameless(file) if replace => tempfile::Builder::new()
                .prefix(".zkllm-")
                .make_in(folder(path), |name| nameless::link(&file, name))
                .and_then(|linked| linked.into_temp_path().persist(path).map_err(|error| error.error)),
            #[cfg(target_os = "linux")]
            Self::Nameless(file) => nameless::link(&file, path),
            Self::Named(file) => renamed(file),
        };
        // The name too is on the disk. Where folders cannot be synced, that is not ours to know.
        let _ = File::open(folder(path)).and_then(|folder| folder.sync_all());
        named.map_err(|why| FileError::new("write", path, &why))
    }
}

#[cfg(unix)]
fn mode(readers: Readers) -> u32 {
    if readers == Readers::All { 0o666 } else { 0o600 }
}

#[cfg(target_os = "linux")]
mod nameless {
    use super::{Readers, mode};
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open as open_at};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::Path;

    /// A file in `folder` that has no name and can get one; `None` where the file system has no such thing.
    pub fn open(folder: &Path, readers: Readers) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let file = File::from(open_at(folder, flags, Mode::from_raw_mode(mode(readers))).ok()?);
        address(&file).try_exists().is_ok_and(|exists| exists).then_some(file)
    }

    /// Gives it a name that no other file has.
    pub fn link(file: &File, path: &Path) -> io::Result<()> {
        Ok(linkat(CWD, address(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
    }

    fn address(file: &File) -> std::path::PathBuf {
        format!("/proc/self/fd/{}", file.as_raw_fd()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_moved_replaces_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let (old, kept, new) = (path("model.secret"), path("model-1.secret"), path("new"));
        std::fs::write(&old, "old").expect("written");
        std::fs::write(&kept, "kept").expect("written");
        assert!(write_all(&[(old.clone(), kept.clone())], &[(&new, b"new", Readers::Owner)]).is_err());
        assert_eq!(std::fs::read(&old).expect("a file"), b"old");
        assert_eq!(std::fs::read(&kept).expect("a file"), b"kept");
        assert!(!new.exists());
        std::fs::remove_file(&kept).expect("removed");
        write_all(&[(old.clone(), kept.clone())], &[(&old, b"new", Readers::Owner)]).expect("written");
        assert_eq!(std::fs::read(&kept).expect("a file"), b"old");
        assert_eq!(std::fs::read(&old).expect("a file"), b"new");
    }
}
