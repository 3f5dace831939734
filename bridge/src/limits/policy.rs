//! The address filter: which addresses the bridge contacts on behalf of clients. Default deny.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::RwLock;

use aqueduct_native::net::{Policy, Purpose, Refusal, Target};

use crate::limits::cidr::Cidr;
use crate::sync::{read, write};

/// IPv4 ranges that are not the public internet (IANA's special-purpose registry), and 6to4 relays.
const V4_REFUSED: [Cidr; 15] = [
    Cidr::v4(0, 0, 0, 0, 8),
    Cidr::v4(10, 0, 0, 0, 8),
    Cidr::v4(100, 64, 0, 0, 10),
    Cidr::v4(127, 0, 0, 0, 8),
    Cidr::v4(169, 254, 0, 0, 16),
    Cidr::v4(172, 16, 0, 0, 12),
    Cidr::v4(192, 0, 0, 0, 24),
    Cidr::v4(192, 0, 2, 0, 24),
    Cidr::v4(192, 88, 99, 0, 24),
    Cidr::v4(192, 168, 0, 0, 16),
    Cidr::v4(198, 18, 0, 0, 15),
    Cidr::v4(198, 51, 100, 0, 24),
    Cidr::v4(203, 0, 113, 0, 24),
    Cidr::v4(224, 0, 0, 0, 4),
    Cidr::v4(240, 0, 0, 0, 4),
];
/// The IPv6 range of the public internet.
const V6_GLOBAL: Cidr = Cidr::v6([0x2000, 0, 0, 0], 3);
/// Inside it: protocol assignments (Teredo among them), documentation, 6to4.
const V6_REFUSED: [Cidr; 4] = [
    Cidr::v6([0x2001, 0, 0, 0], 23),
    Cidr::v6([0x2001, 0xdb8, 0, 0], 32),
    Cidr::v6([0x2002, 0, 0, 0], 16),
    Cidr::v6([0x3fff, 0, 0, 0], 20),
];
/// Ports of services that respond to any client: databases, desktops, orchestration.
const SERVICE_PORTS: [u16; 13] = [
    1433, 1521, 2375, 2376, 3306, 3389, 5432, 6379, 8500, 9200, 10250, 11211, 27017,
];
/// The Fetch standard's bad ports, which no browser connects to either.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

/// Checks every peer, tracker, redirect and DHT node. An IPv6 address that embeds an IPv4 address
/// is refused, whatever the embedded address.
#[derive(Debug, Default)]
pub struct Filter {
    allow: Vec<Cidr>,
    own: RwLock<BTreeSet<IpAddr>>,
}

impl Filter {
    /// `allow`: ranges that the operator permits although they would be refused.
    #[must_use]
    pub fn new(allow: Vec<Cidr>) -> Self {
        Self {
            allow,
            own: RwLock::default(),
        }
    }

    /// Sets the addresses of this machine, which are refused unless permitted.
    pub fn set_own(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        *write(&self.own) = addresses.into_iter().collect();
    }

    /// Whether it is an address of this machine.
    #[must_use]
    pub fn is_own(&self, ip: IpAddr) -> bool {
        read(&self.own).contains(&ip.to_canonical())
    }

    /// Whether a peer at this address may be dialled.
    ///
    /// # Errors
    /// The rule that forbids it.
    pub fn allowed(&self, addr: SocketAddr) -> Result<(), Refusal> {
        self.check(&Target::new(Purpose::Peer, addr))
    }

    fn refuses_ip(&self, ip: IpAddr) -> Option<&'static str> {
        if self.allow.iter().any(|range| range.contains(ip)) {
            return None;
        }
        if self.is_own(ip) {
            return Some("it is the bridge's own address");
        }
        match ip {
            IpAddr::V4(_) if V4_REFUSED.iter().any(|range| range.contains(ip)) => {
                Some("it is not a public IPv4 address")
            }
            IpAddr::V6(v6) if embeds_v4(v6) => {
                Some("it is an IPv6 address that embeds an IPv4 address")
            }
            IpAddr::V6(_) if !V6_GLOBAL.contains(ip) => Some("it is not a public IPv6 address"),
            IpAddr::V6(_) if V6_REFUSED.iter().any(|range| range.contains(ip)) => {
                Some("it is not a public IPv6 address")
            }
            _ => None,
        }
    }
}

impl Policy for Filter {
    fn check(&self, target: &Target<'_>) -> Result<(), Refusal> {
        let (addr, port) = (target.addr, target.addr.port());
        let is_peer = matches!(
            target.purpose,
            Purpose::Peer | Purpose::Dht | Purpose::UtpSyn
        );
        let why = refuses_port(port, is_peer).or_else(|| self.refuses_ip(addr.ip()));
        why.map_or(Ok(()), |why| {
            Err(Refusal {
                addr,
                why: why.into(),
            })
        })
    }
}

/// Trackers use 80, 443 and other low ports; peers do not.
fn refuses_port(port: u16, peer: bool) -> Option<&'static str> {
    let refused = BAD_PORTS.contains(&port)
        || SERVICE_PORTS.contains(&port)
        || (5900..=5910).contains(&port)
        || (peer && port < 1024);
    refused.then_some("other services than BitTorrent use this port")
}

/// Mapped (`::ffff:0:0/96`), compatible (`::/96`), translated (`::ffff:0:0:0/96`), NAT64
/// (`64:ff9b::/96`), 6to4 (`2002::/16`), Teredo (`2001::/32`).
fn embeds_v4(ip: Ipv6Addr) -> bool {
    let mapped = matches!(
        ip.segments(),
        [0, 0, 0, 0, 0, 0 | 0xffff, ..]
            | [0, 0, 0, 0, 0xffff, 0, ..]
            | [0x64, 0xff9b, 0, 0, 0, 0, ..]
    );
    mapped || matches!(ip.segments(), [0x2002, ..] | [0x2001, 0, ..])
}

#[cfg(test)]
mod tests;
