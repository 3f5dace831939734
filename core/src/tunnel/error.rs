//! How one side broke the tunnel's rules.

use super::kind::Kind;

/// An end of the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The browser.
    Tab,
    /// The server.
    Bridge,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tab => "tab",
            Self::Bridge => "bridge",
        })
    }
}

/// The remote side broke a rule; the session cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {by} broke the tunnel's rules: {fault}")]
pub struct TunnelError {
    /// Who is at fault.
    pub by: Side,
    /// What it did.
    pub fault: Fault,
}

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Over [`super::frame::MAX_MESSAGE`].
    #[error("a message of {received} bytes; at most {limit} are taken")]
    MessageTooLong {
        /// Our bound, bytes.
        limit: usize,
        /// What came, bytes.
        received: usize,
    },
    /// A message without a frame.
    #[error("an empty message")]
    EmptyMessage,
    /// A message ended inside a frame's head.
    #[error("a frame's head of {expected} bytes, of which {received} came")]
    CutHeader {
        /// [`super::frame::HEADER`].
        expected: usize,
        /// What was left of the message.
        received: usize,
    },
    /// Over [`super::frame::MAX_PAYLOAD`].
    #[error("a {kind:?} frame of {received} bytes; at most {limit} are taken")]
    FrameTooLong {
        /// Its kind.
        kind: Kind,
        /// Our bound, bytes.
        limit: usize,
        /// What its head says, bytes.
        received: u32,
    },
    /// A message ended inside a frame.
    #[error("a {kind:?} frame of {expected} bytes, of which {received} came")]
    CutFrame {
        /// Its kind.
        kind: Kind,
        /// What its head says, bytes.
        expected: u32,
        /// What was left of the message, bytes.
        received: usize,
    },
    /// No frame has this number.
    #[error("a frame of unknown kind {0}")]
    UnknownKind(u8),
    /// A frame that this side never sends, or not at this time.
    #[error("a {0:?} frame out of turn")]
    OutOfTurn(Kind),
    /// The payload is shorter, longer or otherwise not what the kind has.
    #[error("a {0:?} frame whose contents make no sense")]
    Malformed(Kind),
    /// A stream that was never opened.
    #[error("stream {received} was never opened; the newest is {newest}")]
    UnknownStream {
        /// The highest number opened so far.
        newest: u32,
        /// What came.
        received: u32,
    },
    /// Stream numbers only grow.
    #[error("stream {received} was opened after stream {newest}")]
    StreamOrder {
        /// The highest number opened so far.
        newest: u32,
        /// What came.
        received: u32,
    },
    /// More streams than agreed.
    #[error("more than the agreed {0} streams at a time")]
    TooManyStreams(u16),
    /// The same number twice.
    #[error("join {0} was used before")]
    DuplicateJoin(u32),
    /// Data beyond the credit.
    #[error("{received} bytes on stream {stream}, which had credit for {credit}")]
    Overdrawn {
        /// Where.
        stream: u32,
        /// Bytes that might have come.
        credit: u64,
        /// Bytes that came.
        received: u64,
    },
    /// Credit for bytes that were never sent.
    #[error(
        "credit of {received} bytes given back on stream {stream}, where {outstanding} were outstanding"
    )]
    Overgranted {
        /// Where.
        stream: u32,
        /// Bytes sent and not given back.
        outstanding: u64,
        /// Credit that came.
        received: u64,
    },
    /// It asks and asks, and does not read the answers.
    #[error("{received} bytes of answers wait to be read; at most {limit} may")]
    Backlog {
        /// Our bound, bytes.
        limit: usize,
        /// What waits, bytes.
        received: usize,
    },
    /// Windows outside [`super::Windows::MIN`] ..= [`super::Windows::MAX`], or a session's smaller
    /// than a stream's.
    #[error("windows of {stream} bytes a stream and {session} a session")]
    Windows {
        /// Bytes a stream.
        stream: u32,
        /// Bytes a session.
        session: u32,
    },
}
