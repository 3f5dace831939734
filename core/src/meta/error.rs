//! Why a torrent or a magnet link is refused.

use super::NotATorrent;
use crate::bencode::BencodeError;
use crate::types::{LengthsError, ParseHashError, visible};

/// Why bytes make no torrent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    /// Not bencode, or beyond [`crate::bencode::Limits`].
    #[error("this is no valid torrent: {0}; get it again, or from another place")]
    Bencode(#[from] BencodeError),
    /// Something else altogether.
    #[error("{0}")]
    NotATorrent(NotATorrent),
    /// A version 2 `info` dictionary that is not canonical (BEP 52).
    #[error("a version 2 `info` dictionary must be canonical: {0}")]
    NotCanonical(BencodeError),
    /// A key that must be there.
    #[error("the torrent has no `{0}`")]
    Missing(&'static str),
    /// `info` twice, with different content: it would depend on the client which torrent this is.
    #[error("the torrent has two different `info` dictionaries")]
    TwoInfos,
    /// A key whose value has another type.
    #[error("`{key}` is not {expected}")]
    Type {
        /// The key.
        key: &'static str,
        /// What BEP 3, 47 or 52 says it is.
        expected: &'static str,
    },
    /// Piece length or number of pieces out of bounds.
    #[error(transparent)]
    Lengths(#[from] LengthsError),
    /// BEP 52: a power of two, 16 KiB at least.
    #[error(
        "the piece length is {0} bytes; version 2 asks for a power of two of 16,384 bytes or more"
    )]
    PieceLengthV2(u64),
    /// Not a multiple of 20.
    #[error("`pieces` has {0} bytes, which is not a multiple of 20")]
    HashLength(usize),
    /// Another number of hashes than the files need.
    #[error("the files make {expected} pieces, the torrent has the hashes of {received}")]
    HashCount {
        /// What sizes and piece length ask for.
        expected: u32,
        /// What stands in `pieces`.
        received: usize,
    },
    /// A size under zero.
    #[error("file {file} has a size of {size} bytes")]
    NegativeSize {
        /// Its index.
        file: usize,
        /// What the torrent says.
        size: i64,
    },
    /// All sizes together are beyond 2^63 - 1.
    #[error("the files are together larger than 2^63 - 1 bytes")]
    TotalSize,
    /// Neither `length` nor `files` (BEP 3).
    #[error("the torrent has neither `length` nor `files`")]
    NoContent,
    /// `files` or `file tree` without a file.
    #[error("the torrent has no files")]
    NoFiles,
    /// A path without components.
    #[error("file {0} has an empty path")]
    EmptyPath(usize),
    /// A path of too many components.
    #[error("the path of file {file} has {received} components, at most {limit} are taken")]
    DeepPath {
        /// Its index.
        file: usize,
        /// What the torrent says.
        received: usize,
        /// Our bound.
        limit: usize,
    },
    /// One path for too many files.
    #[error("more than {limit} files have the path {path}", path = visible(.path))]
    SamePath {
        /// The path, sanitised.
        path: String,
        /// Our bound.
        limit: u32,
    },
    /// A `meta version` we do not know (BEP 52).
    #[error("the torrent's version is {0}; 1, 2 and both in one are known")]
    Version(i64),
    /// The two file lists of a hybrid torrent differ (BEP 52).
    #[error("the version 1 and version 2 parts of the torrent list different files")]
    Hybrid,
}

/// Why a text is no magnet link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MagnetError {
    /// Another text.
    #[error("this is neither a magnet link (`magnet:?xt=urn:btih:…`) nor an info-hash")]
    NotMagnet,
    /// Over 64 KiB.
    #[error("the magnet link has {received} bytes, at most {limit} are taken")]
    TooLong {
        /// What came.
        received: usize,
        /// Our bound.
        limit: usize,
    },
    /// No `xt` that names a torrent.
    #[error("the magnet link names no torrent (`xt=urn:btih:…` or `xt=urn:btmh:1220…`)")]
    NoHash,
    /// An `xt` with a malformed hash.
    #[error("the magnet link is damaged: {0}; copy it again")]
    Hash(#[from] ParseHashError),
    /// A multihash other than SHA-256.
    #[error("the magnet link's multihash is not SHA-256 (`1220` and 64 hex digits)")]
    Multihash,
    /// Two different hashes of one version.
    #[error("the magnet link names two different torrents")]
    TwoTorrents,
    /// `so` is no list of indices and ranges, or too long.
    #[error("`so` in the magnet link is no list of at most {limit} file numbers like `0,2,4-6`")]
    Select {
        /// Our bound.
        limit: u32,
    },
}
