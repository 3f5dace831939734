//! The torrent under test: six pieces in two files; the last piece is shorter.

use std::sync::{Arc, LazyLock};

use aqueduct_core::Rope;
use aqueduct_core::meta::{Content, Details, Draft, Info, NewFile};
use aqueduct_core::types::{Lengths, Piece, Sha1Digest};
use bytes::Bytes;
use sha1::{Digest as _, Sha1};

const PIECE: u64 = 32 * 1024;
const FIRST: u64 = 2 * PIECE + 100;
const TOTAL: u64 = 5 * PIECE + 20_000;

pub(super) struct Torrent {
    pub(super) info: Arc<Info>,
    data: Bytes,
}

/// Created once and only read by the runs.
pub(super) static TORRENT: LazyLock<Torrent> = LazyLock::new(Torrent::new);

impl Torrent {
    fn new() -> Self {
        let data: Bytes = (0..TOTAL)
            .map(|at| (at ^ (at >> 8) ^ (at >> 15)).to_le_bytes()[0])
            .collect();
        let digests: Vec<Sha1Digest> = data
            .chunks(usize::try_from(PIECE).unwrap_or(usize::MAX))
            .map(|piece| Sha1::digest(piece).into())
            .collect();
        let file = |name: &str, size| NewFile {
            path: vec![name.to_owned()],
            size,
        };
        let content = Content::Folder(vec![file("a", FIRST), file("b", TOTAL - FIRST)]);
        let draft = Draft::new("fuzzed", content, Some(PIECE)).unwrap();
        let info = draft.finish(&digests, Details::default()).unwrap().info;
        Self { info, data }
    }

    pub(super) fn lengths(&self) -> Lengths {
        self.info.lengths
    }

    pub(super) fn pieces(&self) -> u32 {
        self.info.lengths.pieces()
    }

    /// Bytes of the torrent. `None` if the range is not within it.
    pub(super) fn slice(&self, offset: u64, length: u64) -> Option<Bytes> {
        let from = usize::try_from(offset).ok()?;
        let to = from.checked_add(usize::try_from(length).ok()?)?;
        (to <= self.data.len()).then(|| self.data.slice(from..to))
    }

    pub(super) fn piece(&self, piece: Piece) -> Bytes {
        let lengths = self.lengths();
        self.slice(lengths.offset(piece), lengths.size(piece).into())
            .expect("a piece lies in its torrent")
    }
}

pub(super) fn digest(rope: &Rope) -> Sha1Digest {
    let hasher = rope
        .0
        .iter()
        .fold(Sha1::new(), |hasher, part| hasher.chain_update(part));
    hasher.finalize().into()
}
