//! Which addresses count as one client.
//!
//! Providers give one customer a /64 or a whole /48 of IPv6 (RFC 6177). A /64 counts as one
//! address; a /48 counts as a few of them, however many of its 65,536 it uses.

use std::net::{IpAddr, Ipv6Addr};

/// The minimum prefix length of one customer's network.
const NARROW: u8 = 64;
/// The prefix length of a site.
const WIDE: u8 = 48;

/// A range of addresses that shares one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Network {
    ip: IpAddr,
    /// The prefix length. A /48 and the first /64 in it start with the same bits.
    prefix: u8,
}

/// The networks that contain an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Networks {
    /// An IPv4 address, or a /64.
    pub(crate) address: Network,
    /// A /48.
    site: Option<Network>,
}

impl Networks {
    pub(crate) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V6(ip) => Self {
                address: Network::v6(ip, NARROW),
                site: Some(Network::v6(ip, WIDE)),
            },
            v4 => Self {
                address: Network { ip: v4, prefix: 32 },
                site: None,
            },
        }
    }

    /// Each network of this address with its number of shares, which is `per_site` for a site.
    pub(crate) fn shares(self, per_site: u32) -> impl Iterator<Item = (Network, u32)> + Clone {
        std::iter::once((self.address, 1)).chain(self.site.map(|site| (site, per_site)))
    }

    /// The widest network.
    pub(crate) fn site(self) -> Network {
        self.site.unwrap_or(self.address)
    }
}

impl Network {
    fn v6(ip: Ipv6Addr, prefix: u8) -> Self {
        let mask = u128::MAX << (128 - u32::from(prefix));
        Self {
            ip: Ipv6Addr::from_bits(ip.to_bits() & mask).into(),
            prefix,
        }
    }
}

/// The address itself, or its /64.
pub(crate) fn network_of(ip: IpAddr) -> IpAddr {
    Networks::of(ip).address.ip
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(ip: &str) -> Networks {
        Networks::of(ip.parse().unwrap())
    }

    #[test]
    fn a_64_is_one_address_and_a_48_is_one_site() {
        let one = networks("2001:db8:1:2::3");
        assert_eq!(one, networks("2001:db8:1:2:ffff::"));
        assert_ne!(one.address, networks("2001:db8:1:3::3").address);
        assert_eq!(one.site(), networks("2001:db8:1:ffff::").site());
        assert_ne!(one.site(), networks("2001:db8:2:2::3").site());
        let first = networks("2001:db8:1::");
        assert_ne!(
            first.address,
            first.site(),
            "a site is not its first network"
        );
    }

    #[test]
    fn an_ipv4_address_stands_for_itself_however_it_is_written() {
        assert_eq!(networks("::ffff:192.0.2.1"), networks("192.0.2.1"));
        assert_eq!(networks("192.0.2.1").shares(4).count(), 1);
        assert_ne!(networks("192.0.2.1"), networks("192.0.2.2"));
    }
}
