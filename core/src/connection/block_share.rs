//! Whether a block may stay a slice of its receive buffer. The whole buffer lives as long as the
//! block does: where blocks are few among other messages, memory would fill with bytes that are of
//! no use, unseen by the bound on unwritten data.

use bytes::Bytes;

use crate::wire::Message;

/// Bytes after which what was seen counts half.
const WINDOW: usize = 256 * 1024;

/// The share of blocks in what a peer has lately sent.
#[derive(Clone, Debug)]
pub(super) struct BlockShare {
    /// Bytes of blocks.
    blocks: usize,
    /// Bytes of all messages.
    all: usize,
}

impl BlockShare {
    pub(super) const fn new() -> Self {
        Self { blocks: 0, all: 0 }
    }

    /// Counts a message of `length` wire bytes; copies its block if most of what comes is something
    /// else.
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
