//! Files that stay open, because opening one costs a browser several milliseconds.

use aqueduct_core::types::{SortedMap, TorrentId};

use crate::storage::error::FsError;
use crate::storage::opfs::SyncFile;

/// The maximum number of open files, unless the browser allows fewer. Each uses a file descriptor,
/// and processes of some systems may have 1,024.
const MAX_OPEN: usize = 512;
/// With this many open files or fewer, their number is not why the browser opens no other. Safari
/// has at most 252 open.
const FEW: usize = 64;

/// A torrent, and the first of its files in the stored file.
pub(super) type FileKey = (TorrentId, usize);

/// Open files, each with the time of its last use.
pub(super) struct OpenFiles {
    files: SortedMap<FileKey, (u64, SyncFile)>,
    /// How many may be open.
    limit: usize,
    uses: u64,
    /// Torrents of which a closed file could not be made durable, until their next flush.
    lost: SortedMap<TorrentId, FsError>,
}

impl Default for OpenFiles {
    fn default() -> Self {
        Self {
            files: SortedMap::new(),
            limit: MAX_OPEN,
            uses: 0,
            lost: SortedMap::new(),
        }
    }
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
        if self.files.len() >= self.limit {
            self.evict();
        }
        self.uses += 1;
        self.files.insert(key, (self.uses, file));
    }

    /// Closes an eighth of the files, and keeps no more open from now on, if their number may be why
    /// the browser refused to open another. Returns whether trying again makes sense.
    pub(super) fn make_room(&mut self, refusal: &FsError) -> bool {
        let open = self.files.len();
        if open <= FEW || !matches!(refusal, FsError::Other(_)) {
            return false;
        }
        self.limit = open - open / 8;
        while self.files.len() > self.limit {
            self.evict();
        }
        true
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
