//! SHA-1 (FIPS 180-4) of messages that come in chunks.

use aqueduct_core::types::Sha1Digest;

use super::lanes::{self, BLOCK, Block, State};

/// SHA-1 of bytes that come one chunk after the other.
#[derive(Clone, Debug)]
pub struct Hasher {
    state: State,
    /// Bytes so far.
    length: u64,
    /// Begins with the last bytes, which are not a whole block yet.
    tail: Block,
    /// How many they are, less than a block.
    filled: usize,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            state: lanes::INITIAL,
            length: 0,
            tail: [0; BLOCK],
            filled: 0,
        }
    }
}

impl Hasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let (blocks, rest) = self.complete_block(bytes).as_chunks();
        lanes::compress(&mut self.state, blocks);
        self.count(blocks, rest);
    }

    /// Adds the next bytes of each of two messages. Where both have whole blocks, these are digested
    /// at the same time.
    pub fn update_pair([a, b]: [&mut Self; 2], [a_bytes, b_bytes]: [&[u8]; 2]) {
        let (a_blocks, a_rest) = a.complete_block(a_bytes).as_chunks();
        let (b_blocks, b_rest) = b.complete_block(b_bytes).as_chunks();
        lanes::compress_pair([&mut a.state, &mut b.state], [a_blocks, b_blocks]);
        a.count(a_blocks, a_rest);
        b.count(b_blocks, b_rest);
    }

    /// The digest of all bytes so far.
    #[must_use]
    pub fn finish(mut self) -> Sha1Digest {
        // A one, zeros up to eight bytes before the end of a block, and the length in bits.
        let bits = self.length.wrapping_mul(8);
        let mut padding = [0; BLOCK];
        padding[0] = 0x80;
        let (padding, _) = padding.split_at(BLOCK - (self.filled + 8) % BLOCK);
        self.update(padding);
        self.update(&bits.to_be_bytes());
        let mut digest = Sha1Digest::default();
        let (words, _) = digest.as_chunks_mut();
        for (bytes, word) in words.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }

    /// Adds bytes until no block is incomplete; returns the rest of them.
    fn complete_block<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.filled == 0 {
            return bytes;
        }
        let (now, rest) = bytes.split_at(bytes.len().min(BLOCK - self.filled));
        self.keep(now);
        if self.filled == BLOCK {
            lanes::compress(&mut self.state, &[self.tail]);
            self.filled = 0;
        }
        rest
    }

    /// Counts blocks that were compressed, and keeps the bytes after them.
    fn count(&mut self, blocks: &[Block], rest: &[u8]) {
        self.length += blocks.as_flattened().len() as u64;
        self.keep(rest);
    }

    /// Keeps bytes that fit into the block that is not complete.
    fn keep(&mut self, bytes: &[u8]) {
        let (_, free) = self.tail.split_at_mut(self.filled);
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.filled += bytes.len();
        self.length += bytes.len() as u64;
    }
}
