//! Reading and writing open files, and noticing what something else did to them.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aqueduct_core::Rope;
use aqueduct_core::meta::{File, Span};
use aqueduct_core::types::{Bitfield, Piece};

use super::disk::Stat;
use super::guard::{Holder, InTheWay};
use super::watch::Facts;
use super::{Access, Disk, FileStamp, Storage, StorageError, names, narrow, stamp_of};

/// Slices in one `pwritev`: the smallest limit (`IOV_MAX`) of the systems we know.
const MAX_SLICES: usize = 1024;
/// Files that [`Storage::look_around`] looks at in one call.
const LOOKS: usize = 256;

impl<D: Disk> Storage<D> {
    /// Appends bytes `at .. at + length` of a file to `into`.
    pub(super) fn read_span(
        &self,
        index: usize,
        at: u64,
        length: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        let Some(file) = self.info.files.get(index) else {
            return Ok(());
        };
        let end = into.len().saturating_add(length);
        if file.pad {
            into.resize(end, 0);
            return Ok(());
        }
        let open = self.readable(index)?;
        let read = self
            .read_exact(&open, at, end, into)
            .map_err(self.failed("read", index));
        self.confirm(index, &open)?;
        read
    }

    fn read_exact(
        &self,
        open: &D::File,
        mut at: u64,
        end: usize,
        into: &mut Vec<u8>,
    ) -> io::Result<()> {
        while into.len() < end {
            let count = self.disk.read(open, into, end - into.len(), at)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            at += count as u64;
        }
        Ok(())
    }

    /// The file, open for reading at least.
    pub(super) fn readable(&self, index: usize) -> Result<Arc<D::File>, StorageError> {
        let open = self.handles.get(self.owner, index, Access::Read, || {
            let open = self.disk.open(&self.names().path(index), Access::Read)?;
            let _turn = self.watch.turn(index);
            self.compare(index, Some(&self.disk.stat(&open)?));
            Ok(open)
        });
        if matches!(&open, Err(error) if io::Error::kind(error) == io::ErrorKind::NotFound) {
            self.look_at(index)?;
        }
        open.map_err(self.failed("read", index))
    }

    /// After a file was read: is it what it was?
    fn confirm(&self, index: usize, open: &D::File) -> Result<(), StorageError> {
        let turn = self.watch.turn(index);
        let stat = self
            .disk
            .stat(open)
            .map_err(self.failed("read the size of", index))?;
        if self.watch.is_as_noted(index, &stat) {
            return Ok(());
        }
        drop(turn);
        // It may be that only this handle is of yesterday.
        self.handles.close(self.owner, index);
        self.look_at(index)?;
        Err(StorageError::Changed {
            path: self.path_of(index),
        })
    }

    pub(super) fn write_span(&self, open: &D::File, data: &Rope, span: &Span) -> io::Result<()> {
        let mut slices = slices_of(data, &span.range);
        let (mut rest, mut at) = (slices.as_mut_slice(), span.at);
        while !rest.is_empty() {
            let count = self
                .disk
                .write(open, rest.get(..MAX_SLICES).unwrap_or(rest), at)?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            IoSlice::advance_slices(&mut rest, count);
            at += count as u64;
        }
        Ok(())
    }

    /// The file, open for writing, of its full length, and known to be ours. The caller holds its
    /// turn.
    pub(super) fn writable(&self, index: usize, file: &File) -> Result<Arc<D::File>, StorageError> {
        if let Some(open) = self.handles.find(self.owner, index, Access::Write) {
            let stat = self
                .disk
                .stat(&open)
                .map_err(self.failed("read the size of", index))?;
            if self.watch.is_as_noted(index, &stat) {
                return Ok(open);
            }
            self.compare(index, self.stat_at(index)?.as_ref());
            self.handles.close(self.owner, index);
        }
        self.handles.get(self.owner, index, Access::Write, || {
            self.open_writable(index, file)
        })
    }

    fn open_writable(&self, index: usize, file: &File) -> Result<D::File, StorageError> {
        let open = self
            .open_by_name(index)
            .map_err(self.failed("open", index))?;
        let stat = self
            .disk
            .stat(&open)
            .map_err(self.failed("read the size of", index))?;
        // One that was not there and is empty was made by this call.
        if self.watch.facts(index).is_some() || stat.size > 0 {
            self.compare(index, Some(&stat));
        }
        self.admit(index, file, &open, &stat)?;
        let prepared = self.prepare(index, file, &open, &stat);
        self.note(index, &open);
        prepared.map(|()| open)
    }

    fn admit(
        &self,
        index: usize,
        file: &File,
        open: &D::File,
        stat: &Stat,
    ) -> Result<(), StorageError> {
        let has_data = stat.size > 0
            && self
                .disk
                .has_data(open)
                .map_err(self.failed("read", index))?;
        let found = InTheWay {
            index,
            file,
            stamp: stamp_of(stat),
            has_data,
        };
        let admitted = self.lock().guard.admit(&self.info, found);
        admitted.map_err(|holder| StorageError::InTheWay {
            path: self.path_of(index),
            holder: match holder {
                Holder::Torrent(info_hash) => Some(info_hash),
                Holder::Unknown => None,
            },
        })
    }

    fn prepare(
        &self,
        index: usize,
        file: &File,
        open: &D::File,
        stat: &Stat,
    ) -> Result<(), StorageError> {
        if stat.size != file.size {
            self.disk
                .set_len(open, file.size)
                .map_err(self.failed_to_extend(index, file.size))?;
        }
        let modified = self
            .kept_time(index)
            .map_or_else(|| self.new_time(open), Ok)
            .map_err(self.failed("read the time of", index))?;
        let mut state = self.lock();
        state.scattered |= stat.device != self.device;
        let is_first = state.opened.insert(index);
        if let Some(stamp) = state.stamps.get_mut(index) {
            // A time kept from an earlier opening stays: what came between was written here.
            *stamp = FileStamp {
                size: file.size,
                modified: if is_first { modified } else { stamp.modified },
            };
        }
        // One that was there at an earlier opening has its name already; one that was deleted
        // meanwhile is new, and short.
        if is_first || stat.size != file.size {
            state.unnamed.insert(index);
        }
        Ok(())
    }

    /// The time that a file keeps while it is written; `None`: it is opened for the first time, and
    /// no record knows it.
    fn kept_time(&self, index: usize) -> Option<u64> {
        let state = self.lock();
        let is_kept = state.opened.contains(&index) || state.known.contains(&index);
        state
            .stamps
            .get(index)
            .filter(|stamp| is_kept && stamp.modified != 0)
            .map(|stamp| stamp.modified)
    }

    /// Gives a file the time of this moment, and says what the file system made of it. Where that
    /// is refused (the file is somebody else's) it keeps the one it has.
    fn new_time(&self, open: &D::File) -> io::Result<u64> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        if let Err(error) = self
            .disk
            .set_modified(open, u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
        {
            tracing::debug!(%error, "could not set a file's time");
        }
        Ok(self.disk.stat(open)?.modified)
    }

    /// Notes a write, finished or not, and gives the file back the time that the resume record
    /// knows. Where that is refused (the file is somebody else's) the next start checks the file
    /// again.
    pub(super) fn written(&self, index: usize, open: &D::File) {
        let modified = {
            let mut state = self.lock();
            state.unsynced.insert(index);
            state.stamps.get(index).map_or(0, |stamp| stamp.modified)
        };
        if let Err(error) = self.disk.set_modified(open, modified) {
            tracing::debug!(%error, "could not set a file's time");
        }
        self.note(index, open);
    }

    /// What a file is like after it was acted on here. One whose length is another already was cut
    /// by something else meanwhile.
    fn note(&self, index: usize, open: &D::File) {
        let Ok(stat) = self.disk.stat(open) else {
            return;
        };
        if self
            .info
            .files
            .get(index)
            .is_some_and(|file| file.size == stat.size)
        {
            self.watch.note(index, Facts::of(&stat));
        }
    }

    /// Cuts a file that is too long.
    pub(super) fn cut(&self, index: usize, file: &File) -> Result<(), StorageError> {
        let _turn = self.watch.turn(index);
        let open = self.writable(index, file)?;
        self.disk
            .set_len(&open, file.size)
            .map_err(self.failed("cut", index))?;
        if let Some(stamp) = self.lock().stamps.get_mut(index) {
            stamp.size = file.size;
        }
        self.written(index, &open);
        Ok(())
    }

    /// Looks at a file by its path. The turn must be free.
    pub(super) fn look_at(&self, index: usize) -> Result<(), StorageError> {
        if self.info.files.get(index).is_none_or(|file| file.pad) {
            return Ok(());
        }
        let _turn = self.watch.turn(index);
        self.compare(index, self.stat_at(index)?.as_ref());
        Ok(())
    }

    /// Looks at all wanted files.
    ///
    /// # Errors
    /// A file or folder cannot be looked at. One that is missing is no error but a change.
    pub fn look_at_all(&self) -> Result<(), StorageError> {
        let wanted = self.lock().wanted.clone();
        (0..self.info.files.len())
            .filter(|index| wanted.get(*index) == Some(&true))
            .try_for_each(|index| self.look_at(index))
    }

    /// Whether all files are as they were when the storage was opened.
    ///
    /// # Errors
    /// One is not, or cannot be looked at.
    pub fn confirm_all(&self) -> Result<(), StorageError> {
        self.look_at_all()?;
        let changed = self.take_changes().into_iter().next();
        changed.map_or(Ok(()), |(index, _)| {
            Err(StorageError::Changed {
                path: self.path_of(index as usize),
            })
        })
    }

    /// Looks at the next few files, in turn.
    ///
    /// # Errors
    /// A file or folder cannot be looked at.
    pub fn look_around(&self) -> Result<(), StorageError> {
        let files = self.info.files.len();
        let from = {
            let mut state = self.lock();
            let next = (state.next_look + LOOKS) % files.max(1);
            std::mem::replace(&mut state.next_look, next)
        };
        (from..from + LOOKS.min(files)).try_for_each(|index| self.look_at(index % files))
    }

    fn stat_at(&self, index: usize) -> Result<Option<Stat>, StorageError> {
        let path = self.names().path(index);
        match self.disk.stat_at(&path) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.kind() == io::ErrorKind::NotFound || names::is_refusal(&error) => {
                Ok(None)
            }
            Err(error) => Err(self.failed("look at", index)(error)),
        }
    }

    /// Takes a file for what it is now. The caller holds its turn.
    fn compare(&self, index: usize, now: Option<&Stat>) {
        // A file that is moved away while it is looked at seems to have been written to, as its
        // time of change moves. Its path tells.
        let again = now
            .filter(|now| !self.watch.is_as_noted(index, now))
            .and_then(|_| self.stat_at(index).ok());
        let now = again.as_ref().map_or(now, Option::as_ref);
        let now_facts = now.and_then(Facts::of);
        if !self.names().is_plain(index) {
            // What is under its name may be another file of the torrent.
            return self.watch.note(index, now_facts);
        }
        let Some(noticed) = self.watch.compare(index, now_facts) else {
            return;
        };
        self.handles.close(self.owner, index);
        let mut state = self.lock();
        if let Some(stamp) = state.stamps.get_mut(index) {
            *stamp = now.map(stamp_of).unwrap_or_default();
        }
        // No record knows it as it is now, so it gets a new time when it is next written.
        state.known.remove(&index);
        state.opened.remove(&index);
        if noticed.is_other {
            state.guard.replaced(index);
        }
    }

    /// Changes noticed so far.
    pub(super) fn noticed(&self) -> u64 {
        self.watch.noticed()
    }

    /// A piece was read and is right, and `noticed` was true before.
    pub(super) fn verified(&self, piece: Piece, noticed: u64) {
        self.lock().guard.found(&self.info, piece);
        self.watch.trust(piece, noticed);
    }

    /// Whether the files that a download of what is wanted beside `have` will write to may be
    /// written to.
    ///
    /// # Errors
    /// One is somebody else's.
    pub fn admit_missing(&self, have: &Bitfield) -> Result<(), StorageError> {
        let wanted = self.lock().wanted.clone();
        for (file, _) in self
            .info
            .files
            .iter()
            .zip(wanted)
            .filter(|(_, wanted)| *wanted)
        {
            for piece in self
                .info
                .lengths
                .pieces_of(file.offset, file.size)
                .filter(|piece| !have.has(*piece))
            {
                let (offset, length) = (
                    self.info.lengths.offset(piece),
                    self.info.lengths.size(piece),
                );
                self.info
                    .layout(offset, length.into())
                    .try_for_each(|span| self.admit_present(span.file))?;
            }
        }
        Ok(())
    }

    fn admit_present(&self, index: usize) -> Result<(), StorageError> {
        let Some(file) = self
            .info
            .files
            .get(index)
            .filter(|file| !file.pad && self.watch.facts(index).is_some())
        else {
            return Ok(());
        };
        let _turn = self.watch.turn(index);
        let path = self.names().path(index);
        let open = self
            .disk
            .open(&path, Access::Read)
            .map_err(self.failed("read", index))?;
        let stat = self.disk.stat(&open).map_err(self.failed("read", index))?;
        self.admit(index, file, &open, &stat)
    }
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
