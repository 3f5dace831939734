//! The resume record: the state of one torrent that a driver stores between runs, in a format that
//! survives a crash during a write.
//!
//! A driver keeps two slots (files) per torrent and writes generation `n` to slot [`slot`]`(n)`. A
//! record that is torn by a crash therefore leaves the previous one intact. At start [`newest`]
//! selects the newest valid one. Data are flushed before a record that refers to them is written.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `AQRESUME` |
//! | 2 | version, 1 |
//! | 8 | generation |
//! | 8 | length of the content |
//! | … | content: a bencoded dictionary; unknown keys are ignored, so that later versions can add some |
//! | 8 | SHA-1 of everything before, truncated |
//!
//! Numbers are big-endian. No data may follow.

use std::ops::Range;

use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use crate::bencode::{BencodeError, Dict, Encoded, Encoder, Form, Limits, Value, scan};
use crate::types::{Bitfield, InfoHash, InfoHashV1, InfoHashV2};

const MAGIC: [u8; 8] = *b"AQRESUME";
const VERSION: u16 = 1;
const HEAD: usize = 26;
const GENERATION: Range<usize> = 10..18;
const CHECKSUM: usize = 8;

/// The largest accepted .torrent file, with its bitfield and file stamps, is well below these
/// limits.
const LIMITS: Limits = Limits {
    bytes: 64 << 20,
    depth: 8,
    tokens: 4_000_000,
    form: Form::Canonical,
};

/// The stored state of a torrent. The engine provides `have`, `uploaded` and `downloaded`
/// ([`crate::Op::Save`]), the driver the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The info-hash of the torrent.
    pub info_hash: InfoHash,
    /// Pieces that are verified and flushed. It has no bits while only the hash is known.
    pub have: Bitfield,
    /// Payload bytes uploaded in all runs.
    pub uploaded: u64,
    /// Payload bytes downloaded in all runs.
    pub downloaded: u64,
    /// One stamp per file, in the torrent's order, taken when `have` was correct. Empty if the
    /// driver keeps none.
    pub stamps: Vec<FileStamp>,
    /// The raw `info` dictionary, if the torrent can be restored from this record alone.
    pub info: Option<Bytes>,
    /// The name from a magnet link (`dn`), used until `info` is known.
    pub name: Option<String>,
    /// The tiers of tracker URLs (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// One flag per file; `None`: all files are wanted.
    pub wanted: Option<Vec<bool>>,
    /// Whether the user paused the torrent.
    pub paused: bool,
    /// Files that are stored under other names than their own because the file system refused
    /// those: the file's index, and the components of its path. Empty in a tab.
    pub names: Vec<(u32, Vec<String>)>,
    /// When the user added the torrent, in milliseconds since 1970, so that lists keep their order
    /// between runs. 0: not known.
    pub added: u64,
    /// What else the driver stores for the torrent, in a format of its own. Empty if there is
    /// nothing.
    pub extra: Bytes,
}

/// The state of a file, used to detect changes between runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStamp {
    /// The size in bytes; 0 if the file does not exist.
    pub size: u64,
    /// The time of the last modification, in nanoseconds since 1970; 0 if the file does not exist
    /// or the time is not available (in a tab).
    pub modified: u64,
}

/// Why bytes are not a valid record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The record is truncated or has data after its end.
    #[error("a resume record of {expected} bytes was expected, there are {received}")]
    Length {
        /// The length according to the header; the minimum length if the header is truncated too.
        expected: u64,
        /// The actual length.
        received: u64,
    },
    /// The bytes do not start with the magic number.
    #[error("this is no resume record of Aqueduct")]
    Magic,
    /// The record has another format version.
    #[error("the resume record has version {received}, this program reads version {expected}")]
    Version {
        /// The supported version.
        expected: u16,
        /// The record's version.
        received: u16,
    },
    /// The checksum does not match.
    #[error("the resume record's checksum is wrong")]
    Checksum,
    /// The content is not valid bencode.
    #[error("the resume record's content is broken: {0}")]
    Bencode(#[from] BencodeError),
    /// An entry is missing or malformed, although the checksum matches: a bug in the program that
    /// wrote it.
    #[error("the resume record lacks an entry")]
    Content,
}

/// The slot, 0 or 1, that a generation is written to. It never holds the previous generation.
#[must_use]
pub const fn slot(generation: u64) -> usize {
    (generation % 2) as usize
}

/// Sets the generation of an encoded record, for a driver whose storage numbers records when it
/// writes them. Bytes that are too short for a record stay as they are.
pub fn set_generation(record: &mut [u8], generation: u64) {
    if let Some((head, sum)) = record.split_last_chunk_mut::<CHECKSUM>()
        && let Some(field) = head.get_mut(GENERATION)
    {
        field.copy_from_slice(&generation.to_be_bytes());
        *sum = checksum(head);
    }
}

/// The newer of the valid records in two slots, with its generation. The next generation to write
/// is one more.
#[must_use]
pub fn newest(a: &[u8], b: &[u8]) -> Option<(u64, Record)> {
    let (a, b) = (Record::decode(a).ok(), Record::decode(b).ok());
    [a, b]
        .into_iter()
        .flatten()
        .max_by_key(|(generation, _)| *generation)
}

impl Record {
    /// The record of a torrent of which only the hash is known.
    #[must_use]
    pub fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            have: Bitfield::none(0),
            uploaded: 0,
            downloaded: 0,
            stamps: Vec::new(),
            info: None,
            name: None,
            trackers: Vec::new(),
            wanted: None,
            paused: false,
            names: Vec::new(),
            added: 0,
            extra: Bytes::new(),
        }
    }

    /// Encodes the record. `generation` is one more than that of the previous record.
    #[must_use]
    pub fn encode(&self, generation: u64) -> Vec<u8> {
        let content = self.content();
        let length = content.len() as u64;
        let head = [
            &MAGIC[..],
            &VERSION.to_be_bytes(),
            &generation.to_be_bytes(),
            &length.to_be_bytes(),
        ];
        let mut out = head.concat();
        out.extend(content);
        out.extend(checksum(&out));
        out
    }

    /// Decodes stored bytes to the generation and the record.
    ///
    /// # Errors
    /// The bytes differ from those that were encoded, or another format version encoded them.
    pub fn decode(bytes: &[u8]) -> Result<(u64, Self), RecordError> {
        let (generation, content) = open(bytes)?;
        let record = scan(content, LIMITS)?.as_dict().and_then(Self::from_dict);
        record
            .map(|record| (generation, record))
            .ok_or(RecordError::Content)
    }

    fn content(&self) -> Vec<u8> {
        let mut dict = Encoder::new();
        dict.int("pieces", self.have.len())
            .bytes("have", self.have.as_bytes());
        dict.bytes("uploaded", self.uploaded.to_be_bytes())
            .bytes("downloaded", self.downloaded.to_be_bytes());
        dict.bytes("stamps", encode_stamps(&self.stamps));
        dict.list("trackers", self.trackers.iter().map(|tier| strings(tier)));
        dict.int("paused", u8::from(self.paused))
            .bytes("added", self.added.to_be_bytes());
        if !self.names.is_empty() {
            dict.list(
                "names",
                self.names
                    .iter()
                    .map(|(index, path)| Encoded::list([Encoded::int(*index), strings(path)])),
            );
        }
        let wanted: Option<Vec<u8>> = self
            .wanted
            .as_ref()
            .map(|flags| flags.iter().map(|&flag| u8::from(flag)).collect());
        put_some(&mut dict, "v1", self.info_hash.v1().map(|hash| hash.0));
        put_some(&mut dict, "v2", self.info_hash.v2().map(|hash| hash.0));
        put_some(&mut dict, "info", self.info.as_ref());
        put_some(&mut dict, "name", self.name.as_ref());
        put_some(&mut dict, "wanted", wanted);
        let extra = Some(&self.extra).filter(|extra| !extra.is_empty());
        put_some(&mut dict, "extra", extra);
        dict.finish()
    }

    fn from_dict(dict: Dict<'_>) -> Option<Self> {
        Some(Self {
            info_hash: info_hash(dict)?,
            have: Bitfield::from_wire(dict.bytes("have")?, dict.num("pieces")?).ok()?,
            uploaded: number(dict.bytes("uploaded")?)?,
            downloaded: number(dict.bytes("downloaded")?)?,
            stamps: decode_stamps(dict.bytes("stamps")?)?,
            info: dict.bytes("info").map(Bytes::copy_from_slice),
            name: dict.str("name").map(str::to_owned),
            trackers: dict.list("trackers")?.map(texts).collect::<Option<_>>()?,
            wanted: dict
                .bytes("wanted")
                .map(|flags| flags.iter().map(|&flag| flag != 0).collect()),
            paused: dict.num::<u8>("paused")? != 0,
            names: dict
                .list("names")
                .into_iter()
                .flatten()
                .map(name)
                .collect::<Option<_>>()?,
            // Records of earlier versions lack these entries.
            added: dict.bytes("added").and_then(number).unwrap_or(0),
            extra: dict
                .bytes("extra")
                .map(Bytes::copy_from_slice)
                .unwrap_or_default(),
        })
    }
}

/// The generation and the content, if header and checksum are valid.
fn open(bytes: &[u8]) -> Result<(u64, &[u8]), RecordError> {
    let received = bytes.len() as u64;
    let short = RecordError::Length {
        expected: (HEAD + CHECKSUM) as u64,
        received,
    };
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(short.clone())?;
    let (version, rest) = rest.split_first_chunk().ok_or(short.clone())?;
    let (generation, rest) = rest.split_first_chunk().ok_or(short.clone())?;
    let (length, rest) = rest.split_first_chunk().ok_or(short.clone())?;
    let (content, sum) = rest.split_last_chunk::<CHECKSUM>().ok_or(short)?;
    check_head(*magic, u16::from_be_bytes(*version))?;
    let expected = u64::from_be_bytes(*length).saturating_add((HEAD + CHECKSUM) as u64);
    if expected != received {
        return Err(RecordError::Length { expected, received });
    }
    let intact = checksum(bytes.get(..HEAD + content.len()).unwrap_or_default()) == *sum;
    intact
        .then_some((u64::from_be_bytes(*generation), content))
        .ok_or(RecordError::Checksum)
}

fn check_head(magic: [u8; 8], received: u16) -> Result<(), RecordError> {
    match received {
        _ if magic != MAGIC => Err(RecordError::Magic),
        VERSION => Ok(()),
        _ => Err(RecordError::Version {
            expected: VERSION,
            received,
        }),
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let digest: [u8; 20] = Sha1::digest(bytes).into();
    digest.first_chunk().copied().unwrap_or_default()
}

fn put_some(dict: &mut Encoder, key: &str, value: Option<impl AsRef<[u8]>>) {
    if let Some(value) = value {
        dict.bytes(key, value);
    }
}

fn info_hash(dict: Dict<'_>) -> Option<InfoHash> {
    let v1 = dict
        .bytes("v1")
        .map(|hash| hash.try_into().map(InfoHashV1))
        .transpose()
        .ok()?;
    let v2 = dict
        .bytes("v2")
        .map(|hash| hash.try_into().map(InfoHashV2))
        .transpose()
        .ok()?;
    match (v1, v2) {
        (Some(v1), Some(v2)) => Some(InfoHash::Hybrid(v1, v2)),
        (Some(v1), None) => Some(InfoHash::V1(v1)),
        (None, v2) => v2.map(InfoHash::V2),
    }
}

/// A 64-bit number. Values above `i64::MAX` do not fit into a bencoded integer.
fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn strings(texts: &[String]) -> Encoded {
    Encoded::list(texts.iter().map(Encoded::bytes))
}

fn texts(list: Value<'_>) -> Option<Vec<String>> {
    list.as_list()?
        .map(|text| text.as_str().map(str::to_owned))
        .collect()
}

/// A file's index and its path.
fn name(entry: Value<'_>) -> Option<(u32, Vec<String>)> {
    let mut parts = entry.as_list()?;
    let (index, path) = (parts.next()?.as_int()?, parts.next()?);
    Some((index.try_into().ok()?, texts(path)?))
}

fn encode_stamps(stamps: &[FileStamp]) -> Vec<u8> {
    stamps
        .iter()
        .flat_map(|stamp| [stamp.size.to_be_bytes(), stamp.modified.to_be_bytes()])
        .flatten()
        .collect()
}

/// Decodes stamps; `None` if the last one is truncated.
fn decode_stamps(bytes: &[u8]) -> Option<Vec<FileStamp>> {
    let (numbers, []) = bytes.as_chunks::<8>() else {
        return None;
    };
    let (pairs, []) = numbers.as_chunks::<2>() else {
        return None;
    };
    Some(
        pairs
            .iter()
            .map(|[size, modified]| FileStamp {
                size: u64::from_be_bytes(*size),
                modified: u64::from_be_bytes(*modified),
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests;
