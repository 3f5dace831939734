//! A copy of the metadata that is being received from one peer (BEP 9).

use bytes::Bytes;

use crate::extensions::metadata::BLOCK;
use crate::types::Instant;

/// The maximum size of metadata in bytes: 16 MiB.
pub(crate) const MAX_SIZE: u32 = 16 << 20;
/// The number of requests in flight to one peer.
const PIPELINE: u32 = 8;

/// A copy that is being received from one peer.
#[derive(Debug)]
pub(super) struct Copy {
    size: u32,
    /// Grows block by block. No memory is allocated based on the declared size.
    blocks: Vec<Bytes>,
    asked: u32,
    /// The time of the last block. A stalled peer is replaced by another.
    pub(super) at: Instant,
}

impl Copy {
    /// A copy of `size` bytes; `None` if the size is invalid.
    pub(super) fn new(size: u32, at: Instant) -> Option<Self> {
        (1..=MAX_SIZE).contains(&size).then_some(Self {
            size,
            blocks: Vec::new(),
            asked: 0,
            at,
        })
    }

    /// The next block to request, while the pipeline has room.
    pub(super) fn next_request(&mut self) -> Option<u32> {
        let had = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        let next = self.asked;
        let room = next < self.size.div_ceil(BLOCK) && next < had + PIPELINE;
        self.asked += u32::from(room);
        room.then_some(next)
    }

    /// Stores a block. Blocks are requested in order over one connection, so they must arrive in
    /// order. Returns false for any other block.
    pub(super) fn arrived(&mut self, now: Instant, block: u32, data: Bytes) -> bool {
        let expected = self
            .size
            .saturating_sub(block.saturating_mul(BLOCK))
            .min(BLOCK);
        let fits = block as usize == self.blocks.len()
            && block < self.asked
            && data.len() == expected as usize;
        if fits {
            self.blocks.push(data);
            self.at = now;
        }
        fits
    }

    /// The complete metadata, if all blocks have arrived.
    pub(super) fn whole(&self) -> Option<Bytes> {
        let there = self.blocks.len() == self.size.div_ceil(BLOCK) as usize;
        there.then(|| self.blocks.concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extensions::metadata::MetadataMessage;

    #[test]
    fn a_copy_is_whole_when_every_block_came_in_order() {
        let raw = Bytes::from(vec![7u8; BLOCK as usize * 10 + 5]);
        let mut copy = Copy::new(u32::try_from(raw.len()).unwrap(), Instant::ZERO).unwrap();
        let mut asked: Vec<u32> = std::iter::from_fn(|| copy.next_request()).collect();
        assert_eq!(asked.len(), 8);
        while let Some(block) = (!asked.is_empty()).then(|| asked.remove(0)) {
            let Some(MetadataMessage::Data { data, .. }) = MetadataMessage::serve(&raw, block)
            else {
                panic!("block {block}")
            };
            assert!(!copy.arrived(Instant::ZERO, block + 1, data.clone()));
            assert!(copy.arrived(Instant::ZERO, block, data));
            asked.extend(copy.next_request());
        }
        assert_eq!(copy.whole(), Some(raw.clone()));
        assert_eq!(MetadataMessage::serve(&raw, 11), None);
    }

    #[test]
    fn impossible_sizes_and_unasked_blocks_are_refused() {
        assert!(
            Copy::new(0, Instant::ZERO).is_none()
                && Copy::new(MAX_SIZE + 1, Instant::ZERO).is_none()
        );
        let mut copy = Copy::new(5, Instant::ZERO).unwrap();
        assert!(!copy.arrived(Instant::ZERO, 0, Bytes::from_static(b"12345")));
        copy.next_request();
        assert!(!copy.arrived(Instant::ZERO, 0, Bytes::from_static(b"123456")));
    }
}
