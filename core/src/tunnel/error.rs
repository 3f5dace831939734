//! Protocol violations in the tunnel.

use super::kind::Kind;

/// A side of the tunnel.
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

/// The remote side violated the protocol; the session cannot continue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {by} broke the tunnel's rules: {fault}")]
pub struct TunnelError {
    /// The side at fault.
    pub by: Side,
    /// The violation.
    pub fault: Fault,
}

/// A violation of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The message is longer than [`super::frame::MAX_MESSAGE`].
    #[error("a message of {received} bytes; at most {limit} are taken")]
    MessageTooLong {
        /// The maximum length in bytes.
        limit: usize,
        /// The received length in bytes.
        received: usize,
    },
    /// The message contains no frame.
    #[error("an empty message")]
    EmptyMessage,
    /// The message ends inside a frame's header.
    #[error("a frame's head of {expected} bytes, of which {received} came")]
    CutHeader {
        /// [`super::frame::HEADER`].
        expected: usize,
        /// The remaining length of the message.
        received: usize,
    },
    /// The payload is longer than [`super::frame::MAX_PAYLOAD`].
    #[error("a {kind:?} frame of {received} bytes; at most {limit} are taken")]
    FrameTooLong {
        /// The kind of the frame.
        kind: Kind,
        /// The maximum length in bytes.
        limit: usize,
        /// The length in the header, in bytes.
        received: u32,
    },
    /// The message ends inside a frame.
    #[error("a {kind:?} frame of {expected} bytes, of which {received} came")]
    CutFrame {
        /// The kind of the frame.
        kind: Kind,
        /// The length in the header, in bytes.
        expected: u32,
        /// The remaining length of the message, in bytes.
        received: usize,
    },
    /// The kind is unknown.
    #[error("a frame of unknown kind {0}")]
    UnknownKind(u8),
    /// This side never sends such a frame, or not at this time.
    #[error("a {0:?} frame out of turn")]
    OutOfTurn(Kind),
    /// The payload does not have the format of its kind.
    #[error("a {0:?} frame whose contents make no sense")]
    Malformed(Kind),
    /// The stream was never opened.
    #[error("stream {received} was never opened; the newest is {newest}")]
    UnknownStream {
        /// The highest stream number so far.
        newest: u32,
        /// The received number.
        received: u32,
    },
    /// The number of a new stream is not higher than all earlier ones.
    #[error("stream {received} was opened after stream {newest}")]
    StreamOrder {
        /// The highest stream number so far.
        newest: u32,
        /// The received number.
        received: u32,
    },
    /// There are more streams than agreed.
    #[error("more than the agreed {0} streams at a time")]
    TooManyStreams(u16),
    /// The same join number was used twice.
    #[error("join {0} was used before")]
    DuplicateJoin(u32),
    /// More files are offered than agreed.
    #[error("more than the agreed {0} files offered to players at a time")]
    TooManyOffers(u16),
    /// The same offer number was used twice.
    #[error("offer {0} was used before")]
    DuplicateOffer(u32),
    /// There are more data than credit.
    #[error("{received} bytes on stream {stream}, which had credit for {credit}")]
    Overdrawn {
        /// The stream.
        stream: u32,
        /// The number of bytes that were permitted.
        credit: u64,
        /// The number of bytes that were received.
        received: u64,
    },
    /// Credit was returned for bytes that were never sent.
    #[error(
        "credit of {received} bytes given back on stream {stream}, where {outstanding} were outstanding"
    )]
    Overgranted {
        /// The stream.
        stream: u32,
        /// The number of bytes in flight.
        outstanding: u64,
        /// The returned credit in bytes.
        received: u64,
    },
    /// The window of a stream is wider than [`super::Windows::MAX`].
    #[error("a window of {received} bytes on stream {stream}; at most {limit} may be")]
    TooWide {
        /// The stream.
        stream: u32,
        /// The maximum in bytes.
        limit: u32,
        /// The window with what was added, in bytes.
        received: u64,
    },
    /// The remote side sends requests, but does not read the answers.
    #[error("{received} bytes of answers wait to be read; at most {limit} may")]
    Backlog {
        /// The maximum in bytes.
        limit: usize,
        /// The number of queued bytes.
        received: usize,
    },
    /// The windows are outside [`super::Windows::MIN`] ..= [`super::Windows::MAX`], or that of the
    /// session is smaller than that of a stream.
    #[error("windows of {stream} bytes a stream and {session} a session")]
    Windows {
        /// Bytes per stream.
        stream: u32,
        /// Bytes per session.
        session: u32,
    },
}
