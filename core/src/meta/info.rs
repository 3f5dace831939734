//! Parsing of the `info` dictionary (BEP 3, 27, 47, 52), from a .torrent file or from peers (BEP
//! 9).

use bytes::Bytes;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::file_list::{self, Listed};
use super::path::{Places, sanitise};
use super::{File, Info, MetainfoError, file_tree};
use crate::bencode::{Dict, Limits, Value, scan};
use crate::types::{InfoHash, InfoHashV1, InfoHashV2, Lengths};

/// The minimum piece length of v2 torrents (BEP 52).
const MIN_PIECE_LENGTH_V2: u64 = 16 * 1024;

impl Info {
    /// Parses the raw bytes of an `info` dictionary, at most 16 MiB. A hybrid torrent is read as v1
    /// with both hashes; a v2-only torrent is read up to its file list.
    ///
    /// # Errors
    /// The first fault found; see [`MetainfoError`].
    pub fn parse(raw: Bytes) -> Result<Self, MetainfoError> {
        let value = scan(&raw, Limits::METADATA)?;
        Self::read(value, &raw)
    }

    /// Reads a scanned value that is part of `whole`, whose memory it then shares.
    pub(super) fn read(value: Value<'_>, whole: &Bytes) -> Result<Self, MetainfoError> {
        let keys = Keys::of(value.as_dict().ok_or(MetainfoError::Type {
            key: "info",
            expected: "a dictionary",
        })?);
        let version = keys.version(value)?;
        let (listed, multi) = keys.files(version)?;
        let align = if version == Version::V2 {
            keys.piece_length()?
        } else {
            1
        };
        let (files, total) = lay_out(&listed, keys.name()?, align)?;
        let lengths = Lengths::new(total, keys.piece_length()?)?;
        let pieces = if version == Version::V2 {
            Bytes::new()
        } else {
            whole.slice_ref(keys.pieces(lengths)?)
        };
        Ok(Self {
            info_hash: version.hash(value.raw()),
            raw: whole.slice_ref(value.raw()),
            name: String::from_utf8_lossy(keys.name()?).into_owned(),
            lengths,
            pieces,
            files,
            multi,
            private: keys.private.and_then(Value::as_int).is_some_and(|n| n != 0),
            source: keys
                .source
                .and_then(Value::as_bytes)
                .map(|s| String::from_utf8_lossy(s).into_owned()),
        })
    }
}

/// The versions that a torrent supports.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
    Hybrid,
}

impl Version {
    /// The info-hash of the bytes as received; they are never re-encoded.
    fn hash(self, raw: &[u8]) -> InfoHash {
        let v1 = || InfoHashV1(Sha1::digest(raw).into());
        let v2 = || InfoHashV2(Sha256::digest(raw).into());
        match self {
            Self::V1 => InfoHash::V1(v1()),
            Self::V2 => InfoHash::V2(v2()),
            Self::Hybrid => InfoHash::Hybrid(v1(), v2()),
        }
    }
}

/// The entries of the dictionary, found in a single pass, since `files` may be megabytes long.
struct Keys<'a> {
    file_tree: Option<Value<'a>>,
    files: Option<Value<'a>>,
    length: Option<Value<'a>>,
    meta_version: Option<Value<'a>>,
    name: Option<Value<'a>>,
    name_utf8: Option<Value<'a>>,
    piece_length: Option<Value<'a>>,
    pieces: Option<Value<'a>>,
    private: Option<Value<'a>>,
    source: Option<Value<'a>>,
}

impl<'a> Keys<'a> {
    fn of(dict: Dict<'a>) -> Self {
        let names = [
            "file tree",
            "files",
            "length",
            "meta version",
            "name",
            "name.utf-8",
            "piece length",
            "pieces",
            "private",
            "source",
        ];
        let [
            file_tree,
            files,
            length,
            meta_version,
            name,
            name_utf8,
            piece_length,
            pieces,
            private,
            source,
        ] = dict.gather(names);
        Self {
            file_tree,
            files,
            length,
            meta_version,
            name,
            name_utf8,
            piece_length,
            pieces,
            private,
            source,
        }
    }

    /// BEP 52: v2 requires `meta version` 2 and a canonical dictionary. With `pieces` in addition,
    /// the torrent is hybrid.
    fn version(&self, info: Value<'a>) -> Result<Version, MetainfoError> {
        match self
            .meta_version
            .map(|v| {
                v.as_int().ok_or(MetainfoError::Type {
                    key: "meta version",
                    expected: "a number",
                })
            })
            .transpose()?
        {
            None | Some(1) => return Ok(Version::V1),
            Some(2) => {}
            Some(other) => return Err(MetainfoError::Version(other)),
        }
        scan(info.raw(), Limits::METADATA.canonical()).map_err(MetainfoError::NotCanonical)?;
        match self.piece_length()? {
            n if n >= MIN_PIECE_LENGTH_V2 && n.is_power_of_two() => {}
            n => return Err(MetainfoError::PieceLengthV2(n)),
        }
        Ok(if self.pieces.is_some() {
            Version::Hybrid
        } else {
            Version::V2
        })
    }

    /// The files of the version that is used, and whether they are in a folder.
    fn files(&self, version: Version) -> Result<(Vec<Listed<'a>>, bool), MetainfoError> {
        match version {
            Version::V1 => self.files_v1(),
            Version::V2 => self.files_v2(),
            Version::Hybrid => {
                let (v1, multi) = self.files_v1()?;
                let real = |files: &[Listed<'a>]| {
                    files.iter().filter(|f| !f.pad).cloned().collect::<Vec<_>>()
                };
                if real(&v1) == real(&self.files_v2()?.0) {
                    Ok((v1, multi))
                } else {
                    Err(MetainfoError::Hybrid)
                }
            }
        }
    }

    fn files_v1(&self) -> Result<(Vec<Listed<'a>>, bool), MetainfoError> {
        match (self.files, self.length) {
            // BEP 3 requires exactly one of them. Programs that write both mean the list, unless it
            // is empty.
            (Some(files), length) if length.is_none() || !is_empty_list(files) => {
                Ok((file_list::multi(files)?, true))
            }
            (_, Some(length)) => Ok((file_list::single(length)?, false)),
            (_, None) => Err(MetainfoError::NoContent),
        }
    }

    /// A tree with a single file that has the torrent's name is not a folder.
    fn files_v2(&self) -> Result<(Vec<Listed<'a>>, bool), MetainfoError> {
        let mut files =
            file_tree::files(self.file_tree.ok_or(MetainfoError::Missing("file tree"))?)?;
        let name = self.name()?;
        let multi = !matches!(&files[..], [one] if one.path == [name]);
        if let (false, Some(one)) = (multi, files.first_mut()) {
            one.path.clear();
        }
        Ok((files, multi))
    }

    /// The name. Old torrents store it in their creator's code page, with a UTF-8 version under a
    /// separate key.
    fn name(&self) -> Result<&'a [u8], MetainfoError> {
        let in_utf8 = self
            .name_utf8
            .filter(|name| name.as_str().is_some_and(|name| !name.is_empty()));
        let name = in_utf8
            .or(self.name)
            .or(self.name_utf8)
            .ok_or(MetainfoError::Missing("name"))?;
        name.as_bytes().ok_or(MetainfoError::Type {
            key: "name",
            expected: "a string",
        })
    }

    fn piece_length(&self) -> Result<u64, MetainfoError> {
        let length = self
            .piece_length
            .ok_or(MetainfoError::Missing("piece length"))?
            .as_int();
        length
            .and_then(|n| u64::try_from(n).ok())
            .ok_or(MetainfoError::Type {
                key: "piece length",
                expected: "a positive number",
            })
    }

    /// The hashes, whose number must match the number of pieces.
    fn pieces(&self, lengths: Lengths) -> Result<&'a [u8], MetainfoError> {
        let pieces = self
            .pieces
            .ok_or(MetainfoError::Missing("pieces"))?
            .as_bytes();
        let pieces = pieces.ok_or(MetainfoError::Type {
            key: "pieces",
            expected: "a string",
        })?;
        let (count, rest) = (pieces.len() / 20, pieces.len() % 20);
        match u32::try_from(count) {
            _ if rest != 0 => Err(MetainfoError::HashLength(pieces.len())),
            Ok(n) if n == lengths.pieces() => Ok(pieces),
            _ => Err(MetainfoError::HashCount {
                expected: lengths.pieces(),
                received: count,
            }),
        }
    }
}

fn is_empty_list(value: Value<'_>) -> bool {
    value
        .as_list()
        .is_some_and(|mut list| list.next().is_none())
}

/// Assigns every file its offset and path. Returns the total size. Each file starts at a multiple
/// of `align`.
fn lay_out(
    listed: &[Listed<'_>],
    name: &[u8],
    align: u64,
) -> Result<(Vec<File>, u64), MetainfoError> {
    let mut places = Places::default();
    let mut files = Vec::with_capacity(listed.len());
    let mut end = 0u64;
    let name = sanitise(name);
    for file in listed {
        let offset = end
            .checked_next_multiple_of(align)
            .ok_or(MetainfoError::TotalSize)?;
        end = offset
            .checked_add(file.size)
            .filter(|&n| i64::try_from(n).is_ok())
            .ok_or(MetainfoError::TotalSize)?;
        let mut path = Vec::with_capacity(file.path.len() + 1);
        path.push(name.clone());
        path.extend(file.path.iter().map(|c| sanitise(c)));
        // Padding files are never written, and many of them may have the same path.
        let path = if file.pad { path } else { places.place(&path)? };
        files.push(File {
            path,
            offset,
            size: file.size,
            pad: file.pad,
        });
    }
    Ok((files, end))
}
