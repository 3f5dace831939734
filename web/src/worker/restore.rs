//! At the start: which torrents were there, and how much of their data can be counted on without reading it.

use std::sync::Arc;

use aqueduct_core::Resumed;
use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::TorrentId;

use super::item::Item;
use super::layout::{REMOVED, ends, pieces_of};
use super::opfs::{Folder, FsError};
use super::records::{self, Found};
use super::store::arrangement_in;

/// Files whose size is looked at when a torrent is restored: a sample, so that one of very many starts as quickly as others.
const LOOKED_AT: usize = 256;

/// A torrent of an earlier run.
pub(super) struct Restored {
    /// What it is.
    pub(super) item: Item,
    /// What is there of its data.
    pub(super) resumed: Resumed,
}

/// A folder whose torrent could not be brought back. It is left alone until the torrent is added again.
#[derive(Debug, thiserror::Error)]
#[error("A torrent of an earlier visit could not be brought back ({why}). Add {folder} again to download it anew.")]
pub(super) struct Unreadable {
    folder: String,
    why: String,
}

/// All torrents of earlier runs, or why one of them cannot be brought back.
pub(super) async fn all(root: &Folder) -> Result<Vec<Result<Restored, Unreadable>>, FsError> {
    let mut found = Vec::new();
    for (id, folder) in (1..).zip(root.names().await?) {
        let one = bring_back(root, &folder, TorrentId(id)).await;
        found.extend(one.map_err(|error| Unreadable { folder, why: error.to_string() }).transpose());
    }
    Ok(found)
}

/// `None` for a folder that the user removed, or one without records, the leftover of a removal that was cut short: it is deleted now.
async fn bring_back(root: &Folder, folder: &str, id: TorrentId) -> Result<Option<Restored>, FsError> {
    if root.folder(folder).await?.size_of(REMOVED).await.is_ok() {
        return root.remove(folder).await.map(|()| None);
    }
    match records::read(root, folder).await? {
        Found::Newest(generation, record) => one(root, folder, id, generation, *record).await.map(Some),
        Found::Damaged => Err(FsError::Other("its record is damaged or from another version".to_owned())),
        Found::Nothing => root.remove(folder).await.map(|()| None),
    }
}

async fn one(root: &Folder, folder: &str, id: TorrentId, generation: u64, record: Record) -> Result<Restored, FsError> {
    let info = record.info.clone().and_then(|raw| Info::parse(raw).ok()).map(Arc::new);
    let resumed = match &info {
        Some(info) => resumed(root, folder, info, &record).await?,
        None => Resumed::Nothing,
    };
    Ok(Restored { item: Item::from_record(id, folder, generation, record, info), resumed })
}

/// The record's pieces; those in files that are shorter than they must be are checked anew.
async fn resumed(root: &Folder, folder: &str, info: &Info, record: &Record) -> Result<Resumed, FsError> {
    if record.have.len() != info.lengths.pieces() {
        return Ok(if record.have.is_empty() { Resumed::Nothing } else { Resumed::Check });
    }
    let short = shortened(root, folder, info, record).await?;
    let mut check: Vec<u32> = short.into_iter().flat_map(|file| pieces_of(info, file)).map(|piece| piece.get()).collect();
    check.sort_unstable();
    check.dedup();
    Ok(Resumed::Record { have: record.have.clone(), check, sample: Vec::new(), uploaded: record.uploaded, downloaded: record.downloaded })
}

/// The torrent's files that end beyond the stored file they lie in.
async fn shortened(root: &Folder, folder: &str, info: &Info, record: &Record) -> Result<Vec<usize>, FsError> {
    let folder = root.folder(folder).await?;
    let stored = arrangement_in(&folder, info).await?.stored(&ends(info, &record.have));
    let step = stored.len().div_ceil(LOOKED_AT).max(1);
    let mut short = Vec::new();
    for (slot, files) in stored.into_iter().step_by(step) {
        let size = match folder.size_of(&slot.name()).await {
            Err(FsError::Missing) => 0,
            size => size?,
        };
        short.extend(files.into_iter().filter(|(_, end)| *end > size).map(|(file, _)| file));
    }
    Ok(short)
}
