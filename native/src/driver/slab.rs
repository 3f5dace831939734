//! Receive buffers. Blocks of data are slices of them all the way to the file, so a buffer is free
//! again only when the last of its blocks is written; fresh memory from the system for each would
//! cost a page fault every 4 KiB.

use std::collections::VecDeque;
use std::mem;

use bytes::BytesMut;

/// Bytes of a full slab: sixteen blocks, so that what is copied from one slab to the next (half a
/// block on average) is 3 %.
const SLAB: usize = 256 * 1024;
/// A quiet connection has this much.
const LEAST: usize = 4 * 1024;
/// Used slabs that are remembered, 32 MiB. Beyond it memory goes back to the allocator.
const MAX_RETIRED: usize = 128;
/// Of these so many are looked at when one is wanted: they come free roughly in order.
const LOOKED_AT: usize = 4;
/// So many small reads in a row make a connection a quiet one.
const QUIET_READS: u8 = 16;

/// Slabs that were read into, waiting for their last block to be written.
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

/// One connection's receive buffer: small while it is quiet, a slab while it is fast.
#[derive(Debug)]
pub(super) struct Buffer {
    /// Received and not yet understood.
    pub(super) bytes: BytesMut,
    is_slab: bool,
    room: usize,
    small_reads: u8,
}

impl Buffer {
    /// Starts with what came behind the handshake.
    pub(super) fn new(rest: BytesMut) -> Self {
        Self {
            bytes: rest,
            is_slab: false,
            room: LEAST,
            small_reads: 0,
        }
    }

    /// Makes room for `wanted` bytes at least, by moving on to a new buffer if this one is nearly
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

    /// After a read of `count` bytes: one that filled the buffer doubles the next, many small ones
    /// in a row make it small.
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
