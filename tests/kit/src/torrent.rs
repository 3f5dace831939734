//! Torrents whose bytes are computed from a seed and an offset. Swarms need no storage, and any
//! byte can be checked anywhere.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use aqueduct_core::meta::Info;
use aqueduct_core::types::{Lengths, Piece};
use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::bencode::Value;

/// The description of a computed torrent.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The torrent's name, which is also its folder if it has several files.
    pub name: String,
    /// Determines every byte of the data.
    pub seed: u64,
    /// Path components below the folder, and the size in bytes. A single entry with an empty path
    /// makes a single-file torrent.
    pub files: Vec<(Vec<String>, u64)>,
    /// The piece length in bytes.
    pub piece_length: u32,
    /// Whether the torrent is private (BEP 27).
    pub private: bool,
}

impl Recipe {
    /// A single-file torrent of `size` bytes.
    #[must_use]
    pub fn single(name: &str, seed: u64, size: u64, piece_length: u32) -> Self {
        Self {
            name: name.to_owned(),
            seed,
            files: vec![(Vec::new(), size)],
            piece_length,
            private: false,
        }
    }

    /// A torrent with several files. Components of a path are separated by `/`.
    #[must_use]
    pub fn folder(name: &str, seed: u64, files: &[(&str, u64)], piece_length: u32) -> Self {
        let files = files
            .iter()
            .map(|(path, size)| (path.split('/').map(str::to_owned).collect(), *size))
            .collect();
        Self {
            name: name.to_owned(),
            seed,
            files,
            piece_length,
            private: false,
        }
    }

    /// Sizes and names that often cause bugs: empty files, one byte, one byte more or less than a
    /// piece, nested folders, non-ASCII names.
    #[must_use]
    pub fn awkward(seed: u64) -> Self {
        let piece = 32 * 1024;
        let p = u64::from(piece);
        let files = [
            ("empty.txt", 0),
            ("one byte", 1),
            ("piece minus one.bin", p - 1),
            ("piece.bin", p),
            ("piece plus one.bin", p + 1),
            ("deeply/nested/folder/odd.dat", 3 * p + 777),
            ("deeply/nested/empty too", 0),
            ("Grüße, 世界/Ελληνικά.txt", 12_345),
            ("name with 'quotes' & spaces.iso", 21 * p + 5),
            ("z/last.bin", 17),
        ];
        Self::folder("awkward sizes ü", seed, &files, piece)
    }

    /// Makes the torrent private.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.private = true;
        self
    }

    /// Computes the hashes.
    ///
    /// # Panics
    /// The sizes do not form a valid torrent.
    #[must_use]
    pub fn build(self) -> Computed {
        let total = self.files.iter().map(|(_, size)| size).sum();
        let lengths = Lengths::new(total, u64::from(self.piece_length)).unwrap();
        let mut pieces = Vec::with_capacity(lengths.pieces() as usize * 20);
        for piece in lengths.iter() {
            let data = computed(
                self.seed,
                lengths.offset(piece),
                u64::from(lengths.size(piece)),
            );
            pieces.extend_from_slice(&Sha1::digest(&data));
        }
        let raw = info_dict(&self, &pieces).encode();
        let info = Arc::new(Info::parse(Bytes::from(raw)).unwrap());
        Computed {
            recipe: self,
            info,
            content: OnceLock::new(),
        }
    }
}

fn info_dict(recipe: &Recipe, pieces: &[u8]) -> Value {
    let mut entries = match &recipe.files[..] {
        [(path, size)] if path.is_empty() => vec![("length", Value::size(*size))],
        files => vec![(
            "files",
            Value::List(
                files
                    .iter()
                    .map(|(path, size)| file_dict(path, *size))
                    .collect(),
            ),
        )],
    };
    entries.push(("name", Value::text(&recipe.name)));
    entries.push(("piece length", Value::size(u64::from(recipe.piece_length))));
    entries.push(("pieces", Value::Bytes(pieces.to_vec())));
    if recipe.private {
        entries.push(("private", Value::Int(1)));
    }
    Value::Dict(entries)
}

fn file_dict(path: &[String], size: u64) -> Value {
    let path = path
        .iter()
        .map(|component| Value::text(component))
        .collect();
    Value::Dict(vec![
        ("length", Value::size(size)),
        ("path", Value::List(path)),
    ])
}

/// A torrent whose data can be computed at any offset.
#[derive(Debug)]
pub struct Computed {
    recipe: Recipe,
    info: Arc<Info>,
    content: OnceLock<Bytes>,
}

impl Computed {
    /// The info dictionary: names, lengths, hashes.
    #[must_use]
    pub fn info(&self) -> &Arc<Info> {
        &self.info
    }
    /// The piece and block lengths.
    #[must_use]
    pub fn lengths(&self) -> Lengths {
        self.info.lengths
    }
    /// The torrent's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.recipe.name
    }
    /// The v1 info-hash in hex.
    #[must_use]
    pub fn hex(&self) -> String {
        self.info.info_hash.to_string()
    }

    /// A slice of the data. The first call computes all data and keeps them, so use this for small
    /// torrents only.
    ///
    /// # Panics
    /// The range is not within the torrent.
    #[must_use]
    pub fn slice(&self, offset: u64, length: u64) -> Bytes {
        let all = self
            .content
            .get_or_init(|| computed(self.recipe.seed, 0, self.lengths().total()));
        let from = usize::try_from(offset).unwrap();
        all.slice(from..from + usize::try_from(length).unwrap())
    }

    /// The data of a piece; see [`Computed::slice`].
    #[must_use]
    pub fn piece(&self, piece: Piece) -> Bytes {
        self.slice(
            self.lengths().offset(piece),
            u64::from(self.lengths().size(piece)),
        )
    }

    /// The content of a .torrent file with these trackers, each in its own tier.
    #[must_use]
    pub fn metainfo(&self, trackers: &[String]) -> Vec<u8> {
        let mut entries = Vec::new();
        if let Some(first) = trackers.first() {
            let tiers = trackers
                .iter()
                .map(|url| Value::List(vec![Value::text(url)]))
                .collect();
            entries.push(("announce", Value::text(first)));
            entries.push(("announce-list", Value::List(tiers)));
        }
        entries.push(("info", Value::Raw(self.info.raw.to_vec())));
        Value::Dict(entries).encode()
    }

    /// A magnet link without a name.
    #[must_use]
    pub fn magnet(&self, trackers: &[String]) -> String {
        let mut link = format!("magnet:?xt=urn:btih:{}", self.hex());
        for url in trackers {
            link.push_str("&tr=");
            link.push_str(&url.replace(':', "%3A").replace('/', "%2F"));
        }
        link
    }

    /// Writes all files below `folder`, as a client would have downloaded them. Returns the path of
    /// the torrent's file or folder.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_to(&self, folder: &Path) -> std::io::Result<PathBuf> {
        for (path, offset, size) in self.files() {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap())?;
            let mut file = File::create(path)?;
            for (at, length) in runs(size) {
                file.write_all(&computed(self.recipe.seed, offset + at, length))?;
            }
        }
        Ok(folder.join(&self.recipe.name))
    }

    /// Compares the files below `folder` with the torrent's data.
    ///
    /// # Errors
    /// Names the first file that is missing or wrong, and the offset.
    pub fn verify(&self, folder: &Path) -> Result<(), String> {
        self.files()
            .try_for_each(|(path, offset, size)| self.verify_file(&folder.join(path), offset, size))
    }

    /// As [`Computed::verify`], for clients that do not create empty files.
    ///
    /// # Errors
    /// Names the first file that is missing or wrong, and the offset.
    pub fn verify_all_but_empty(&self, folder: &Path) -> Result<(), String> {
        let mut files = self.files().filter(|(_, _, size)| *size > 0);
        files
            .try_for_each(|(path, offset, size)| self.verify_file(&folder.join(path), offset, size))
    }

    /// Compares a file with `size` bytes of the torrent, starting at `offset`.
    ///
    /// # Errors
    /// The file is missing, has another size, or differs; names the offset.
    pub fn verify_file(&self, path: &Path, offset: u64, size: u64) -> Result<(), String> {
        let told = |e: std::io::Error| format!("{}: {e}", path.display());
        let mut file = File::open(path).map_err(told)?;
        let length = file.metadata().map_err(told)?.len();
        if length != size {
            return Err(format!(
                "{}: {size} bytes expected, it has {length}",
                path.display()
            ));
        }
        for (at, length) in runs(size) {
            let expected = computed(self.recipe.seed, offset + at, length);
            let mut found = vec![0; expected.len()];
            file.read_exact(&mut found).map_err(told)?;
            if let Some(differs) = expected.iter().zip(&found).position(|(a, b)| a != b) {
                return Err(format!(
                    "{}: byte {} is wrong",
                    path.display(),
                    at + differs as u64
                ));
            }
        }
        Ok(())
    }

    /// The path below the download folder, the offset in the torrent, and the size of each file.
    pub fn files(&self) -> impl Iterator<Item = (PathBuf, u64, u64)> + '_ {
        self.recipe.files.iter().scan(0, |offset, (path, size)| {
            let start = *offset;
            *offset += size;
            let full = Path::new(&self.recipe.name);
            Some((
                path.iter()
                    .fold(full.to_owned(), |full, component| full.join(component)),
                start,
                *size,
            ))
        })
    }
}

/// Splits `0..size` into runs of at most 1 MiB; yields start and length.
fn runs(size: u64) -> impl Iterator<Item = (u64, u64)> {
    const RUN: u64 = 1 << 20;
    (0..size.div_ceil(RUN)).map(move |i| (i * RUN, RUN.min(size - i * RUN)))
}

/// Pseudo-random bytes for `seed`. No two aligned groups of eight are equal.
#[must_use]
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    computed(seed, 0, length as u64).to_vec()
}

/// Bytes `offset..offset + length` of the infinite stream for `seed`.
#[must_use]
fn computed(seed: u64, offset: u64, length: u64) -> Bytes {
    let (first, last) = (offset / 8, (offset + length).div_ceil(8));
    let mut bytes = vec![0; usize::try_from((last - first) * 8).unwrap()];
    for (word, place) in (first..).zip(bytes.chunks_exact_mut(8)) {
        place.copy_from_slice(&mixed(seed, word).to_le_bytes());
    }
    let skip = usize::try_from(offset - first * 8).unwrap();
    Bytes::from(bytes).slice(skip..skip + usize::try_from(length).unwrap())
}

/// The finaliser of splitmix64 over seed and position. It allows random access.
fn mixed(seed: u64, word: u64) -> u64 {
    let mut z = seed
        .wrapping_mul(0xD605_BBB5_8C8A_BBFD)
        .wrapping_add(word.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_range_equals_the_same_range_of_the_whole() {
        let all = computed(7, 0, 1000);
        for (offset, length) in [(0, 1), (3, 8), (8, 8), (7, 500), (999, 1), (500, 0)] {
            let [from, to] = [offset, offset + length].map(|n| usize::try_from(n).unwrap());
            assert_eq!(
                computed(7, offset, length),
                all.slice(from..to),
                "{offset} {length}"
            );
        }
        assert_ne!(computed(8, 0, 1000), all);
    }

    #[test]
    fn what_is_written_verifies_and_a_flipped_byte_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let torrent = Recipe::awkward(1).build();
        torrent.write_to(folder.path()).unwrap();
        torrent.verify(folder.path()).unwrap();
        let victim = folder
            .path()
            .join(torrent.files().find(|(_, _, size)| *size == 17).unwrap().0);
        let mut bytes = std::fs::read(&victim).unwrap();
        bytes[16] ^= 1;
        std::fs::write(&victim, bytes).unwrap();
        assert!(
            torrent
                .verify(folder.path())
                .unwrap_err()
                .ends_with("byte 16 is wrong")
        );
    }
}
