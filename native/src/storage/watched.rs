//! One torrent's files, which other programs may change at any time: each action on a file compares
//! it with how this program left it before, and notes how it leaves it.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use aqueduct_core::Rope;
use aqueduct_core::meta::{File, Info, Span};
use aqueduct_core::resume::{FileStamp, Record};
use aqueduct_core::types::{Bitfield, Piece};

use super::disk::{Disk, Stat};
use super::error::StorageError;
use super::files::{Found, TorrentFiles};
use super::handles::Handles;
use super::ownership::{Existing, Holder, MADE, Ownership};
use super::records::OtherRecords;
use super::stamps::Stamps;
use super::unflushed::{Batch, Unflushed};
use super::watch::{Fingerprint, Watch};

/// What a record states of a file that may have changed since it was checked: no file is like this.
const UNVERIFIED: FileStamp = FileStamp {
    size: u64::MAX,
    modified: u64::MAX,
};

/// A file that exists but cannot be opened: its place in the torrent, and why.
pub(super) type Unopened = (usize, StorageError);

/// The files, and what is known of each.
#[derive(Debug)]
pub(super) struct WatchedFiles<D: Disk> {
    pub(super) files: TorrentFiles<D>,
    pub(super) watch: Watch,
    stamps: Mutex<Stamps>,
    ownership: Mutex<Ownership>,
    unflushed: Mutex<Unflushed>,
}

impl<D: Disk> WatchedFiles<D> {
    /// The files on `disk`, which is the folder `folder` (for messages). Looks at each file's size
    /// and time. Also returns those that exist but cannot be opened, which count as missing.
    ///
    /// # Errors
    /// The folder cannot be looked at.
    pub(super) fn new(
        folder: &Path,
        disk: D,
        info: Arc<Info>,
        handles: Arc<Handles<D::File>>,
    ) -> Result<(Self, Vec<Unopened>), StorageError> {
        let (files, found) = TorrentFiles::new(folder, disk, Arc::clone(&info), handles)?;
        let mut unopened = Vec::new();
        let mut is_open = |(index, found): (usize, Found)| {
            found.unwrap_or_else(|error| {
                unopened.push((index, error));
                None
            })
        };
        let found: Vec<_> = found.into_iter().enumerate().map(&mut is_open).collect();
        let stamps = found.iter().map(|stat| stat.as_ref().map(Stat::stamp));
        let stamps = Stamps::new(stamps.map(Option::unwrap_or_default).collect());
        let fingerprint = |stat: &Option<Stat>| stat.as_ref().and_then(Fingerprint::of);
        let watched = Self {
            files,
            watch: Watch::new(info, found.iter().map(fingerprint).collect()),
            stamps: Mutex::new(stamps),
            ownership: Mutex::new(Ownership::new(false, None)),
            unflushed: Mutex::default(),
        };
        Ok((watched, unopened))
    }

    /// Sets which existing files may be written to.
    pub(super) fn protect(&self, overwrite: bool, others: Option<OtherRecords>) {
        *lock(&self.ownership) = Ownership::new(overwrite, others);
    }

    /// Size and time of every file; all zero for one that is missing.
    pub(super) fn stamps(&self) -> Vec<FileStamp> {
        lock(&self.stamps).all().to_vec()
    }

    /// The stamps as a record that states `have` may state them: not of files that changed and were
    /// not checked again, or that were made and hold no piece in `have`.
    pub(super) fn verified_stamps(&self, have: &Bitfield) -> Vec<FileStamp> {
        let stamps = self.stamps();
        let ownership = lock(&self.ownership);
        let verified = |(index, stamp)| {
            if self.watch.is_file_doubted(index) {
                UNVERIFIED
            } else if ownership.is_made(&self.files.info, index, have) {
                MADE
            } else {
                stamp
            }
        };
        stamps.into_iter().enumerate().map(verified).collect()
    }

    /// Learns what the resume record states of the files.
    pub(super) fn apply_record(&self, record: &Record) {
        let mut stamps = lock(&self.stamps);
        stamps.apply_record(&record.stamps);
        lock(&self.ownership).apply_record(&self.files.info, record, stamps.all());
    }

    /// Learns under which names the resume record states that files lie.
    ///
    /// # Errors
    /// One of them exists but cannot be opened.
    pub(super) fn apply_names(&self, renamed: &[(u32, Vec<String>)]) -> Result<(), StorageError> {
        for (index, found) in self.files.apply_names(renamed)? {
            let found = found.as_ref();
            self.watch.note(index, found.and_then(Fingerprint::of));
            lock(&self.stamps).found(index, found.map(Stat::stamp));
        }
        Ok(())
    }

    /// A piece was read and matches, and `noticed` was [`Watch::noticed`] before.
    pub(super) fn verified(&self, piece: Piece, noticed: u64) {
        lock(&self.ownership).matched(&self.files.info, piece);
        self.watch.trust(piece, noticed);
    }

    /// Appends bytes `at .. at + length` of a file to `into`.
    ///
    /// # Errors
    /// The file is missing or too short, cannot be read, or another program changed it.
    pub(super) fn read(
        &self,
        index: usize,
        at: u64,
        length: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        let end = into.len().saturating_add(length);
        if self.files.file(index).is_none() {
            into.resize(end, 0);
            return Ok(());
        }
        let open = self.readable(index)?;
        let read = self.files.read_exact(index, &open, at, end, into);
        self.confirm(index, &open)?;
        read
    }

    fn readable(&self, index: usize) -> Result<Arc<D::File>, StorageError> {
        let open = self.files.readable(index, |stat| {
            let _locked = self.watch.lock_file(index);
            self.compare(index, Some(stat));
        });
        if matches!(&open, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            self.look_at(index)?;
        }
        open.map_err(self.files.failed("read", index))
    }

    /// After a file was read: is it still as it was left?
    fn confirm(&self, index: usize, open: &D::File) -> Result<(), StorageError> {
        let locked = self.watch.lock_file(index);
        let stat = self.files.stat(index, open)?;
        if self.watch.is_as_noted(index, &stat) {
            return Ok(());
        }
        drop(locked);
        // Perhaps the handle alone is outdated.
        self.files.close(index);
        self.look_at(index)?;
        Err(StorageError::Changed {
            path: self.files.path_of(index),
        })
    }

    /// Writes a span's part of `data`. Returns [`Watch::noticed`] of the time before the write.
    ///
    /// # Errors
    /// The file is not this torrent's, or it cannot be opened or written.
    pub(super) fn write(&self, file: &File, data: &Rope, span: &Span) -> Result<u64, StorageError> {
        let _locked = self.watch.lock_file(span.file);
        let open = self.writable(span.file, file)?;
        let noticed = self.watch.noticed();
        let written = self.files.write_span(&open, data, span);
        self.written(span.file, &open);
        written.map(|()| noticed)
    }

    /// Makes a file that has no bytes, unless it exists.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn make_empty(&self, index: usize, file: &File) -> Result<(), StorageError> {
        let noted = self.watch.fingerprint(index);
        if noted.is_none_or(|noted| !noted.is_empty()) {
            let _locked = self.watch.lock_file(index);
            self.writable(index, file)?;
        }
        Ok(())
    }

    /// Cuts a file that is too long.
    ///
    /// # Errors
    /// It is not this torrent's, or cannot be cut.
    pub(super) fn cut(&self, index: usize, file: &File) -> Result<(), StorageError> {
        let _locked = self.watch.lock_file(index);
        let open = self.writable(index, file)?;
        let cut = self.files.disk.set_len(&open, file.size);
        cut.map_err(self.files.failed("cut", index))?;
        lock(&self.stamps).cut(index, file.size);
        self.written(index, &open);
        Ok(())
    }

    /// The file, open for writing, of its full length, and known to be this torrent's. The caller
    /// has locked it.
    fn writable(&self, index: usize, file: &File) -> Result<Arc<D::File>, StorageError> {
        if let Some(open) = self.files.find_writable(index) {
            let stat = self.files.stat(index, &open)?;
            if self.watch.is_as_noted(index, &stat) {
                return Ok(open);
            }
            self.compare(index, self.files.stat_by_name(index)?.as_ref());
            self.files.close(index);
        }
        let open = self
            .files
            .writable(index, |open| self.opened(index, file, open));
        match open {
            // Nothing can be made in a folder that was removed.
            Err(error) if error.is_missing() => Err(self.confirm_place().err().unwrap_or(error)),
            open => open,
        }
    }

    /// A file was opened for writing, and perhaps made.
    fn opened(&self, index: usize, file: &File, open: &D::File) -> Result<(), StorageError> {
        let stat = self.files.stat(index, open)?;
        // One that was missing and is empty was made by opening it.
        if self.watch.fingerprint(index).is_some() || stat.size > 0 {
            self.compare(index, Some(&stat));
        }
        self.admit(index, file, open, &stat)?;
        let prepared = self.prepare(index, file, open, &stat);
        self.note(index, open);
        prepared
    }

    /// Whether a file may be written to.
    fn admit(
        &self,
        index: usize,
        file: &File,
        open: &D::File,
        stat: &Stat,
    ) -> Result<(), StorageError> {
        let has_data = || self.files.disk.has_data(open);
        let has_data = stat.size > 0 && has_data().map_err(self.files.failed("read", index))?;
        let existing = Existing {
            index,
            file,
            stamp: stat.stamp(),
            has_data,
        };
        let admitted = lock(&self.ownership).admit(&self.files.info, existing);
        admitted.map_err(|holder| StorageError::InTheWay {
            path: self.files.path_of(index),
            holder: match holder {
                Holder::Torrent(info_hash) => Some(info_hash),
                Holder::Unknown => None,
            },
        })
    }

    /// Gives a file that was opened for writing its length and the time that it keeps.
    fn prepare(
        &self,
        index: usize,
        file: &File,
        open: &D::File,
        stat: &Stat,
    ) -> Result<(), StorageError> {
        if stat.size != file.size {
            self.files.extend(index, open, file.size)?;
        }
        let kept = lock(&self.stamps).kept_time(index);
        let modified = kept.map_or_else(|| self.new_time(index, open), Ok)?;
        let is_first = lock(&self.stamps).opened(index, file.size, modified);
        let mut unflushed = lock(&self.unflushed);
        if self.files.is_elsewhere(stat) {
            unflushed.set_scattered();
        }
        // A file that existed at an earlier opening has its name already; one that was deleted
        // meanwhile is new, and short.
        if is_first || stat.size != file.size {
            unflushed.named(index);
        }
        Ok(())
    }

    /// Gives a file the time of this moment, and returns what the file system made of it.
    fn new_time(&self, index: usize, open: &D::File) -> Result<u64, StorageError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_nanos();
        self.files
            .set_modified(open, u64::try_from(now).unwrap_or(u64::MAX));
        let stat = self.files.disk.stat(open);
        let stat = stat.map_err(self.files.failed("read the time of", index))?;
        Ok(stat.modified)
    }

    /// After a write, completed or not: gives the file back the time that the resume record states.
    /// Where that is refused the next start checks the file again.
    fn written(&self, index: usize, open: &D::File) {
        lock(&self.unflushed).written(index);
        let modified = lock(&self.stamps).modified(index);
        self.files.set_modified(open, modified);
        self.note(index, open);
    }

    /// Notes how this program left a file. One of another length already was cut meanwhile by
    /// another program.
    fn note(&self, index: usize, open: &D::File) {
        let Ok(stat) = self.files.disk.stat(open) else {
            return;
        };
        let file = self.files.info.files.get(index);
        if file.is_some_and(|file| file.size == stat.size) {
            self.watch.note(index, Fingerprint::of(&stat));
        }
    }

    /// Looks at what lies under a file's name. The file must not be locked.
    ///
    /// # Errors
    /// A folder or file cannot be looked at. One that is missing is no error but a change.
    pub(super) fn look_at(&self, index: usize) -> Result<(), StorageError> {
        if self.files.file(index).is_some() {
            let _locked = self.watch.lock_file(index);
            self.compare(index, self.files.stat_by_name(index)?.as_ref());
        }
        Ok(())
    }

    /// Compares a file with how it was left. The caller has locked it.
    fn compare(&self, index: usize, now: Option<&Stat>) {
        // A file that is moved away while it is looked at seems to have been written to, as its
        // time of change moves. What lies under its name decides.
        let again = now
            .filter(|now| !self.watch.is_as_noted(index, now))
            .and_then(|_| self.files.stat_by_name(index).ok());
        let now = again.as_ref().map_or(now, Option::as_ref);
        let fingerprint = now.and_then(Fingerprint::of);
        if !self.files.is_unambiguous(index) {
            // Under its name may lie another file of the torrent.
            return self.watch.note(index, fingerprint);
        }
        let Some(noticed) = self.watch.compare(index, fingerprint) else {
            return;
        };
        self.files.close(index);
        lock(&self.stamps).changed(index, now.map(Stat::stamp));
        if noticed.is_other {
            lock(&self.ownership).replaced(index);
        }
    }

    /// Whether a file, if it exists, may be written to.
    ///
    /// # Errors
    /// It is not this torrent's, or cannot be read.
    pub(super) fn admit_existing(&self, index: usize) -> Result<(), StorageError> {
        let file = self.files.file(index);
        let Some(file) = file.filter(|_| self.watch.fingerprint(index).is_some()) else {
            return Ok(());
        };
        let _locked = self.watch.lock_file(index);
        let open = self.files.open_to_read(index)?;
        let stat = self.files.stat(index, &open)?;
        self.admit(index, file, &open, &stat)
    }

    /// Makes everything that was written before this call durable, and looks whether it still
    /// exists.
    ///
    /// # Errors
    /// A file or folder cannot be flushed, and the next call tries all of them again; or the folder
    /// of the download was moved.
    pub(super) fn flush(&self) -> Result<(), StorageError> {
        let batch = lock(&self.unflushed).take();
        let looked = batch.data.iter().try_for_each(|&index| self.look_at(index));
        let result = looked
            .and_then(|()| self.confirm_place())
            .and_then(|()| self.sync(&batch));
        if result.is_err() {
            lock(&self.unflushed).put_back(batch);
        }
        result
    }

    /// Whether what was written lies where the user looks for it.
    fn confirm_place(&self) -> Result<(), StorageError> {
        let folder = &self.files.folder;
        let is_in_place = self.files.disk.is_in_place();
        if is_in_place.map_err(StorageError::io("look at the folder", folder))? {
            return Ok(());
        }
        Err(StorageError::Moved {
            folder: folder.clone(),
        })
    }

    fn sync(&self, batch: &Batch) -> Result<(), StorageError> {
        if batch.at_once {
            let synced = self.files.disk.sync_all();
            return synced.map_err(StorageError::io("flush the disk of", &self.files.folder));
        }
        for &index in &batch.data {
            // Nothing of a file that is missing can be kept; its pieces are doubted.
            match self.readable(index) {
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
                Ok(open) => {
                    let synced = self.files.disk.sync(&open);
                    synced.map_err(self.files.failed("flush", index))?;
                }
            }
        }
        let folders = self.files.folders_of(batch.names.iter().copied());
        folders
            .iter()
            .try_for_each(|folder| self.files.sync_folder(folder))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use aqueduct_core::meta::{Content, Details, Draft};
    use bytes::Bytes;

    use super::super::disk::FolderDisk;
    use super::*;

    /// One file of five bytes below `root`.
    fn watched(root: &Path) -> WatchedFiles<FolderDisk> {
        let draft = Draft::new("f", Content::File(5), None).unwrap();
        let info = draft.finish(&[[0; 20]], Details::default()).unwrap().info;
        let disk = FolderDisk::open(root).unwrap();
        WatchedFiles::new(root, disk, info, Handles::new(1))
            .unwrap()
            .0
    }

    fn write(
        watched: &WatchedFiles<FolderDisk>,
        bytes: &'static [u8],
    ) -> Result<u64, StorageError> {
        let info = Arc::clone(&watched.files.info);
        let span = info.layout(0, 5).next().unwrap();
        let data = Rope(vec![Bytes::from_static(bytes)]);
        watched.write(&info.files[0], &data, &span)
    }

    #[test]
    fn a_file_is_read_as_it_was_written_until_another_program_writes_to_it() {
        let root = tempfile::tempdir().unwrap();
        let watched = watched(root.path());
        write(&watched, b"hello").unwrap();
        watched.flush().unwrap();
        let mut bytes = Vec::new();
        watched.read(0, 1, 4, &mut bytes).unwrap();
        assert_eq!(bytes, b"ello");
        let have = Bitfield::all(1);
        let stamps = watched.verified_stamps(&have);
        fs::write(root.path().join("f"), b"other").unwrap();
        let read = watched.read(0, 1, 4, &mut bytes);
        assert!(matches!(read, Err(StorageError::Changed { .. })));
        assert_ne!(watched.stamps(), stamps);
        assert_eq!(watched.verified_stamps(&have), [UNVERIFIED]);
    }

    #[test]
    fn an_existing_file_with_data_is_written_to_only_if_the_user_allows_it() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("f"), b"notes").unwrap();
        let watched = watched(root.path());
        let refused = write(&watched, b"hello");
        assert!(matches!(refused, Err(StorageError::InTheWay { .. })));
        assert!(watched.admit_existing(0).is_err());
        watched.protect(true, None);
        write(&watched, b"hello").unwrap();
        assert_eq!(fs::read(root.path().join("f")).unwrap(), b"hello");
    }
}
