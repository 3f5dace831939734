//! What is fetched first.

use crate::meta::Info;
use crate::types::Instant;

/// Bytes that are fetched before others, from the first on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriorityRange {
    /// First byte, in the torrent.
    pub start: u64,
    /// The byte after the last one. What lies beyond the torrent's end is ignored.
    pub end: u64,
    /// When the bytes are needed: of two ranges the one with the earlier deadline comes first,
    /// among equals the one named first.
    pub deadline: Instant,
}

impl PriorityRange {
    /// The whole torrent, in order.
    pub const ALL: Self = Self {
        start: 0,
        end: u64::MAX,
        deadline: Instant::ZERO,
    };

    /// The first and the last piece of each file, which players look at before anything else, then
    /// the whole torrent in order.
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
