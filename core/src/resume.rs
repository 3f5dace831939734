//! The resume record: what a driver keeps of one torrent between runs, and how it survives a crash
//! while it is written.
//!
//! A driver keeps two slots (files) a torrent and writes generation `n` to slot [`slot`]`(n)`, so
//! that a record which is torn by a crash leaves the one before it whole. At start [`newest`] picks
//! the newest valid one. Data are flushed before a record that counts on them is written.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `AQRESUME` |
//! | 2 | version, 1 |
//! | 8 | generation |
//! | 8 | length of the content |
//! | … | content: a bencoded dictionary; keys that are not known are ignored, so that versions can add some |
//! | 8 | SHA-1 of everything before, cut |
//!
//! Numbers are big endian. Nothing follows.

use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use crate::bencode::{BencodeError, Dict, Encoded, Encoder, Form, Limits, Value, scan};
use crate::types::{Bitfield, InfoHash, InfoHashV1, InfoHashV2};

const MAGIC: [u8; 8] = *b"AQRESUME";
const VERSION: u16 = 1;
const HEAD: usize = 26;
const CHECKSUM: usize = 8;

/// A .torrent of the largest size we take, with the bits and stamps of its pieces and files, stays
/// well below.
const LIMITS: Limits = Limits {
    bytes: 64 << 20,
    depth: 8,
    tokens: 4_000_000,
    form: Form::Canonical,
};

/// What is known of a torrent. The engine says `have`, `uploaded` and `downloaded`
/// ([`crate::Op::Save`]), the driver adds the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which torrent.
    pub info_hash: InfoHash,
    /// Pieces verified and flushed. Of no piece while only the hash is known.
    pub have: Bitfield,
    /// Payload bytes sent, all runs.
    pub uploaded: u64,
    /// Payload bytes received, all runs.
    pub downloaded: u64,
    /// One a file of the torrent, in its order, as the files were when `have` was true of them.
    /// Empty if the driver keeps none.
    pub stamps: Vec<FileStamp>,
    /// The raw `info` dictionary, if the torrent is to be restored from this record alone.
    pub info: Option<Bytes>,
    /// A magnet link's `dn`: what to call the torrent until `info` is there.
    pub name: Option<String>,
    /// Tiers of tracker URLs (BEP 12).
    pub trackers: Vec<Vec<String>>,
    /// One flag a file; `None`: all are wanted.
    pub wanted: Option<Vec<bool>>,
    /// Paused by the user.
    pub paused: bool,
    /// Files that are not under the torrent's own names, by index, with the components that they
    /// are under: the file system refused their own. Empty in a tab.
    pub names: Vec<(u32, Vec<String>)>,
    /// When the user added it, milliseconds since 1970: lists keep their order between runs. 0: not
    /// known.
    pub added: u64,
}

/// A file's state by which a change between runs is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileStamp {
    /// Bytes; 0 for a file that is not there.
    pub size: u64,
    /// Nanoseconds since 1970 of the last modification; 0 where there is no file, or no such time
    /// (a tab).
    pub modified: u64,
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Cut off, or something else.
    #[error("a resume record of {expected} bytes was expected, there are {received}")]
    Length {
        /// What its head says; the least there is if that is cut off, too.
        expected: u64,
        /// What there is.
        received: u64,
    },
    /// No record of ours.
    #[error("this is no resume record of Aqueduct")]
    Magic,
    /// Of another version of the program.
    #[error("the resume record has version {received}, this program reads version {expected}")]
    Version {
        /// Ours.
        expected: u16,
        /// The record's.
        received: u16,
    },
    /// A bit is not what it was.
    #[error("the resume record's checksum is wrong")]
    Checksum,
    /// The content is no bencode.
    #[error("the resume record's content is broken: {0}")]
    Bencode(#[from] BencodeError),
    /// An entry is missing or has another shape: a fault of the program that wrote it.
    #[error("the resume record lacks an entry")]
    Content,
}

/// Which of the two slots, 0 or 1, a generation is written to: never the one that holds the
/// generation before it.
#[must_use]
pub const fn slot(generation: u64) -> usize {
    (generation % 2) as usize
}

/// The newer of the valid records in two slots, with its generation; the next one to write is one
/// more.
#[must_use]
pub fn newest(a: &[u8], b: &[u8]) -> Option<(u64, Record)> {
    let (a, b) = (Record::decode(a).ok(), Record::decode(b).ok());
    [a, b]
        .into_iter()
        .flatten()
        .max_by_key(|(generation, _)| *generation)
}

impl Record {
    /// What is known of a torrent of which only the hash is.
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
        }
    }

    /// The bytes to store. `generation` is one more than the last one's.
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

    /// Reads stored bytes: the generation and the record.
    ///
    /// # Errors
    /// Any bit differs from what was encoded, or another version encoded it.
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
            // Records of earlier versions lack it.
            added: dict.bytes("added").and_then(number).unwrap_or(0),
        })
    }
}

/// The generation and the content, if head and checksum are right.
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

/// All 64 bits, which a bencoded integer has no room for.
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

/// `None` if the last one is cut.
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
