//! Packs frames into messages.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::error::Fault;
use super::frame::{HEADER, Kind, TARGET_MESSAGE, put};

/// The maximum number of packed bytes that wait to be sent: 1 MiB. More are the fault of the remote
/// side.
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

    /// The maximum payload of another frame for which the message stays within [`TARGET_MESSAGE`].
    pub(super) fn room(&self) -> usize {
        if self.full.is_empty() {
            TARGET_MESSAGE.saturating_sub(self.packing.len() + HEADER)
        } else {
            0
        }
    }

    /// Reserves capacity up to [`TARGET_MESSAGE`] for the message being packed.
    pub(super) fn reserve(&mut self) {
        let missing = TARGET_MESSAGE.saturating_sub(self.packing.len());
        self.packing.reserve(missing);
    }

    /// Removes an empty frame by truncating to the length before it.
    pub(super) fn undo(&mut self, length: usize) {
        self.packing.truncate(length);
    }

    /// The length of the message being packed, in bytes.
    pub(super) fn len(&self) -> usize {
        self.packing.len()
    }

    /// Checks that the remote side reads the answers to its requests, which are the only frames
    /// without another bound.
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

    /// The number of bytes that wait to be sent.
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

    /// Frees the buffer of an idle session, since ten thousand of them must fit into little memory.
    pub(super) fn shrink(&mut self) {
        if self.packing.is_empty() {
            self.packing = BytesMut::new();
        }
    }
}
