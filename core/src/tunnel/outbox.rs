//! Packs frames into messages.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::error::Fault;
use super::frame::{HEADER, Kind, TARGET_MESSAGE, put};

/// Bytes of packed messages that wait to be sent, beyond which the remote is at fault: 1 MiB.
const MAX_BACKLOG: usize = 1024 * 1024;

/// Frames in order, in messages of at most [`TARGET_MESSAGE`] and one frame.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    full: VecDeque<Bytes>,
    packing: BytesMut,
}

impl Outbox {
    /// Appends a frame.
    pub(super) fn put<R>(
        &mut self,
        kind: Kind,
        id: u32,
        write: impl FnOnce(&mut BytesMut) -> R,
    ) -> R {
        if self.packing.len() >= TARGET_MESSAGE {
            let message = self.packing.split().freeze();
            self.full.push_back(message);
        }
        put(&mut self.packing, kind, id, write)
    }

    /// Payload bytes that a further frame may have for the message to stay within
    /// [`TARGET_MESSAGE`].
    pub(super) fn room(&self) -> usize {
        if self.full.is_empty() {
            TARGET_MESSAGE.saturating_sub(self.packing.len() + HEADER)
        } else {
            0
        }
    }

    /// Makes sure that the message being packed grows in place up to [`TARGET_MESSAGE`].
    pub(super) fn reserve(&mut self) {
        let missing = TARGET_MESSAGE.saturating_sub(self.packing.len());
        self.packing.reserve(missing);
    }

    /// Takes back a frame that turned out empty, to the length before it.
    pub(super) fn undo(&mut self, length: usize) {
        self.packing.truncate(length);
    }

    /// Bytes in the message being packed.
    pub(super) fn len(&self) -> usize {
        self.packing.len()
    }

    /// Checks that the remote reads what it asks for: answers to it are the only frames that
    /// nothing else bounds.
    pub(super) fn check_backlog(&self) -> Result<(), Fault> {
        let received = self.full_bytes();
        if received > MAX_BACKLOG {
            Err(Fault::Backlog {
                limit: MAX_BACKLOG,
                received,
            })
        } else {
            Ok(())
        }
    }

    /// Bytes that wait to be sent.
    pub(super) fn backlog(&self) -> usize {
        self.full_bytes() + self.packing.len()
    }

    fn full_bytes(&self) -> usize {
        self.full.iter().map(Bytes::len).sum()
    }

    /// The next message to send.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let message = self
            .full
            .pop_front()
            .unwrap_or_else(|| self.packing.split().freeze());
        (!message.is_empty()).then_some(message)
    }

    /// Frees the buffer of a session that sends nothing: ten thousand idle ones must fit in little
    /// memory.
    pub(super) fn shrink(&mut self) {
        if self.packing.is_empty() {
            self.packing = BytesMut::new();
        }
    }
}
