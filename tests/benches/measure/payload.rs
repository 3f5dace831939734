//! The payload: a file with random bytes in memory, or a folder of several, and its torrent.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use aqueduct_tests::wave::stereo_header;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha1::{Digest, Sha1};
use tempfile::TempDir;

use crate::{clients, process};

/// The name of the file, or of the folder, in its torrent.
pub(crate) const NAME: &str = "payload.bin";
const MEBIBYTE: usize = 1 << 20;
/// The number of files per folder of a payload with several.
const FILES_PER_FOLDER: usize = 100;

/// How the payload is divided.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// 1: a single file, and no folder.
    pub(crate) files: NonZeroU32,
    /// The piece length in KiB.
    pub(crate) piece_length: NonZeroU32,
}

impl Layout {
    /// A single file in pieces of 1 MiB.
    const FILE: Self = Self {
        files: NonZeroU32::MIN,
        piece_length: NonZeroU32::new(1024).unwrap(),
    };
}

/// A file and its torrent in a temporary folder, which is removed when this is dropped.
pub(crate) struct Payload {
    folder: TempDir,
    name: &'static str,
    digest: [u8; 20],
}

impl Payload {
    /// Creates a file of `size` MiB and a torrent that names `tracker`, with a piece length of 1
    /// MiB.
    pub(crate) fn create(size: NonZeroU32, tracker: &str) -> Result<Self> {
        Self::laid_out(size, Layout::FILE, tracker)
    }

    /// As [`Self::create`], with this layout. If it has several files, [`Self::file`] is their
    /// folder.
    pub(crate) fn laid_out(size: NonZeroU32, layout: Layout, tracker: &str) -> Result<Self> {
        Self::laid_out_in(in_memory()?, size, layout, tracker)
    }

    /// As [`Self::laid_out`], in this folder.
    pub(crate) fn laid_out_in(
        folder: TempDir,
        size: NonZeroU32,
        layout: Layout,
        tracker: &str,
    ) -> Result<Self> {
        let path = folder.path().join(NAME);
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut hash = Sha1::new();
        let files = layout.files.get();
        let each = u64::from(size.get()) * MEBIBYTE as u64 / u64::from(files);
        for file in 0..files {
            let path = nth_file(&path, file as usize, files as usize);
            fill(&path, each, &mut random, |bytes| hash.update(bytes))?;
        }
        let digest = hash.finalize().into();
        let payload = Self {
            folder,
            name: NAME,
            digest,
        };
        payload.create_torrent(&format!("{}K", layout.piece_length), tracker)?;
        Ok(payload)
    }

    /// Creates a sound of `size` MiB (PCM of 16 bits, stereo, 44.1 kHz, in a WAV file) and a torrent
    /// with pieces of 256 KiB.
    pub(crate) fn sound(size: NonZeroU32, tracker: &str) -> Result<Self> {
        let (folder, name) = (in_memory()?, "sound.wav");
        let length = size.get() << 20;
        let mut sound = stereo_header(length);
        let header = sound.len();
        sound.resize(usize::try_from(length)?, 0);
        let samples = sound.get_mut(header..).unwrap_or_default();
        ChaCha8Rng::seed_from_u64(0).fill_bytes(samples);
        fs::write(folder.path().join(name), &sound)?;
        let digest = Sha1::digest(&sound).into();
        let payload = Self {
            folder,
            name,
            digest,
        };
        payload.create_torrent("256K", tracker)?;
        Ok(payload)
    }

    fn create_torrent(&self, piece_length: &str, tracker: &str) -> Result<()> {
        let mut create = Command::new(clients::aqueduct()?);
        create.arg("create").arg(self.file());
        create.arg("-o").arg(self.torrent());
        create.args(["--piece-length", piece_length, "--tracker", tracker]);
        process::measure(&mut create)?;
        Ok(())
    }

    /// The folder that contains the file.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The path of the file.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join(self.name)
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

/// The path of a file of a torrent with this many: `path` itself if it is the only one, else in a
/// folder below.
pub(crate) fn nth_file(path: &Path, number: usize, files: usize) -> PathBuf {
    match files {
        1 => path.to_owned(),
        _ => path
            .join((number / FILES_PER_FOLDER).to_string())
            .join(number.to_string()),
    }
}

/// Creates a file of random bytes, and the folders above it. `seen` gets the bytes in turn.
pub(crate) fn fill(
    path: &Path,
    bytes: u64,
    random: &mut ChaCha8Rng,
    mut seen: impl FnMut(&[u8]),
) -> Result<()> {
    path.parent().map(fs::create_dir_all).transpose()?;
    let mut file =
        BufWriter::new(File::create(path).with_context(|| format!("creating {}", path.display()))?);
    let mut buffer = vec![0; MEBIBYTE];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(MEBIBYTE as u64);
        let part = buffer.get_mut(..usize::try_from(part)?).unwrap_or_default();
        random.fill_bytes(part);
        seen(part);
        file.write_all(part)
            .with_context(|| format!("writing {}: is there room for it?", path.display()))?;
        left -= part.len() as u64;
    }
    Ok(file.flush()?)
}
