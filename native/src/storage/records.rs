//! The files of resume records, in the user's state folder.
//!
//! The [state folder](super::StateFolder) holds two files per torrent and download folder,
//! `INFO-HASH-FOLDER.0` and `.1`, where FOLDER is a digest of the folder's real path. Records are
//! written to the two in turn, so that a crash while one is written leaves the other.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use aqueduct_core::resume::{FileStamp, Record, newest, slot};
use aqueduct_core::types::InfoHash;

use super::error::StorageError;
use crate::hash;

/// A larger record is not one of ours, bytes: 2,097,152 pieces and 16 MiB of metadata with their
/// stamps stay below.
const MAX_RECORD: u64 = 128 << 20;

/// The two generations of one torrent's record, locked for this process until dropped.
#[derive(Debug)]
pub struct RecordFiles {
    slots: [(PathBuf, File); 2],
    folder: File,
    generation: u64,
}

impl RecordFiles {
    /// Opens (or makes) the files for the torrent `info_hash` downloaded to `output`, and reads the
    /// newest valid record.
    ///
    /// # Errors
    /// The state folder cannot be written, or another process holds the record.
    pub fn open(
        state: &Path,
        info_hash: &InfoHash,
        output: &Path,
    ) -> Result<(Self, Option<Record>), StorageError> {
        std::fs::create_dir_all(state).map_err(StorageError::state("make the folder", state))?;
        let output = real(output).map_err(StorageError::io("find", output))?;
        let base = format!("{info_hash}-{}", digest_of(&output));
        let slots = [
            open_slot(state.join(format!("{base}.0")))?,
            open_slot(state.join(format!("{base}.1")))?,
        ];
        lock(&slots[0], &output)?;
        let newest = newest(&contents(&slots[0])?, &contents(&slots[1])?);
        let folder = File::open(state).map_err(StorageError::state("open the folder", state))?;
        let generation = newest.as_ref().map_or(0, |(generation, _)| *generation);
        Ok((
            Self {
                slots,
                folder,
                generation,
            },
            newest.map(|(_, record)| record),
        ))
    }

    /// Writes the next generation over the older of the two and flushes it. A crash meanwhile
    /// damages the older one alone.
    ///
    /// # Errors
    /// It cannot be written; the newer of the two remains.
    pub fn save(&mut self, record: &Record) -> Result<(), StorageError> {
        let generation = self.generation + 1;
        let [first, second] = &self.slots;
        let (path, file) = if slot(generation) == 0 { first } else { second };
        overwrite(file, &record.encode(generation)).map_err(StorageError::state("write", path))?;
        self.folder
            .sync_all()
            .map_err(StorageError::state("flush", path))?;
        self.generation = generation;
        Ok(())
    }
}

/// The records of other torrents in the same download folder.
#[derive(Clone, Debug)]
pub struct OtherRecords {
    state: PathBuf,
    own: InfoHash,
    /// The download folder, as the records' names have it.
    folder: String,
    /// Which torrent states a file of this size and time; read once, since a torrent may have very
    /// many files.
    stated: OnceLock<BTreeMap<(u64, u64), InfoHash>>,
}

impl OtherRecords {
    /// Those in the folder `output`, but of the torrent `own`. Nothing is read yet.
    ///
    /// # Errors
    /// The current folder is not known.
    pub fn new(state: &Path, own: &InfoHash, output: &Path) -> Result<Self, StorageError> {
        let folder = digest_of(&real(output).map_err(StorageError::io("find", output))?);
        Ok(Self {
            state: state.to_owned(),
            own: *own,
            folder,
            stated: OnceLock::new(),
        })
    }

    /// The torrent whose record states a file as it is now: times have nanoseconds, so that a file
    /// with the same length and time is the same. Records that cannot be read are left out.
    #[must_use]
    pub(super) fn holder(&self, stamp: FileStamp) -> Option<InfoHash> {
        let stated = self.stated.get_or_init(|| self.read());
        stated.get(&(stamp.size, stamp.modified)).copied()
    }

    fn read(&self) -> BTreeMap<(u64, u64), InfoHash> {
        let slots = [0, 1].map(|slot| format!("-{}.{slot}", self.folder));
        let own = self.own.to_string();
        let is_other =
            |name: &str| slots.iter().any(|slot| name.ends_with(slot)) && !name.starts_with(&own);
        let entries = std::fs::read_dir(&self.state)
            .into_iter()
            .flatten()
            .flatten();
        let files = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_other));
        let records =
            files.filter_map(|entry| Record::decode(&std::fs::read(entry.path()).ok()?).ok());
        let claims = records.filter(|(_, record)| !record.have.is_none());
        claims
            .flat_map(|(_, record)| {
                let stamps = record.stamps.into_iter();
                stamps.map(move |stamp| ((stamp.size, stamp.modified), record.info_hash))
            })
            .collect()
    }
}

fn overwrite(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    io::Seek::rewind(&mut file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn open_slot(path: PathBuf) -> Result<(PathBuf, File), StorageError> {
    let opened = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let file = opened.map_err(StorageError::state("open", &path))?;
    Ok((path, file))
}

fn lock((path, file): &(PathBuf, File), output: &Path) -> Result<(), StorageError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StorageError::Busy {
            folder: output.to_owned(),
        },
        TryLockError::Error(error) => StorageError::state("lock", path)(error),
    })
}

fn contents((path, file): &(PathBuf, File)) -> Result<Vec<u8>, StorageError> {
    let mut bytes = Vec::new();
    file.take(MAX_RECORD)
        .read_to_end(&mut bytes)
        .map_err(StorageError::state("read", path))?;
    Ok(bytes)
}

/// The folder's path without links and detours, so that it is recognised under any name; of a path
/// that does not exist yet, as far as it does.
fn real(folder: &Path) -> io::Result<PathBuf> {
    let whole = std::path::absolute(folder)?;
    let mut missing = Vec::new();
    let mut there = whole.as_path();
    loop {
        match (there.canonicalize(), there.parent(), there.file_name()) {
            (Ok(real), _, _) => {
                return Ok(missing
                    .iter()
                    .rev()
                    .fold(real, |path, name| path.join(name)));
            }
            (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
                missing.push(name);
                there = parent;
            }
            _ => return Ok(whole),
        }
    }
}

fn digest_of(output: &Path) -> String {
    hash::of_bytes(output.as_os_str().as_bytes())
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
