//! The transports of connections.

use super::encryption::Encrypted;

/// The transport of a connection. The engine only knows the kind; everything else is up to the
/// driver. A tab knows that of the connection between its bridge and the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP (BEP 3).
    Tcp,
    /// uTP (BEP 29).
    Utp,
    /// A WebRTC data channel between two tabs.
    WebRtc,
    /// An in-memory pipe between two ends in one process.
    Pipe,
}

/// How the bytes of a connection travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The transport.
    pub transport: Transport,
    /// What of it is encrypted.
    pub encrypted: Encrypted,
}

impl Line {
    /// A connection in the clear over this transport.
    #[must_use]
    pub const fn clear(transport: Transport) -> Self {
        Self {
            transport,
            encrypted: Encrypted::Nothing,
        }
    }
}
