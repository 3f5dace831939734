//! A torrent's data in files: written, read, digested, made durable. Plain blocking calls, for the threads of a [`pool`].
//!
//! - Files open beneath the download folder without following symbolic links ([`disk`]); at most [`handles::MAX_OPEN`] at a time.
//! - A file is made (sparse, with its full length) by its first byte. A piece that reaches into a file nobody wants makes that file too.
//! - Pad files (BEP 47) are zeros when read and are never written.
//! - While a file is written its modification time stays the one that the torrent's resume record knows, so that the record fits after a
//!   kill at any moment, and any other program's write shows. A file that the record does not know gets a new time, so that no other
//!   torrent's record takes it for its own.

pub mod digest;
pub mod disk;
mod error;
pub mod handles;
mod names;
pub mod pool;
pub mod resume;
pub mod room;
pub mod state;
mod state_folder;
pub mod stored;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::mem;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aqueduct_core::Rope;
use aqueduct_core::meta::{File, Info, Span};
use aqueduct_core::resume::FileStamp;
use aqueduct_core::types::Bitfield;
use bytes::Bytes;

pub use self::disk::{Access, Beneath, Disk};
pub use self::error::StorageError;
pub use self::handles::Handles;
use self::names::Names;
pub use self::names::Renamed;
pub use self::room::Room;
use self::room::{Share, Short};
pub use self::state_folder::StateFolder;

/// Slices in one `pwritev`: the smallest limit (`IOV_MAX`) of the systems we know.
const MAX_SLICES: usize = 1024;

/// With more files than this to flush, one flush of the whole file system is quicker than one for each of them and of their folders.
const MANY: usize = 128;

/// The files of one torrent beneath one folder.
#[derive(Debug)]
pub struct Storage<D: Disk = Beneath> {
    info: Arc<Info>,
    folder: PathBuf,
    disk: D,
    /// The folder's.
    device: u64,
    handles: Arc<Handles<D::File>>,
    owner: u32,
    share: Share,
    names: Mutex<Names>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    wanted: Vec<bool>,
    /// Whether there was room for everything wanted.
    roomy: bool,
    stamps: Vec<FileStamp>,
    /// Files that are as the resume record says.
    known: BTreeSet<usize>,
    /// Files with bytes that a power loss would take.
    unsynced: BTreeSet<usize>,
    /// Files that were opened for writing.
    opened: BTreeSet<usize>,
    /// Files whose names a power loss would take.
    unnamed: BTreeSet<usize>,
    /// Whether a file lies on another file system than the folder: something is mounted below it.
    scattered: bool,
}

impl State {
    const fn new(wanted: Vec<bool>, stamps: Vec<FileStamp>) -> Self {
        Self {
            wanted,
            roomy: false,
            stamps,
            known: BTreeSet::new(),
            unsynced: BTreeSet::new(),
            opened: BTreeSet::new(),
            unnamed: BTreeSet::new(),
            scattered: false,
        }
    }
}

impl Storage<Beneath> {
    /// The torrent's files beneath `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder can be neither opened nor made, or a file's size cannot be read.
    pub fn open(folder: &Path, info: Arc<Info>, handles: Arc<Handles<std::fs::File>>) -> Result<Self, StorageError> {
        std::fs::create_dir_all(folder).map_err(StorageError::io("make the folder", folder))?;
        Self::existing(folder, info, handles)
    }

    /// Like [`Storage::open`], but the folder must be there.
    ///
    /// # Errors
    /// The folder cannot be opened, or a file's size cannot be read.
    pub fn existing(folder: &Path, info: Arc<Info>, handles: Arc<Handles<std::fs::File>>) -> Result<Self, StorageError> {
        Self::existing_as(folder, None, info, handles)
    }

    /// Like [`Storage::existing`], where the first component of all paths has the name `top` on disk, which is not in UTF-8.
    ///
    /// # Errors
    /// The folder cannot be opened, or a file's size cannot be read.
    pub fn existing_as(folder: &Path, top: Option<OsString>, info: Arc<Info>, handles: Arc<Handles<std::fs::File>>) -> Result<Self, StorageError> {
        let disk = Beneath::open(folder).map_err(StorageError::io("open the folder", folder))?;
        Self::new(folder, disk.with_top(top), info, handles)
    }
}

impl<D: Disk> Storage<D> {
    /// The torrent's files on `disk`, which is the folder `folder` (for messages). Looks at every file's size and time.
    ///
    /// # Errors
    /// A file is there but cannot be opened.
    pub fn new(folder: &Path, disk: D, info: Arc<Info>, handles: Arc<Handles<D::File>>) -> Result<Self, StorageError> {
        let mut names = Names::new(Arc::clone(&info));
        let there = if names.are_nowhere(&disk) { 0 } else { info.files.len() };
        let mut stamps: Vec<_> = (0..there).map(|index| stamp(&disk, folder, &mut names, index)).collect::<Result<_, _>>()?;
        stamps.resize(info.files.len(), FileStamp::default());
        let device = disk.device().map_err(StorageError::io("read", folder))?;
        let state = State::new(vec![true; info.files.len()], stamps);
        let owner = handles.owner();
        Ok(Self {
            info,
            folder: folder.to_owned(),
            disk,
            device,
            handles,
            owner,
            share: Share::of(Arc::default()),
            names: Mutex::new(names),
            state: Mutex::new(state),
        })
    }

    /// Shares the room of the disk with other torrents.
    #[must_use]
    pub fn sharing(mut self, room: Arc<Room>) -> Self {
        self.share = Share::of(room);
        self
    }

    /// What the torrent says.
    #[must_use]
    pub fn info(&self) -> &Arc<Info> {
        &self.info
    }

    /// The folder that all files are beneath.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Which files must find room, one flag a file. All, until told.
    pub fn want(&self, wanted: Vec<bool>) {
        self.lock().wanted = wanted;
    }

    /// Whether there was room for everything wanted when the first byte was written.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.lock().roomy
    }

    /// Size and time of every file; all zero for one that is not there.
    #[must_use]
    pub fn stamps(&self) -> Vec<FileStamp> {
        self.lock().stamps.clone()
    }

    /// Tells what the resume record says of the files.
    pub fn recall(&self, then: &[FileStamp]) {
        let mut state = self.lock();
        let fits = |(index, (now, then)): (usize, (&FileStamp, &FileStamp))| (now == then).then_some(index);
        state.known = state.stamps.iter().zip(then).enumerate().filter_map(fits).collect();
    }

    /// Makes the wanted files that have no bytes: no piece ever makes them.
    ///
    /// # Errors
    /// One cannot be made.
    pub fn make_empty_files(&self) -> Result<(), StorageError> {
        let wanted = self.lock().wanted.clone();
        for (index, file) in self.info.files.iter().enumerate() {
            if file.size == 0 && !file.pad && wanted.get(index) == Some(&true) {
                self.writable(index, file)?;
            }
        }
        Ok(())
    }

    /// Cuts the files that are too long and of which every piece is in `have`: they are this torrent's, and so is their length.
    ///
    /// # Errors
    /// One cannot be cut.
    pub fn trim(&self, have: &Bitfield) -> Result<(), StorageError> {
        for (index, (file, stamp)) in self.info.files.iter().zip(self.stamps()).enumerate() {
            let is_whole = || self.info.lengths.pieces_of(file.offset, file.size).all(|piece| have.has(piece));
            if stamp.size > file.size && is_whole() {
                self.writable(index, file)?;
            }
        }
        Ok(())
    }

    /// Writes `data` from byte `offset` of the torrent on: one call a file, or one for every 1,024 slices.
    ///
    /// # Errors
    /// No room for the wanted files (before the first byte), or a file cannot be opened or written. Nothing is durable before [`Storage::flush`].
    pub fn write(&self, offset: u64, data: &Rope) -> Result<(), StorageError> {
        self.find_room()?;
        for span in self.info.layout(offset, data.len() as u64) {
            let Some(file) = self.info.files.get(span.file).filter(|file| !file.pad) else { continue };
            let open = self.writable(span.file, file)?;
            self.write_span(&open, data, &span).map_err(self.failed("write", span.file))?;
            self.written(span.file, &open);
            self.share.spend(span.range.end - span.range.start);
        }
        Ok(())
    }

    /// Reads exactly `length` bytes from byte `offset` of the torrent on.
    ///
    /// # Errors
    /// A file is missing or too short, or cannot be read.
    pub fn read(&self, offset: u64, length: u32) -> Result<Bytes, StorageError> {
        let mut bytes = Vec::with_capacity(length as usize);
        for span in self.info.layout(offset, u64::from(length)) {
            self.read_span(span.file, span.at, narrow(span.range.end - span.range.start), &mut bytes)?;
        }
        Ok(bytes.into())
    }

    /// Makes everything that was written before this call durable.
    ///
    /// # Errors
    /// A file or folder cannot be synced; all of them are tried again by the next call.
    pub fn flush(&self) -> Result<(), StorageError> {
        let (data, names) = {
            let mut state = self.lock();
            (mem::take(&mut state.unsynced), mem::take(&mut state.unnamed))
        };
        let result = self.sync(&data, &names);
        if result.is_err() {
            let mut state = self.lock();
            state.unsynced.extend(data);
            state.unnamed.extend(names);
        }
        result
    }

    fn sync(&self, data: &BTreeSet<usize>, names: &BTreeSet<usize>) -> Result<(), StorageError> {
        if data.len() + names.len() > MANY && !self.lock().scattered {
            return self.disk.sync_all().map_err(StorageError::io("flush the disk of", &self.folder));
        }
        for (index, file) in data.iter().filter_map(|&index| Some((index, self.info.files.get(index)?))) {
            let open = self.writable(index, file)?;
            self.disk.sync(&open).map_err(self.failed("flush", index))?;
        }
        for folder in self.folders_of(names) {
            let shown = || self.folder.join(folder.iter().collect::<PathBuf>());
            self.disk.sync_folder(&folder).map_err(|error| StorageError::io("flush the folder", shown())(error))?;
        }
        Ok(())
    }

    /// The folders on the way to these files, each once however many files it holds.
    fn folders_of(&self, indices: &BTreeSet<usize>) -> BTreeSet<Vec<String>> {
        let names = self.names();
        let mut folders = BTreeSet::new();
        for mut path in indices.iter().map(|&index| names.path(index)) {
            while path.pop().is_some() && folders.insert(path.clone()) {}
        }
        folders
    }

    /// Appends bytes `at .. at + length` of a file to `into`.
    fn read_span(&self, index: usize, at: u64, length: usize, into: &mut Vec<u8>) -> Result<(), StorageError> {
        let Some(file) = self.info.files.get(index) else { return Ok(()) };
        let end = into.len().saturating_add(length);
        if file.pad {
            into.resize(end, 0);
            return Ok(());
        }
        let open = self.handles.get(self.owner, index, Access::Read, || self.disk.open(&self.names().path(index), Access::Read));
        let open = open.map_err(self.failed("read", index))?;
        self.read_exact(&open, at, end, into).map_err(self.failed("read", index))
    }

    fn read_exact(&self, open: &D::File, mut at: u64, end: usize, into: &mut Vec<u8>) -> io::Result<()> {
        while into.len() < end {
            let count = self.disk.read(open, into, end - into.len(), at)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += count as u64;
        }
        Ok(())
    }

    fn write_span(&self, open: &D::File, data: &Rope, span: &Span) -> io::Result<()> {
        let mut slices = slices_of(data, &span.range);
        let (mut rest, mut at) = (slices.as_mut_slice(), span.at);
        while !rest.is_empty() {
            let count = self.disk.write(open, rest.get(..MAX_SLICES).unwrap_or(rest), at)?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, count);
            at += count as u64;
        }
        Ok(())
    }

    /// The file, open for writing and of its full length.
    fn writable(&self, index: usize, file: &File) -> Result<Arc<D::File>, StorageError> {
        self.handles.get(self.owner, index, Access::Write, || self.open_writable(index, file))
    }

    fn open_writable(&self, index: usize, file: &File) -> Result<D::File, StorageError> {
        let open = self.open_by_name(index).map_err(self.failed("open", index))?;
        let stat = self.disk.stat(&open).map_err(self.failed("read the size of", index))?;
        if stat.size != file.size {
            self.disk.set_len(&open, file.size).map_err(self.failed_to_extend(index, file.size))?;
        }
        let modified = self.kept_time(index).map_or_else(|| self.new_time(&open), Ok).map_err(self.failed("read the time of", index))?;
        let mut state = self.lock();
        state.scattered |= stat.device != self.device;
        let is_first = state.opened.insert(index);
        if let Some(stamp) = state.stamps.get_mut(index) {
            // A time kept from an earlier opening stays: what came between was written here.
            *stamp = FileStamp { size: file.size, modified: if is_first { modified } else { stamp.modified } };
        }
        // One that was there at an earlier opening has its name already; one that was deleted meanwhile is new, and short.
        if is_first || stat.size != file.size {
            state.unnamed.insert(index);
        }
        Ok(open)
    }

    /// The time that a file keeps while it is written; `None`: it is opened for the first time, and no record knows it.
    fn kept_time(&self, index: usize) -> Option<u64> {
        let state = self.lock();
        let is_kept = state.opened.contains(&index) || state.known.contains(&index);
        state.stamps.get(index).filter(|stamp| is_kept && stamp.modified != 0).map(|stamp| stamp.modified)
    }

    /// Gives a file the time of this moment, and says what the file system made of it. Where that is refused (the file is somebody else's) it
    /// keeps the one it has.
    fn new_time(&self, open: &D::File) -> io::Result<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Err(error) = self.disk.set_modified(open, u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)) {
            tracing::debug!(%error, "could not set a file's time");
        }
        Ok(self.disk.stat(open)?.modified)
    }

    /// Notes a finished write, and gives the file back the time that the resume record knows. Where that is refused (the file is
    /// somebody else's) the next start checks the file again.
    fn written(&self, index: usize, open: &D::File) {
        let modified = {
            let mut state = self.lock();
            state.unsynced.insert(index);
            state.stamps.get(index).map_or(0, |stamp| stamp.modified)
        };
        if let Err(error) = self.disk.set_modified(open, modified) {
            tracing::debug!(%error, "could not set a file's time");
        }
    }

    /// Once: is there room for what is wanted and has none yet?
    fn find_room(&self) -> Result<(), StorageError> {
        let mut state = self.lock();
        if state.roomy {
            return Ok(());
        }
        let needed = self.needed(&state.wanted);
        let free = self.disk.free().map_err(StorageError::io("read the free space of", &self.folder))?;
        let short = |short: Short| StorageError::Space { folder: self.folder.clone(), needed, free, promised: short.promised };
        self.share.promise(needed, free).map_err(short)?;
        state.roomy = true;
        Ok(())
    }

    fn needed(&self, wanted: &[bool]) -> u64 {
        let files = self.info.files.iter().zip(wanted).enumerate().filter(|(_, (file, wanted))| **wanted && !file.pad);
        files.map(|(index, (file, _))| file.size.saturating_sub(self.allocated(index))).sum()
    }

    fn allocated(&self, index: usize) -> u64 {
        let open = self.disk.open(&self.names().path(index), Access::Read);
        open.and_then(|open| self.disk.stat(&open)).map_or(0, |stat| stat.allocated)
    }

    fn failed(&self, action: &'static str, index: usize) -> impl FnOnce(io::Error) -> StorageError + use<'_, D> {
        move |error| StorageError::io(action, self.path_of(index))(error)
    }

    /// FAT takes no file of 4 GiB or more.
    fn failed_to_extend(&self, index: usize, size: u64) -> impl FnOnce(io::Error) -> StorageError + use<'_, D> {
        move |error| match error.kind() {
            io::ErrorKind::FileTooLarge => StorageError::TooLarge { path: self.path_of(index), size },
            _ => self.failed("extend", index)(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Disk> Drop for Storage<D> {
    fn drop(&mut self) {
        self.handles.forget(self.owner);
    }
}

/// Where a file of the torrent is.
#[must_use]
pub fn path_of(folder: &Path, file: &File) -> PathBuf {
    folder.join(file.path.iter().collect::<PathBuf>())
}

fn stamp<D: Disk>(disk: &D, folder: &Path, names: &mut Names, index: usize) -> Result<FileStamp, StorageError> {
    let failed = |names: &Names| StorageError::io("read", folder.join(names.path(index).iter().collect::<PathBuf>()));
    let found = names.find(disk, index).map_err(|error| failed(names)(error))?;
    Ok(found.map_or_else(FileStamp::default, |stat| FileStamp { size: stat.size, modified: stat.modified }))
}

/// The part `range` of the rope.
fn slices_of<'a>(data: &'a Rope, range: &Range<u64>) -> Vec<IoSlice<'a>> {
    let (mut skip, mut take) = (narrow(range.start), narrow(range.end - range.start));
    let mut slices = Vec::with_capacity(data.0.len());
    for bytes in &data.0 {
        let from = skip.min(bytes.len());
        let to = from.saturating_add(take).min(bytes.len());
        skip -= from;
        take -= to - from;
        if let Some(part) = bytes.get(from..to).filter(|part| !part.is_empty()) {
            slices.push(IoSlice::new(part));
        }
    }
    slices
}

/// A length that was bounded by a piece already.
fn narrow(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
