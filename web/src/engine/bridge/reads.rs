//! The bridge's streams to players outside the browser.

use std::ops::Range;

use aqueduct_core::tunnel::PlayerToken;
use aqueduct_core::types::SortedMap;

/// What the bridge reports of players.
#[derive(Debug)]
pub(in crate::engine) enum PlayerEvent {
    /// A session started in which so many files may be offered.
    Started {
        /// The maximum number of offers.
        offers: u16,
    },
    /// The token of an offer.
    Offered {
        /// The offer.
        offer: u32,
        /// The token.
        token: PlayerToken,
    },
    /// A player reads these bytes of an offered file.
    Read {
        /// The stream for them.
        stream: u32,
        /// The offer.
        offer: u32,
        /// The bytes of the file.
        bytes: Range<u64>,
    },
    /// Everything that was queued on a stream is sent.
    Sent(u32),
    /// A stream has ended.
    Closed(u32),
}

/// The open streams, and the number of bytes queued on each.
#[derive(Default)]
pub(super) struct Reads(SortedMap<u32, u64>);

impl Reads {
    pub(super) fn open(&mut self, stream: u32) {
        self.0.insert(stream, 0);
    }

    /// Removes a stream. Returns whether it was open.
    pub(super) fn close(&mut self, stream: u32) -> bool {
        self.0.remove(&stream).is_some()
    }

    pub(super) fn close_all(&mut self) {
        self.0.clear();
    }

    pub(super) fn are_open(&self) -> bool {
        !self.0.is_empty()
    }

    /// Records that bytes are queued.
    pub(super) fn queued(&mut self, stream: u32, bytes: usize) {
        if let Some(queued) = self.0.get_mut(&stream) {
            *queued += bytes as u64;
        }
    }

    /// Records that bytes are sent. Returns whether those were the last ones; `None` for a stream of
    /// a peer.
    pub(super) fn sent(&mut self, stream: u32, bytes: u64) -> Option<bool> {
        let queued = self.0.get_mut(&stream)?;
        *queued = queued.saturating_sub(bytes);
        Some(*queued == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_takes_more_when_all_that_was_queued_is_sent() {
        let mut reads = Reads::default();
        reads.open(3);
        reads.queued(3, 100);
        assert_eq!(reads.sent(3, 60), Some(false));
        assert_eq!(reads.sent(3, 40), Some(true));
        assert_eq!(reads.sent(4, 40), None);
        assert!(reads.close(3) && !reads.close(3) && !reads.are_open());
    }
}
