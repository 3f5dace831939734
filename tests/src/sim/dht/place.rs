//! Public addresses of nodes, in one address family or both.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use aqueduct_core::discovery::dht::Family;

/// The UDP port of every node.
pub(super) const PORT: u16 = 6881;

/// The address families of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both.
    Both,
}

impl Stack {
    /// The families as a list.
    #[must_use]
    pub fn families(self) -> &'static [Family] {
        match self {
            Self::V4 => &[Family::V4],
            Self::V6 => &[Family::V6],
            Self::Both => &[Family::V4, Family::V6],
        }
    }

    /// Whether a node has an address in this family.
    #[must_use]
    pub fn has(self, family: Family) -> bool {
        self.families().contains(&family)
    }
}

/// The address of the `n`-th node in a family. Few nodes share a /24, and no two share a /64.
pub(super) fn addr(n: u32, family: Family) -> SocketAddr {
    match family {
        Family::V4 => {
            let [_, b, c, d] = (n / 71).wrapping_mul(0x9e37_79b1).to_be_bytes();
            let first = u8::try_from(20 + n % 71).expect("below 91");
            SocketAddr::from(([first, b, c, d], PORT))
        }
        Family::V6 => {
            let net = 0x2a00 << 48 | u128::from(n.wrapping_mul(0x9e37_79b1)) << 16;
            SocketAddr::from((Ipv6Addr::from_bits(net << 64 | 1), PORT))
        }
    }
}

/// The prefix that identifies an address's owner: with IPv6, one host controls its whole /64.
pub(super) fn home(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}
