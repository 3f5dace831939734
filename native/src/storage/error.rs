//! What can fail with files, and what the user can do about it.

use std::io;
use std::path::{Path, PathBuf};

use aqueduct_core::OpError;
use aqueduct_core::types::{InfoHash, visible};
use rustix::io::Errno;

/// A storage call failed. The text names the file, the cause and the next step.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A call to the system failed.
    #[error(
        "could not {action} {}: {source}{}",
        shown_path(path),
        advice(action, path, source)
    )]
    Io {
        /// The action that failed, as a verb: `open`, `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file system, or the limit of this process, permits no file of that size.
    #[error(
        "{} has {size} bytes, which is more than one file may have there (4,294,967,295 on FAT32, or the limit of `ulimit -f`); choose a folder on another disk with --output, or leave the file out with --exclude",
        shown_path(path)
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// There is less room than the wanted files still need. Returned before the first write.
    #[error("{} needs {needed} bytes more, only {free} are free{}; free some space or choose another folder with --output", shown_path(folder), reserved_by_others(*reserved))]
    Space {
        /// The download folder.
        folder: PathBuf,
        /// Bytes of wanted files that occupy no room yet.
        needed: u64,
        /// Bytes that the file system offers to this user.
        free: u64,
        /// Of these: bytes that other torrents of this program will use.
        reserved: u64,
    },
    /// The record of a download cannot be saved.
    #[error(
        "could not {action} {}, where the progress of downloads is recorded: {source}; {}",
        shown_path(path),
        state_advice(source)
    )]
    State {
        /// The action that failed, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file that would be written to is not this torrent's.
    #[error("{} is there already and {}; move it away, choose another folder with --output, or replace it with --overwrite", shown_path(path), whose(*holder))]
    InTheWay {
        /// The file.
        path: PathBuf,
        /// The torrent whose record states it, if one does.
        holder: Option<InfoHash>,
    },
    /// Another program wrote to a file while it was read, or after it was last checked.
    #[error(
        "{} was changed by another program meanwhile; start again when nothing writes to it",
        shown_path(path)
    )]
    Changed {
        /// The file, or the folder that it is in.
        path: PathBuf,
    },
    /// The download folder does not lie where it did when the download began.
    #[error(
        "the download folder {} was moved, removed or replaced meanwhile; start again: what is missing is downloaded again; if the folder was moved, name its new place with --output",
        shown_path(folder)
    )]
    Moved {
        /// The folder.
        folder: PathBuf,
    },
    /// Another process downloads or seeds the same torrent into the same folder.
    #[error(
        "another aqueduct is working on this torrent in {}; stop it first, or choose another folder with --output",
        shown_path(folder)
    )]
    Busy {
        /// The download folder.
        folder: PathBuf,
    },
}

/// A path as messages show it, escaped (see [`visible`]): it may contain a torrent's names.
#[must_use]
pub fn shown_path(path: &Path) -> String {
    visible(&path.to_string_lossy()).into_owned()
}

impl StorageError {
    /// Wraps the system's error for `action` on `path`.
    pub fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// The same for the records of downloads, which do not lie beside the data.
    pub fn state(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::State {
            action,
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// Whether the disk or the user's quota is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } | Self::State { source, .. } => is_full(source),
            Self::Space { .. } => true,
            Self::Busy { .. }
            | Self::TooLarge { .. }
            | Self::InTheWay { .. }
            | Self::Moved { .. }
            | Self::Changed { .. } => false,
        }
    }

    /// The file or folder that a call to the system failed for, and the cause with the next step.
    #[must_use]
    pub fn failed_call(&self) -> Option<(&Path, String)> {
        match self {
            Self::Io {
                action,
                path,
                source,
            } => Some((path, format!("{source}{}", advice(action, path, source)))),
            _ => None,
        }
    }

    /// Whether something else lies where a file or its folder must be: a link, a folder, a file.
    #[must_use]
    pub fn is_obstruction(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_obstruction(source))
    }

    /// Whether a file or folder is missing, or a file too short.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof))
    }
}

impl From<StorageError> for OpError {
    fn from(error: StorageError) -> Self {
        Self::Storage {
            full: error.is_full(),
            message: error.to_string(),
        }
    }
}

fn is_full(source: &io::Error) -> bool {
    matches!(
        source.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// The next step for the causes that have one.
fn advice(action: &str, path: &Path, source: &io::Error) -> &'static str {
    match source.kind() {
        _ if is_full(source) => "; free some space",
        io::ErrorKind::PermissionDenied if action.starts_with("read") => {
            "; ask its owner for permission to read it"
        }
        // Its folder may be written to: what is refused is the file.
        io::ErrorKind::PermissionDenied if action == "open" && path.is_file() => {
            "; the file may only be read: allow yourself to write to it, or move it away"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a folder that you may write to with --output"
        }
        io::ErrorKind::AlreadyExists => {
            "; a file lies where the folder must be: move it away, or choose another folder with --output"
        }
        io::ErrorKind::NotADirectory => {
            "; a file or a symbolic link lies where a folder must be: move it away"
        }
        _ if is(source, Errno::IO) => {
            "; the disk has a fault: see the system's log, then start the same command again"
        }
        _ if is_out_of_descriptors(source) => "; raise the limit of open files (`ulimit -n`)",
        _ if is(source, Errno::LOOP) => "; symbolic links are not followed: move it away",
        _ => "",
    }
}

fn is(source: &io::Error, number: Errno) -> bool {
    source.raw_os_error() == Some(number.raw_os_error())
}

/// [`io::ErrorKind::Other`] is no error of the system's: see the disk's `open`.
fn is_obstruction(source: &io::Error) -> bool {
    let kinds = [io::ErrorKind::NotADirectory, io::ErrorKind::Other];
    // A socket cannot be opened.
    let errors = [Errno::LOOP, Errno::NXIO];
    kinds.contains(&source.kind()) || errors.iter().any(|error| is(source, *error))
}

fn is_out_of_descriptors(source: &io::Error) -> bool {
    is(source, Errno::MFILE) || is(source, Errno::NFILE)
}

fn state_advice(source: &io::Error) -> &'static str {
    if is_full(source) {
        "free some space there"
    } else if is_out_of_descriptors(source) {
        "raise the limit of open files (`ulimit -n`)"
    } else {
        "set XDG_STATE_HOME to a folder that you may write to"
    }
}

fn whose(holder: Option<InfoHash>) -> String {
    holder.map_or_else(
        || "is not this torrent's".to_owned(),
        |holder| format!("belongs to the torrent {holder}"),
    )
}

fn reserved_by_others(reserved: u64) -> String {
    if reserved > 0 {
        format!(", {reserved} of them for other downloads that have begun")
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_may_only_be_read_is_told_from_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f");
        let refused = || {
            let error = io::ErrorKind::PermissionDenied.into();
            StorageError::io("open", &file)(error).to_string()
        };
        assert!(refused().contains("choose a folder that you may write to"));
        std::fs::write(&file, "x").unwrap();
        assert!(refused().contains("the file may only be read"));
    }
}
