//! Networks, which count as one operator each.

use std::net::IpAddr;

use crate::net::is_local;

/// The network of an operator: the /24 of an IPv4 address, the /64 of an IPv6 address. A bucket
/// takes one node per network. `None` for a local address, since many nodes of a test or a
/// household share those.
pub(super) fn network(ip: IpAddr) -> Option<u64> {
    match ip.to_canonical() {
        ip if is_local(ip) => None,
        IpAddr::V4(v4) => Some(u64::from(v4.to_bits() >> 8)),
        IpAddr::V6(v6) => u64::try_from(v6.to_bits() >> 64).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
