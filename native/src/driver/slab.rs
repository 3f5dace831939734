//! Receive buffers. Blocks remain slices of them until they are written to the file, so a buffer is
//! free only after the last of its blocks is written. New memory from the system for each buffer
//! would cost a page fault per 4 KiB.

use std::collections::VecDeque;
use std::mem;

use bytes::BytesMut;

/// The size of a slab in bytes: sixteen blocks, so that the copies from one slab to the next (half
/// a block on average) amount to 3 %.
const SLAB: usize = 256 * 1024;
/// The buffer size of a quiet connection in bytes.
const LEAST: usize = 4 * 1024;
/// The maximum number of used slabs that are kept, 32 MiB. Others are returned to the allocator.
const MAX_RETIRED: usize = 128;
/// The number of used slabs that are checked when one is needed; they become free approximately in
/// order.
const LOOKED_AT: usize = 4;
/// The number of consecutive small reads after which a connection counts as quiet.
const QUIET_READS: u8 = 16;

/// Slabs that wait until their last block is written.
#[derive(Debug, Default)]
pub(super) struct Slabs {
    retired: VecDeque<BytesMut>,
}

impl Slabs {
    fn take(&mut self) -> BytesMut {
        for _ in 0..LOOKED_AT.min(self.retired.len()) {
            let Some(mut slab) = self.retired.pop_front() else {
                break;
            };
            if slab.try_reclaim(SLAB) {
                return slab;
            }
            self.retired.push_back(slab);
        }
        BytesMut::with_capacity(SLAB)
    }

    fn retire(&mut self, mut slab: BytesMut) {
        if self.retired.len() < MAX_RETIRED {
            slab.clear();
            self.retired.push_back(slab);
        }
    }
}

/// The receive buffer of one connection: small while it is quiet, a slab while it is fast.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Received bytes that were not processed.
    pub(super) bytes: BytesMut,
    is_slab: bool,
    room: usize,
    small_reads: u8,
}

impl Buffer {
    /// A buffer that starts with the bytes after the handshake.
    pub(super) fn new(rest: BytesMut) -> Self {
        Self {
            bytes: rest,
            is_slab: false,
            room: LEAST,
            small_reads: 0,
        }
    }

    /// Makes room for at least `wanted` bytes, by switching to a new buffer if this one is almost
    /// used up.
    pub(super) fn make_room(&mut self, wanted: usize, slabs: &mut Slabs) {
        let spare = self.bytes.capacity() - self.bytes.len();
        if spare < wanted.max(self.room / 8) {
            let needed = self.bytes.len().saturating_add(wanted);
            self.move_on(self.room.max(needed), slabs);
        }
    }

    fn move_on(&mut self, room: usize, slabs: &mut Slabs) {
        let fits = room <= SLAB && room * 2 > SLAB;
        let mut next = if fits {
            slabs.take()
        } else {
            BytesMut::with_capacity(room)
        };
        next.extend_from_slice(&self.bytes);
        let used = mem::replace(&mut self.bytes, next);
        if mem::replace(&mut self.is_slab, fits) {
            slabs.retire(used);
        }
    }

    /// Adapts the size after a read of `count` bytes: a read that filled the buffer doubles the
    /// next one, and many consecutive small reads make it small.
    pub(super) fn adapt(&mut self, count: usize, slabs: &mut Slabs) {
        if self.bytes.len() == self.bytes.capacity() {
            self.room = (self.room * 2).min(SLAB);
        }
        self.small_reads = if count < LEAST {
            self.small_reads.saturating_add(1)
        } else {
            0
        };
        if self.small_reads >= QUIET_READS && self.room > LEAST {
            self.room = LEAST;
            self.move_on(LEAST.max(self.bytes.len()), slabs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(buffer: &mut Buffer, slabs: &mut Slabs) -> BytesMut {
        buffer.make_room(1, slabs);
        let count = buffer.bytes.capacity() - buffer.bytes.len();
        buffer.bytes.resize(buffer.bytes.capacity(), 7);
        buffer.adapt(count, slabs);
        buffer.bytes.split()
    }

    #[test]
    fn a_slab_is_used_again_once_its_last_block_is_dropped() {
        let (mut slabs, mut buffer) = (Slabs::default(), Buffer::new(BytesMut::new()));
        let mut block = BytesMut::new();
        while !buffer.is_slab {
            block = fill(&mut buffer, &mut slabs);
        }
        let address = block.as_ptr();
        let other = fill(&mut buffer, &mut slabs);
        assert_ne!(other.as_ptr(), address);
        drop((block, other));
        let (third, fourth) = (fill(&mut buffer, &mut slabs), fill(&mut buffer, &mut slabs));
        assert!([third.as_ptr(), fourth.as_ptr()].contains(&address));
    }

    #[test]
    fn a_quiet_connection_gives_its_slab_back() {
        let (mut slabs, mut buffer) = (Slabs::default(), Buffer::new(BytesMut::new()));
        while !buffer.is_slab {
            fill(&mut buffer, &mut slabs);
        }
        for _ in 0..QUIET_READS {
            buffer.make_room(1, &mut slabs);
            buffer.bytes.extend_from_slice(b"x");
            buffer.adapt(1, &mut slabs);
            buffer.bytes.clear();
        }
        assert!(!buffer.is_slab && buffer.bytes.capacity() <= 2 * LEAST);
    }

    #[test]
    fn a_message_longer_than_a_slab_finds_room() {
        let (mut slabs, mut buffer) = (Slabs::default(), Buffer::new(BytesMut::from(&b"head"[..])));
        buffer.make_room(2 * SLAB, &mut slabs);
        assert!(buffer.bytes.capacity() >= 2 * SLAB + 4);
        assert_eq!(&buffer.bytes[..], b"head");
    }
}
