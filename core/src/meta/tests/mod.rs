mod create;
mod hostile;
mod magnet;
mod property;
mod torrent;

use sha1::{Digest, Sha1};

use super::{Metainfo, MetainfoError};
use crate::bencode::{Encoded, Encoder};

/// A `files` entry.
fn file(path: &[&str], length: i64) -> Encoded {
    Encoder::new()
        .put("path", Encoded::list(path.iter().map(Encoded::bytes)))
        .int("length", length)
        .into()
}

fn with_attr(path: &[&str], length: i64, attr: &str) -> Encoded {
    Encoder::new()
        .put("path", Encoded::list(path.iter().map(Encoded::bytes)))
        .int("length", length)
        .bytes("attr", attr)
        .into()
}

/// An `info` dictionary with these files, a piece length of 16 KiB, and the number of hashes that
/// `total` bytes need.
fn folder(name: &str, files: impl IntoIterator<Item = Encoded>, total: usize) -> Encoder {
    let mut info = Encoder::new();
    info.bytes("name", name)
        .int("piece length", 16_384u32)
        .list("files", files);
    info.bytes("pieces", vec![7; total.div_ceil(16_384) * 20]);
    info
}

/// An `info` dictionary with one file of 20,000 bytes: two pieces.
fn single(name: &str) -> Encoder {
    let mut info = Encoder::new();
    info.bytes("name", name)
        .int("piece length", 16_384u32)
        .int("length", 20_000u32)
        .bytes("pieces", [7; 40]);
    info
}

fn torrent(info: &Encoder) -> Vec<u8> {
    Encoder::new().put("info", info).finish()
}

fn parse(info: &Encoder) -> Result<Metainfo, MetainfoError> {
    Metainfo::parse(&torrent(info))
}

/// The paths of all files, each joined with `/`.
fn paths(info: &Encoder) -> Vec<String> {
    parse(info)
        .unwrap()
        .info
        .files
        .iter()
        .map(|f| f.path.join("/"))
        .collect()
}

fn sha1(bytes: &[u8]) -> [u8; 20] {
    Sha1::digest(bytes).into()
}
