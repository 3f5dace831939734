//! What can happen to an engine.

use aqueduct_core::wire::RawBlock;
use arbitrary::Arbitrary;

/// One thing that happens. Numbers choose among what is there, modulo its count.
#[derive(Arbitrary, Debug)]
pub(super) enum Operation {
    /// So many milliseconds pass.
    Wait(u16),
    /// Somebody connects.
    Accept {
        from: u8,
        fast: bool,
        extended: bool,
    },
    /// A dial succeeds.
    Connect { dial: u8, fast: bool },
    /// A dial fails or a connection breaks.
    Break(u8),
    /// A peer says something.
    Say(u8, Said),
    /// Queued bytes went out.
    Sent(u8, u16),
    /// A request is answered.
    Answer(u8, Outcome),
    /// Discovery found peers.
    Peers(Vec<(u8, u16)>),
    /// The user wants something.
    Order(Order),
}

/// What a peer says.
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
    /// The block that we asked for first.
    Block {
        right: bool,
    },
    /// A refusal of what we asked for first.
    RejectFirst,
    /// An extended handshake as it should be.
    Hello,
    /// A block of the metadata.
    Metadata {
        block: u8,
        right: bool,
    },
    Extended(u8, Vec<u8>),
}

/// How a request ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Outcome {
    /// As it should.
    Right,
    /// Storage fails; a digest fails to come only if it was cancelled.
    Failed { full: bool },
}

/// What the user wants.
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
    /// Something else may have changed a file.
    Touch(u8),
    SeedOnly,
}

/// What is known when a torrent is added.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Start {
    Nothing,
    Check,
    Record { check: u8 },
    Magnet,
}

/// A range, more often than not one that makes sense.
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
