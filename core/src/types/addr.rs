//! Peer addresses and their sources.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::PeerId;

/// The address of a peer. Its kind determines how it may be used and to whom it may be disclosed;
/// `net/disclosure.rs` decides the latter for all kinds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerAddr {
    /// An IP address and a TCP port. Constructed with `PeerAddr::from`, so that each address has
    /// one representation: IPv4 is never mapped to IPv6 (`::ffff:a.b.c.d`), and there is no scope.
    Ip(SocketAddr),
    /// Another tab of the same bridge. It is reachable only through that bridge, and the address
    /// does not reveal the tab's location.
    Tab(TabId),
}

/// The id of a tab in one swarm of its bridge. It is never reused while the bridge runs, and has no
/// meaning elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TabId(pub u64);

impl PeerAddr {
    /// The IP address and port; `None` for peers without an IP address.
    #[must_use]
    pub const fn socket_addr(self) -> Option<SocketAddr> {
        match self {
            Self::Ip(addr) => Some(addr),
            Self::Tab(_) => None,
        }
    }

    /// The IP address; `None` for peers without an IP address.
    #[must_use]
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(addr) => Some(addr.ip()),
            Self::Tab(_) => None,
        }
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(addr: SocketAddr) -> Self {
        Self::Ip(SocketAddr::new(addr.ip().to_canonical(), addr.port()))
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for PeerAddr {
    fn from(addr: (I, u16)) -> Self {
        SocketAddr::from(addr).into()
    }
}

impl fmt::Display for PeerAddr {
    /// Formats as `1.2.3.4:5`, `[2001:db8::1]:5` or `tab 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(addr) => addr.fmt(f),
            Self::Tab(TabId(number)) => write!(f, "tab {number}"),
        }
    }
}

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The identity of a peer across connections. Bans apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerIdentity {
    /// The peer's listening address, or its source address while that is unknown.
    pub addr: PeerAddr,
    /// The peer's id.
    pub peer_id: PeerId,
}

/// The source from which a peer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerSource {
    /// The user (`--peer`).
    User,
    /// The `x.pe` parameter of a magnet link (BEP 9).
    Link,
    /// A tracker's response.
    Tracker,
    /// The DHT (BEP 5).
    Dht,
    /// Peer exchange (BEP 11).
    Pex,
    /// Local service discovery (BEP 14).
    Lsd,
}

impl PeerSource {
    /// Whether a private torrent may use peers from this source: its trackers and its user (BEP
    /// 27). Incoming connections are accepted too.
    #[must_use]
    pub const fn suits_private(self) -> bool {
        matches!(self, Self::User | Self::Tracker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_larger_than_a_socket_address() {
        assert_eq!(size_of::<PeerAddr>(), size_of::<SocketAddr>());
    }

    #[test]
    fn both_spellings_of_an_ipv4_address_are_one_peer() {
        let [short, long] = ["1.2.3.4:5", "[::ffff:1.2.3.4]:5"]
            .map(|text| PeerAddr::from(text.parse::<SocketAddr>().unwrap()));
        assert_eq!(short, long);
        assert_eq!(long.to_string(), "1.2.3.4:5");
    }

    #[test]
    fn a_tab_has_no_ip_address() {
        let tab = PeerAddr::Tab(TabId(7));
        assert_eq!((tab.ip(), tab.socket_addr()), (None, None));
        assert_eq!(tab.to_string(), "tab 7");
    }
}
