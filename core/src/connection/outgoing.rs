//! What waits to be written to a peer: heads are encoded into a small buffer, data are passed on as
//! they are, and both leave in one vectored write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf as _, Bytes, BytesMut};

use super::cipher::Cipher;
use crate::wire::Message;

/// Bytes of a buffer for heads. It is used again once all that was in it is written.
const HEADS: usize = 1024;
/// Bytes of a buffer for heads and data that are enciphered: some blocks, so that room is made
/// rarely.
const ENCIPHERED: usize = 64 * 1024;

/// Bytes on their way to the transport, in order.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    parts: VecDeque<Bytes>,
    /// Goes behind the parts.
    head: BytesMut,
    cipher: Option<Cipher>,
}

impl Outgoing {
    /// What is queued from now on is enciphered with this.
    pub(super) fn encipher(&mut self, cipher: Option<Cipher>) {
        self.cipher = cipher;
    }

    /// Queues one message.
    pub(super) fn push(&mut self, message: &Message) {
        self.make_room();
        let before = self.head.len();
        let data = message.encode(&mut self.head);
        self.encipher_from(before);
        match data {
            Some(data) if self.cipher.is_some() => self.push_enciphered(&data),
            Some(data) => {
                self.seal();
                self.parts.push_back(data);
            }
            None => {}
        }
    }

    /// Queues bytes.
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        self.make_room();
        let before = self.head.len();
        self.head.extend_from_slice(bytes);
        self.encipher_from(before);
    }

    /// Data are shared with others: what is enciphered is a copy. It goes behind its head, so that
    /// both leave as one part.
    fn push_enciphered(&mut self, data: &[u8]) {
        if self.head.capacity() - self.head.len() < data.len() {
            self.seal();
            self.head.reserve(data.len().max(ENCIPHERED));
        }
        self.push_bytes(data);
    }

    fn encipher_from(&mut self, start: usize) {
        if let Some(cipher) = &mut self.cipher {
            cipher.apply(self.head.get_mut(start..).unwrap_or_default());
        }
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
