//! A disk whose calls fail, move few bytes at a time, or say that there is less room.

use std::fs;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::storage::disk::Stat;
use crate::storage::{Access, Disk, FolderDisk};

/// A folder on such a disk.
#[derive(Debug)]
pub(super) struct Faulty {
    pub(super) inner: FolderDisk,
    pub(super) counts: Arc<Counts>,
    /// The call that fails, counted from 0.
    pub(super) fails_at: u64,
    /// The most that one read or write moves.
    pub(super) stutter: usize,
    pub(super) free: u64,
}

/// What was called how often.
#[derive(Debug, Default)]
pub(super) struct Counts {
    calls: AtomicU64,
    folders: AtomicU64,
    whole: AtomicU64,
}

impl Counts {
    /// All calls.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Folders that were flushed.
    pub(super) fn folders(&self) -> u64 {
        self.folders.load(Ordering::Relaxed)
    }

    /// How often the whole file system was flushed.
    pub(super) fn whole(&self) -> u64 {
        self.whole.load(Ordering::Relaxed)
    }
}

impl Faulty {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            inner: FolderDisk::open(root).unwrap(),
            counts: Arc::default(),
            fails_at: u64::MAX,
            stutter: usize::MAX,
            free: u64::MAX,
        }
    }

    fn call(&self) -> io::Result<&FolderDisk> {
        let call = self.counts.calls.fetch_add(1, Ordering::Relaxed);
        if call == self.fails_at {
            Err(io::Error::other("injected"))
        } else {
            Ok(&self.inner)
        }
    }
}

impl Disk for Faulty {
    type File = fs::File;
    fn open(&self, path: &[String], access: Access) -> io::Result<fs::File> {
        self.call()?.open(path, access)
    }
    fn stat(&self, file: &fs::File) -> io::Result<Stat> {
        self.call()?.stat(file)
    }
    fn stat_at(&self, path: &[String]) -> io::Result<Stat> {
        self.call()?.stat_at(path)
    }
    fn has_data(&self, file: &fs::File) -> io::Result<bool> {
        self.call()?.has_data(file)
    }
    fn set_len(&self, file: &fs::File, size: u64) -> io::Result<()> {
        self.call()?.set_len(file, size)
    }
    fn set_modified(&self, file: &fs::File, modified: u64) -> io::Result<()> {
        self.call()?.set_modified(file, modified)
    }
    fn write(&self, file: &fs::File, slices: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let first = slices
            .iter()
            .find(|slice| !slice.is_empty())
            .map_or(&[][..], |slice| &slice[..]);
        match self.stutter {
            usize::MAX => self.call()?.write(file, slices, at),
            stutter => self.call()?.write(
                file,
                &[IoSlice::new(&first[..first.len().min(stutter)])],
                at,
            ),
        }
    }
    fn read(
        &self,
        file: &fs::File,
        into: &mut Vec<u8>,
        length: usize,
        at: u64,
    ) -> io::Result<usize> {
        self.call()?.read(file, into, length.min(self.stutter), at)
    }
    fn sync(&self, file: &fs::File) -> io::Result<()> {
        self.call()?.sync(file)
    }
    fn sync_folder(&self, path: &[String]) -> io::Result<()> {
        self.counts.folders.fetch_add(1, Ordering::Relaxed);
        self.call()?.sync_folder(path)
    }
    fn sync_all(&self) -> io::Result<()> {
        self.counts.whole.fetch_add(1, Ordering::Relaxed);
        self.call()?.sync_all()
    }
    fn device(&self) -> io::Result<u64> {
        self.call()?.device()
    }
    fn is_in_place(&self) -> io::Result<bool> {
        self.call()?.is_in_place()
    }
    fn free(&self) -> io::Result<u64> {
        self.call()?;
        Ok(self.free)
    }
}
