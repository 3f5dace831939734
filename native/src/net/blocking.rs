//! Blocklists: reading one from a file, and the policy that applies it to sockets.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aqueduct_core::net::Blocklist;
use aqueduct_core::net::blocklist::{BlocklistError, Builder, MAX_LINE, Summary};
use flate2::read::MultiGzDecoder;

use super::permit::{Admission, Place};
use super::policy::{Policy, Purpose, Refusal, Target};

/// The maximum length of a list in bytes, after decompression.
const MAX_LENGTH: u64 = 512 << 20;
/// Lines between two calls that tell the progress.
const PROGRESS: u64 = 1 << 14;
/// The first bytes of gzip's format (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The first bytes of PeerGuardian's binary format.
const BINARY: &[u8] = b"\xff\xff\xff\xffP2B";
/// The first bytes of text in UTF-16, which programs for Windows write.
const UTF_16: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];

/// Why a list could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read, or its compression is broken.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is of PeerGuardian's binary form.
    #[error("it has the binary form P2B, which is not read; get the list in its text form (P2P)")]
    Binary,
    /// It is text in UTF-16.
    #[error("it is text in UTF-16, which is not read; save it as UTF-8 or ASCII")]
    Utf16,
    /// It is longer than is read.
    #[error("it is longer than {} MiB", MAX_LENGTH >> 20)]
    TooLong,
    /// Its contents are wrong.
    #[error(transparent)]
    List(#[from] BlocklistError),
}

/// Reads a list, which may be compressed with gzip; see [`aqueduct_core::net::blocklist`]. `progress`
/// is called with the number of lines so far, every 16,384 lines.
///
/// # Errors
/// See [`ReadError`].
pub fn read_blocklist(
    path: &Path,
    progress: impl FnMut(u64),
) -> Result<(Blocklist, Summary), ReadError> {
    read(BufReader::new(File::open(path)?), progress)
}

fn read(
    mut file: impl BufRead,
    progress: impl FnMut(u64),
) -> Result<(Blocklist, Summary), ReadError> {
    if file.fill_buf()?.starts_with(&GZIP) {
        let unpacked = BufReader::new(MultiGzDecoder::new(file));
        read_lines(unpacked.take(MAX_LENGTH + 1), progress)
    } else {
        read_lines(file.take(MAX_LENGTH + 1), progress)
    }
}

fn read_lines(
    mut text: io::Take<impl BufRead>,
    mut progress: impl FnMut(u64),
) -> Result<(Blocklist, Summary), ReadError> {
    let start = text.fill_buf()?;
    if start.starts_with(BINARY) {
        return Err(ReadError::Binary);
    }
    if UTF_16.iter().any(|mark| start.starts_with(mark)) {
        return Err(ReadError::Utf16);
    }
    let mut builder = Builder::default();
    let mut line = Vec::new();
    let mut lines = 0;
    while read_line(&mut text, &mut line)? {
        builder.add_line(&line)?;
        lines += 1;
        if lines % PROGRESS == 0 {
            progress(lines);
        }
    }
    if text.limit() == 0 {
        return Err(ReadError::TooLong);
    }
    Ok(builder.finish()?)
}

/// Reads a line, of which at most one byte more than a line may have is kept. Lines end with LF,
/// CRLF or CR. Returns false at the end.
fn read_line(text: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut is_end = true;
    loop {
        let available = text.fill_buf()?;
        if available.is_empty() {
            return Ok(!is_end);
        }
        is_end = false;
        let end = available.iter().position(|byte| b"\r\n".contains(byte));
        let length = end.unwrap_or(available.len());
        let is_return = available.get(length) == Some(&b'\r');
        let room = (MAX_LINE + 1).saturating_sub(line.len());
        line.extend_from_slice(available.get(..length.min(room)).unwrap_or_default());
        text.consume(end.map_or(length, |end| end + 1));
        if is_return && text.fill_buf()?.first() == Some(&b'\n') {
            text.consume(1);
        }
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// A policy that also refuses peers and DHT nodes at addresses of a blocklist.
/// Trackers are not peers, and are asked wherever they are.
#[derive(Debug)]
pub struct Blocking {
    policy: Arc<dyn Policy>,
    list: Arc<Blocklist>,
    refused: AtomicU64,
}

impl Blocking {
    /// `policy`, with a list.
    #[must_use]
    pub fn new(policy: Arc<dyn Policy>, list: Arc<Blocklist>) -> Self {
        Self {
            policy,
            list,
            refused: AtomicU64::new(0),
        }
    }

    /// The number of times that a peer was refused. The engine does not dial addresses of its own
    /// blocklist, so these are mostly attempts to connect to us.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Policy for Blocking {
    fn check(&self, target: &Target<'_>) -> Result<(), Refusal> {
        let applies = match target.purpose {
            Purpose::Peer | Purpose::Dht | Purpose::UtpSyn => true,
            Purpose::HttpTracker | Purpose::UdpTracker | Purpose::TorrentFile => false,
        };
        if applies && self.list.contains(target.addr.ip()) {
            if target.purpose == Purpose::Peer {
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            return Err(Refusal {
                addr: target.addr,
                why: "it is on the blocklist".into(),
            });
        }
        self.policy.check(target)
    }

    fn admit<'a>(&'a self, place: Place<'a>, owner: u64) -> Admission<'a> {
        self.policy.admit(place, owner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::net::OwnUser;

    fn read(file: impl BufRead) -> Result<(Blocklist, Summary), ReadError> {
        super::read(file, |_| {})
    }

    #[test]
    fn the_progress_of_a_long_list_is_told_in_lines() {
        let mut told = Vec::new();
        let text = "9.9.9.9/32\n".repeat(40_000);
        super::read(text.as_bytes(), |lines| told.push(lines)).unwrap();
        assert_eq!(told, [1 << 14, 2 << 14]);
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn a_list_is_the_same_compressed_and_with_any_kind_of_line_ends() {
        let text = "# a list\na:1.2.3.4-1.2.3.9\n5.0.0.0/8\nb:6.0.0.0\n";
        let (list, summary) = read(text.as_bytes()).unwrap();
        assert_eq!((list.len(), summary.blocked, summary.malformed), (2, 2, 1));
        let (unpacked, _) = read(&gzip(text.as_bytes())[..]).unwrap();
        assert_eq!(unpacked, list);
        for end in ["\r\n", "\r"] {
            let other = text.replace('\n', end);
            // The smallest buffer divides each CRLF.
            let read = read(BufReader::with_capacity(1, other.as_bytes())).unwrap();
            assert_eq!(read, (list.clone(), summary.clone()), "{end:?}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused_with_a_reason() {
        let why = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        assert!(why(b"<html>\n<body>").contains("no valid line; line 1 (<html>)"));
        assert!(why(b"\xff\xff\xff\xffP2B\x02x").contains("text form"));
        assert!(why(b"").contains("no valid line"));
        assert!(why(b"\xff\xfe1\0.\x002\0").contains("save it as UTF-8"));
        assert!(why(b"\xfe\xff\x001\0.\x002").contains("save it as UTF-8"));
        let whole = gzip(&b"1.2.3.4\n".repeat(1000));
        assert!(read(&whole[..whole.len() / 2]).is_err());
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory_and_the_next_one_counts() {
        let mut text = vec![b'x'; 1 << 20];
        text.extend(b"\n1.2.3.4\n");
        let (list, summary) = read(&text[..]).unwrap();
        assert_eq!((list.len(), summary.malformed), (1, 1));
        let mut line = Vec::new();
        assert!(read_line(&mut &text[..], &mut line).unwrap());
        assert_eq!(line.len(), MAX_LINE + 1);
    }

    #[test]
    fn peers_and_nodes_of_the_list_are_refused_and_counted_and_trackers_are_not() {
        let (list, _) = read(&b"9.9.9.0/24"[..]).unwrap();
        let policy = Blocking::new(Arc::new(OwnUser), Arc::new(list));
        let check = |purpose, addr: &str| {
            let target = Target {
                path_and_query: "/announce",
                ..Target::new(purpose, addr.parse().unwrap())
            };
            policy.check(&target).is_ok()
        };
        for addr in ["9.9.9.9:1", "[::ffff:9.9.9.9]:1"] {
            assert!(!check(Purpose::Peer, addr) && !check(Purpose::Dht, addr));
            assert!(check(Purpose::UdpTracker, addr) && check(Purpose::HttpTracker, addr));
        }
        assert!(check(Purpose::Peer, "9.9.8.9:1") && !check(Purpose::Peer, "9.9.8.9:0"));
        assert_eq!(policy.refused(), 2);
    }
}
