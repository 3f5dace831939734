//! The tab's disk. Every request becomes a job in one queue. Its callback is called when the job is
//! complete, never before the request has returned.
//!
//! Opening a file is asynchronous in a browser, reading and writing are not. The queue prevents two
//! jobs from opening the same file at the same time, which the browser refuses, and makes a flush
//! follow the writes before it.

use std::cell::{RefCell, RefMut};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use aqueduct_core::OpError;
use aqueduct_core::io::Rope;
use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::TorrentId;
use bytes::Bytes;

use super::arrangement::{Arrangement, Slot, arrangement_in};
use super::error::FsError;
use super::layout::{CREATING, REMOVED, ROOT, TOKEN};
use super::open_files::OpenFiles;
use super::opfs::{Folder, SyncFile};
use super::queue::JobQueue;
use super::records::{self, Durable};
use super::scratch::Scratch;
use super::space::{Need, check_space};

/// The origin's storage. Clones share it.
#[derive(Clone)]
pub(crate) struct Store(Rc<Inner>);

struct Inner {
    queue: JobQueue,
    folders: RefCell<Folders>,
    /// Folders that belong to no torrent, and whether they must be deleted.
    leftovers: RefCell<BTreeMap<String, bool>>,
    open: RefCell<OpenFiles>,
    arrangements: RefCell<BTreeMap<TorrentId, Rc<Arrangement>>>,
    scratch: RefCell<Scratch>,
}

/// The origin's root, and in it the folder of all torrents.
#[derive(Clone)]
struct Folders {
    root: Folder,
    torrents: Folder,
}

impl Folders {
    async fn open() -> Result<Self, FsError> {
        let root = Folder::root().await?;
        let torrents = root.folder(ROOT).await?;
        Ok(Self { root, torrents })
    }
}

/// The location of a torrent's data.
#[derive(Clone)]
pub(crate) struct Place {
    /// Identifies its open files.
    pub(crate) torrent: TorrentId,
    /// Its folder.
    pub(crate) folder: String,
    /// The lengths of its files.
    pub(crate) info: Arc<Info>,
}

impl Store {
    /// Opens the storage.
    pub(crate) async fn open() -> Result<Self, FsError> {
        let folders = RefCell::new(Folders::open().await?);
        let (queue, leftovers, open, arrangements, scratch) = Default::default();
        Ok(Self(Rc::new(Inner {
            queue,
            folders,
            leftovers,
            open,
            arrangements,
            scratch,
        })))
    }

    /// The bridge's token of an earlier visit; empty if there is none.
    pub(crate) async fn token(&self) -> Result<String, FsError> {
        let token = self.root().read_if_there(TOKEN).await?;
        Ok(String::from_utf8_lossy(&token).into_owned())
    }

    /// Stores the bridge's token for later visits.
    pub(crate) fn save_token(
        &self,
        token: String,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(done, async move |store| {
            let mut file = store.root().open(TOKEN, true).await?;
            file.replace(token.as_bytes())
        });
    }

    /// The folder of all torrents.
    pub(crate) fn torrents(&self) -> Folder {
        self.0.folders.borrow().torrents.clone()
    }

    fn root(&self) -> Folder {
        self.0.folders.borrow().root.clone()
    }

    /// Folders that belong to no torrent, and whether they must be deleted.
    pub(super) fn leftovers(&self) -> RefMut<'_, BTreeMap<String, bool>> {
        self.0.leftovers.borrow_mut()
    }

    /// Passes to `done` whether the folder of all torrents exists. It does not after the user has
    /// cleared the site's data.
    pub(crate) fn check_present(&self, done: impl FnOnce(bool) + 'static) {
        self.0.queue.push(async move { done(is_present().await) });
    }

    /// Opens the storage again after all its contents were deleted.
    pub(crate) fn reopen(&self, done: impl FnOnce(Result<(), OpError>) + 'static) {
        self.request(done, async move |store| {
            // Chromium never answers when a file is closed that it deleted this way, and the worker
            // would wait forever. The browser closes these files when the worker ends.
            std::mem::forget(store.0.open.take());
            store.0.arrangements.borrow_mut().clear();
            store.leftovers().clear();
            *store.0.folders.borrow_mut() = Folders::open().await?;
            Ok(())
        });
    }

    /// Writes bytes at an offset of the torrent. With `need`, only if the browser grants this page
    /// that many more bytes.
    pub(crate) fn write(
        &self,
        place: Place,
        need: Option<Need>,
        offset: u64,
        data: Rope,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(done, async move |store| {
            if let Some(need) = need {
                check_space(&store.root(), need).await?;
            }
            store.write_now(&place, offset, &data).await
        });
    }

    /// Reads bytes at an offset of the torrent; `None` if not all of them exist.
    pub(crate) fn read(
        &self,
        place: Place,
        offset: u64,
        length: u32,
        done: impl FnOnce(Result<Option<Bytes>, OpError>) + 'static,
    ) {
        self.request(done, async move |store| {
            match store.read_now(&place, offset, length).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(FsError::Missing | FsError::Short { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        });
    }

    /// Makes the writes to a torrent's files durable.
    pub(crate) fn flush(
        &self,
        torrent: TorrentId,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(done, async move |store| {
            store.0.open.borrow_mut().flush(torrent)?;
            // Open files can still be written and flushed after they were deleted.
            if is_present().await {
                Ok(())
            } else {
                Err(FsError::Cleared)
            }
        });
    }

    /// Stores a resume record as the generation after the `durable` one.
    pub(crate) fn save(
        &self,
        folder: String,
        record: Record,
        durable: Durable,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(done, async move |store| {
            records::write(&store.torrents(), &folder, &record, &durable).await
        });
    }

    /// Marks a torrent as removed by the user, or removes the mark.
    pub(crate) fn mark_removed(
        &self,
        folder: String,
        removed: bool,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(done, async move |store| {
            let folder = store.torrents().folder(&folder).await?;
            if removed {
                return folder.touch(REMOVED).await;
            }
            match folder.remove(REMOVED).await {
                Err(FsError::Missing) => Ok(()),
                other => other,
            }
        });
    }

    /// Marks a folder as that of a torrent which is being created under this name; `None` removes
    /// the mark.
    pub(crate) fn mark_creating(
        &self,
        folder: String,
        name: Option<String>,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(done, async move |store| {
            let folder = store.torrents().folder(&folder).await?;
            match name {
                Some(name) => folder.open(CREATING, true).await?.replace(name.as_bytes()),
                None => folder.remove(CREATING).await,
            }
        });
    }

    /// Closes a torrent's files and deletes its folder.
    pub(crate) fn delete(
        &self,
        torrent: TorrentId,
        folder: String,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        self.request(done, async move |store| {
            store.0.open.borrow_mut().close(torrent);
            store.0.arrangements.borrow_mut().remove(&torrent);
            match store.torrents().remove(&folder).await {
                Ok(()) | Err(FsError::Missing) => Ok(()),
                Err(error) => Err(error),
            }
        });
    }

    /// Calls `done` after everything that is queued.
    pub(crate) fn after_all(&self, done: impl FnOnce() + 'static) {
        self.queue(async move |_| done());
    }

    /// Queues a job that needs no answer.
    pub(super) fn queue(&self, job: impl AsyncFnOnce(Self) + 'static) {
        let store = self.clone();
        self.0.queue.push(async move { job(store).await });
    }

    fn request<T: 'static>(
        &self,
        done: impl FnOnce(Result<T, OpError>) + 'static,
        job: impl AsyncFnOnce(Self) -> Result<T, FsError> + 'static,
    ) {
        self.queue(async move |store| done(job(store).await.map_err(OpError::from)));
    }

    async fn write_now(&self, place: &Place, offset: u64, data: &Rope) -> Result<(), FsError> {
        // Taken out, so that it is not borrowed while other code runs. After a failure the next
        // write creates a new one.
        let mut scratch = self.0.scratch.take();
        let bytes = scratch.contiguous(data);
        let arrangement = self.arrangement(place).await?;
        for run in arrangement.runs(&place.info, offset, bytes.len() as u64) {
            self.ensure_open(place, run.slot, true).await?;
            self.with_open(place, run.slot, |file| {
                file.write_all(run.slot.at, slice(bytes, &run.range))
            })?;
        }
        self.0.scratch.replace(scratch);
        Ok(())
    }

    async fn read_now(&self, place: &Place, offset: u64, length: u32) -> Result<Bytes, FsError> {
        let arrangement = self.arrangement(place).await?;
        let mut bytes = vec![0; length as usize];
        for run in arrangement.runs(&place.info, offset, length.into()) {
            self.ensure_open(place, run.slot, false).await?;
            let part = slice_mut(&mut bytes, &run.range);
            self.with_open(place, run.slot, |file| file.read_exact(run.slot.at, part))?;
        }
        Ok(Bytes::from(bytes))
    }

    /// The arrangement of a torrent's files. It is determined once, from the names of the stored
    /// files.
    async fn arrangement(&self, place: &Place) -> Result<Rc<Arrangement>, FsError> {
        let known = self.0.arrangements.borrow().get(&place.torrent).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let folder = self.torrents().folder(&place.folder).await?;
        let found = Rc::new(arrangement_in(&folder, &place.info).await?);
        self.0
            .arrangements
            .borrow_mut()
            .insert(place.torrent, Rc::clone(&found));
        Ok(found)
    }

    async fn ensure_open(&self, place: &Place, slot: Slot, create: bool) -> Result<(), FsError> {
        let key = (place.torrent, slot.first);
        if self.0.open.borrow_mut().get(key).is_some() {
            return Ok(());
        }
        let folder = self.torrents().folder(&place.folder).await?;
        let opened = folder.open(&slot.name(), create).await?;
        self.0.open.borrow_mut().insert(key, opened)
    }

    fn with_open(
        &self,
        place: &Place,
        slot: Slot,
        act: impl FnOnce(&mut SyncFile) -> Result<(), FsError>,
    ) -> Result<(), FsError> {
        match self.0.open.borrow_mut().get((place.torrent, slot.first)) {
            Some(file) => act(file),
            None => Ok(()),
        }
    }
}

/// Asks the browser again, since an older handle may answer for a folder that is gone. If the
/// browser does not answer, the folder is assumed to exist.
async fn is_present() -> bool {
    let found = async { Folder::root().await?.existing(ROOT).await };
    !matches!(found.await, Err(FsError::Missing))
}

/// The part of a range that belongs to a run. Runs are within their range, and a range in memory
/// fits into a `usize`.
fn slice<'a>(bytes: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    bytes.get(in_memory(range)).unwrap_or_default()
}

fn slice_mut<'a>(bytes: &'a mut [u8], range: &Range<u64>) -> &'a mut [u8] {
    bytes.get_mut(in_memory(range)).unwrap_or_default()
}

fn in_memory(range: &Range<u64>) -> Range<usize> {
    let bound = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    bound(range.start)..bound(range.end)
}
