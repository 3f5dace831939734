//! Why connections end.

use crate::wire::WireError;

/// Why a connection ended. Names who is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// No way leads there, or the socket broke.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The remote machine answered that nothing listens there.
    #[error("it refused the connection")]
    Refused,
    /// No answer came within the deadline.
    #[error("it did not answer in time")]
    TimedOut,
    /// The remote closed.
    #[error("the peer closed the connection")]
    Remote,
    /// The remote closed before its handshake was complete. Peers that insist on
    /// encryption do so, and peers that are full or ban us.
    #[error("it closed the connection in the handshake; it may insist on encryption")]
    ClosedInHandshake,
    /// The remote closed in an encrypted handshake, after one in the clear if that was allowed.
    #[error("it closed the connection in the encrypted handshake")]
    ClosedInEncryptedHandshake,
    /// No handshake within the deadline.
    #[error("it was silent in the handshake")]
    HandshakeTimeout,
    /// The remote broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Protocol(#[from] WireError),
    /// The remote broke a rule that only the engine can see.
    #[error("the peer misbehaved: {0}")]
    Misbehaved(&'static str),
    /// The remote answered for another torrent.
    #[error("the peer answered for another info-hash")]
    WrongInfoHash,
    /// Our own listener.
    #[error("connected to ourselves")]
    Ourselves,
    /// Already connected to this peer.
    #[error("already connected to this peer")]
    Duplicate,
    /// It sent bad pieces.
    #[error("banned for corrupt pieces")]
    Banned,
    /// Both sides are complete.
    #[error("neither side needs anything")]
    Redundant,
    /// Nothing was heard for too long.
    #[error("silent for too long")]
    Silent,
    /// A limit of ours.
    #[error("too many connections")]
    Full,
    /// The torrent is unknown, paused or removed.
    #[error("the torrent is not active")]
    Inactive,
    /// It came from elsewhere than the tracker, and the torrent turned out to be private (BEP 27).
    #[error("the torrent is private, and its tracker did not name this peer")]
    Private,
    /// It believes that we have what is gone, and cannot be told otherwise (BEP 54).
    #[error("some of what we had is gone; connect again to hear what there is")]
    Outdated,
    /// It was of no use, and others wait.
    #[error("replaced by a better peer")]
    Replaced,
}
