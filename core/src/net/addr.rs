//! What kind of address an address is.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::types::PeerAddr;

/// What counts as one host: many addresses in it are no more than one peer is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Network {
    /// An IPv4 address, or the /64 around an IPv6 address.
    Ip(IpAddr),
    /// All tabs of the bridge.
    Tabs,
}

/// The network that an address is in.
pub(crate) fn network(addr: PeerAddr) -> Network {
    match addr {
        PeerAddr::Ip(addr) => Network::Ip(ip_network(addr.ip())),
        PeerAddr::Tab(_) => Network::Tabs,
    }
}

/// An IPv4 address, or the /64 around an IPv6 address.
pub(crate) fn ip_network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// Where many peers may share one network: private, link-local and loopback addresses, and tabs of
/// one bridge.
pub(crate) fn is_shared(addr: PeerAddr) -> bool {
    match addr {
        PeerAddr::Ip(addr) => is_local(addr.ip()),
        PeerAddr::Tab(_) => true,
    }
}

/// Private, link-local or loopback: where many peers may share one address.
pub(crate) fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Whether a peer can be there: no port 0, no multicast, broadcast or unspecified address.
pub(crate) fn usable(addr: SocketAddr) -> bool {
    let ip = addr.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}
