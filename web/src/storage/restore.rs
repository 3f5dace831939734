//! At the start: which torrents were there, and how much of their data can be counted on without
//! reading it.

use std::sync::Arc;

use aqueduct_core::Resumed;
use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::{TorrentId, visible};

use crate::engine::torrent::Item;
use crate::storage::layout::{MAKING, REMOVED, ends, is_own_folder, pieces_of};
use crate::storage::opfs::{Folder, FsError};
use crate::storage::records::{self, Found};
use crate::storage::store::arrangement_in;

/// Files whose size is looked at when a torrent is restored: a sample, so that one of very many
/// starts as quickly as others.
const LOOKED_AT: usize = 256;

/// A torrent of an earlier run.
pub(crate) struct Restored {
    /// What it is.
    pub(crate) item: Item,
    /// What is there of its data.
    pub(crate) resumed: Resumed,
}

/// A folder whose torrent could not be brought back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// Its data stay until the torrent is added again, and what is right of them is used then.
    #[error("A torrent of an earlier visit could not be brought back ({why}). {}", way_on(.folder))]
    Kept {
        /// Its name, which is the torrent's info-hash unless it was made here.
        folder: String,
        /// One clause.
        why: String,
    },
    /// The page was closed while the user's own files were being copied; what was copied so far is
    /// of no use.
    #[error(
        "{name} was not shared: the page was closed before all of it was copied. Choose the files once more."
    )]
    CutShort {
        /// What it was to be called.
        name: String,
    },
}

fn way_on(folder: &str) -> String {
    if is_own_folder(folder) {
        return "It was made here: share the files once more.".to_owned();
    }
    format!("Its data are kept: add {folder} again to go on with what is there.")
}

/// What the storage holds of earlier runs.
#[derive(Default)]
pub(crate) struct Earlier {
    /// Torrents, in the order in which they were added.
    pub(crate) restored: Vec<Restored>,
    /// What the user should hear of.
    pub(crate) unreadable: Vec<Unreadable>,
    /// Folders that hold something and belong to no torrent, now that it is known which torrents
    /// there are.
    pub(crate) unclaimed: Vec<Unclaimed>,
}

/// A folder that holds something and belongs to no torrent.
pub(crate) struct Unclaimed {
    /// Its name.
    pub(crate) folder: String,
    /// The user does not want it: it can be deleted as soon as the browser lets go of it.
    pub(crate) unwanted: bool,
}

/// What is in one folder.
enum Content {
    Torrent(u64, Box<Record>),
    Unreadable(Unreadable),
    /// The user removed it, or it is empty.
    Unwanted,
}

/// All torrents of earlier runs, and what is there beside them.
pub(crate) async fn all(root: &Folder) -> Result<Earlier, FsError> {
    let mut earlier = Earlier::default();
    let mut found = Vec::new();
    for folder in root.names().await? {
        match look_into(root, &folder).await {
            Ok(Content::Torrent(generation, record)) => found.push((folder, generation, record)),
            Ok(Content::Unwanted) => earlier.forget(root, folder).await,
            Ok(Content::Unreadable(cut @ Unreadable::CutShort { .. })) => {
                earlier.unreadable.push(cut);
                earlier.forget(root, folder).await;
            }
            Ok(Content::Unreadable(kept)) => earlier.keep(folder, kept),
            Err(error) => earlier.keep(
                folder.clone(),
                Unreadable::Kept {
                    folder,
                    why: error.to_string(),
                },
            ),
        }
    }
    found.sort_by(|(a, _, one), (b, _, other)| (one.added, a).cmp(&(other.added, b)));
    for (id, (folder, generation, record)) in (1..).zip(found) {
        match one(root, &folder, TorrentId(id), generation, *record).await {
            Ok(restored) => earlier.restored.push(restored),
            Err(error) => earlier.keep(
                folder.clone(),
                Unreadable::Kept {
                    folder,
                    why: error.to_string(),
                },
            ),
        }
    }
    Ok(earlier)
}

impl Earlier {
    fn keep(&mut self, folder: String, why: Unreadable) {
        self.unreadable.push(why);
        self.unclaimed.push(Unclaimed {
            folder,
            unwanted: false,
        });
    }

    /// The worker before this one may still hold files of the folder: what cannot be deleted yet is
    /// deleted later.
    async fn forget(&mut self, root: &Folder, folder: String) {
        if root.remove(&folder).await.is_err() {
            self.unclaimed.push(Unclaimed {
                folder,
                unwanted: true,
            });
        }
    }
}

/// Whose folder this is. One that holds data is given up only if the user said so, or if the page
/// itself can make nothing of it.
async fn look_into(root: &Folder, name: &str) -> Result<Content, FsError> {
    let folder = root.folder(name).await?;
    if folder.size_of(REMOVED).await.is_ok() {
        return Ok(Content::Unwanted);
    }
    Ok(match records::read(&folder).await? {
        Found::Newest(generation, record) => Content::Torrent(generation, record),
        Found::Damaged => {
            Content::Unreadable(kept(name, "its record is damaged or from another version"))
        }
        Found::Nothing => without_record(&folder, name).await?,
    })
}

async fn without_record(folder: &Folder, name: &str) -> Result<Content, FsError> {
    if folder.size_of(MAKING).await.is_ok() {
        let name = String::from_utf8_lossy(&folder.read_if_there(MAKING).await?).into_owned();
        // The page may have been closed before the name was stored.
        let name = if name.is_empty() {
            "What you chose".to_owned()
        } else {
            visible(&name).into_owned()
        };
        return Ok(Content::Unreadable(Unreadable::CutShort { name }));
    }
    for file in folder.names().await? {
        if folder.size_of(&file).await.unwrap_or(1) > 0 {
            return Ok(Content::Unreadable(kept(name, "its record is gone")));
        }
    }
    Ok(Content::Unwanted)
}

fn kept(folder: &str, why: &str) -> Unreadable {
    Unreadable::Kept {
        folder: folder.to_owned(),
        why: why.to_owned(),
    }
}

async fn one(
    root: &Folder,
    folder: &str,
    id: TorrentId,
    generation: u64,
    record: Record,
) -> Result<Restored, FsError> {
    let info = record
        .info
        .clone()
        .and_then(|raw| Info::parse(raw).ok())
        .map(Arc::new);
    let resumed = match &info {
        Some(info) => resumed(root, folder, info, &record).await?,
        None => Resumed::Nothing,
    };
    Ok(Restored {
        item: Item::from_record(id, folder, generation, record, info),
        resumed,
    })
}

/// The record's pieces; those in files that are shorter than they must be are checked anew.
async fn resumed(
    root: &Folder,
    folder: &str,
    info: &Info,
    record: &Record,
) -> Result<Resumed, FsError> {
    if record.have.len() != info.lengths.pieces() {
        return Ok(if record.have.is_empty() {
            Resumed::Nothing
        } else {
            Resumed::Check
        });
    }
    let short = shortened(root, folder, info, record).await?;
    let mut check: Vec<u32> = short
        .into_iter()
        .flat_map(|file| pieces_of(info, file))
        .map(|piece| piece.get())
        .collect();
    check.sort_unstable();
    check.dedup();
    Ok(Resumed::Record {
        have: record.have.clone(),
        check,
        sample: Vec::new(),
        uploaded: record.uploaded,
        downloaded: record.downloaded,
    })
}

/// The torrent's files that end beyond the stored file they lie in.
async fn shortened(
    root: &Folder,
    folder: &str,
    info: &Info,
    record: &Record,
) -> Result<Vec<usize>, FsError> {
    let folder = root.folder(folder).await?;
    let stored = arrangement_in(&folder, info)
        .await?
        .stored(&ends(info, &record.have));
    let step = stored.len().div_ceil(LOOKED_AT).max(1);
    let mut short = Vec::new();
    for (slot, files) in stored.into_iter().step_by(step) {
        let size = match folder.size_of(&slot.name()).await {
            Err(FsError::Missing) => 0,
            size => size?,
        };
        short.extend(
            files
                .into_iter()
                .filter(|(_, end)| *end > size)
                .map(|(file, _)| file),
        );
    }
    Ok(short)
}
