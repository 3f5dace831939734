//! The order in which data are downloaded.

use crate::meta::Info;
use crate::types::Instant;

/// A byte range to download before others, from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorityRange {
    /// The offset of the first byte in the torrent.
    pub start: u64,
    /// The offset after the last byte. Bytes beyond the end of the torrent are ignored.
    pub end: u64,
    /// When the data are needed. Ranges with earlier deadlines come first; ranges with equal
    /// deadlines keep their order. A range whose deadline has passed when it is set is awaited:
    /// requests for data outside of such ranges are cancelled when the next awaited piece is not
    /// requested yet.
    pub deadline: Instant,
}

impl PriorityRange {
    /// The whole torrent, in order. Nothing waits for it.
    pub const ALL: Self = Self {
        start: 0,
        end: u64::MAX,
        deadline: Instant::from_micros(u64::MAX),
    };

    /// The first and the last piece of each file, which media players read first, then the whole
    /// torrent in order.
    #[must_use]
    pub fn sequential(info: &Info) -> Vec<Self> {
        let piece = u64::from(info.lengths.piece_length());
        let files = info.files.iter().filter(|file| !file.pad && file.size > 0);
        let ends = files.flat_map(|file| {
            let (start, end) = (file.offset, file.offset + file.size);
            let first = Self {
                start,
                end: end.min(start + piece),
                ..Self::ALL
            };
            [
                first,
                Self {
                    start: end.saturating_sub(piece).max(start),
                    end,
                    ..Self::ALL
                },
            ]
        });
        ends.chain([Self::ALL]).collect()
    }
}
