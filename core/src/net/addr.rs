//! Classification of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::types::PeerAddr;

/// The unit that counts as one host. Many addresses in it get the share of one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Network {
    /// An IPv4 address, or the /64 around an IPv6 address.
    Ip(IpAddr),
    /// All tabs of the bridge.
    Tabs,
}

/// The network of an address.
pub(crate) fn network(addr: PeerAddr) -> Network {
    match addr {
        PeerAddr::Ip(addr) => Network::Ip(ip_network(addr.ip())),
        PeerAddr::Tab(_) => Network::Tabs,
    }
}

/// An IPv4 address, or the /64 of an IPv6 address, which one customer has: what counts as one client
/// in limits.
#[must_use]
pub fn ip_network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

/// An address as one of IPv6: that of IPv4 as the mapped one (RFC 4291, 2.5.5.2).
#[must_use]
pub const fn as_v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

/// Whether many peers may share the address's network: private, link-local and loopback addresses,
/// and tabs of the bridge.
pub(crate) fn is_shared(addr: PeerAddr) -> bool {
    match addr {
        PeerAddr::Ip(addr) => is_local(addr.ip()),
        PeerAddr::Tab(_) => true,
    }
}

/// Whether an address is of this machine or of the network around it: loopback, unspecified and
/// 0.0.0.0/8 (which reach loopback), private (RFC 1918), shared by a carrier's customers (RFC 6598),
/// link-local, unique local (RFC 4193).
///
/// Many peers may share such an address or its network, and what is there cannot be known outside.
#[must_use]
pub const fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            is_this_network(v4)
                || v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || is_carrier_shared(v4)
        }
        IpAddr::V6(v6) => {
            v6.is_unspecified()
                || v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
        }
    }
}

/// Whether a peer or a DHT node can have this address: its port is not 0, and it is neither
/// multicast, broadcast or unspecified nor in 0.0.0.0/8.
#[must_use]
pub const fn is_usable(addr: SocketAddr) -> bool {
    let ip = addr.ip().to_canonical();
    let none = match ip {
        IpAddr::V4(v4) => v4.is_broadcast() || is_this_network(v4),
        IpAddr::V6(v6) => v6.is_unspecified(),
    };
    addr.port() != 0 && !ip.is_multicast() && !none
}

/// Whether the address is in 0.0.0.0/8 (RFC 791).
const fn is_this_network(v4: Ipv4Addr) -> bool {
    v4.octets()[0] == 0
}

/// Whether the address is in 100.64.0.0/10 (RFC 6598).
const fn is_carrier_shared(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    a == 100 && b & 0xc0 == 64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_and_last_address_of_each_local_range_and_their_neighbours_are_told_apart() {
        for (before, first, last, after) in [
            ("9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"),
            (
                "100.63.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "100.128.0.0",
            ),
            (
                "126.255.255.255",
                "127.0.0.0",
                "127.255.255.255",
                "128.0.0.0",
            ),
            (
                "169.253.255.255",
                "169.254.0.0",
                "169.254.255.255",
                "169.255.0.0",
            ),
            (
                "172.15.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "172.32.0.0",
            ),
            (
                "192.167.255.255",
                "192.168.0.0",
                "192.168.255.255",
                "192.169.0.0",
            ),
            ("255.255.255.255", "0.0.0.0", "0.255.255.255", "1.0.0.0"),
            ("fbff::", "fc00::", "fdff:ffff::", "fe00::"),
            ("fe7f:ffff::", "fe80::", "febf:ffff::", "fec0::"),
            ("2001::", "::", "::1", "::2"),
        ] {
            assert!(is_local(ip(first)) && is_local(ip(last)), "{first} {last}");
            assert!(
                !is_local(ip(before)) && !is_local(ip(after)),
                "{before} {after}"
            );
        }
    }

    #[test]
    fn nobody_can_be_at_port_zero_nor_at_a_group_nor_at_no_address() {
        for text in [
            "1.2.3.4:0",
            "0.0.0.0:1",
            "0.1.2.3:1",
            "224.0.0.1:6881",
            "255.255.255.255:1",
            "[ff02::1]:1",
            "[::]:1",
            "[::ffff:224.0.0.1]:1",
            "[::ffff:0.0.0.0]:1",
        ] {
            assert!(!is_usable(text.parse().unwrap()), "{text}");
        }
        for text in ["1.2.3.4:1", "127.0.0.1:65535", "[::1]:1", "[2001:db8::1]:1"] {
            assert!(is_usable(text.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn both_spellings_of_an_ipv4_address_are_of_one_kind(octets in any::<[u8; 4]>(), port in any::<u16>()) {
            let (short, long) = (Ipv4Addr::from(octets), Ipv4Addr::from(octets).to_ipv6_mapped());
            prop_assert_eq!(is_local(short.into()), is_local(long.into()));
            prop_assert_eq!(ip_network(short.into()), ip_network(long.into()));
            let usable = |ip: IpAddr| is_usable(SocketAddr::new(ip, port));
            prop_assert_eq!(usable(short.into()), usable(long.into()));
        }

        #[test]
        fn a_network_is_an_ipv4_address_or_a_64(ip in any::<Ipv6Addr>(), low in any::<u64>()) {
            let neighbour = Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64 | u128::from(low));
            prop_assert!(ip.to_canonical() != ip || neighbour.to_canonical() != neighbour
                || ip_network(ip.into()) == ip_network(neighbour.into()));
            prop_assert_eq!(ip_network(ip_network(ip.into())), ip_network(ip.into()));
        }
    }
}
