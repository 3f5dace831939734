//! Files on a disk that works, that moves few bytes at a time, and that fails at any call.
#![allow(clippy::cast_possible_truncation, reason = "test torrents are small")]

mod changed;
mod digested;
mod faulty;
mod flushed;
mod recorded;
mod written;

use std::path::Path;
use std::sync::Arc;

use aqueduct_core::Rope;
use aqueduct_core::meta::{File, Info};
use aqueduct_core::types::{InfoHash, InfoHashV1, Lengths};
use bytes::Bytes;

use self::faulty::Faulty;
use super::{Handles, Storage, StorageError};

/// A torrent of files of these sizes; every third is a pad.
fn torrent(sizes: &[u64], piece_length: u64) -> Arc<Info> {
    let mut offset = 0;
    let mut file = |(n, &size): (usize, &u64)| {
        let file = File {
            path: vec!["t".into(), format!("d{}", n % 2), format!("f{n}")],
            offset,
            size,
            pad: n % 3 == 2,
        };
        offset += size;
        file
    };
    let files: Vec<_> = sizes.iter().enumerate().map(&mut file).collect();
    Arc::new(Info {
        info_hash: InfoHash::V1(InfoHashV1([1; 20])),
        raw: Bytes::from_static(b"de"),
        name: "t".into(),
        lengths: Lengths::new(offset, piece_length).unwrap(),
        pieces: Bytes::new(),
        files,
        multi: true,
        private: false,
        source: None,
    })
}

/// The torrent's bytes: pads are zeros.
fn content(info: &Info) -> Vec<u8> {
    let byte = |file: &File, n: u64| {
        if file.pad {
            0
        } else {
            (file.offset + n) as u8 | 1
        }
    };
    info.files
        .iter()
        .flat_map(|file| (0..file.size).map(move |n| byte(file, n)))
        .collect()
}

fn open(root: &Path, disk: Faulty, info: &Arc<Info>) -> Result<Storage<Faulty>, StorageError> {
    Storage::new(root, disk, Arc::clone(info), Handles::new(2))
}

fn ropes(info: &Info) -> Vec<(u64, Rope)> {
    let content = Bytes::from(content(info));
    let piece = |piece| {
        let (offset, size) = (info.lengths.offset(piece), info.lengths.size(piece));
        let bytes = content.slice(offset as usize..offset as usize + size as usize);
        let (a, b) = (
            bytes.slice(..bytes.len() / 3),
            bytes.slice(bytes.len() / 3..),
        );
        (offset, Rope(vec![a, b]))
    };
    info.lengths.iter().map(piece).collect()
}

fn write_all(storage: &Storage<Faulty>, info: &Info) -> Result<(), StorageError> {
    ropes(info)
        .into_iter()
        .try_for_each(|(offset, rope)| storage.write(offset, &rope))?;
    storage.flush()
}
