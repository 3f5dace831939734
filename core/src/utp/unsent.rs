//! Bytes that were written and not sent.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// The size of a chunk in bytes. What is sent points into chunks until it is acknowledged.
const CHUNK: usize = 16 << 10;

/// A queue of bytes in chunks: packets are taken out without a copy, and what waits is not moved
/// when more is written.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    /// All but the last one are full, as far as they are not taken out.
    chunks: VecDeque<BytesMut>,
    length: usize,
}

impl Unsent {
    /// The number of bytes.
    pub(super) const fn len(&self) -> usize {
        self.length
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends a copy of these.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            let fits = |chunk: &BytesMut| chunk.len() < chunk.capacity();
            if !self.chunks.back().is_some_and(fits) {
                self.chunks.push_back(BytesMut::with_capacity(CHUNK));
            }
            if let Some(chunk) = self.chunks.back_mut() {
                let room = chunk.capacity() - chunk.len();
                let (now, later) = bytes.split_at(bytes.len().min(room));
                chunk.extend_from_slice(now);
                bytes = later;
            }
        }
    }

    /// Removes the first `length` bytes, or all if there are fewer.
    pub(super) fn take(&mut self, length: usize) -> Bytes {
        let first = self.take_within_chunk(length);
        if first.len() == length || self.is_empty() {
            return first;
        }
        let mut joined = BytesMut::with_capacity(length.min(first.len() + self.length));
        joined.extend_from_slice(&first);
        while joined.len() < length && !self.is_empty() {
            joined.extend_from_slice(&self.take_within_chunk(length - joined.len()));
        }
        joined.freeze()
    }

    fn take_within_chunk(&mut self, length: usize) -> Bytes {
        let Some(chunk) = self.chunks.front_mut() else {
            return Bytes::new();
        };
        let taken = chunk.split_to(length.min(chunk.len())).freeze();
        self.length -= taken.len();
        if chunk.capacity() == 0 {
            self.chunks.pop_front();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn what_is_taken_is_what_was_written_in_order_and_as_much_as_is_there(
            steps in vec((0..40_000_usize, 0..3000_usize), 1..50),
        ) {
            let (mut unsent, mut written, mut taken) = (Unsent::default(), Vec::new(), Vec::new());
            for (write, take) in steps {
                let bytes: Vec<u8> = (written.len()..written.len() + write)
                    .map(|place| (place % 251).try_into().unwrap_or_default())
                    .collect();
                unsent.push(&bytes);
                written.extend(bytes);
                let before = unsent.len();
                let part = unsent.take(take);
                prop_assert_eq!(part.len(), take.min(before));
                prop_assert_eq!(unsent.len(), before - part.len());
                taken.extend_from_slice(&part);
            }
            taken.extend_from_slice(&unsent.take(usize::MAX));
            prop_assert!(unsent.is_empty());
            prop_assert_eq!(taken, written);
        }
    }

    #[test]
    fn small_writes_share_a_chunk_and_nothing_is_copied_within_one() {
        let mut unsent = Unsent::default();
        unsent.push(&[1; 100]);
        let first = unsent.take(100);
        unsent.push(&[2; 100]);
        let second = unsent.take(100);
        assert_eq!(first.as_ptr().wrapping_add(100), second.as_ptr());
        unsent.push(&[3; CHUNK]);
        assert_eq!(unsent.chunks.len(), 2);
        unsent.take(CHUNK);
        assert_eq!(unsent.chunks.len(), 1);
    }
}
