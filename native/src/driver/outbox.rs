//! What waits to be written to one peer: heads are encoded into a small buffer, data are passed on
//! as they are, and both leave in one vectored write.

use std::collections::VecDeque;
use std::io::IoSlice;

use aqueduct_core::wire::Message;
use bytes::{Buf as _, Bytes, BytesMut};

/// Slices in one write: 32 blocks with their heads.
pub(super) const MAX_SLICES: usize = 64;

/// Messages on their way to the socket. Bounded by the engine, which counts what is queued against
/// [`aqueduct_core::Config::max_unsent`].
#[derive(Debug, Default)]
pub(super) struct Outbox {
    parts: VecDeque<Bytes>,
    head: BytesMut,
}

impl Outbox {
    /// Queues one message.
    pub(super) fn push(&mut self, message: &Message) {
        if let Some(data) = message.encode(&mut self.head) {
            self.seal();
            self.parts.push_back(data);
        }
    }

    /// Moves encoded heads behind what is queued already.
    pub(super) fn seal(&mut self) {
        if !self.head.is_empty() {
            self.parts.push_back(self.head.split().freeze());
        }
    }

    /// Whether nothing waits. Only right after [`Outbox::seal`].
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// What goes first; returns how many slices were filled in.
    pub(super) fn slices<'a>(&'a self, into: &mut [IoSlice<'a>; MAX_SLICES]) -> usize {
        let filled = into
            .iter_mut()
            .zip(&self.parts)
            .map(|(slice, part)| *slice = IoSlice::new(part));
        filled.count()
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_leave_in_order_whatever_the_socket_takes() {
        let piece = |n: u8| Message::Piece {
            index: n.into(),
            begin: 0,
            data: Bytes::from(vec![n; 20]),
        };
        let messages = [
            Message::Unchoke,
            Message::Have(7),
            piece(1),
            piece(2),
            Message::Choke,
        ];
        let mut outbox = Outbox::default();
        let mut expected = BytesMut::new();
        for message in &messages {
            outbox.push(message);
            let data = message.encode(&mut expected);
            expected.extend_from_slice(&data.unwrap_or_default());
        }
        outbox.seal();
        let mut written = Vec::new();
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = outbox.slices(&mut slices);
            let all: Vec<u8> = slices[..count]
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect();
            let taken = all.len().min(13);
            written.extend_from_slice(&all[..taken]);
            outbox.advance(taken);
        }
        assert_eq!(written, expected);
    }
}
