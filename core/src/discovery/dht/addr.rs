//! Which addresses may be a node's or a peer's.

use std::net::{IpAddr, SocketAddr};

use crate::net::is_local;

/// One operator's network, of which a bucket takes one node: the /24 around an IPv4 address, the
/// /64 around an IPv6 address. `None`: a local address; many nodes of a test or a household share
/// those.
pub(super) fn network(ip: IpAddr) -> Option<u64> {
    match ip.to_canonical() {
        ip if is_local(ip) => None,
        IpAddr::V4(v4) => Some(u64::from(v4.to_bits() >> 8)),
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).ok(),
    }
}

/// Whether anybody could listen there.
pub(super) fn is_usable(addr: SocketAddr) -> bool {
    let ip = addr.ip().to_canonical();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0);
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// Whether a node at `from` may tell us of `addr`: a public one must not make us talk to machines
/// of our own network, nor to well-known services.
pub(super) fn may_name(from: SocketAddr, addr: SocketAddr) -> bool {
    is_usable(addr) && (is_local(from.ip()) || (!is_local(addr.ip()) && addr.port() >= 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_public_node_cannot_name_local_addresses_nor_privileged_ports() {
        let (public, local) = (addr("8.8.8.8:6881"), addr("192.168.0.1:6881"));
        for refused in [
            "127.0.0.1:6881",
            "10.0.0.1:6881",
            "[::1]:6881",
            "[::ffff:10.0.0.1]:6881",
            "9.9.9.9:53",
            "9.9.9.9:0",
            "224.0.0.1:6881",
            "0.1.2.3:6881",
        ] {
            assert!(!may_name(public, addr(refused)), "{refused}");
        }
        assert!(may_name(public, addr("9.9.9.9:6881")));
        assert!(may_name(local, addr("127.0.0.1:6881")) && may_name(local, addr("9.9.9.9:6881")));
        assert!(!may_name(local, addr("9.9.9.9:0")));
    }

    #[test]
    fn networks_are_a_24_or_a_64_and_local_addresses_have_none() {
        let of = |ip: &str| network(ip.parse().unwrap());
        assert_eq!(of("9.8.7.1"), of("9.8.7.254"));
        assert_ne!(of("9.8.7.1"), of("9.8.6.1"));
        assert_eq!(of("2606:4700:1:2::1"), of("2606:4700:1:2:ffff::1"));
        assert_ne!(of("2606:4700:1:2::1"), of("2606:4700:1:3::1"));
        assert_eq!(of("127.0.0.1"), None);
    }
}
