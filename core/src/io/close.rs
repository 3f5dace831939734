//! Why connections end.

use crate::wire::WireError;

/// Why a connection ended or a dial failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// There is no route to the address, or the socket failed.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The remote host refused the connection.
    #[error("it refused the connection")]
    Refused,
    /// The connection attempt timed out.
    #[error("it did not answer in time")]
    TimedOut,
    /// The remote side closed the connection.
    #[error("the peer closed the connection")]
    Remote,
    /// The remote side closed the connection before its handshake was complete. Peers that require
    /// encryption do so, as do peers that are full or have banned us.
    #[error("it closed the connection in the handshake; it may insist on encryption")]
    ClosedInHandshake,
    /// The remote side closed the connection during an encrypted handshake, after a plaintext one
    /// if that was allowed.
    #[error("it closed the connection in the encrypted handshake")]
    ClosedInEncryptedHandshake,
    /// The handshake was not complete at the deadline.
    #[error("it was silent in the handshake")]
    HandshakeTimeout,
    /// The remote side violated the wire protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] WireError),
    /// The remote side violated a rule that only the engine checks.
    #[error("the peer misbehaved: {0}")]
    Misbehaved(&'static str),
    /// The remote side answered for another torrent.
    #[error("the peer answered for another info-hash")]
    WrongInfoHash,
    /// The connection leads to our own listener.
    #[error("connected to ourselves")]
    Ourselves,
    /// There is another connection to this peer.
    #[error("already connected to this peer")]
    Duplicate,
    /// The peer is banned because it sent bad pieces.
    #[error("banned for corrupt pieces")]
    Banned,
    /// Both sides are complete.
    #[error("neither side needs anything")]
    Redundant,
    /// No message arrived for too long.
    #[error("silent for too long")]
    Silent,
    /// A connection limit is reached.
    #[error("too many connections")]
    Full,
    /// The torrent is unknown, paused or removed.
    #[error("the torrent is not active")]
    Inactive,
    /// The peer was not found through the tracker, and the torrent turned out to be private (BEP
    /// 27).
    #[error("the torrent is private, and its tracker did not name this peer")]
    Private,
    /// The peer believes that we have pieces that are gone, and cannot be notified (BEP 54).
    #[error("some of what we had is gone; connect again to hear what there is")]
    Outdated,
    /// The peer's address is on the blocklist.
    #[error("its address is on the blocklist")]
    Blocked,
    /// The peer was not useful, and others are waiting.
    #[error("replaced by a better peer")]
    Replaced,
}

impl CloseReason {
    /// Whether a dial ended before the peer answered anything. A NAT may be the cause.
    pub(crate) const fn is_unreached(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Refused | Self::TimedOut)
    }
}
