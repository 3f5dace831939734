//! Where a peer is, and who said so.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::PeerId;

/// Where a peer is. What may be done with an address, and who may be told of it, depends on its
/// kind; `net/disclosure.rs` decides the latter for all kinds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerAddr {
    /// An IP address and a port of TCP. Made with `PeerAddr::from`, so that one peer has one
    /// spelling: IPv4 is never written as IPv6 (`::ffff:a.b.c.d`), and there is no scope.
    Ip(SocketAddr),
    /// Another tab of the same bridge. Only that bridge leads there, and the address tells nothing
    /// of where the tab is.
    Tab(TabId),
}

/// A tab's place in one swarm of its bridge. Never reused while the bridge runs, and meaningless
/// elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TabId(pub u64);

impl PeerAddr {
    /// The IP address and port; `None` for peers that are not reached by IP.
    #[must_use]
    pub const fn socket_addr(self) -> Option<SocketAddr> {
        match self {
            Self::Ip(addr) => Some(addr),
            Self::Tab(_) => None,
        }
    }

    /// The IP address; `None` for peers that are not reached by IP.
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
    /// `1.2.3.4:5`, `[2001:db8::1]:5`, `tab 7`.
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

/// A peer beyond the life of one connection: what a ban is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerIdentity {
    /// Where it listens, or where it came from while that is unknown.
    pub addr: PeerAddr,
    /// What it calls itself.
    pub peer_id: PeerId,
}

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
}

impl PeerSource {
    /// Whether a private torrent may have peers from it: its trackers, and its user (BEP 27). Peers
    /// that dial us are accepted, too.
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
