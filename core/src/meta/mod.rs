//! The content of .torrent files (BEP 3, 12, 19, 27, 47) and magnet links (BEP 9, 53), and the
//! paths of files.

mod create;
mod error;
mod file_list;
mod file_tree;
mod info;
mod magnet;
mod name;
mod not_a_torrent;
mod path;
mod system_files;
#[cfg(test)]
mod tests;
mod torrent;

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::types::{InfoHash, Lengths, Piece, PieceDigest};

pub use create::{Content, CreateError, Details, Draft, NewFile, piece_length_for};
pub use error::{MagnetError, MetainfoError};
pub use magnet::MAX_SELECTED;
pub use name::{folded_name, numbered_name, plain_name, portable_name};
pub use not_a_torrent::NotATorrent;
pub use system_files::system_files;

/// The `info` dictionary, which the info-hash covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The hash of the raw bytes.
    pub info_hash: InfoHash,
    /// The raw bencoded bytes, unchanged.
    pub raw: Bytes,
    /// The name as received; it must be escaped for display. The sanitised form is in `files`.
    pub name: String,
    /// The total size and the piece length.
    pub lengths: Lengths,
    /// The concatenated SHA-1 digests of all pieces. Empty for a v2-only torrent.
    pub pieces: Bytes,
    /// The files in the torrent's order, including padding. They are contiguous in the torrent's
    /// byte space, except that each file of a v2-only torrent starts at a piece boundary.
    pub files: Vec<File>,
    /// Whether the torrent is a folder (`files` key) rather than a single file (`length` key).
    pub multi: bool,
    /// Whether the torrent is private (BEP 27).
    pub private: bool,
    /// The `source` entry as received.
    pub source: Option<String>,
}

/// A file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path components below the download folder, including the torrent's own folder. They are
    /// sanitised: never empty, never outside the folder, no two paths equal (padding excepted), and
    /// no file inside another file's path. A file system may still refuse a name, or treat two
    /// names as the same; storage handles that.
    pub path: Vec<String>,
    /// The offset of the first byte in the torrent's byte space.
    pub offset: u64,
    /// The size in bytes.
    pub size: u64,
    /// Whether this is a padding file (BEP 47): zeros that are never written or displayed. Symbolic
    /// links count as empty padding files.
    pub pad: bool,
}

impl Info {
    /// The expected digest of a piece; `None` if it is not known.
    #[must_use]
    pub fn piece_digest(&self, piece: Piece) -> Option<PieceDigest> {
        let at = piece.index().checked_mul(20)?;
        let sha1 = self.pieces.get(at..at.checked_add(20)?)?.try_into().ok()?;
        Some(PieceDigest::V1(sha1))
    }

    /// The total size of all files without padding, in bytes: the torrent's size for display.
    /// [`Lengths::total`] also includes padding, and the gaps of a v2-only torrent.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.iter().filter(|f| !f.pad).map(|f| f.size).sum()
    }

    /// The files that hold the bytes `offset..offset + length`: for each, its index, the offset in
    /// it, and the part of the range that it holds.
    pub fn layout(&self, offset: u64, length: u64) -> impl Iterator<Item = Span> + '_ {
        let end = offset.saturating_add(length);
        let first = self.files.partition_point(|f| f.offset + f.size <= offset);
        let hit = self
            .files
            .iter()
            .enumerate()
            .skip(first)
            .take_while(move |(_, f)| f.offset < end);
        hit.filter(move |(_, f)| f.size > 0 && length > 0)
            .map(move |(file, f)| {
                let from = offset.max(f.offset);
                let to = end.min(f.offset + f.size);
                Span {
                    file,
                    at: from - f.offset,
                    range: from - offset..to - offset,
                }
            })
    }
}

/// The part of a byte range that lies in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index into [`Info::files`].
    pub file: usize,
    /// The offset of the first byte in the file.
    pub at: u64,
    /// The part of the requested range, relative to its start.
    pub range: Range<u64>,
}

/// The content of a .torrent file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// The hashed part.
    pub info: Arc<Info>,
    /// The tiers of tracker URLs (BEP 12), or `announce` if there is no list; as received.
    pub trackers: Vec<Vec<String>>,
    /// The web seed URLs in `url-list` (BEP 19), as received.
    pub web_seeds: Vec<String>,
    /// The comment as received.
    pub comment: Option<String>,
    /// The name of the creating program as received.
    pub created_by: Option<String>,
    /// The creation time, in seconds since 1970.
    pub created: Option<i64>,
}

/// A magnet link (BEP 9, 53).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Magnet {
    /// The info-hash (`xt`).
    pub info_hash: InfoHash,
    /// The display name (`dn`), as received.
    pub name: Option<String>,
    /// The tracker URLs (`tr`), each in its own tier.
    pub trackers: Vec<String>,
    /// The web seed URLs (`ws`).
    pub web_seeds: Vec<String>,
    /// The peers (`x.pe`), literal addresses only.
    pub peers: Vec<SocketAddr>,
    /// The indices of the selected files (`so`), with ranges expanded; `None` selects all files.
    pub select: Option<Vec<u32>>,
}
