//! `ut_metadata` (BEP 9): the info dictionary from peers.
//!
//! Several peers are asked at once, each for a whole copy of its own. Copies are small, so this costs little, and it leaves a liar nothing to spoil:
//! a copy that does not match the info-hash condemns the one peer that sent it, and the others go on as if nothing had been.

use bytes::Bytes;

use crate::bencode::{Encoder, Limits, scan_prefix};
use crate::types::Instant;

/// Bytes in every block but the last (BEP 9).
pub(crate) const BLOCK: u32 = 16 * 1024;
/// Larger metadata are refused: 16 MiB.
pub(crate) const MAX_SIZE: u32 = 16 << 20;
/// Requests in flight to one peer.
const PIPELINE: u32 = 8;

/// One message of the extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetadataMessage {
    /// Type 0: asks for a block.
    Request(u32),
    /// Type 1: a block; its bytes follow the dictionary.
    Data {
        /// Which block.
        block: u32,
        /// Its bytes.
        data: Bytes,
    },
    /// Type 2: the block will not be sent.
    Reject(u32),
}

impl MetadataMessage {
    /// Reads a payload. `None`: broken, or of a type that is not known (to be ignored, BEP 9).
    pub(crate) fn decode(payload: &Bytes) -> Option<Self> {
        let (value, rest) = scan_prefix(payload, Limits::MESSAGE).ok()?;
        let dict = value.as_dict()?;
        let block = dict.num("piece")?;
        match dict.num::<u8>("msg_type")? {
            0 => Some(Self::Request(block)),
            1 => Some(Self::Data { block, data: payload.slice_ref(rest) }),
            2 => Some(Self::Reject(block)),
            _ => None,
        }
    }

    /// Writes a payload. `total`: bytes of the whole metadata, told with data.
    pub(crate) fn encode(&self, total: u64) -> Bytes {
        let mut dict = Encoder::new();
        let (kind, block, data) = match self {
            Self::Request(block) => (0, block, None),
            Self::Data { block, data } => (1, block, Some(data)),
            Self::Reject(block) => (2, block, None),
        };
        dict.int("msg_type", kind).int("piece", *block);
        if data.is_some() {
            dict.int("total_size", total);
        }
        let mut payload = dict.finish();
        payload.extend(data.into_iter().flatten());
        payload.into()
    }

    /// The block of our own metadata that was asked for, if there is such a one.
    pub(crate) fn serve(raw: &Bytes, block: u32) -> Option<Self> {
        let start = (block as usize).checked_mul(BLOCK as usize).filter(|&s| s < raw.len())?;
        let data = raw.slice(start..raw.len().min(start + BLOCK as usize));
        Some(Self::Data { block, data })
    }
}

/// One peer's copy, on its way.
#[derive(Debug)]
pub(crate) struct Copy {
    size: u32,
    /// Grows block by block: nothing is set aside because a peer says how much will come.
    blocks: Vec<Bytes>,
    asked: u32,
    /// When something last came: a peer that stalls makes room for another.
    pub(crate) at: Instant,
}

impl Copy {
    /// A copy of `size` bytes, if that is a possible size.
    pub(crate) fn new(size: u32, at: Instant) -> Option<Self> {
        (1..=MAX_SIZE).contains(&size).then_some(Self { size, blocks: Vec::new(), asked: 0, at })
    }

    /// The next block to ask for, while the pipeline has room.
    pub(crate) fn next_request(&mut self) -> Option<u32> {
        let had = u32::try_from(self.blocks.len()).unwrap_or(u32::MAX);
        let next = self.asked;
        let room = next < self.size.div_ceil(BLOCK) && next < had + PIPELINE;
        self.asked += u32::from(room);
        room.then_some(next)
    }

    /// A block came. Blocks are asked for in order over one connection, so they come in order: anything else is no answer to what was asked.
    pub(crate) fn arrived(&mut self, now: Instant, block: u32, data: Bytes) -> bool {
        let expected = self.size.saturating_sub(block.saturating_mul(BLOCK)).min(BLOCK);
        let fits = block as usize == self.blocks.len() && block < self.asked && data.len() == expected as usize;
        if fits {
            self.blocks.push(data);
            self.at = now;
        }
        fits
    }

    /// All bytes, once they are there.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        let there = self.blocks.len() == self.size.div_ceil(BLOCK) as usize;
        there.then(|| self.blocks.concat().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_they_were_written() {
        let data = MetadataMessage::Data { block: 3, data: Bytes::from_static(b"xyz") };
        for message in [MetadataMessage::Request(0), data, MetadataMessage::Reject(7)] {
            assert_eq!(MetadataMessage::decode(&message.encode(100)), Some(message));
        }
        assert_eq!(MetadataMessage::decode(&Bytes::from_static(b"d8:msg_typei9e5:piecei0ee")), None);
        assert_eq!(MetadataMessage::decode(&Bytes::from_static(b"llll")), None);
    }

    #[test]
    fn a_copy_is_whole_when_every_block_came_in_order() {
        let raw = Bytes::from(vec![7u8; BLOCK as usize * 10 + 5]);
        let mut copy = Copy::new(u32::try_from(raw.len()).unwrap(), Instant::ZERO).unwrap();
        let mut asked: Vec<u32> = std::iter::from_fn(|| copy.next_request()).collect();
        assert_eq!(asked.len(), 8);
        while let Some(block) = (!asked.is_empty()).then(|| asked.remove(0)) {
            let Some(MetadataMessage::Data { data, .. }) = MetadataMessage::serve(&raw, block) else { panic!("block {block}") };
            assert!(!copy.arrived(Instant::ZERO, block + 1, data.clone()));
            assert!(copy.arrived(Instant::ZERO, block, data));
            asked.extend(copy.next_request());
        }
        assert_eq!(copy.whole(), Some(raw.clone()));
        assert_eq!(MetadataMessage::serve(&raw, 11), None);
    }

    #[test]
    fn impossible_sizes_and_unasked_blocks_are_refused() {
        assert!(Copy::new(0, Instant::ZERO).is_none() && Copy::new(MAX_SIZE + 1, Instant::ZERO).is_none());
        let mut copy = Copy::new(5, Instant::ZERO).unwrap();
        assert!(!copy.arrived(Instant::ZERO, 0, Bytes::from_static(b"12345")));
        copy.next_request();
        assert!(!copy.arrived(Instant::ZERO, 0, Bytes::from_static(b"123456")));
    }
}
