//! Where a peer is, and who said so.

use std::net::SocketAddr;

/// Where a peer can be dialled. Transports other than TCP get variants of their own.
pub type PeerAddr = SocketAddr;

/// Who told us of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerSource {
    /// The user (`--peer`).
    User,
    /// `x.pe` in a magnet link (BEP 9).
    Link,
    /// A tracker's answer.
    Tracker,
    /// The DHT (BEP 5).
    Dht,
    /// A peer (BEP 11).
    Pex,
    /// Multicast on the local network (BEP 14).
    Lsd,
    /// It dialled us.
    Incoming,
    /// The resume record of an earlier run.
    Resume,
}

impl PeerSource {
    /// Whether a private torrent may have peers from it: its trackers, whoever dials us, and the user's own word (BEP 27).
    #[must_use]
    pub const fn suits_private(self) -> bool {
        matches!(self, Self::User | Self::Tracker | Self::Incoming)
    }
}
