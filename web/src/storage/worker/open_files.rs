//! Files that stay open, because opening one costs a browser several milliseconds.

use aqueduct_core::types::{SortedMap, TorrentId};

use crate::storage::arrangement::MANY_FILES;
use crate::storage::error::FsError;
use crate::storage::opfs::SyncFile;

/// The maximum number of open files. Each uses a file descriptor of the browser.
const MAX_OPEN: usize = MANY_FILES;

/// A torrent, and the first of its files in the stored file.
pub(super) type FileKey = (TorrentId, usize);

/// Open files, each with the time of its last use.
#[derive(Default)]
pub(super) struct OpenFiles {
    files: SortedMap<FileKey, (u64, SyncFile)>,
    uses: u64,
    /// Torrents of which a closed file could not be made durable, until their next flush.
    lost: SortedMap<TorrentId, FsError>,
}

impl OpenFiles {
    pub(super) fn get(&mut self, key: FileKey) -> Option<&mut SyncFile> {
        self.uses += 1;
        let (used, file) = self.files.get_mut(&key)?;
        *used = self.uses;
        Some(file)
    }

    /// Adds an open file, and closes the least recently used one if there are too many.
    pub(super) fn insert(&mut self, key: FileKey, file: SyncFile) {
        if self.files.len() >= MAX_OPEN {
            self.evict();
        }
        self.uses += 1;
        self.files.insert(key, (self.uses, file));
    }

    /// Flushes the file before it is closed: a later flush of its torrent would not reach it. That
    /// flush reports if this one failed.
    fn evict(&mut self) {
        let oldest = self
            .files
            .iter()
            .min_by_key(|(_, (used, _))| *used)
            .map(|(key, _)| *key);
        let Some((torrent, first)) = oldest else {
            return;
        };
        let flushed = self.files.remove(&(torrent, first));
        if let Some(Err(error)) = flushed.map(|(_, mut file)| file.flush()) {
            self.lost.insert(torrent, error);
        }
    }

    /// Makes the writes to a torrent's files durable.
    pub(super) fn flush(&mut self, torrent: TorrentId) -> Result<(), FsError> {
        if let Some(error) = self.lost.remove(&torrent) {
            return Err(error);
        }
        let mut own = self.files.iter_mut().filter(|((of, _), _)| *of == torrent);
        own.try_for_each(|(_, (_, file))| file.flush())
    }

    /// Closes a torrent's files.
    pub(super) fn close(&mut self, torrent: TorrentId) {
        self.files.retain(|(of, _), _| *of != torrent);
        self.lost.remove(&torrent);
    }
}
