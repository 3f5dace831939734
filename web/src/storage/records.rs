//! Resume records in the tab's storage, two generations per torrent. A reloaded tab knows its
//! torrents only from them.

use aqueduct_core::resume::{self, Record};
use aqueduct_core::types::{SortedMap, SortedSet};

use super::error::FsError;
use super::layout::RECORDS;
use super::opfs::Folder;

/// The generation of each folder's newest durable record, as far as it was needed; 0: there is none.
///
/// A record gets its number when it is written, so that a generation that could not be stored does
/// not count, and the next one is written to the same slot.
#[derive(Debug, Default)]
pub(super) struct Generations {
    newest: SortedMap<String, u64>,
    /// Folders that existed at the start. Only they can contain records of an earlier run, so that
    /// the first record of a new torrent is written without looking for others.
    earlier: SortedSet<String>,
}

impl Generations {
    /// The generations in a storage that contains these folders.
    pub(super) fn new(folders: Vec<String>) -> Self {
        Self {
            newest: SortedMap::new(),
            earlier: folders.into_iter().collect(),
        }
    }

    /// The generation of a folder's next record. Its slot is other than that of the newest one, which
    /// stays unchanged.
    pub(super) async fn next(&self, folder: &Folder, name: &str) -> Result<u64, FsError> {
        let newest = match self.newest.get(name) {
            Some(newest) => *newest,
            None if self.earlier.contains(name) => read(folder).await?.generation(),
            None => 0,
        };
        Ok(newest + 1)
    }

    /// A folder's record of this generation is durable.
    pub(super) fn stored(&mut self, name: &str, generation: u64) {
        self.newest.insert(name.to_owned(), generation);
    }

    /// Forgets what is known of a folder's records, because they were deleted.
    pub(super) fn forget(&mut self, folder: &str) {
        self.newest.remove(folder);
    }
}

/// The content of a folder's two slots.
pub(super) enum Found {
    /// The newest valid record, with its generation.
    Newest(u64, Box<Record>),
    /// Data, but no valid record.
    Damaged,
    /// No record was ever written.
    Nothing,
}

impl Found {
    const fn generation(&self) -> u64 {
        match self {
            Self::Newest(generation, _) => *generation,
            Self::Damaged | Self::Nothing => 0,
        }
    }
}

/// Reads both slots of a folder.
pub(super) async fn read(folder: &Folder) -> Result<Found, FsError> {
    let [a, b] = RECORDS;
    let (a, b) = (
        folder.read_if_there(a).await?,
        folder.read_if_there(b).await?,
    );
    Ok(match resume::newest(&a, &b) {
        Some((generation, record)) => Found::Newest(generation, Box::new(record)),
        None if a.is_empty() && b.is_empty() => Found::Nothing,
        None => Found::Damaged,
    })
}
