//! Decides whether a block may remain a slice of its receive buffer, which keeps the whole buffer
//! allocated. If blocks are a small part of what a peer sends, memory would be held that the bound
//! on unwritten data does not count.

use bytes::Bytes;

use crate::wire::Message;

/// The number of bytes after which earlier counts are halved.
const WINDOW: usize = 256 * 1024;

/// The share of blocks in the data that a peer has recently sent.
#[derive(Clone, Debug)]
pub(super) struct BlockShare {
    /// Bytes of block messages.
    blocks: usize,
    /// Bytes of all messages.
    all: usize,
}

impl BlockShare {
    pub(super) const fn new() -> Self {
        Self { blocks: 0, all: 0 }
    }

    /// Counts a message of `length` wire bytes. Its block is copied if most of the data are other
    /// messages.
    pub(super) fn keep(&mut self, message: Message, length: usize) -> Message {
        self.all += length;
        let kept = match message {
            Message::Piece { index, begin, data } => {
                self.blocks += data.len();
                let data = if self.blocks < self.all / 2 {
                    Bytes::copy_from_slice(&data)
                } else {
                    data
                };
                Message::Piece { index, begin, data }
            }
            other => other,
        };
        if self.all >= WINDOW {
            (self.blocks, self.all) = (self.blocks / 2, self.all / 2);
        }
        kept
    }
}
