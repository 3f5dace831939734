//! Resume records in the tab's storage: two generations a torrent, from which alone a reloaded tab knows its torrents again.

use aqueduct_core::resume::{self, Record};

use super::layout::RECORDS;
use super::opfs::{Folder, FsError};

/// Stores a generation in its slot, durably.
pub(super) async fn write(root: &Folder, folder: &str, record: &[u8], generation: u64) -> Result<(), FsError> {
    let name = RECORDS[resume::slot(generation)];
    root.folder(folder).await?.open(name, true).await?.replace(record)
}

/// What a folder's two slots hold.
pub(super) enum Found {
    /// The newest valid record, with its generation.
    Newest(u64, Box<Record>),
    /// Something, but no valid record.
    Damaged,
    /// No record was ever written.
    Nothing,
}

/// Looks into both slots of a folder.
pub(super) async fn read(root: &Folder, folder: &str) -> Result<Found, FsError> {
    let folder = root.folder(folder).await?;
    let [a, b] = RECORDS;
    let (a, b) = (slot(&folder, a).await?, slot(&folder, b).await?);
    Ok(match resume::newest(&a, &b) {
        Some((generation, record)) => Found::Newest(generation, Box::new(record)),
        None if a.is_empty() && b.is_empty() => Found::Nothing,
        None => Found::Damaged,
    })
}

async fn slot(folder: &Folder, name: &str) -> Result<Vec<u8>, FsError> {
    match folder.read(name).await {
        Err(FsError::Missing) => Ok(Vec::new()),
        other => other,
    }
}
