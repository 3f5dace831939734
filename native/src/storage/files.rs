//! One torrent's files on a disk: under which names they lie, and which are open.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aqueduct_core::Rope;
use aqueduct_core::meta::{File, Info, Span};

use super::disk::{Access, Disk, Stat};
use super::error::StorageError;
use super::handles::Handles;
use super::names::{self, Names, Renamed};

/// Slices in one `pwritev`: the smallest limit (`IOV_MAX`) of the systems that we know.
const MAX_SLICES: usize = 1024;

/// What lies under a file's name; `None`: it is missing, or padding.
pub(super) type Found = Result<Option<Stat>, StorageError>;

/// The files, by their place in the torrent.
#[derive(Debug)]
pub(super) struct TorrentFiles<D: Disk> {
    pub(super) info: Arc<Info>,
    pub(super) folder: PathBuf,
    pub(super) disk: D,
    /// The folder's.
    device: u64,
    handles: Arc<Handles<D::File>>,
    owner: u32,
    names: Mutex<Names>,
}

impl<D: Disk> TorrentFiles<D> {
    /// The files on `disk`, which is the folder `folder` (for messages), and what was found of
    /// each: an error if it exists but cannot be opened.
    ///
    /// # Errors
    /// The folder cannot be looked at.
    pub(super) fn new(
        folder: &Path,
        disk: D,
        info: Arc<Info>,
        handles: Arc<Handles<D::File>>,
    ) -> Result<(Self, Vec<Found>), StorageError> {
        let device = disk.device().map_err(StorageError::io("read", folder))?;
        let names = Names::new(Arc::clone(&info));
        let existing = if names.are_all_missing(&disk) {
            0
        } else {
            info.files.len()
        };
        let owner = handles.owner();
        let files = Self {
            info,
            folder: folder.to_owned(),
            disk,
            device,
            handles,
            owner,
            names: Mutex::new(names),
        };
        let mut found: Vec<_> = (0..existing).map(|index| files.find(index)).collect();
        found.resize_with(files.info.files.len(), || Ok(None));
        Ok((files, found))
    }

    /// Looks for a file under each name that it may have; `None`: it is missing, or padding.
    fn find(&self, index: usize) -> Found {
        let found = self.names().find(&self.disk, index);
        found.map_err(self.failed("read", index))
    }

    /// A file of the torrent that is no padding.
    pub(super) fn file(&self, index: usize) -> Option<&File> {
        self.info.files.get(index).filter(|file| !file.pad)
    }

    /// Learns under which names the resume record states that files lie. Returns what was found of
    /// those that have another name than the torrent's.
    ///
    /// # Errors
    /// One of them exists but cannot be opened.
    pub(super) fn apply_names(
        &self,
        renamed: &[(u32, Vec<String>)],
    ) -> Result<Vec<(usize, Option<Stat>)>, StorageError> {
        let moved = self.names().apply_record(renamed);
        let found = |index| Ok((index, self.find(index)?));
        moved.into_iter().map(found).collect()
    }

    /// Files under another name than the torrent's, as the resume record has them.
    pub(super) fn renamed(&self) -> Vec<(u32, Vec<String>)> {
        self.names().renamed()
    }

    /// Files that got another name since the last call.
    pub(super) fn take_renamed(&self) -> Vec<Renamed> {
        self.names().take_unreported()
    }

    /// Whether a file's name leads to this file alone, whatever the file system takes for one name.
    pub(super) fn is_unambiguous(&self, index: usize) -> bool {
        self.names().is_unambiguous(index)
    }

    /// Where a file lies.
    pub(super) fn path_of(&self, index: usize) -> PathBuf {
        self.shown(&self.names().path(index))
    }

    fn shown(&self, path: &[String]) -> PathBuf {
        self.folder.join(path.iter().collect::<PathBuf>())
    }

    /// The file or folder that holds everything.
    pub(super) fn top(&self) -> PathBuf {
        let first = self.info.files.iter().position(|file| !file.pad);
        let path = self.names().path(first.unwrap_or_default());
        path.first()
            .map_or_else(|| self.folder.clone(), |top| self.folder.join(top))
    }

    /// The folders on the way to these files, each once however many files it holds.
    pub(super) fn folders_of(
        &self,
        indices: impl IntoIterator<Item = usize>,
    ) -> BTreeSet<Vec<String>> {
        let names = self.names();
        let mut folders = BTreeSet::new();
        for mut path in indices.into_iter().map(|index| names.path(index)) {
            while path.pop().is_some() && folders.insert(path.clone()) {}
        }
        folders
    }

    /// The file, open for reading at least. `opened` is called with the properties of a file that
    /// was not open before.
    pub(super) fn readable(
        &self,
        index: usize,
        opened: impl FnOnce(&Stat),
    ) -> io::Result<Arc<D::File>> {
        self.handles.get(self.owner, index, Access::Read, || {
            let open = self.disk.open(&self.names().path(index), Access::Read)?;
            opened(&self.disk.stat(&open)?);
            Ok(open)
        })
    }

    /// The file, opened for reading by its name.
    pub(super) fn open_to_read(&self, index: usize) -> Result<D::File, StorageError> {
        let open = self.disk.open(&self.names().path(index), Access::Read);
        open.map_err(self.failed("read", index))
    }

    /// The file, if it is open for writing.
    pub(super) fn find_writable(&self, index: usize) -> Option<Arc<D::File>> {
        self.handles.find(self.owner, index, Access::Write)
    }

    /// The file, open for writing under its own name if the file system takes it. `opened` prepares
    /// a file that was not open before.
    pub(super) fn writable(
        &self,
        index: usize,
        opened: impl FnOnce(&D::File) -> Result<(), StorageError>,
    ) -> Result<Arc<D::File>, StorageError> {
        self.handles.get(self.owner, index, Access::Write, || {
            let open = self
                .open_by_name(index)
                .map_err(self.failed("open", index))?;
            opened(&open)?;
            Ok(open)
        })
    }

    fn open_by_name(&self, index: usize) -> io::Result<D::File> {
        let (path, is_unambiguous) = {
            let names = self.names();
            (names.path(index), names.is_unambiguous(index))
        };
        match self.disk.open(&path, Access::Write) {
            Ok(open) if is_unambiguous => Ok(open),
            // Locked meanwhile: two files that are one here must not both come first.
            _ => self.names().open(&self.disk, index),
        }
    }

    /// Closes a file.
    pub(super) fn close(&self, index: usize) {
        self.handles.close(self.owner, index);
    }

    /// What an open file is like.
    pub(super) fn stat(&self, index: usize, open: &D::File) -> Result<Stat, StorageError> {
        let stat = self.disk.stat(open);
        stat.map_err(self.failed("read the size of", index))
    }

    /// What lies under a file's name now.
    pub(super) fn stat_by_name(&self, index: usize) -> Result<Option<Stat>, StorageError> {
        let path = self.names().path(index);
        match self.disk.stat_at(&path) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if error.kind() == io::ErrorKind::NotFound || names::is_refusal(&error) => {
                Ok(None)
            }
            Err(error) => Err(self.failed("look at", index)(error)),
        }
    }

    /// Whether a file lies on another file system than the folder.
    pub(super) const fn is_elsewhere(&self, stat: &Stat) -> bool {
        stat.device != self.device
    }

    /// Bytes that a file occupies already.
    pub(super) fn allocated(&self, index: usize) -> u64 {
        let open = self.open_to_read(index).ok();
        open.and_then(|open| self.disk.stat(&open).ok())
            .map_or(0, |stat| stat.allocated)
    }

    /// Appends bytes from byte `at` of a file on to `into`, until that holds `end` bytes.
    pub(super) fn read_exact(
        &self,
        index: usize,
        open: &D::File,
        mut at: u64,
        end: usize,
        into: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        while into.len() < end {
            let read = self.disk.read(open, into, end - into.len(), at);
            let count = match read.map_err(self.failed("read", index))? {
                0 => {
                    return Err(self.failed("read", index)(
                        io::ErrorKind::UnexpectedEof.into(),
                    ));
                }
                count => count,
            };
            at += count as u64;
        }
        Ok(())
    }

    /// Writes a span's part of `data`.
    pub(super) fn write_span(
        &self,
        open: &D::File,
        data: &Rope,
        span: &Span,
    ) -> Result<(), StorageError> {
        let failed = || self.failed("write", span.file);
        let mut slices = slices_of(data, &span.range);
        let (mut rest, mut at) = (slices.as_mut_slice(), span.at);
        while !rest.is_empty() {
            let slices = rest.get(..MAX_SLICES).unwrap_or(rest);
            let count = match self.disk.write(open, slices, at).map_err(failed())? {
                0 => return Err(failed()(io::ErrorKind::WriteZero.into())),
                count => count,
            };
            IoSlice::advance_slices(&mut rest, count);
            at += count as u64;
        }
        Ok(())
    }

    /// Gives a file its full length, with a hole.
    pub(super) fn extend(
        &self,
        index: usize,
        open: &D::File,
        size: u64,
    ) -> Result<(), StorageError> {
        self.disk
            .set_len(open, size)
            .map_err(|error| match error.kind() {
                // FAT takes no file of 4 GiB or more.
                io::ErrorKind::FileTooLarge => StorageError::TooLarge {
                    path: self.path_of(index),
                    size,
                },
                _ => self.failed("extend", index)(error),
            })
    }

    /// Sets a file's time, nanoseconds since 1970. Where that is refused, as for a file of another
    /// user, the file keeps the time that it has.
    pub(super) fn set_modified(&self, open: &D::File, modified: u64) {
        if let Err(error) = self.disk.set_modified(open, modified) {
            tracing::debug!(%error, "could not set a file's time");
        }
    }

    /// Makes the names in a folder durable. One that is missing has none.
    pub(super) fn sync_folder(&self, folder: &[String]) -> Result<(), StorageError> {
        let synced = self.disk.sync_folder(folder);
        match synced.map_err(StorageError::io("flush the folder", self.shown(folder))) {
            Err(error) if error.is_missing() => Ok(()),
            other => other,
        }
    }

    /// The error of a call for one file.
    pub(super) fn failed(
        &self,
        action: &'static str,
        index: usize,
    ) -> impl FnOnce(io::Error) -> StorageError + use<'_, D> {
        move |error| StorageError::io(action, self.path_of(index))(error)
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Disk> Drop for TorrentFiles<D> {
    fn drop(&mut self) {
        self.handles.forget(self.owner);
    }
}

/// A length that is bounded by a piece's.
pub(super) fn narrow(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
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

#[cfg(test)]
mod tests {
    use aqueduct_core::meta::{Content, Details, Draft, NewFile};
    use bytes::Bytes;

    use super::super::disk::FolderDisk;
    use super::*;

    #[test]
    fn folders_are_listed_once_and_files_are_found_by_their_place() {
        let root = tempfile::tempdir().unwrap();
        let file = |path: &[&str]| NewFile {
            path: path.iter().map(|&name| name.to_owned()).collect(),
            size: 1,
        };
        let content = Content::Folder(vec![file(&["a", "x"]), file(&["a", "y"]), file(&["z"])]);
        let draft = Draft::new("t", content, None).unwrap();
        let info = draft.finish(&[[0; 20]], Details::default()).unwrap().info;
        std::fs::create_dir_all(root.path().join("t/a")).unwrap();
        std::fs::write(root.path().join("t/a/y"), "y").unwrap();
        let disk = FolderDisk::open(root.path()).unwrap();
        let (files, found) = TorrentFiles::new(root.path(), disk, info, Handles::new(1)).unwrap();
        let sizes: Vec<_> = found
            .iter()
            .map(|found| found.as_ref().unwrap().map(|stat| stat.size))
            .collect();
        assert_eq!(sizes, [None, Some(1), None]);
        assert_eq!(files.path_of(2), root.path().join("t/z"));
        assert_eq!(files.top(), root.path().join("t"));
        let folders: Vec<_> = files.folders_of([0, 1]).into_iter().collect();
        assert_eq!(
            folders,
            [
                vec![],
                vec!["t".to_owned()],
                vec!["t".to_owned(), "a".to_owned()]
            ]
        );
    }

    #[test]
    fn a_part_of_a_rope_is_cut_out_of_its_slices() {
        let rope = Rope(vec![
            Bytes::from_static(b"abc"),
            Bytes::new(),
            Bytes::from_static(b"defg"),
        ]);
        let part = |range| {
            slices_of(&rope, &range)
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect::<Vec<_>>()
        };
        assert_eq!(part(0..7), b"abcdefg");
        assert_eq!(part(2..5), b"cde");
        assert_eq!(part(3..3), b"");
        assert_eq!(slices_of(&rope, &(3..6)).len(), 1);
    }
}
