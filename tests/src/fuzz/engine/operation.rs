//! The operations that a fuzz input consists of.

use aqueduct_core::wire::RawBlock;
use arbitrary::Arbitrary;

/// One operation. A number selects one of the existing items, modulo their count.
#[derive(Arbitrary, Debug)]
pub(super) enum Operation {
    /// Advances the clock by this many milliseconds.
    Wait(u16),
    /// A peer connects.
    Accept {
        from: u8,
        fast: bool,
        extended: bool,
    },
    /// A dial succeeds.
    Connect { dial: u8, fast: bool },
    /// A dial fails, or a connection breaks.
    Break(u8),
    /// A peer sends a message.
    Say(u8, Said),
    /// Queued bytes were sent.
    Sent(u8, u16),
    /// A storage request completes.
    Answer(u8, Outcome),
    /// Discovery found peers.
    Peers(Vec<(u8, u16)>),
    /// The user issues a command.
    Order(Order),
}

/// A message from a peer.
#[derive(Arbitrary, Debug)]
pub(super) enum Said {
    KeepAlive,
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    Have(u8),
    Bitfield(Vec<u8>),
    HaveAll,
    HaveNone,
    Suggest(u8),
    AllowedFast(u8),
    Port(u16),
    Request(Range),
    Cancel(Range),
    Reject(Range),
    /// A block that may not have been requested.
    Unasked(Range),
    /// The first block that is requested from the peer.
    Block {
        right: bool,
    },
    /// A reject for the first block that is requested from the peer.
    RejectFirst,
    /// A valid extended handshake.
    Hello,
    /// A block of the metadata.
    Metadata {
        block: u8,
        right: bool,
    },
    Extended(u8, Vec<u8>),
}

/// How a request completes.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// Success.
    Right,
    /// Failure. A digest fails only if its request was cancelled.
    Failed { full: bool },
}

/// A command from the user.
#[derive(Arbitrary, Debug)]
pub(super) enum Order {
    Add {
        start: Start,
        paused: bool,
    },
    Remove,
    Pause,
    Resume,
    Want(u8),
    Prioritise(u8, u8),
    Limits(Option<u16>, Option<u16>),
    /// A file may have been modified by another program.
    Touch(u8),
    SeedOnly,
}

/// What is known about a torrent when it is added.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Start {
    Nothing,
    Check,
    Record { check: u8 },
    Magnet,
}

/// A block range, usually a valid one.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) struct Range {
    index: u8,
    begin: u8,
    length: u8,
}

impl Range {
    pub(super) fn raw(self) -> RawBlock {
        const LENGTHS: [u32; 6] = [16_384, 3_616, 1, 0, 131_073, u32::MAX];
        let begin = if self.begin >= 128 {
            u32::from(self.begin) << 24
        } else {
            u32::from(self.begin % 4) * 8192
        };
        RawBlock {
            index: u32::from(self.index % 8),
            begin,
            length: LENGTHS[usize::from(self.length) % LENGTHS.len()],
        }
    }
}
