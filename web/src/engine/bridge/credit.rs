//! Credit for streams: a peer's bytes are credited immediately, unless so many bytes wait for
//! digests and the disk that more would only fill memory.

use aqueduct_core::types::{RequestId, SortedMap};

/// The number of bytes waiting for digests and the disk above which streams get no more credit. The
/// engine requests at most half as much; the rest is for peers that send unrequested data, and for
/// a stalled disk.
const MAX_WAITING: u64 = 16 << 20;

/// Bytes that wait for storage, and the credit that is withheld from streams in the meantime.
#[derive(Default)]
pub(super) struct Credit {
    waiting: u64,
    sizes: SortedMap<RequestId, u64>,
    withheld: Vec<(u32, usize)>,
}

impl Credit {
    /// Records that a digest or a write of this many bytes was started.
    pub(super) fn request_started(&mut self, id: RequestId, bytes: u64) {
        self.waiting += bytes;
        self.sizes.insert(id, bytes);
    }

    /// Records that a request is complete. Returns the streams and bytes to credit now.
    pub(super) fn request_finished(&mut self, id: RequestId) -> Vec<(u32, usize)> {
        self.waiting -= self.sizes.remove(&id).unwrap_or(0);
        if self.waiting < MAX_WAITING {
            std::mem::take(&mut self.withheld)
        } else {
            Vec::new()
        }
    }

    /// Records received bytes of a stream. Returns whether to credit them immediately; otherwise
    /// [`Credit::request_finished`] returns them later.
    pub(super) fn received(&mut self, stream: u32, bytes: usize) -> bool {
        let at_once = self.waiting < MAX_WAITING;
        if !at_once {
            self.withheld.push((stream, bytes));
        }
        at_once
    }

    /// Clears withheld credit, since all streams are closed.
    pub(super) fn end_session(&mut self) {
        self.withheld.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_is_held_back_while_the_disk_is_behind_and_given_when_it_caught_up() {
        let mut credit = Credit::default();
        assert!(credit.received(1, 100));
        credit.request_started(RequestId(1), MAX_WAITING);
        credit.request_started(RequestId(2), 1);
        assert!(!credit.received(1, 200));
        assert!(credit.request_finished(RequestId(2)).is_empty());
        assert_eq!(credit.request_finished(RequestId(1)), [(1, 200)]);
        assert!(credit.received(1, 300));
    }
}
