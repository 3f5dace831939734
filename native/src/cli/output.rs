//! Writes a file completely or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

/// What happens to an existing file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is kept, and nothing is written.
    Keep,
    /// It is replaced once the new one is complete.
    Replace,
}

/// Writes `bytes` to a file beside `path` and renames it, so that a full disk or a crash leaves the
/// old file. A device or a pipe is written to directly.
///
/// # Errors
/// The system's error; [`io::ErrorKind::AlreadyExists`] if an existing file must be kept.
pub(crate) fn write(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    if is_device(path) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    // A link stays; the file that it leads to is replaced.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let beside = beside(&path)?;
    let written = fill(&beside, &path, bytes).and_then(|()| rename(&beside, &path, existing));
    if written.is_err() {
        // The unfinished file is removed. If that fails, too, the first error counts.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Whether [`write()`] could make a file at `path`: makes one beside it, and removes it.
///
/// # Errors
/// The system's error.
pub(crate) fn probe(path: &Path) -> io::Result<()> {
    if is_device(path) {
        return Ok(());
    }
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let beside = beside(&path)?;
    File::create_new(&beside)?;
    fs::remove_file(&beside)
}

/// Whether writing to `path` replaces a file.
pub(crate) fn is_taken(path: &Path) -> bool {
    path.symlink_metadata().is_ok() && !is_device(path)
}

fn is_device(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

/// An unused name in the same folder.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let random = getrandom::u64()
        .map_err(|error| io::Error::other(format!("the system has no randomness: {error}")))?;
    Ok(path.with_file_name(format!(".aqueduct-{random:016x}.part")))
}

fn fill(beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(beside)?;
    if let Ok(old) = path.metadata() {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

fn rename(from: &Path, to: &Path, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Replace => fs::rename(from, to),
        Existing::Keep => match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // Not every file system does it in one step.
            Err(Errno::INVAL | Errno::NOSYS) if to.symlink_metadata().is_ok() => {
                Err(io::ErrorKind::AlreadyExists.into())
            }
            Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to),
            other => Ok(other?),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_file_is_kept_or_replaced_as_a_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.torrent");
        write(&path, b"one", Existing::Keep).unwrap();
        assert_eq!(
            write(&path, b"two", Existing::Keep).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"two", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(folder.path()), ["x.torrent"]);
    }

    #[test]
    fn a_probe_leaves_nothing_and_fails_where_nothing_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.torrent");
        probe(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        for impossible in ["nowhere/x.torrent", "x.torrent/"] {
            probe(&folder.path().join(impossible)).unwrap_err();
        }
        probe(Path::new("/dev/null")).unwrap();
    }

    #[test]
    fn a_link_stays_and_the_file_behind_it_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("x.torrent"), folder.path().join("link"));
        fs::write(&path, b"one").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, b"two", Existing::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn devices_are_written_to_and_taken_by_nobody() {
        write(Path::new("/dev/null"), b"x", Existing::Keep).unwrap();
        assert!(!is_taken(Path::new("/dev/null")));
    }
}
