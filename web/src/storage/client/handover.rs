//! How many bytes the storage worker holds at a time.

use std::collections::VecDeque;

/// The maximum number of bytes that the storage worker holds for digests and writes, apart from one
/// piece of any length. It takes some 20 ms for as many; each byte is held twice meanwhile, here and
/// there, so that more would only fill memory.
pub(super) const MAX_HELD: u64 = 4 << 20;

/// Items that wait until the storage worker holds less.
pub(super) struct Handover<T> {
    held: u64,
    waiting: VecDeque<(u64, T)>,
}

impl<T> Default for Handover<T> {
    fn default() -> Self {
        Self {
            held: 0,
            waiting: VecDeque::new(),
        }
    }
}

impl<T> Handover<T> {
    /// Adds an item of this many bytes.
    pub(super) fn push(&mut self, bytes: u64, item: T) {
        self.waiting.push_back((bytes, item));
    }

    /// The next item that may be handed over now. The storage worker counts as holding it until
    /// [`Handover::release`].
    pub(super) fn poll(&mut self) -> Option<T> {
        let (bytes, _) = self.waiting.front()?;
        if self.held > 0 && self.held + bytes > MAX_HELD {
            return None;
        }
        let (bytes, item) = self.waiting.pop_front()?;
        self.held += bytes;
        Some(item)
    }

    /// Records that the storage worker holds this many bytes less.
    pub(super) fn release(&mut self, bytes: u64) {
        self.held = self.held.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{Handover, MAX_HELD};

    #[test]
    fn what_the_storage_worker_holds_is_bounded_and_nothing_waits_forever() {
        let mut handover = Handover::default();
        let half = MAX_HELD / 2;
        for (bytes, name) in [(half, 'a'), (half, 'b'), (1, 'c'), (MAX_HELD * 4, 'd')] {
            handover.push(bytes, name);
        }
        assert_eq!((handover.poll(), handover.poll()), (Some('a'), Some('b')));
        assert_eq!(handover.poll(), None);
        handover.release(half);
        assert_eq!((handover.poll(), handover.poll()), (Some('c'), None));
        handover.release(half);
        assert_eq!(handover.poll(), None, "the large one waits for all others");
        handover.release(1);
        assert_eq!(handover.poll(), Some('d'));
    }
}
