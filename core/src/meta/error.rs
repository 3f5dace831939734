//! Why a torrent or a magnet link was refused.

use super::NotATorrent;
use crate::bencode::BencodeError;
use crate::types::{LengthsError, ParseHashError, visible};

/// Why bytes are not a valid torrent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetainfoError {
    /// Not bencode, or outside [`crate::bencode::Limits`].
    #[error("this is no valid torrent: {0}; get it again, or from another place")]
    Bencode(#[from] BencodeError),
    /// A file of another known format.
    #[error("{0}")]
    NotATorrent(NotATorrent),
    /// A v2 `info` dictionary that is not canonical (BEP 52).
    #[error("a version 2 `info` dictionary must be canonical: {0}")]
    NotCanonical(BencodeError),
    /// A required key is missing.
    #[error("the torrent has no `{0}`")]
    Missing(&'static str),
    /// Two `info` entries with different content. Clients would disagree about which torrent this
    /// is.
    #[error("the torrent has two different `info` dictionaries")]
    TwoInfos,
    /// The value of a key has the wrong type.
    #[error("`{key}` is not {expected}")]
    Type {
        /// The key.
        key: &'static str,
        /// The type according to BEP 3, 47 or 52.
        expected: &'static str,
    },
    /// The piece length or the number of pieces is out of bounds.
    #[error(transparent)]
    Lengths(#[from] LengthsError),
    /// The piece length of a v2 torrent is not a power of two of at least 16 KiB (BEP 52).
    #[error(
        "the piece length is {0} bytes; version 2 asks for a power of two of 16,384 bytes or more"
    )]
    PieceLengthV2(u64),
    /// The length of `pieces` is not a multiple of 20.
    #[error("`pieces` has {0} bytes, which is not a multiple of 20")]
    HashLength(usize),
    /// The number of hashes does not match the files.
    #[error("the files make {expected} pieces, the torrent has the hashes of {received}")]
    HashCount {
        /// The number of pieces according to the sizes.
        expected: u32,
        /// The number of hashes in `pieces`.
        received: usize,
    },
    /// A file with a negative size.
    #[error("file {file} has a size of {size} bytes")]
    NegativeSize {
        /// The index of the file.
        file: usize,
        /// The declared size.
        size: i64,
    },
    /// The total size exceeds 2^63 - 1.
    #[error("the files are together larger than 2^63 - 1 bytes")]
    TotalSize,
    /// Neither `length` nor `files` is present (BEP 3).
    #[error("the torrent has neither `length` nor `files`")]
    NoContent,
    /// `files` or `file tree` contains no file.
    #[error("the torrent has no files")]
    NoFiles,
    /// A file whose path has no components.
    #[error("file {0} has an empty path")]
    EmptyPath(usize),
    /// A path with too many components.
    #[error("the path of file {file} has {received} components, at most {limit} are taken")]
    DeepPath {
        /// The index of the file.
        file: usize,
        /// The number of components.
        received: usize,
        /// The maximum number of components.
        limit: usize,
    },
    /// Too many files have the same path.
    #[error("more than {limit} files have the path {path}", path = visible(.path))]
    SamePath {
        /// The sanitised path.
        path: String,
        /// The maximum number of files with the same path.
        limit: u32,
    },
    /// An unsupported `meta version` (BEP 52).
    #[error("the torrent's version is {0}; 1, 2 and both in one are known")]
    Version(i64),
    /// The two file lists of a hybrid torrent differ (BEP 52).
    #[error("the version 1 and version 2 parts of the torrent list different files")]
    Hybrid,
}

/// Why a text is not a valid magnet link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MagnetError {
    /// The text is not a magnet link.
    #[error("this is neither a magnet link (`magnet:?xt=urn:btih:…`) nor an info-hash")]
    NotMagnet,
    /// The text is longer than 64 KiB.
    #[error("the magnet link has {received} bytes, at most {limit} are taken")]
    TooLong {
        /// The length of the text in bytes.
        received: usize,
        /// The maximum length in bytes.
        limit: usize,
    },
    /// No `xt` parameter contains a torrent's hash.
    #[error("the magnet link names no torrent (`xt=urn:btih:…` or `xt=urn:btmh:1220…`)")]
    NoHash,
    /// An `xt` parameter contains a malformed hash.
    #[error("the magnet link is damaged: {0}; copy it again")]
    Hash(#[from] ParseHashError),
    /// The multihash is not SHA-256.
    #[error("the magnet link's multihash is not SHA-256 (`1220` and 64 hex digits)")]
    Multihash,
    /// Two different hashes of the same version.
    #[error("the magnet link names two different torrents")]
    TwoTorrents,
    /// `so` is not a list of indices and ranges, or it selects too many files.
    #[error("`so` in the magnet link is no list of at most {limit} file numbers like `0,2,4-6`")]
    Select {
        /// The maximum number of selected files.
        limit: u32,
    },
}
