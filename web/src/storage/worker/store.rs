//! The files. One request is carried out after another: opening a file is asynchronous in a browser,
//! and two requests must not open the same file at the same time, which the browser refuses.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use aqueduct_core::meta::Info;
use aqueduct_core::resume;
use aqueduct_core::types::{SortedMap, TorrentId};
use bytes::Bytes;
use js_sys::Uint8Array;

use super::open_files::OpenFiles;
use crate::storage::arrangement::{Arrangement, Slot, arrangement_in};
use crate::storage::error::FsError;
use crate::storage::folders::{Folders, is_present};
use crate::storage::layout::{CREATING, RECORDS, REMOVED, TOKEN};
use crate::storage::opfs::{Folder, SyncFile};
use crate::storage::records::Generations;
use crate::storage::space::{Need, SpaceChecks, check_space};

/// The origin's storage.
pub(super) struct Store {
    folders: Folders,
    places: SortedMap<TorrentId, Place>,
    open_files: OpenFiles,
    arrangements: SortedMap<TorrentId, Rc<Arrangement>>,
    generations: Generations,
    space: SpaceChecks,
}

/// The location of a torrent's data: its folder, and the lengths of its files.
#[derive(Clone)]
struct Place {
    torrent: TorrentId,
    folder: String,
    info: Arc<Info>,
}

impl Store {
    /// Opens the storage.
    pub(super) async fn new() -> Result<Self, FsError> {
        let folders = Folders::open().await?;
        let generations = Generations::new(folders.torrents.names().await?);
        let (places, open_files, arrangements, space) = Default::default();
        Ok(Self {
            folders,
            places,
            open_files,
            arrangements,
            generations,
            space,
        })
    }

    /// Opens the storage again after all its contents were deleted.
    pub(super) async fn reopen(&mut self) -> Result<(), FsError> {
        // Chromium never answers when a file is closed that it deleted this way, and the worker
        // would wait forever. The browser closes these files when the worker ends.
        std::mem::forget(std::mem::take(&mut self.open_files));
        self.arrangements.clear();
        self.generations = Generations::default();
        self.folders = Folders::open().await?;
        Ok(())
    }

    /// Learns the location of a torrent's data. `info` is its raw `info` dictionary, which the
    /// engine's worker has parsed before.
    pub(super) fn add(&mut self, torrent: TorrentId, folder: String, info: Vec<u8>) {
        if let Ok(info) = Info::parse(Bytes::from(info)) {
            let info = Arc::new(info);
            self.places.insert(
                torrent,
                Place {
                    torrent,
                    folder,
                    info,
                },
            );
        }
    }

    /// Stores the bridge's token for later visits.
    pub(super) async fn save_token(&mut self, token: &str) -> Result<(), FsError> {
        let root = self.folders.root.clone();
        let mut file = self.open(&root, TOKEN, true).await?;
        file.replace(token.as_bytes())
    }

    /// Writes bytes at an offset of the torrent. With `need`, only if the browser grants this page
    /// that many more bytes.
    pub(super) async fn write(
        &mut self,
        (torrent, offset): (TorrentId, u64),
        need: Option<Need>,
        bytes: &Uint8Array,
    ) -> Result<(), FsError> {
        let place = self.place(torrent)?;
        if let Some(need) = need {
            let root = &self.folders.root;
            self.space
                .once(need.check, async || check_space(root, need).await)
                .await?;
        }
        let arrangement = self.arrangement(&place).await?;
        for run in arrangement.runs(&place.info, offset, bytes.length().into()) {
            let part = part(bytes, &run.range);
            let file = self.file(&place, run.slot, true).await?;
            file.write_all(run.slot.at, &part)?;
        }
        Ok(())
    }

    /// Fills `bytes` from an offset of the torrent. Returns whether all of them are stored.
    pub(super) async fn read(
        &mut self,
        (torrent, offset): (TorrentId, u64),
        bytes: &Uint8Array,
    ) -> Result<bool, FsError> {
        match self.read_all(torrent, offset, bytes).await {
            Ok(()) => Ok(true),
            Err(FsError::Missing | FsError::Short { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn read_all(
        &mut self,
        torrent: TorrentId,
        offset: u64,
        bytes: &Uint8Array,
    ) -> Result<(), FsError> {
        let place = self.place(torrent)?;
        let arrangement = self.arrangement(&place).await?;
        // A buffer that is used again contains other bytes where the torrent has padding.
        bytes.fill(0, 0, bytes.length());
        for run in arrangement.runs(&place.info, offset, bytes.length().into()) {
            let part = part(bytes, &run.range);
            let file = self.file(&place, run.slot, false).await?;
            file.read_exact(run.slot.at, &part)?;
        }
        Ok(())
    }

    /// Makes the writes to a torrent's files durable.
    pub(super) async fn flush(&mut self, torrent: TorrentId) -> Result<(), FsError> {
        self.open_files.flush(torrent)?;
        // Open files can still be written and flushed after they were deleted.
        if is_present().await {
            Ok(())
        } else {
            Err(FsError::Cleared)
        }
    }

    /// Stores an encoded resume record as the folder's next generation.
    pub(super) async fn save(&mut self, name: &str, mut record: Vec<u8>) -> Result<(), FsError> {
        let folder = self.folders.torrents.folder(name).await?;
        let generation = self.generations.next(&folder, name).await?;
        resume::set_generation(&mut record, generation);
        let slot = RECORDS[resume::slot(generation)];
        let mut file = self.open(&folder, slot, true).await?;
        file.replace(&record)?;
        self.generations.stored(name, generation);
        Ok(())
    }

    /// Marks a torrent as removed by the user, or removes the mark.
    pub(super) async fn mark_removed(&self, folder: &str, removed: bool) -> Result<(), FsError> {
        let folder = self.folders.torrents.folder(folder).await?;
        if removed {
            return folder.touch(REMOVED).await;
        }
        match folder.remove(REMOVED).await {
            Err(FsError::Missing) => Ok(()),
            other => other,
        }
    }

    /// Marks a folder as that of a torrent which is being created under this name; `None` removes
    /// the mark.
    pub(super) async fn mark_creating(
        &mut self,
        folder: &str,
        name: Option<&str>,
    ) -> Result<(), FsError> {
        let folder = self.folders.torrents.folder(folder).await?;
        match name {
            Some(name) => {
                let mut file = self.open(&folder, CREATING, true).await?;
                file.replace(name.as_bytes())
            }
            None => folder.remove(CREATING).await,
        }
    }

    /// Closes a torrent's files and deletes its folder.
    pub(super) async fn delete(&mut self, torrent: TorrentId, folder: &str) -> Result<(), FsError> {
        self.open_files.close(torrent);
        self.arrangements.remove(&torrent);
        self.places.remove(&torrent);
        self.delete_folder(folder).await
    }

    /// Deletes a folder, if it exists.
    pub(super) async fn delete_folder(&mut self, folder: &str) -> Result<(), FsError> {
        self.generations.forget(folder);
        match self.folders.torrents.remove(folder).await {
            Ok(()) | Err(FsError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes the records and marks in a folder. What cannot be deleted now is overwritten, or
    /// found again at the next start.
    pub(super) async fn forget_records(&mut self, folder: &str) -> Result<(), FsError> {
        self.generations.forget(folder);
        let folder = self.folders.torrents.folder(folder).await?;
        for old in RECORDS.into_iter().chain([REMOVED]) {
            drop(folder.remove(old).await);
        }
        Ok(())
    }

    fn place(&self, torrent: TorrentId) -> Result<Place, FsError> {
        let place = self.places.get(&torrent);
        place.cloned().ok_or(FsError::Unknown)
    }

    /// The arrangement of a torrent's files. It is determined once, from the names of the stored
    /// files.
    async fn arrangement(&mut self, place: &Place) -> Result<Rc<Arrangement>, FsError> {
        if let Some(known) = self.arrangements.get(&place.torrent) {
            return Ok(Rc::clone(known));
        }
        let folder = self.folders.torrents.folder(&place.folder).await?;
        let found = Rc::new(arrangement_in(&folder, &place.info).await?);
        self.arrangements.insert(place.torrent, Rc::clone(&found));
        Ok(found)
    }

    /// A stored file, which stays open.
    async fn file(
        &mut self,
        place: &Place,
        slot: Slot,
        create: bool,
    ) -> Result<&mut SyncFile, FsError> {
        let key = (place.torrent, slot.first);
        if self.open_files.get(key).is_none() {
            let folder = self.folders.torrents.folder(&place.folder).await?;
            let opened = self.open(&folder, &slot.name(), create).await?;
            self.open_files.insert(key, opened);
        }
        self.open_files.get(key).ok_or(FsError::Missing)
    }

    /// Opens a file, if need be after others were closed.
    async fn open(
        &mut self,
        folder: &Folder,
        name: &str,
        create: bool,
    ) -> Result<SyncFile, FsError> {
        match folder.open(name, create).await {
            Err(refusal) if self.open_files.make_room(&refusal) => folder.open(name, create).await,
            opened => opened,
        }
    }
}

/// The part of a range that belongs to a run. Runs are within their range, and a range in memory
/// fits into 32 bits.
fn part(bytes: &Uint8Array, range: &Range<u64>) -> Uint8Array {
    let bound = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    bytes.subarray(bound(range.start), bound(range.end))
}
