//! The file in which the DHT state is saved: an id that others know, and nodes that make bootstrap
//! nodes unnecessary.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aqueduct_core::discovery::dht::{MAX_STATE, State};
use tokio::time::Instant;

/// The interval at which the state is saved.
const KEEP_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// The file, locked while this exists.
#[derive(Debug)]
pub(crate) struct NodeFile {
    path: PathBuf,
    _lock: File,
    /// When the state was read or last saved.
    kept: Instant,
}

impl NodeFile {
    /// Reads the file; an invalid one is ignored. If another process has it open, the nodes are
    /// used but not the id.
    pub(super) fn open(path: PathBuf) -> (Option<Self>, State) {
        let state = read(&path);
        match lock(&path) {
            Ok(lock) => {
                let kept = Instant::now();
                let file = Self {
                    path,
                    _lock: lock,
                    kept,
                };
                (Some(file), state)
            }
            Err(error) => {
                tracing::info!(path = %path.display(), %error, "another process keeps its DHT state there, or it cannot be written; ours is not kept");
                (None, state.without_ids())
            }
        }
    }

    /// When the state is to be saved next.
    pub(crate) fn due(&self) -> Instant {
        self.kept + KEEP_INTERVAL
    }

    /// Replaces the file atomically: a reader, also after a crash, finds the old or the new one. A
    /// state without nodes does not replace an earlier one.
    pub(crate) fn keep(&mut self, state: &State) {
        self.kept = Instant::now();
        if state.is_empty() {
            return;
        }
        let new = self.path.with_extension("new");
        if let Err(error) =
            fs::write(&new, state.encode()).and_then(|()| fs::rename(&new, &self.path))
        {
            tracing::warn!(path = %self.path.display(), %error, "the DHT state could not be kept; the next start needs bootstrap nodes");
        }
    }
}

fn read(path: &Path) -> State {
    let mut bytes = Vec::new();
    let limit = MAX_STATE as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
        Err(error) => begin_anew(path, &error),
        Ok(_) => State::parse(&bytes).unwrap_or_else(|error| begin_anew(path, &error)),
    }
}

fn begin_anew(path: &Path, error: &dyn std::error::Error) -> State {
    tracing::info!(path = %path.display(), %error, "the DHT begins anew");
    State::default()
}

fn lock(path: &Path) -> io::Result<File> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.with_extension("lock"))?;
    lock.try_lock()?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use aqueduct_core::discovery::dht::{Contact, Family, NodeId};

    use super::*;

    fn state() -> State {
        let node = Contact {
            id: NodeId([2; 20]),
            addr: "11.0.0.1:6881".parse().unwrap(),
        };
        State::new([(Family::V4, NodeId([1; 20]))], [node])
    }

    #[test]
    fn what_was_kept_is_read_back_and_a_second_process_gets_the_nodes_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/dht");
        let (mut file, nothing) = NodeFile::open(path.clone());
        assert_eq!(nothing, State::default());
        file.as_mut().unwrap().keep(&state());
        let (second, shared) = NodeFile::open(path.clone());
        assert!(second.is_none());
        assert_eq!(shared, state().without_ids());
        drop(file);
        let (third, kept) = NodeFile::open(path);
        assert!(third.is_some());
        assert_eq!(kept, state());
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dht");
        for bytes in [&b""[..], b"d", b"d7:versioni9ee", &[b'l'; 100_000]] {
            fs::write(&path, bytes).unwrap();
            let (file, state) = NodeFile::open(path.clone());
            assert!(file.is_some());
            assert_eq!(state, State::default());
        }
    }
}
