//! One peer's copy of the metadata (BEP 9), on its way.

use bytes::Bytes;

use crate::extensions::metadata::BLOCK;
use crate::types::Instant;

/// Larger metadata are refused: 16 MiB.
pub(crate) const MAX_SIZE: u32 = 16 << 20;
/// Requests in flight to one peer.
const PIPELINE: u32 = 8;

/// One peer's copy, on its way.
#[derive(Debug)]
pub(super) struct Copy {
    size: u32,
    /// Grows block by block: nothing is set aside because a peer says how much will come.
    blocks: Vec<Bytes>,
    asked: u32,
    /// When something last came: a peer that stalls makes room for another.
    pub(super) at: Instant,
}

impl Copy {
    /// A copy of `size` bytes, if that is a possible size.
    pub(super) fn new(size: u32, at: Instant) -> Option<Self> {
        (1..=MAX_SIZE).contains(&size).then_some(Self {
            size,
            blocks: Vec::new(),
            asked: 0,
            at,
        })
    }

    /// The next block to ask for, while the pipeline has room.
    pub(super) fn next_request(&mut self) -> Option<u32> {
        let had = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        let next = self.asked;
        let room = next < self.size.div_ceil(BLOCK) && next < had + PIPELINE;
        self.asked += u32::from(room);
        room.then_some(next)
    }

    /// A block came. Blocks are asked for in order over one connection, so they come in order:
    /// anything else is no answer to what was asked.
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

    /// All bytes, once they are there.
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
