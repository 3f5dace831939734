//! The send queue. Heads are encoded into a small buffer, data are kept as they are, and both leave
//! in one vectored write.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf as _, Bytes, BytesMut};

use super::cipher::Cipher;
use crate::wire::Message;

/// The size of a buffer for heads in bytes. It is reused once all of it is written.
const HEADS: usize = 1024;
/// The size of a buffer for encrypted heads and data in bytes: several blocks, so that allocations
/// are rare.
const ENCIPHERED: usize = 64 * 1024;

/// Bytes to write, in order.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    parts: VecDeque<Bytes>,
    /// Encoded heads that follow the parts.
    head: BytesMut,
    cipher: Option<Cipher>,
}

impl Outgoing {
    /// Sets the cipher for everything that is queued from now on.
    pub(super) fn encipher(&mut self, cipher: Option<Cipher>) {
        self.cipher = cipher;
    }

    /// The cipher for what would be queued next.
    pub(super) fn into_cipher(self) -> Option<Cipher> {
        self.cipher
    }

    /// Queues a message.
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

    /// Queues data to encrypt. Data may be shared, so they are copied. They follow their head
    /// directly, so that both leave as one part.
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

    /// Fills in the slices to write next. Returns their number.
    pub(super) fn slices<'a>(&'a mut self, into: &mut [IoSlice<'a>]) -> usize {
        self.seal();
        let filled = into.iter_mut().zip(&self.parts);
        filled
            .map(|(slice, part)| *slice = IoSlice::new(part))
            .count()
    }

    /// Removes the next part, for transports that take one at a time.
    pub(super) fn next_part(&mut self) -> Option<Bytes> {
        self.seal();
        self.parts.pop_front()
    }

    /// Removes `count` written bytes.
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

    /// Moves encoded heads to the parts.
    fn seal(&mut self) {
        if !self.head.is_empty() {
            self.parts.push_back(self.head.split().freeze());
        }
    }
}
