//! What waits to be written to a peer: heads are encoded into a small buffer, data are passed on as
//! they are, and both leave in one vectored write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::wire::Message;

/// Bytes of a buffer for heads. It is used again once all that was in it is written.
const HEADS: usize = 1024;

/// Bytes on their way to the transport, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    parts: VecDeque<Bytes>,
    /// Goes behind the parts.
    head: BytesMut,
}

impl Outgoing {
    /// Queues one message.
    pub(super) fn push(&mut self, message: &Message) {
        self.make_room();
        if let Some(data) = message.encode(&mut self.head) {
            self.seal();
            self.parts.push_back(data);
        }
    }

    /// Queues bytes.
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        self.make_room();
        self.head.extend_from_slice(bytes);
    }

    fn make_room(&mut self) {
        if self.head.capacity() == 0 {
            self.head.reserve(HEADS);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.head.is_empty()
    }

    /// What goes first; returns how many slices were filled in.
    pub(super) fn slices<'a>(&'a mut self, into: &mut [IoSlice<'a>]) -> usize {
        self.seal();
        let filled = into.iter_mut().zip(&self.parts);
        filled
            .map(|(slice, part)| *slice = IoSlice::new(part))
            .count()
    }

    /// The next part, for transports that take one at a time.
    pub(super) fn next_part(&mut self) -> Option<Bytes> {
        self.seal();
        self.parts.pop_front()
    }

    /// Drops `count` written bytes.
    pub(super) fn advance(&mut self, mut count: usize) {
        while let Some(part) = self.parts.front_mut() {
            if count < part.len() {
                part.advance(count);
                return;
            }
            count -= part.len();
            self.parts.pop_front();
        }
    }

    /// Moves encoded heads behind what is queued already.
    fn seal(&mut self) {
        if !self.head.is_empty() {
            self.parts.push_back(self.head.split().freeze());
        }
    }
}
