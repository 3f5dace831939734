//! Creating a torrent (BEP 3) without I/O: the caller lists the files and hashes the pieces.

use std::sync::Arc;

use super::path::{MAX_DEPTH, Places, sanitise};
use super::{Info, Metainfo, MetainfoError};
use crate::bencode::{Encoded, Encoder};
use crate::types::{Lengths, LengthsError, MAX_PIECE_LENGTH, Sha1Digest, visible};

/// The minimum piece length of created torrents: one block.
const MIN_PIECE_LENGTH: u32 = 16 * 1024;
/// The maximum piece length that is chosen automatically.
const MAX_AUTOMATIC: u32 = 16 * 1024 * 1024;
/// The number of pieces that an automatic piece length aims not to exceed.
const AIM: u64 = 2000;

/// Why a torrent cannot be created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There are no files.
    #[error("there are no files to share; a torrent needs at least one")]
    NoFiles,
    /// All files are empty: there is nothing to hash or to download, and most clients refuse such a
    /// torrent.
    #[error("all files are empty; a torrent needs at least one byte")]
    OnlyEmptyFiles,
    /// A name that clients change when they write it: with unsafe characters, or with a backslash,
    /// which some treat as a separator. The creator itself could not seed such a file.
    #[error("{given} would be written as {written} where it is downloaded; rename it", given = visible(.given), written = visible(.written))]
    Name {
        /// The path as given.
        given: String,
        /// The path that Aqueduct would write instead.
        written: String,
    },
    /// A path with more components than the parser accepts.
    #[error("{path} has {received} components, at most {limit} are taken; move it up", path = visible(.path))]
    DeepPath {
        /// The path.
        path: String,
        /// The number of components.
        received: usize,
        /// The maximum number of components.
        limit: usize,
    },
    /// The piece length is not a power of two or is out of bounds.
    #[error(
        "the piece length is {0} bytes; it must be a power of two between {MIN_PIECE_LENGTH} and {MAX_PIECE_LENGTH}"
    )]
    PieceLength(u64),
    /// The total size exceeds 2^63 - 1 bytes.
    #[error("the files are together larger than 2^63 - 1 bytes")]
    TotalSize,
    /// The torrent would have too many pieces.
    #[error("{0}; choose a larger piece length")]
    Lengths(#[from] LengthsError),
    /// The parser would refuse the torrent, for instance because it exceeds the size limit or
    /// because the number of hashes differs from the number of pieces.
    #[error("the torrent cannot be made: {0}")]
    Invalid(#[from] MetainfoError),
}

/// The files of a new torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A single file of this size in bytes, with the torrent's name.
    File(u64),
    /// A folder with the torrent's name.
    Folder(Vec<NewFile>),
}

/// A file in the folder of a new torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// The path components below the folder.
    pub path: Vec<String>,
    /// The size in bytes.
    pub size: u64,
}

/// The properties of a new torrent other than its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Tracker URLs, each in its own tier (BEP 12).
    pub trackers: Vec<String>,
    /// Web seed URLs (BEP 19).
    pub web_seeds: Vec<String>,
    /// Whether peers come only from the torrent's trackers (BEP 27).
    pub private: bool,
    /// A comment for users.
    pub comment: Option<String>,
    /// The `source` entry of the `info` dictionary. It gives the same files a different info-hash
    /// on each tracker.
    pub source: Option<String>,
    /// The name of the creating program.
    pub created_by: Option<String>,
    /// The creation time, in seconds since 1970.
    pub created: Option<i64>,
}

/// A torrent without its hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    name: String,
    content: Content,
    lengths: Lengths,
}

impl Draft {
    /// Checks names and sizes before anything is hashed. The files keep their order. Without a
    /// piece length, [`piece_length_for`] chooses one.
    ///
    /// # Errors
    /// There are no files, all files are empty, a name would be changed when it is written, or
    /// sizes are out of bounds.
    pub fn new(
        name: &str,
        content: Content,
        piece_length: Option<u64>,
    ) -> Result<Self, CreateError> {
        check_names(name, &content)?;
        let total = total(&content)?;
        if total == 0 {
            return Err(CreateError::OnlyEmptyFiles);
        }
        let length = piece_length.unwrap_or_else(|| piece_length_for(total).into());
        if !length.is_power_of_two()
            || length < MIN_PIECE_LENGTH.into()
            || length > MAX_PIECE_LENGTH.into()
        {
            return Err(CreateError::PieceLength(length));
        }
        Ok(Self {
            name: name.to_owned(),
            content,
            lengths: Lengths::new(total, length)?,
        })
    }

    /// The pieces to hash, over the concatenation of all files.
    #[must_use]
    pub const fn lengths(&self) -> Lengths {
        self.lengths
    }

    /// Completes the torrent with the digests of all pieces, in order.
    ///
    /// # Errors
    /// The number of digests differs from the number of pieces, or the torrent exceeds the parser's
    /// limits.
    pub fn finish(
        &self,
        digests: &[Sha1Digest],
        details: Details,
    ) -> Result<Metainfo, CreateError> {
        let info = Info::parse(self.info(digests, &details).into())?;
        let metainfo = Metainfo {
            info: Arc::new(info),
            trackers: details.trackers.into_iter().map(|url| vec![url]).collect(),
            web_seeds: details.web_seeds,
            comment: details.comment,
            created_by: details.created_by,
            created: details.created,
        };
        // Never return a file that our own parser refuses.
        Metainfo::parse(&metainfo.to_bytes())?;
        Ok(metainfo)
    }

    /// Encodes the `info` dictionary.
    fn info(&self, digests: &[Sha1Digest], details: &Details) -> Vec<u8> {
        let mut info = Encoder::new();
        info.bytes("name", &self.name)
            .int("piece length", self.lengths.piece_length())
            .bytes("pieces", digests.as_flattened());
        match &self.content {
            Content::File(size) => info.int("length", *size),
            Content::Folder(files) => info.list("files", files.iter().map(file_entry)),
        };
        if details.private {
            info.int("private", 1u8);
        }
        if let Some(source) = &details.source {
            info.bytes("source", source);
        }
        info.finish()
    }
}

fn file_entry(file: &NewFile) -> Encoded {
    let path = Encoded::list(file.path.iter().map(Encoded::bytes));
    Encoder::new()
        .int("length", file.size)
        .put("path", path)
        .into()
}

/// The piece length for a torrent of `total` bytes: a power of two between 16 KiB and 16 MiB, such
/// that there are at most 2,000 pieces and, from 16 MB on, more than 1,000.
#[must_use]
pub fn piece_length_for(total: u64) -> u32 {
    let mut length = MIN_PIECE_LENGTH;
    while length < MAX_AUTOMATIC && total.div_ceil(length.into()) > AIM {
        length *= 2;
    }
    length
}

fn total(content: &Content) -> Result<u64, CreateError> {
    let total = match content {
        Content::File(size) => Some(*size),
        Content::Folder(files) => files
            .iter()
            .try_fold(0u64, |sum, file| sum.checked_add(file.size)),
    };
    total
        .filter(|&n| i64::try_from(n).is_ok())
        .ok_or(CreateError::TotalSize)
}

/// Checks that every path is the one that a download of this torrent writes.
fn check_names(name: &str, content: &Content) -> Result<(), CreateError> {
    let mut places = Places::default();
    match content {
        Content::File(_) => check_name(&mut places, vec![name.to_owned()]),
        Content::Folder(files) if files.is_empty() => Err(CreateError::NoFiles),
        Content::Folder(files) => files.iter().try_for_each(|file| {
            let path: Vec<String> = [name]
                .into_iter()
                .chain(file.path.iter().map(String::as_str))
                .map(str::to_owned)
                .collect();
            check_name(&mut places, path)
        }),
    }
}

fn check_name(places: &mut Places, given: Vec<String>) -> Result<(), CreateError> {
    if given.len() > MAX_DEPTH {
        return Err(CreateError::DeepPath {
            path: given.join("/"),
            received: given.len(),
            limit: MAX_DEPTH,
        });
    }
    let written: Vec<String> = given
        .iter()
        .map(|component| sanitise(component.as_bytes()))
        .collect();
    let written = places.place(&written)?;
    if given == written {
        Ok(())
    } else {
        Err(CreateError::Name {
            given: given.join("/"),
            written: written.join("/"),
        })
    }
}
