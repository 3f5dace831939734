//! Where a peer is, and who said so.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::PeerId;

/// Where a peer can be dialled. Transports other than TCP get variants of their own.
pub type PeerAddr = SocketAddr;

/// The upper half of the addresses that stand for tabs: a block of unique local addresses (RFC
/// 4193), in which many peers may share a network.
const TAB: u128 = 0xfd61_7175_6564_7563 << 64;

/// What one tab of a bridge sees as the address of another one, which it meets inside the bridge.
/// It tells nothing of where that tab is, nobody can be dialled there, and it is used once in the
/// life of a bridge.
#[must_use]
pub const fn tab_addr(number: u64) -> PeerAddr {
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from_bits(TAB | number as u128)), 1)
}

/// Whose [`tab_addr`] this is.
#[must_use]
pub fn tab_number(addr: PeerAddr) -> Option<u64> {
    match addr.ip() {
        IpAddr::V6(v6) if is_tab(addr.ip()) => {
            u64::try_from(v6.to_bits() & u128::from(u64::MAX)).ok()
        }
        _ => None,
    }
}

/// Whether this is a [`tab_addr`], at any port: to be told to nobody, since it means nothing
/// outside its bridge.
#[must_use]
pub const fn is_tab(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.to_bits() >> 64 << 64 == TAB)
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
    /// Whether a private torrent may have peers from it: its trackers, and the user's own word (BEP
    /// 27). Whoever dials us is welcome, too.
    #[must_use]
    pub const fn suits_private(self) -> bool {
        matches!(self, Self::User | Self::Tracker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabs_have_addresses_of_their_own_that_are_no_public_ones() {
        assert_eq!(
            [0, 7, u64::MAX].map(|number| tab_number(tab_addr(number))),
            [Some(0), Some(7), Some(u64::MAX)]
        );
        assert_eq!(tab_number("[fd00::7]:1".parse().unwrap()), None);
        for ip in [tab_addr(0).ip(), tab_addr(u64::MAX).ip()] {
            assert!(
                is_tab(ip) && matches!(ip, IpAddr::V6(v6) if v6.is_unique_local()),
                "{ip}"
            );
        }
        for other in [
            "127.0.0.1",
            "fd00::1",
            "fd61:7175:6564:7564::1",
            "fd61:7175:6564:7562:ffff:ffff:ffff:ffff",
        ] {
            assert!(!is_tab(other.parse().unwrap()), "{other}");
        }
    }
}
