//! What a torrent says of itself: .torrent files (BEP 3, 12, 19, 27, 47), magnet links (BEP 9, 53),
//! and where its files go.

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

/// The `info` dictionary: what the info-hash covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// Hash of the raw bytes.
    pub info_hash: InfoHash,
    /// The raw bencoded bytes, as they came.
    pub raw: Bytes,
    /// As it came; for screens it must be escaped. The sanitised form is in `files`.
    pub name: String,
    /// Geometry.
    pub lengths: Lengths,
    /// SHA-1 of every piece, one after the other. Empty if the torrent is v2 only.
    pub pieces: Bytes,
    /// In the torrent's order, pads included; contiguous in the torrent's byte space, except that
    /// files of a v2-only torrent begin at pieces.
    pub files: Vec<File>,
    /// Several files in a folder (`files` key) as opposed to one file (`length` key).
    pub multi: bool,
    /// BEP 27.
    pub private: bool,
    /// `source`, as it came.
    pub source: Option<String>,
}

/// One file of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Components below the download folder, the torrent's own folder included: its own names, made
    /// harmless. Never empty, never escapes, no two paths equal (pads aside), none within another.
    /// A file system may refuse a name, or take two of them for one: storage sees to that.
    pub path: Vec<String>,
    /// First byte in the torrent's byte space.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
    /// A pad file (BEP 47): zeros, never written, never shown. Symbolic links count as pads of no
    /// bytes.
    pub pad: bool,
}

impl Info {
    /// The digest a piece must have.
    #[must_use]
    pub fn piece_digest(&self, piece: Piece) -> Option<PieceDigest> {
        let at = piece.index().checked_mul(20)?;
        let sha1 = self.pieces.get(at..at.checked_add(20)?)?.try_into().ok()?;
        Some(PieceDigest::V1(sha1))
    }

    /// Bytes of all files, pads aside: what a person calls the torrent's size. [`Lengths::total`]
    /// counts pads, and the gaps of a v2-only torrent.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.files.iter().filter(|f| !f.pad).map(|f| f.size).sum()
    }

    /// Which files hold the bytes `offset .. offset + length`: index of the file, offset in it, and
    /// the part of the range that it holds.
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

/// A part of a range of the torrent that lies in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index into [`Info::files`].
    pub file: usize,
    /// First byte in the file.
    pub at: u64,
    /// Which bytes of the asked range.
    pub range: Range<u64>,
}

/// A whole .torrent file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// What is hashed.
    pub info: Arc<Info>,
    /// Tiers of tracker URLs (BEP 12), `announce` alone if there is no list; as they came.
    pub trackers: Vec<Vec<String>>,
    /// `url-list` (BEP 19), as they came.
    pub web_seeds: Vec<String>,
    /// As it came.
    pub comment: Option<String>,
    /// As it came.
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub created: Option<i64>,
}

/// A magnet link (BEP 9, 53).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Magnet {
    /// `xt`.
    pub info_hash: InfoHash,
    /// `dn`, as it came.
    pub name: Option<String>,
    /// `tr`, each a tier of its own.
    pub trackers: Vec<String>,
    /// `ws`.
    pub web_seeds: Vec<String>,
    /// `x.pe`, literal addresses only.
    pub peers: Vec<SocketAddr>,
    /// `so`: indices of the wanted files, ranges unfolded; `None`: all.
    pub select: Option<Vec<u32>>,
}
