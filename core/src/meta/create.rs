//! Making a torrent (BEP 3), without reading a byte: the caller walks the folder and hashes the
//! pieces.

use std::sync::Arc;

use super::path::{MAX_DEPTH, Places, sanitise};
use super::{Info, Metainfo, MetainfoError};
use crate::bencode::{Encoded, Encoder};
use crate::types::{Lengths, LengthsError, MAX_PIECE_LENGTH, Sha1Digest, visible};

/// The smallest piece length we make: one block.
const MIN_PIECE_LENGTH: u32 = 16 * 1024;
/// The largest that is chosen without being asked for.
const MAX_AUTOMATIC: u32 = 16 * 1024 * 1024;
/// Pieces that the choice of a piece length aims below.
const AIM: u64 = 2000;

/// Why no torrent can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// Nothing to hash.
    #[error("there are no files to share; a torrent needs at least one")]
    NoFiles,
    /// Files without a byte: there is nothing to hash and nothing to fetch, and most clients refuse
    /// such a torrent.
    #[error("all files are empty; a torrent needs at least one byte")]
    OnlyEmptyFiles,
    /// A name with characters that no client writes, or with a backslash, which is a separator to
    /// some: not even its maker could seed it.
    #[error("{given} would be written as {written} where it is downloaded; rename it", given = visible(.given), written = visible(.written))]
    Name {
        /// The path as it is.
        given: String,
        /// The path as every client of ours would write it.
        written: String,
    },
    /// More components than are read back.
    #[error("{path} has {received} components, at most {limit} are taken; move it up", path = visible(.path))]
    DeepPath {
        /// The path.
        path: String,
        /// Its components.
        received: usize,
        /// Our bound.
        limit: usize,
    },
    /// Not a power of two, or out of bounds.
    #[error(
        "the piece length is {0} bytes; it must be a power of two between {MIN_PIECE_LENGTH} and {MAX_PIECE_LENGTH}"
    )]
    PieceLength(u64),
    /// The sizes add up to more than 64 bits hold.
    #[error("the files are together larger than 2^63 - 1 bytes")]
    TotalSize,
    /// Too many pieces.
    #[error("{0}; choose a larger piece length")]
    Lengths(#[from] LengthsError),
    /// The result is no torrent that we would read, for instance over the limit of bytes, or with
    /// another number of hashes than pieces.
    #[error("the torrent cannot be made: {0}")]
    Invalid(#[from] MetainfoError),
}

/// What is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// One file of so many bytes, named as the torrent.
    File(u64),
    /// A folder, named as the torrent.
    Folder(Vec<NewFile>),
}

/// A file of a folder that is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Components below the folder.
    pub path: Vec<String>,
    /// Bytes.
    pub size: u64,
}

/// What a torrent says besides its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Tracker URLs, each a tier of its own (BEP 12).
    pub trackers: Vec<String>,
    /// Web seeds (BEP 19).
    pub web_seeds: Vec<String>,
    /// Peers from its trackers only (BEP 27).
    pub private: bool,
    /// For people.
    pub comment: Option<String>,
    /// Part of `info`, so that the same content has another hash on another tracker.
    pub source: Option<String>,
    /// The program.
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub created: Option<i64>,
}

/// A torrent that lacks only its hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    name: String,
    content: Content,
    lengths: Lengths,
}

impl Draft {
    /// Checks names and sizes, before anything is hashed. Files keep their order. Without a piece
    /// length, [`piece_length_for`] chooses.
    ///
    /// # Errors
    /// No files, none with a byte, a name that is not written as it is, or sizes out of bounds.
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

    /// Which pieces to hash: the files' bytes one after the other.
    #[must_use]
    pub const fn lengths(&self) -> Lengths {
        self.lengths
    }

    /// The torrent, given the digest of every piece in order.
    ///
    /// # Errors
    /// Another number of digests than pieces, or a torrent beyond our own limits.
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
        // Nobody should be handed a file that we ourselves refuse.
        Metainfo::parse(&metainfo.to_bytes())?;
        Ok(metainfo)
    }

    /// The `info` dictionary.
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

/// The piece length that makes at most 2,000 pieces and, from 16 MB on, more than 1,000: a power of
/// two between 16 KiB and 16 MiB.
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

/// Every path must be the one that a download of this torrent writes.
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
