//! The payload: a file with random bytes in memory, and its torrent.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha1::{Digest, Sha1};
use tempfile::TempDir;

use crate::{clients, process};

/// The name of the file in its torrent.
pub(crate) const NAME: &str = "payload.bin";
const MEBIBYTE: usize = 1 << 20;

/// A file and its torrent in a temporary folder, which is removed when this is dropped.
pub(crate) struct Payload {
    folder: TempDir,
    digest: [u8; 20],
}

impl Payload {
    /// Creates a file of `size` MiB and a torrent that names `tracker`, with a piece length of 1
    /// MiB.
    pub(crate) fn create(size: NonZeroU32, tracker: &str) -> Result<Self> {
        let folder = in_memory()?;
        let digest = fill(&folder.path().join(NAME), size)?;
        let payload = Self { folder, digest };
        let mut create = Command::new(clients::aqueduct()?);
        create
            .arg("create")
            .arg(payload.file())
            .arg("-o")
            .arg(payload.torrent())
            .args(["--piece-length", "1M", "--tracker", tracker]);
        process::measure(&mut create)?;
        Ok(payload)
    }

    /// The folder that contains the file.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of the file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join(NAME)
    }

    /// The path of the torrent.
    pub(crate) fn torrent(&self) -> PathBuf {
        self.folder.path().join("payload.torrent")
    }

    /// Whether the file at `path` has the same content.
    pub(crate) fn is_equal_to(&self, path: &Path) -> Result<bool> {
        let mut file = File::open(path)
            .with_context(|| format!("opening the downloaded {}", path.display()))?;
        let mut buffer = vec![0; MEBIBYTE];
        let mut hash = Sha1::new();
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(<[u8; 20]>::from(hash.finalize()) == self.digest),
                length => hash.update(buffer.get(..length).unwrap_or_default()),
            }
        }
    }
}

/// A new temporary folder, in memory where the system supports that, so that disks do not affect
/// the figures.
pub(crate) fn in_memory() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.context("making a folder for the payload")
}

fn fill(path: &Path, size: NonZeroU32) -> Result<[u8; 20]> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut file = BufWriter::new(
        fs::File::create(path).with_context(|| format!("creating {}", path.display()))?,
    );
    let mut buffer = vec![0; MEBIBYTE];
    let mut hash = Sha1::new();
    for _ in 0..size.get() {
        random.fill_bytes(&mut buffer);
        hash.update(&buffer);
        file.write_all(&buffer)
            .context("writing the payload: is there room for it in memory?")?;
    }
    file.flush()?;
    Ok(hash.finalize().into())
}
