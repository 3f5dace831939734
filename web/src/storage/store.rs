//! The tab's disk: one queue of jobs, done one after the other, on files that stay open as long as
//! there are not too many.
//!
//! Opening a file is asynchronous in a browser, reading and writing are not. One queue keeps two
//! jobs from opening the same file at once, which the browser refuses, and lets a flush follow the
//! writes before it.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use aqueduct_core::io::{OpError, Rope};
use aqueduct_core::meta::Info;
use aqueduct_core::resume::Record;
use aqueduct_core::types::TorrentId;
use bytes::Bytes;
use wasm_bindgen_futures::spawn_local;

use crate::format::{apart, size};
use crate::storage::arrangement::{Arrangement, MANY_FILES, Slot};
use crate::storage::layout::{MAKING, REMOVED, ROOT, TOKEN};
use crate::storage::opfs::{Folder, FsError, SyncFile};
use crate::storage::records::{self, Durable};
use crate::storage::scratch::Scratch;
use crate::storage::space::{Need, check_room};

/// Files open at a time. Opening costs some milliseconds; each open file costs the browser a
/// descriptor.
const OPEN_FILES: usize = MANY_FILES;

/// What happened when the storage is gone.
pub(crate) const CLEARED: &str =
    "This site's data were cleared in the browser, and what was stored of this torrent with them.";

type Job = Pin<Box<dyn Future<Output = ()>>>;
/// A torrent, and the first of its files that lie in the stored file.
type FileKey = (TorrentId, usize);

/// The origin's storage. Clones share it.
#[derive(Clone)]
pub(crate) struct Store(Rc<Inner>);

struct Inner {
    folders: RefCell<Folders>,
    /// Folders that belong to no torrent, and whether they are to be deleted.
    unclaimed: RefCell<BTreeMap<String, bool>>,
    jobs: RefCell<VecDeque<Job>>,
    running: Cell<bool>,
    open: RefCell<OpenFiles>,
    arrangements: RefCell<BTreeMap<TorrentId, Rc<Arrangement>>>,
    scratch: RefCell<Scratch>,
}

/// The origin's root, and in it the folder of all torrents.
#[derive(Clone)]
struct Folders {
    home: Folder,
    root: Folder,
}

impl Folders {
    async fn open() -> Result<Self, FsError> {
        let home = Folder::root().await?;
        let root = home.folder(ROOT).await?;
        Ok(Self { home, root })
    }
}

/// Open files, each with when it was used last.
#[derive(Default)]
struct OpenFiles {
    files: BTreeMap<FileKey, (u64, SyncFile)>,
    uses: u64,
}

impl OpenFiles {
    fn get(&mut self, key: FileKey) -> Option<&mut SyncFile> {
        self.uses += 1;
        let (used, file) = self.files.get_mut(&key)?;
        *used = self.uses;
        Some(file)
    }

    fn put(&mut self, key: FileKey, file: SyncFile) -> Result<(), FsError> {
        if self.files.len() >= OPEN_FILES {
            self.evict()?;
        }
        self.uses += 1;
        self.files.insert(key, (self.uses, file));
        Ok(())
    }

    /// Closes the file that was not used for longest. What was written to it is flushed first: a
    /// later flush would no longer find it.
    fn evict(&mut self) -> Result<(), FsError> {
        let oldest = self
            .files
            .iter()
            .min_by_key(|(_, (used, _))| *used)
            .map(|(key, _)| *key);
        match oldest.and_then(|key| self.files.remove(&key)) {
            Some((_, mut file)) => file.flush(),
            None => Ok(()),
        }
    }

    fn flush(&mut self, torrent: TorrentId) -> Result<(), FsError> {
        let mut own = self.files.iter_mut().filter(|((of, _), _)| *of == torrent);
        own.try_for_each(|(_, (_, file))| file.flush())
    }

    fn close(&mut self, torrent: TorrentId) {
        self.files.retain(|(of, _), _| *of != torrent);
    }
}

/// One torrent's place in the storage.
#[derive(Clone)]
pub(crate) struct Place {
    /// Names its open files.
    pub(crate) torrent: TorrentId,
    /// Its folder.
    pub(crate) folder: String,
    /// Where its pieces lie.
    pub(crate) info: Arc<Info>,
}

impl Store {
    /// Opens the storage.
    pub(crate) async fn open() -> Result<Self, FsError> {
        let folders = RefCell::new(Folders::open().await?);
        let (unclaimed, jobs, open, arrangements, scratch) = Default::default();
        Ok(Self(Rc::new(Inner {
            folders,
            unclaimed,
            jobs,
            running: Cell::new(false),
            open,
            arrangements,
            scratch,
        })))
    }

    /// The token that was stored last; empty if none was.
    pub(crate) async fn token(&self) -> Result<String, FsError> {
        let token = self.home().read_if_there(TOKEN).await?;
        Ok(String::from_utf8_lossy(&token).into_owned())
    }

    /// Stores the token for later visits, then tells `done`.
    pub(crate) fn keep_token(
        &self,
        token: String,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        let store = self.clone();
        self.queue(async move {
            let kept = async {
                store
                    .home()
                    .open(TOKEN, true)
                    .await?
                    .replace(token.as_bytes())
            };
            done(kept.await.map_err(storage_error));
        });
    }

    /// The folder of all torrents.
    pub(crate) fn root(&self) -> Folder {
        self.0.folders.borrow().root.clone()
    }

    fn home(&self) -> Folder {
        self.0.folders.borrow().home.clone()
    }

    /// Folders that belong to no torrent, and whether they are to be deleted.
    pub(crate) fn unclaimed(&self) -> RefMut<'_, BTreeMap<String, bool>> {
        self.0.unclaimed.borrow_mut()
    }

    /// Tells `done` whether the folder of all torrents is there. It is not when the user has
    /// cleared the site's data.
    pub(crate) fn look(&self, done: impl FnOnce(bool) + 'static) {
        self.queue(async move { done(is_there().await) });
    }

    /// Opens the storage anew, all of whose contents are gone, then tells `done`.
    pub(crate) fn renew(&self, done: impl FnOnce(Result<(), OpError>) + 'static) {
        let store = self.clone();
        self.queue(async move {
            // Chromium never answers when a file is closed that it has deleted this way, and the
            // worker would wait for ever. The browser closes these when the worker ends.
            std::mem::forget(store.0.open.take());
            store.0.arrangements.borrow_mut().clear();
            store.unclaimed().clear();
            let opened = Folders::open()
                .await
                .map(|folders| *store.0.folders.borrow_mut() = folders);
            done(opened.map_err(storage_error));
        });
    }

    /// Stores bytes, then tells `done`. With `need`, only if the browser grants this page so many
    /// bytes more.
    pub(crate) fn write(
        &self,
        place: Place,
        need: Option<Need>,
        offset: u64,
        data: Rope,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        let store = self.clone();
        self.queue(async move {
            let written = async {
                if let Some(need) = need {
                    check_room(&store.home(), need).await?;
                }
                store.write_now(&place, offset, &data).await
            };
            done(written.await.map_err(storage_error));
        });
    }

    /// Fetches bytes, then tells `done`; `None` if they are not all there.
    pub(crate) fn read(
        &self,
        place: Place,
        offset: u64,
        length: u32,
        done: impl FnOnce(Result<Option<Bytes>, OpError>) + 'static,
    ) {
        let store = self.clone();
        self.queue(async move {
            done(match store.read_now(&place, offset, length).await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(FsError::Missing | FsError::Short { .. }) => Ok(None),
                Err(error) => Err(storage_error(error)),
            });
        });
    }

    /// Makes durable what was written to a torrent's files, then tells `done`.
    pub(crate) fn flush(
        &self,
        torrent: TorrentId,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        let store = self.clone();
        self.queue(async move {
            let flushed = store.0.open.borrow_mut().flush(torrent);
            // Files that are open can be written and flushed also when they are deleted.
            let flushed = if flushed.is_ok() && !is_there().await {
                Err(FsError::Cleared)
            } else {
                flushed
            };
            done(flushed.map_err(storage_error));
        });
    }

    /// Stores a resume record as the generation after the `durable` one, then tells `done`.
    pub(crate) fn save(
        &self,
        folder: String,
        record: Record,
        durable: Durable,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        let store = self.clone();
        self.queue(async move {
            let result = records::write(&store.root(), &folder, &record, &durable).await;
            done(result.map_err(storage_error));
        });
    }

    /// Marks a torrent as removed, or no longer, then tells `done`.
    pub(crate) fn mark_removed(
        &self,
        folder: String,
        removed: bool,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        let store = self.clone();
        self.queue(async move {
            done(
                store
                    .mark_now(&folder, removed)
                    .await
                    .map_err(storage_error),
            )
        });
    }

    /// Marks a folder as that of a torrent in the making, which will be called so; or no longer.
    /// Then tells `done`.
    pub(crate) fn mark_making(
        &self,
        folder: String,
        name: Option<String>,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        let store = self.clone();
        self.queue(async move {
            let marked = async {
                let folder = store.root().folder(&folder).await?;
                match name {
                    Some(name) => folder.open(MAKING, true).await?.replace(name.as_bytes()),
                    None => folder.remove(MAKING).await,
                }
            };
            done(marked.await.map_err(storage_error));
        });
    }

    /// Closes a torrent's files and deletes its folder, then tells `done`.
    pub(crate) fn delete(
        &self,
        torrent: TorrentId,
        folder: String,
        done: impl FnOnce(Result<(), OpError>) + 'static,
    ) {
        let store = self.clone();
        self.queue(async move {
            store.0.open.borrow_mut().close(torrent);
            store.0.arrangements.borrow_mut().remove(&torrent);
            done(match store.root().remove(&folder).await {
                Ok(()) | Err(FsError::Missing) => Ok(()),
                Err(error) => Err(storage_error(error)),
            });
        });
    }

    /// Tells `done` when everything queued so far is over.
    pub(crate) fn after_all(&self, done: impl FnOnce() + 'static) {
        self.queue(async move { done() });
    }

    pub(crate) fn queue(&self, job: impl Future<Output = ()> + 'static) {
        self.0.jobs.borrow_mut().push_back(Box::pin(job));
        if !self.0.running.replace(true) {
            let store = self.clone();
            spawn_local(async move { store.work().await });
        }
    }

    async fn work(&self) {
        loop {
            let job = self.0.jobs.borrow_mut().pop_front();
            match job {
                Some(job) => job.await,
                None => break,
            }
        }
        self.0.running.set(false);
    }

    async fn mark_now(&self, folder: &str, removed: bool) -> Result<(), FsError> {
        let folder = self.root().folder(folder).await?;
        if removed {
            return folder.touch(REMOVED).await;
        }
        match folder.remove(REMOVED).await {
            Err(FsError::Missing) => Ok(()),
            other => other,
        }
    }

    async fn write_now(&self, place: &Place, offset: u64, data: &Rope) -> Result<(), FsError> {
        // Taken out meanwhile, because other jobs may not meet a borrowed one; after a failure the
        // next write has a new one.
        let mut scratch = self.0.scratch.take();
        let bytes = scratch.contiguous(data);
        for run in self
            .arrangement(place)
            .await?
            .runs(&place.info, offset, bytes.len() as u64)
        {
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

    /// Where a torrent's files are. Found out once, from what is there already.
    async fn arrangement(&self, place: &Place) -> Result<Rc<Arrangement>, FsError> {
        let known = self.0.arrangements.borrow().get(&place.torrent).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let found =
            Rc::new(arrangement_in(&self.root().folder(&place.folder).await?, &place.info).await?);
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
        let folder = self.root().folder(&place.folder).await?;
        let opened = folder.open(&slot.name(), create).await?;
        self.0.open.borrow_mut().put(key, opened)
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

/// Where the files are of a torrent whose folder this is.
pub(crate) async fn arrangement_in(folder: &Folder, info: &Info) -> Result<Arrangement, FsError> {
    if info.files.len() <= MANY_FILES {
        return Ok(Arrangement::default());
    }
    let names = folder.names().await?;
    Ok(Arrangement::found(info, names.iter().map(String::as_str)))
}

/// Asked of the browser anew: a handle from before may answer for what is gone. Where it does not
/// answer, nothing is known.
async fn is_there() -> bool {
    let found = async { Folder::root().await?.existing(ROOT).await };
    !matches!(found.await, Err(FsError::Missing))
}

/// The part of a range that a run names. Runs lie inside the range they were made for, and a range
/// in memory fits a `usize`.
fn slice<'a>(bytes: &'a [u8], range: &std::ops::Range<u64>) -> &'a [u8] {
    let bound = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    bytes
        .get(bound(range.start)..bound(range.end))
        .unwrap_or_default()
}

fn slice_mut<'a>(bytes: &'a mut [u8], range: &std::ops::Range<u64>) -> &'a mut [u8] {
    let bound = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    bytes
        .get_mut(bound(range.start)..bound(range.end))
        .unwrap_or_default()
}

fn too_little(need: Need, free: u64) -> String {
    let (free, own) = apart(free, need.own);
    match need.others {
        0 => format!("This torrent needs {own} more; the browser grants this page {free}"),
        others => format!(
            "This torrent needs {own} more; the browser grants this page {free}, and other torrents still need {} of it",
            size(others)
        ),
    }
}

/// The user's words for what failed, and what to do about it.
fn storage_error(error: FsError) -> OpError {
    let way_out = "Save and remove a torrent, or free space on this device.";
    let (full, message) = match error {
        FsError::Full => (
            true,
            format!("The browser's storage for this page is full. {way_out}"),
        ),
        FsError::TooLittle { need, free } => {
            (true, format!("{}. {way_out}", too_little(need, free)))
        }
        FsError::Cleared => (false, format!("{CLEARED} Press Resume to fetch it again.")),
        error => (false, format!("The browser's storage failed: {error}.")),
    };
    OpError::Storage { full, message }
}
