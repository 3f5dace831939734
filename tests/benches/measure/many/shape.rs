//! What is exchanged: files, and one or several torrents of them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::{clients, payload, process};

const KIBIBYTE: u64 = 1 << 10;
const MEBIBYTE: u64 = 1 << 20;
const BUFFER: usize = 1 << 20;

/// The files of one torrent.
#[derive(Clone, Copy)]
pub(super) struct Content {
    /// 1: a single file, and no folder.
    pub(super) files: usize,
    /// The size of each file in bytes.
    pub(super) size: u64,
    /// The piece length in KiB.
    pub(super) piece_length: u64,
    /// Whether the files are holes, which take no room and no time to be made.
    pub(super) sparse: bool,
}

impl Content {
    /// One file of this many MiB, with pieces of this many KiB.
    pub(super) const fn file(mebibytes: u64, piece_length: u64) -> Self {
        Self {
            files: 1,
            size: mebibytes * MEBIBYTE,
            piece_length,
            sparse: false,
        }
    }

    const fn bytes(self) -> u64 {
        self.files as u64 * self.size
    }
}

/// Torrents with their data in one temporary folder.
pub(super) struct Shape {
    folder: TempDir,
    pub(super) torrents: Vec<PathBuf>,
    bytes: u64,
}

impl Shape {
    /// Creates this many torrents of the same shape with different data.
    pub(super) fn create(torrents: usize, content: Content) -> Result<Self> {
        let folder = payload::in_memory()?;
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let create = |number| create(folder.path(), number, content, &mut random);
        let torrents = (0..torrents).map(create).collect::<Result<Vec<_>>>()?;
        Ok(Self {
            folder,
            bytes: content.bytes() * torrents.len() as u64,
            torrents,
        })
    }

    /// The folder that contains the data and the torrents.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The data of the first torrent.
    pub(super) fn first(&self) -> PathBuf {
        self.folder().join(name(0))
    }

    /// The size of the data, rounded down.
    pub(super) fn mebibytes(&self) -> Result<u32> {
        Ok(u32::try_from(self.bytes / MEBIBYTE)?)
    }

    /// Whether `folder` contains the same data.
    pub(super) fn check(&self, folder: &Path) -> Result<()> {
        let names = (0..self.torrents.len()).map(name);
        names
            .map(|name| (self.folder().join(&name), folder.join(name)))
            .try_for_each(|(ours, theirs)| check_equal(&ours, &theirs))
    }
}

fn name(number: usize) -> String {
    format!("payload-{number}")
}

fn create(
    folder: &Path,
    number: usize,
    content: Content,
    random: &mut ChaCha8Rng,
) -> Result<PathBuf> {
    let (path, torrent) = (
        folder.join(name(number)),
        folder.join(format!("{number}.torrent")),
    );
    for file in 0..content.files {
        let file = payload::nth_file(&path, file, content.files);
        if content.sparse {
            File::create(&file)?.set_len(content.size)?;
        } else {
            payload::fill(&file, content.size, random, |_| ())?;
        }
    }
    let mut create = Command::new(clients::aqueduct()?);
    create.arg("create").arg(&path).arg("-o").arg(&torrent);
    create.args(["--piece-length", &format!("{}K", content.piece_length)]);
    process::measure(&mut create)?;
    Ok(torrent)
}

/// Compares two files, or all files below two folders.
fn check_equal(ours: &Path, theirs: &Path) -> Result<()> {
    if !ours.is_dir() {
        let equal = equal(ours, theirs).with_context(|| format!("reading {}", theirs.display()))?;
        ensure!(equal, "{} differs from what was seeded", theirs.display());
        return Ok(());
    }
    for entry in fs::read_dir(ours)? {
        let name = entry?.file_name();
        check_equal(&ours.join(&name), &theirs.join(&name))?;
    }
    Ok(())
}

fn equal(ours: &Path, theirs: &Path) -> Result<bool> {
    let (mut ours, mut theirs) = (File::open(ours)?, File::open(theirs)?);
    if ours.metadata()?.len() != theirs.metadata()?.len() {
        return Ok(false);
    }
    let [mut a, mut b] = [(); 2].map(|()| vec![0; BUFFER]);
    loop {
        let length = ours.read(&mut a)?;
        let (a, b) = (
            a.get(..length).unwrap_or_default(),
            b.get_mut(..length).unwrap_or_default(),
        );
        theirs.read_exact(b)?;
        if length == 0 || a != b {
            return Ok(length == 0);
        }
    }
}

/// 10,000 files of 100 KiB.
pub(super) const MANY_FILES: Content = Content {
    files: 10_000,
    size: 100 * KIBIBYTE,
    piece_length: 1024,
    sparse: false,
};
