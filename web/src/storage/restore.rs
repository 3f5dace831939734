//! Restoring torrents at the start, and how much of their data is accepted without being read.

use std::fmt;
use std::sync::Arc;

use aqueduct_core::Resumed;
use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::{sort, visible};

use super::arrangement::arrangement_in;
use super::error::FsError;
use super::layout::{CREATING, REMOVED, ends, is_created_here, pieces_of};
use super::opfs::Folder;
use super::records::{self, Found};
use crate::texts::{creating, storage as texts};

/// The maximum number of files whose size is compared with the record when a torrent is restored.
/// It is a sample, so that a torrent with very many files starts as fast as others.
const MAX_COMPARED: usize = 256;

/// A torrent of an earlier run.
pub(crate) struct Restored {
    /// The folder of its data.
    pub(crate) folder: String,
    /// Its newest valid record.
    pub(crate) record: Record,
    /// Its metadata, if the record contains them.
    pub(crate) info: Option<Arc<Info>>,
    /// Which of its data are accepted.
    pub(crate) resumed: Resumed,
}

/// A folder whose torrent could not be restored.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// Its data stay until the torrent is added again; correct data are used then.
    Kept {
        /// Its name: the torrent's info-hash unless the torrent was created here.
        folder: String,
        /// The reason, as a clause.
        why: String,
    },
    /// The page was closed while the user's own files were being copied. The partial copy is
    /// useless.
    CutShort {
        /// The intended name of the torrent.
        name: String,
    },
}

impl fmt::Display for Unreadable {
    /// Sentences for the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Kept { folder, why } if is_created_here(folder) => texts::share_again(why),
            Self::Kept { folder, why } => texts::data_kept(why, folder),
            Self::CutShort { name } => creating::page_was_closed(name),
        })
    }
}

/// The stored data of earlier runs.
#[derive(Default)]
pub(crate) struct Earlier {
    /// Torrents, in the order in which they were added.
    pub(crate) restored: Vec<Restored>,
    /// Folders whose torrents could not be restored.
    pub(crate) unreadable: Vec<Unreadable>,
    /// Folders with content that belong to no torrent.
    pub(crate) leftovers: Vec<Leftover>,
}

/// A folder with content that belongs to no torrent.
pub(crate) struct Leftover {
    /// Its name.
    pub(crate) folder: String,
    /// Whether the user does not want it: it is deleted as soon as the browser has closed its
    /// files.
    pub(crate) unwanted: bool,
}

/// The content of a folder.
enum Content {
    Torrent(Box<Record>),
    Unreadable(Unreadable),
    /// The user removed it, or it is empty.
    Unwanted,
}

/// All torrents of earlier runs, and all other folders.
pub(crate) async fn read_all(torrents: &Folder) -> Result<Earlier, FsError> {
    let mut earlier = Earlier::default();
    let mut found = Vec::new();
    for folder in torrents.names().await? {
        match content(torrents, &folder).await {
            Ok(Content::Torrent(record)) => found.push((folder, record)),
            Ok(Content::Unwanted) => earlier.delete(torrents, folder).await,
            Ok(Content::Unreadable(cut @ Unreadable::CutShort { .. })) => {
                earlier.unreadable.push(cut);
                earlier.delete(torrents, folder).await;
            }
            Ok(Content::Unreadable(kept)) => earlier.keep(folder, kept),
            Err(error) => {
                let why = kept(&folder, &error.to_string());
                earlier.keep(folder, why);
            }
        }
    }
    sort::sort_by(&mut found, |(a, one), (b, other)| {
        (one.added, a).cmp(&(other.added, b))
    });
    for (folder, record) in found {
        match restore(torrents, &folder, *record).await {
            Ok(restored) => earlier.restored.push(restored),
            Err(error) => {
                let why = kept(&folder, &error.to_string());
                earlier.keep(folder, why);
            }
        }
    }
    Ok(earlier)
}

impl Earlier {
    fn keep(&mut self, folder: String, why: Unreadable) {
        self.unreadable.push(why);
        self.leftovers.push(Leftover {
            folder,
            unwanted: false,
        });
    }

    /// Deletes a folder. The previous worker may still have files of it open; what cannot be
    /// deleted yet is deleted later.
    async fn delete(&mut self, torrents: &Folder, folder: String) {
        if torrents.remove(&folder).await.is_err() {
            self.leftovers.push(Leftover {
                folder,
                unwanted: true,
            });
        }
    }
}

/// The content of a folder. One with data is unwanted only if the user removed it, or if the page
/// itself cannot use the data.
async fn content(torrents: &Folder, name: &str) -> Result<Content, FsError> {
    let folder = torrents.folder(name).await?;
    if folder.size_of(REMOVED).await.is_ok() {
        return Ok(Content::Unwanted);
    }
    Ok(match records::read(&folder).await? {
        Found::Newest(_, record) => Content::Torrent(record),
        Found::Damaged => Content::Unreadable(kept(name, texts::record_is_damaged())),
        Found::Nothing => content_without_record(&folder, name).await?,
    })
}

async fn content_without_record(folder: &Folder, name: &str) -> Result<Content, FsError> {
    if folder.size_of(CREATING).await.is_ok() {
        let name = String::from_utf8_lossy(&folder.read_if_there(CREATING).await?).into_owned();
        // The page may have been closed before the name was stored.
        let name = if name.is_empty() {
            creating::unnamed().to_owned()
        } else {
            visible(&name).into_owned()
        };
        return Ok(Content::Unreadable(Unreadable::CutShort { name }));
    }
    for file in folder.names().await? {
        if folder.size_of(&file).await.unwrap_or(1) > 0 {
            return Ok(Content::Unreadable(kept(name, texts::record_is_gone())));
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

async fn restore(torrents: &Folder, folder: &str, record: Record) -> Result<Restored, FsError> {
    let info = record
        .info
        .clone()
        .and_then(|raw| Info::parse(raw).ok())
        .map(Arc::new);
    let resumed = match &info {
        Some(info) => resumed(torrents, folder, info, &record).await?,
        None => Resumed::Nothing,
    };
    Ok(Restored {
        folder: folder.to_owned(),
        record,
        info,
        resumed,
    })
}

/// The record's pieces; those in files that are shorter than expected are checked.
async fn resumed(
    torrents: &Folder,
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
    let short = shortened(torrents, folder, info, record).await?;
    let mut check: Vec<u32> = short
        .into_iter()
        .flat_map(|file| pieces_of(info, file))
        .map(|piece| piece.get())
        .collect();
    sort::sort(&mut check);
    check.dedup();
    Ok(Resumed::Record {
        have: record.have.clone(),
        check,
        sample: Vec::new(),
        uploaded: record.uploaded,
        downloaded: record.downloaded,
    })
}

/// The torrent's files that extend beyond the end of their stored file.
async fn shortened(
    torrents: &Folder,
    folder: &str,
    info: &Info,
    record: &Record,
) -> Result<Vec<usize>, FsError> {
    let folder = torrents.folder(folder).await?;
    let stored = arrangement_in(&folder, info)
        .await?
        .stored(&ends(info, &record.have));
    let step = stored.len().div_ceil(MAX_COMPARED).max(1);
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
