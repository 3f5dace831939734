//! A torrent's bytes, laid out over its files.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aqueduct_core::meta::{File, Info};
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::types::{Bitfield, Piece, Sha1Digest};
use aqueduct_core::{FileChange, Rope};
use bytes::Bytes;

use super::demand::Demand;
use super::disk::{Disk, FolderDisk};
use super::error::StorageError;
use super::files::narrow;
use super::handles::Handles;
use super::names::Renamed;
use super::piece_reader::PieceReader;
use super::records::OtherRecords;
use super::space::{DiskSpace, NoSpace};
use super::watched::WatchedFiles;
use crate::hash::{self, Buffers};

/// Files that [`Storage::look_around`] looks at in one call.
const LOOKS: usize = 256;

/// The files of one torrent beneath one folder.
#[derive(Debug)]
pub struct Storage<D: Disk = FolderDisk> {
    watched: WatchedFiles<D>,
    demand: Demand,
    /// The file that the next [`Storage::look_around`] begins with.
    next_look: AtomicUsize,
}

impl Storage<FolderDisk> {
    /// The torrent's files beneath `folder`, which is made if it is missing.
    ///
    /// # Errors
    /// The folder can be neither opened nor made, or a file's size cannot be read.
    pub fn open(
        folder: &Path,
        info: Arc<Info>,
        handles: Arc<Handles<fs::File>>,
    ) -> Result<Self, StorageError> {
        fs::create_dir_all(folder).map_err(StorageError::io("make the folder", folder))?;
        Self::existing(folder, None, info, handles)
    }

    /// Like [`Storage::open`], but the folder must exist. `top`: the name of the first component of
    /// all paths on disk, if that is not in UTF-8.
    ///
    /// # Errors
    /// The folder cannot be opened, or a file's size cannot be read.
    pub fn existing(
        folder: &Path,
        top: Option<OsString>,
        info: Arc<Info>,
        handles: Arc<Handles<fs::File>>,
    ) -> Result<Self, StorageError> {
        Self::new(folder, open_disk(folder, top)?, info, handles)
    }

    /// Like [`Storage::existing`], to look at the data alone: files that exist but cannot be opened
    /// are returned as errors and are not wanted.
    ///
    /// # Errors
    /// The folder cannot be opened.
    pub fn survey(
        folder: &Path,
        top: Option<OsString>,
        info: Arc<Info>,
        handles: Arc<Handles<fs::File>>,
    ) -> Result<(Self, Vec<StorageError>), StorageError> {
        let (disk, mut wanted) = (open_disk(folder, top)?, vec![true; info.files.len()]);
        let (watched, unopened) = WatchedFiles::new(folder, disk, info, handles)?;
        for (index, _) in &unopened {
            if let Some(wanted) = wanted.get_mut(*index) {
                *wanted = false;
            }
        }
        let storage = Self::of(watched);
        storage.want(wanted);
        let errors = unopened.into_iter().map(|(_, error)| error);
        Ok((storage, errors.collect()))
    }
}

impl<D: Disk> Storage<D> {
    /// The torrent's files on `disk`, which is the folder `folder` (for messages). Looks at every
    /// file's size and time.
    ///
    /// # Errors
    /// A file exists but cannot be opened.
    pub fn new(
        folder: &Path,
        disk: D,
        info: Arc<Info>,
        handles: Arc<Handles<D::File>>,
    ) -> Result<Self, StorageError> {
        let (watched, unopened) = WatchedFiles::new(folder, disk, info, handles)?;
        unopened
            .into_iter()
            .next()
            .map_or_else(|| Ok(Self::of(watched)), |(_, error)| Err(error))
    }

    fn of(watched: WatchedFiles<D>) -> Self {
        Self {
            demand: Demand::all(watched.files.info.files.len()),
            watched,
            next_look: AtomicUsize::new(0),
        }
    }

    /// Shares the room of the disk with other torrents.
    #[must_use]
    pub fn sharing(mut self, space: Arc<DiskSpace>) -> Self {
        self.demand.share(space);
        self
    }

    /// Sets which existing files may be written to: with `overwrite` all, otherwise those of this
    /// torrent that no other torrent's record in `others` states.
    #[must_use]
    pub fn protecting(self, overwrite: bool, others: Option<OtherRecords>) -> Self {
        self.watched.protect(overwrite, others);
        self
    }

    /// What the torrent says of itself.
    #[must_use]
    pub const fn info(&self) -> &Arc<Info> {
        &self.watched.files.info
    }

    /// The folder that all files are beneath.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.watched.files.folder
    }

    /// Where a file lies.
    #[must_use]
    pub fn path_of(&self, index: usize) -> PathBuf {
        self.watched.files.path_of(index)
    }

    /// The file or folder that holds everything.
    #[must_use]
    pub fn top(&self) -> PathBuf {
        self.watched.files.top()
    }

    /// Sets which files must find room, one flag per file. All, until it is called.
    pub fn want(&self, wanted: Vec<bool>) {
        self.demand.want(wanted);
    }

    /// Whether there was room for everything wanted when the first byte was written.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.demand.is_met()
    }

    /// Size and time of every file; all zero for one that is missing.
    #[must_use]
    pub fn stamps(&self) -> Vec<FileStamp> {
        self.watched.stamps()
    }

    /// The stamps as a record that states `have` may state them: not of files that changed and were
    /// not checked again, or that were made and hold no piece in `have`.
    pub(super) fn verified_stamps(&self, have: &Bitfield) -> Vec<FileStamp> {
        self.watched.verified_stamps(have)
    }

    /// Learns what the resume record states of the files.
    pub fn apply_record(&self, record: &Record) {
        self.watched.apply_record(record);
    }

    /// Learns under which names the resume record states that files lie, as
    /// [`Storage::renamed_files`] returns them.
    ///
    /// # Errors
    /// One of them exists but cannot be opened.
    pub fn apply_names(&self, renamed: &[(u32, Vec<String>)]) -> Result<(), StorageError> {
        self.watched.apply_names(renamed)
    }

    /// Files under another name than the torrent's: their place in the torrent, and the components
    /// of their path.
    #[must_use]
    pub fn renamed_files(&self) -> Vec<(u32, Vec<String>)> {
        self.watched.files.renamed()
    }

    /// Files that were found or written under another name than the torrent's since the last call.
    #[must_use]
    pub fn take_renamed(&self) -> Vec<Renamed> {
        self.watched.files.take_renamed()
    }

    /// Makes the wanted files that have no bytes and are missing: no piece ever makes them.
    ///
    /// # Errors
    /// One cannot be made.
    pub fn make_empty_files(&self) -> Result<(), StorageError> {
        let files = self.wanted_files().into_iter();
        files
            .filter(|(_, file)| file.size == 0)
            .try_for_each(|(index, file)| self.watched.make_empty(index, file))
    }

    /// Cuts the files that are too long and of which every piece is in `have`: they are this
    /// torrent's, and so is their length.
    ///
    /// # Errors
    /// One cannot be cut.
    pub fn trim(&self, have: &Bitfield) -> Result<(), StorageError> {
        for (index, (file, stamp)) in self.info().files.iter().zip(self.stamps()).enumerate() {
            if stamp.size > file.size
                && !self.watched.watch.is_file_doubted(index)
                && self.has_all_of(file, have)
            {
                self.watched.cut(index, file)?;
            }
        }
        Ok(())
    }

    /// Writes the verified piece at byte `offset` of the torrent: one call per file, or one for
    /// every 1,024 slices.
    ///
    /// # Errors
    /// The room is too small for the wanted files (before the first byte), a file is not this
    /// torrent's, or it cannot be opened or written. Nothing is durable before [`Storage::flush`].
    pub fn write(&self, offset: u64, data: &Rope) -> Result<(), StorageError> {
        self.find_room()?;
        let mut noticed = None;
        for span in self.info().layout(offset, data.len() as u64) {
            if let Some(file) = self.watched.files.file(span.file) {
                let before = self.watched.write(file, data, &span)?;
                noticed.get_or_insert(before);
                self.demand.spend(span.range.end - span.range.start);
            }
        }
        if let (Some(noticed), Some(piece)) = (noticed, piece_at(self.info(), offset)) {
            self.watched.watch.trust(piece, noticed);
        }
        Ok(())
    }

    /// Reads exactly `length` bytes from byte `offset` of the torrent on, within one piece that was
    /// verified since its files last changed.
    ///
    /// # Errors
    /// A file is missing or too short, cannot be read, or another program changed it.
    pub fn read(&self, offset: u64, length: u32) -> Result<Bytes, StorageError> {
        let watch = &self.watched.watch;
        let noticed = watch.noticed();
        let mut bytes = Vec::with_capacity(length as usize);
        for span in self.info().layout(offset, u64::from(length)) {
            let length = narrow(span.range.end - span.range.start);
            self.watched.read(span.file, span.at, length, &mut bytes)?;
        }
        let piece = piece_at(self.info(), offset);
        let doubted = piece.is_some_and(|piece| watch.is_doubted(piece));
        if doubted || watch.noticed() != noticed {
            Err(StorageError::Changed {
                path: self.folder().to_owned(),
            })
        } else {
            Ok(bytes.into())
        }
    }

    /// SHA-1 of bytes `offset .. offset + length` of the torrent; `None` if a file is missing or
    /// too short. `buffer` is used to read.
    ///
    /// # Errors
    /// A file cannot be read, or another program changed it.
    pub fn digest(
        &self,
        offset: u64,
        length: u32,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Sha1Digest>, StorageError> {
        PieceReader::new(&self.watched, offset, length).digest(buffer)
    }

    /// Like [`Storage::digest`], of ranges of two torrents or of one, read and digested together.
    /// A range is an offset and a length.
    pub fn digest_pair(
        [a, b]: [&Self; 2],
        [(a_offset, a_length), (b_offset, b_length)]: [(u64, u32); 2],
        buffers: &mut Buffers,
    ) -> [Result<Option<Sha1Digest>, StorageError>; 2] {
        let a = PieceReader::new(&a.watched, a_offset, a_length);
        let b = PieceReader::new(&b.watched, b_offset, b_length);
        PieceReader::digest_pair([a, b], buffers)
    }

    /// Passes the digest of every piece (`None`: missing), or why it cannot be read, to `each`, in no
    /// order, from several threads at a time. Ends early when `each` returns `false`.
    ///
    /// # Errors
    /// The first that `each` returns.
    pub fn digest_all(
        &self,
        each: &(
             impl Fn(Piece, Result<Option<Sha1Digest>, StorageError>) -> Result<bool, StorageError>
             + Sync
         ),
    ) -> Result<(), StorageError> {
        let lengths = &self.info().lengths;
        let range = |piece| (lengths.offset(piece), lengths.size(piece));
        hash::every_piece(lengths, &|(first, second), buffers| {
            let Some(second) = second else {
                let ((offset, length), [buffer, _]) = (range(first), buffers);
                return each(first, self.digest(offset, length, buffer));
            };
            let ranges = [range(first), range(second)];
            let [a, b] = Self::digest_pair([self, self], ranges, buffers);
            Ok(each(first, a)? && each(second, b)?)
        })
    }

    /// Makes everything that was written before this call durable, and looks whether it still
    /// exists.
    ///
    /// # Errors
    /// A file or folder cannot be flushed; the next call tries all of them again.
    pub fn flush(&self) -> Result<(), StorageError> {
        self.watched.flush()
    }

    /// A piece was read and matches, and `noticed` was [`Storage::noticed`] before.
    pub(super) fn verified(&self, piece: Piece, noticed: u64) {
        self.watched.verified(piece, noticed);
    }

    /// Changes by other programs that were noticed so far.
    pub(super) fn noticed(&self) -> u64 {
        self.watched.watch.noticed()
    }

    /// What other programs did to files and is to be reported now: files by their place in the
    /// torrent. A file that changes again and again is reported at growing intervals.
    pub fn take_changes(&self) -> Vec<(u32, FileChange)> {
        self.watched.watch.take_changes()
    }

    /// Has the next [`Storage::take_changes`] report everything that was noticed.
    pub(super) fn report_all_changes(&self) {
        self.watched.watch.report_all();
    }

    /// Looks at all wanted files.
    ///
    /// # Errors
    /// A file or folder cannot be looked at. One that is missing is no error but a change.
    pub fn look_at_all(&self) -> Result<(), StorageError> {
        let files = self.wanted_files().into_iter();
        files
            .map(|(index, _)| index)
            .try_for_each(|index| self.watched.look_at(index))
    }

    /// Looks at the next 256 files, in turn.
    ///
    /// # Errors
    /// A file or folder cannot be looked at.
    pub fn look_around(&self) -> Result<(), StorageError> {
        let files = self.info().files.len();
        let from = self.next_look.fetch_add(LOOKS, Ordering::Relaxed);
        (0..LOOKS.min(files)).try_for_each(|n| self.watched.look_at(from.wrapping_add(n) % files))
    }

    /// Whether all files are as they were when the storage was opened.
    ///
    /// # Errors
    /// One is not, or cannot be looked at.
    pub fn confirm_all(&self) -> Result<(), StorageError> {
        self.look_at_all()?;
        self.report_all_changes();
        let changed = self.take_changes().into_iter().next();
        changed.map_or(Ok(()), |(index, _)| {
            Err(StorageError::Changed {
                path: self.path_of(index as usize),
            })
        })
    }

    /// Whether the files that a download of what is wanted and not in `have` will write to may be
    /// written to.
    ///
    /// # Errors
    /// One is not this torrent's.
    pub fn admit_missing(&self, have: &Bitfield) -> Result<(), StorageError> {
        let (info, lengths) = (self.info(), &self.info().lengths);
        // Each piece once, however many files it holds.
        let missing: BTreeSet<Piece> = self
            .wanted_files()
            .into_iter()
            .flat_map(|(_, file)| lengths.pieces_of(file.offset, file.size))
            .filter(|piece| !have.has(*piece))
            .collect();
        let files: BTreeSet<usize> = missing
            .into_iter()
            .flat_map(|piece| info.layout(lengths.offset(piece), lengths.size(piece).into()))
            .map(|span| span.file)
            .collect();
        files
            .into_iter()
            .try_for_each(|index| self.watched.admit_existing(index))
    }

    /// Whether every piece of every wanted file is in `have`.
    pub(super) fn is_complete(&self, have: &Bitfield) -> bool {
        let files = self.wanted_files();
        files.iter().all(|(_, file)| self.has_all_of(file, have))
    }

    fn has_all_of(&self, file: &File, have: &Bitfield) -> bool {
        let mut pieces = self.info().lengths.pieces_of(file.offset, file.size);
        pieces.all(|piece| have.has(piece))
    }

    /// Those that are no padding, with their place in the torrent.
    fn wanted_files(&self) -> Vec<(usize, &File)> {
        let wanted = self.demand.wanted();
        let files = self.info().files.iter().enumerate().zip(wanted);
        files
            .filter(|((_, file), wanted)| *wanted && !file.pad)
            .map(|(file, _)| file)
            .collect()
    }

    /// Reserves room for what is wanted and has none yet, once.
    fn find_room(&self) -> Result<(), StorageError> {
        let files = &self.watched.files;
        let measure = |wanted: &[bool]| {
            let free = files.disk.free();
            let free = free.map_err(StorageError::io("read the free space of", &files.folder))?;
            Ok((self.needed(wanted), free))
        };
        let refuse = |needed, free, short: NoSpace| StorageError::Space {
            folder: files.folder.clone(),
            needed,
            free,
            reserved: short.reserved,
        };
        self.demand.reserve_once(measure, refuse)
    }

    fn needed(&self, wanted: &[bool]) -> u64 {
        let files = self.info().files.iter().zip(wanted).enumerate();
        files
            .filter(|(_, (file, wanted))| **wanted && !file.pad)
            .map(|(index, (file, _))| {
                let allocated = self.watched.files.allocated(index);
                file.size.saturating_sub(allocated)
            })
            .sum()
    }
}

fn open_disk(folder: &Path, top: Option<OsString>) -> Result<FolderDisk, StorageError> {
    let disk = FolderDisk::open(folder).map_err(StorageError::io("open the folder", folder))?;
    Ok(disk.with_top(top))
}

fn piece_at(info: &Info, offset: u64) -> Option<Piece> {
    info.lengths.pieces_of(offset, 1).next()
}

/// Where a file of the torrent lies beneath `folder`, under its own name.
#[must_use]
pub fn path_of(folder: &Path, file: &File) -> PathBuf {
    folder.join(file.path.iter().collect::<PathBuf>())
}
