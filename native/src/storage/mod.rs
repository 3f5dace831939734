//! A torrent's data in files: written, read, digested, made durable. Plain blocking calls, for the
//! threads of a [`pool`].
//!
//! - Files open beneath the download folder without following symbolic links ([`disk`]); at most
//!   [`handles::MAX_OPEN`] at a time.
//! - A file is made (sparse, with its full length) by its first byte. A piece that reaches into a
//!   file nobody wants makes that file too.
//! - Pad files (BEP 47) are zeros when read and are never written.
//! - While a file is written its modification time stays the one that the torrent's resume record
//!   knows, so that the record fits after a kill at any moment, and any other program's write
//!   shows. A file that the record does not know gets a new time, so that no other torrent's record
//!   takes it for its own.
//! - What something else does to a file is noticed (`watch.rs`) when it is opened, read, written,
//!   flushed, before a download is called finished, and every so often; its pieces are then checked
//!   again before anybody gets or counts on them.
//! - A file that is not this torrent's is not written to (`guard.rs`) unless its user said so.

mod access;
pub mod digest;
pub mod disk;
mod error;
mod flush;
mod guard;
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
mod watch;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aqueduct_core::meta::{File, Info};
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::types::{Bitfield, Piece};
use aqueduct_core::{FileChange, Rope};
use bytes::Bytes;

use self::disk::Stat;
pub use self::disk::{Access, Beneath, Disk};
pub use self::error::StorageError;
use self::guard::Guard;
pub use self::handles::Handles;
use self::names::Names;
pub use self::names::Renamed;
pub use self::room::Room;
use self::room::{Share, Short};
use self::state::Neighbours;
pub use self::state_folder::StateFolder;
use self::watch::{Facts, Watch};

/// What the record says of a file that may have changed since it was checked: no file is like this.
const VOUCHED_BY_NOBODY: FileStamp = FileStamp {
    size: u64::MAX,
    modified: u64::MAX,
};

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
    watch: Watch,
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
    guard: Guard,
    /// The file that the next look begins with.
    next_look: usize,
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
            guard: Guard::new(false, None),
            next_look: 0,
        }
    }
}

impl Storage<Beneath> {
    /// The torrent's files beneath `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// The folder can be neither opened nor made, or a file's size cannot be read.
    pub fn open(
        folder: &Path,
        info: Arc<Info>,
        handles: Arc<Handles<std::fs::File>>,
    ) -> Result<Self, StorageError> {
        std::fs::create_dir_all(folder).map_err(StorageError::io("make the folder", folder))?;
        Self::existing(folder, info, handles)
    }

    /// Like [`Storage::open`], but the folder must be there.
    ///
    /// # Errors
    /// The folder cannot be opened, or a file's size cannot be read.
    pub fn existing(
        folder: &Path,
        info: Arc<Info>,
        handles: Arc<Handles<std::fs::File>>,
    ) -> Result<Self, StorageError> {
        Self::existing_as(folder, None, info, handles)
    }

    /// Like [`Storage::existing`], where the first component of all paths has the name `top` on
    /// disk, which is not in UTF-8.
    ///
    /// # Errors
    /// The folder cannot be opened, or a file's size cannot be read.
    pub fn existing_as(
        folder: &Path,
        top: Option<OsString>,
        info: Arc<Info>,
        handles: Arc<Handles<std::fs::File>>,
    ) -> Result<Self, StorageError> {
        let disk = Beneath::open(folder).map_err(StorageError::io("open the folder", folder))?;
        Self::new(folder, disk.with_top(top), info, handles)
    }
}

impl<D: Disk> Storage<D> {
    /// The torrent's files on `disk`, which is the folder `folder` (for messages). Looks at every
    /// file's size and time.
    ///
    /// # Errors
    /// A file is there but cannot be opened.
    pub fn new(
        folder: &Path,
        disk: D,
        info: Arc<Info>,
        handles: Arc<Handles<D::File>>,
    ) -> Result<Self, StorageError> {
        let mut names = Names::new(Arc::clone(&info));
        let there = if names.are_nowhere(&disk) {
            0
        } else {
            info.files.len()
        };
        let mut found = (0..there)
            .map(|index| find(&disk, folder, &mut names, index))
            .collect::<Result<Vec<_>, _>>()?;
        found.resize(info.files.len(), None);
        let stamps = found
            .iter()
            .map(|stat| stat.as_ref().map(stamp_of).unwrap_or_default())
            .collect();
        let watch = Watch::new(
            Arc::clone(&info),
            found
                .iter()
                .map(|stat| stat.as_ref().and_then(Facts::of))
                .collect(),
        );
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
            watch,
            state: Mutex::new(state),
        })
    }

    /// Shares the room of the disk with other torrents.
    #[must_use]
    pub fn sharing(mut self, room: Arc<Room>) -> Self {
        self.share = Share::of(room);
        self
    }

    /// Says which files in the way may be written to: with `overwrite` all, otherwise those of this
    /// torrent that no other torrent's record in `neighbours` knows.
    #[must_use]
    pub fn guarded(self, overwrite: bool, neighbours: Option<Neighbours>) -> Self {
        self.lock().guard = Guard::new(overwrite, neighbours);
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

    /// The stamps as a record may state them: not of files that changed and were not checked again.
    fn vouched_stamps(&self) -> Vec<FileStamp> {
        let vouched = |(index, stamp)| {
            if self.watch.is_file_doubted(index) {
                VOUCHED_BY_NOBODY
            } else {
                stamp
            }
        };
        self.stamps().into_iter().enumerate().map(vouched).collect()
    }

    /// Tells what the resume record says of the files.
    pub fn recall(&self, record: &Record) {
        let State {
            stamps,
            known,
            guard,
            ..
        } = &mut *self.lock();
        let fits = |(index, (now, then)): (usize, (&FileStamp, &FileStamp))| {
            (now == then).then_some(index)
        };
        *known = stamps
            .iter()
            .zip(&record.stamps)
            .enumerate()
            .filter_map(fits)
            .collect();
        guard.recall(&self.info, record, stamps);
    }

    /// Makes the wanted files that have no bytes and are not there: no piece ever makes them.
    ///
    /// # Errors
    /// One cannot be made.
    pub fn make_empty_files(&self) -> Result<(), StorageError> {
        let wanted = self.lock().wanted.clone();
        for (index, file) in self.info.files.iter().enumerate() {
            let is_right = || {
                self.watch
                    .facts(index)
                    .is_some_and(|facts| facts.is_empty())
            };
            if file.size == 0 && !file.pad && wanted.get(index) == Some(&true) && !is_right() {
                let _turn = self.watch.turn(index);
                self.writable(index, file)?;
            }
        }
        Ok(())
    }

    /// Cuts the files that are too long and of which every piece is in `have`: they are this
    /// torrent's, and so is their length.
    ///
    /// # Errors
    /// One cannot be cut.
    pub fn trim(&self, have: &Bitfield) -> Result<(), StorageError> {
        for (index, (file, stamp)) in self.info.files.iter().zip(self.stamps()).enumerate() {
            let is_whole = || {
                self.info
                    .lengths
                    .pieces_of(file.offset, file.size)
                    .all(|piece| have.has(piece))
            };
            if stamp.size > file.size && !self.watch.is_file_doubted(index) && is_whole() {
                self.cut(index, file)?;
            }
        }
        Ok(())
    }

    /// Writes the verified piece at byte `offset` of the torrent: one call a file, or one for every
    /// 1,024 slices.
    ///
    /// # Errors
    /// No room for the wanted files (before the first byte), a file is somebody else's, or it
    /// cannot be opened or written. Nothing is durable before [`Storage::flush`].
    pub fn write(&self, offset: u64, data: &Rope) -> Result<(), StorageError> {
        self.find_room()?;
        let mut noticed = None;
        for span in self.info.layout(offset, data.len() as u64) {
            let Some(file) = self.info.files.get(span.file).filter(|file| !file.pad) else {
                continue;
            };
            let _turn = self.watch.turn(span.file);
            let open = self.writable(span.file, file)?;
            noticed.get_or_insert_with(|| self.watch.noticed());
            let written = self
                .write_span(&open, data, &span)
                .map_err(self.failed("write", span.file));
            self.written(span.file, &open);
            written?;
            self.share.spend(span.range.end - span.range.start);
        }
        if let (Some(noticed), Some(piece)) = (noticed, self.piece_at(offset)) {
            self.watch.trust(piece, noticed);
        }
        Ok(())
    }

    /// Reads exactly `length` bytes from byte `offset` of the torrent on, within one piece that was
    /// verified since its files last changed.
    ///
    /// # Errors
    /// A file is missing or too short, cannot be read, or was changed by something else.
    pub fn read(&self, offset: u64, length: u32) -> Result<Bytes, StorageError> {
        let noticed = self.watch.noticed();
        let mut bytes = Vec::with_capacity(length as usize);
        for span in self.info.layout(offset, u64::from(length)) {
            self.read_span(
                span.file,
                span.at,
                narrow(span.range.end - span.range.start),
                &mut bytes,
            )?;
        }
        let doubted = self
            .piece_at(offset)
            .is_some_and(|piece| self.watch.is_doubted(piece));
        if doubted || self.watch.noticed() != noticed {
            Err(StorageError::Changed {
                path: self.folder.clone(),
            })
        } else {
            Ok(bytes.into())
        }
    }

    /// What something else did to files since the last call; files by their place in the torrent.
    pub fn take_changes(&self) -> Vec<(u32, FileChange)> {
        self.watch.take_changes()
    }

    /// Whether every piece of every wanted file is in `have`.
    fn is_complete(&self, have: &Bitfield) -> bool {
        let wanted = self.lock().wanted.clone();
        let files = self
            .info
            .files
            .iter()
            .zip(wanted)
            .filter(|(_, wanted)| *wanted);
        files.into_iter().all(|(file, _)| {
            self.info
                .lengths
                .pieces_of(file.offset, file.size)
                .all(|piece| have.has(piece))
        })
    }

    fn piece_at(&self, offset: u64) -> Option<Piece> {
        self.info.lengths.pieces_of(offset, 1).next()
    }

    /// Once: is there room for what is wanted and has none yet?
    fn find_room(&self) -> Result<(), StorageError> {
        let mut state = self.lock();
        if state.roomy {
            return Ok(());
        }
        let needed = self.needed(&state.wanted);
        let free = self
            .disk
            .free()
            .map_err(StorageError::io("read the free space of", &self.folder))?;
        let short = |short: Short| StorageError::Space {
            folder: self.folder.clone(),
            needed,
            free,
            promised: short.promised,
        };
        self.share.promise(needed, free).map_err(short)?;
        state.roomy = true;
        Ok(())
    }

    fn needed(&self, wanted: &[bool]) -> u64 {
        let files = self
            .info
            .files
            .iter()
            .zip(wanted)
            .enumerate()
            .filter(|(_, (file, wanted))| **wanted && !file.pad);
        files
            .map(|(index, (file, _))| file.size.saturating_sub(self.allocated(index)))
            .sum()
    }

    fn allocated(&self, index: usize) -> u64 {
        let open = self.disk.open(&self.names().path(index), Access::Read);
        open.and_then(|open| self.disk.stat(&open))
            .map_or(0, |stat| stat.allocated)
    }

    fn failed(
        &self,
        action: &'static str,
        index: usize,
    ) -> impl FnOnce(io::Error) -> StorageError + use<'_, D> {
        move |error| StorageError::io(action, self.path_of(index))(error)
    }

    /// FAT takes no file of 4 GiB or more.
    fn failed_to_extend(
        &self,
        index: usize,
        size: u64,
    ) -> impl FnOnce(io::Error) -> StorageError + use<'_, D> {
        move |error| match error.kind() {
            io::ErrorKind::FileTooLarge => StorageError::TooLarge {
                path: self.path_of(index),
                size,
            },
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

/// What is known of a file; `None`: it is not there, or is a pad.
fn find<D: Disk>(
    disk: &D,
    folder: &Path,
    names: &mut Names,
    index: usize,
) -> Result<Option<Stat>, StorageError> {
    let failed = |names: &Names| {
        StorageError::io(
            "read",
            folder.join(names.path(index).iter().collect::<PathBuf>()),
        )
    };
    names
        .find(disk, index)
        .map_err(|error| failed(names)(error))
}

const fn stamp_of(stat: &Stat) -> FileStamp {
    FileStamp {
        size: stat.size,
        modified: stat.modified,
    }
}

/// A length that was bounded by a piece already.
fn narrow(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
