//! Canonical peer priority (BEP 40): a number that both ends of a possible connection compute
//! identically. Every peer prefers different peers, so all have the same chance, and a host that
//! floods a swarm with connections gets no more than the share of its networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::ExternalAddress;
use crate::types::PeerAddr;

/// The mask for addresses that share no /16; for IPv6, no /48.
const MASK_V4: u32 = 0xffff_5555;
const MASK_V6: u128 = 0xffff_ffff_ffff_5555_5555_5555_5555_5555;

/// Our public addresses, by which peers are ranked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ranking {
    v4: Option<SocketAddr>,
    v6: Option<SocketAddr>,
}

impl Ranking {
    /// `port` is our listening port.
    pub(crate) fn new(external: &ExternalAddress, port: u16) -> Self {
        let ours = |v6| external.of_family(v6).map(|ip| SocketAddr::new(ip, port));
        Self {
            v4: ours(false),
            v6: ours(true),
        }
    }

    /// The priority of a peer; higher is better. 0 while our address is unknown, and for peers
    /// without an IP address.
    pub(crate) fn of(&self, theirs: PeerAddr) -> u32 {
        let Some(theirs) = theirs.socket_addr() else {
            return 0;
        };
        let ours = if theirs.is_ipv6() { self.v6 } else { self.v4 };
        ours.map_or(0, |ours| priority(ours, theirs))
    }
}

/// The priority of a connection between two addresses, in either order.
fn priority(a: SocketAddr, b: SocketAddr) -> u32 {
    match (a.ip().to_canonical(), b.ip().to_canonical()) {
        (a_ip, b_ip) if a_ip == b_ip => {
            crc_of_sorted(a.port().to_be_bytes(), b.port().to_be_bytes())
        }
        (IpAddr::V4(a), IpAddr::V4(b)) => of_v4(a, b),
        (IpAddr::V6(a), IpAddr::V6(b)) => of_v6(a, b),
        _ => 0,
    }
}

fn of_v4(a: Ipv4Addr, b: Ipv4Addr) -> u32 {
    let shared = (a.to_bits() ^ b.to_bits()).leading_zeros() / 8;
    // The byte after a shared prefix counts in full: after a shared /16 the third, and so on.
    let whole = !u32::MAX.checked_shr(shared * 8 + 8).unwrap_or(0);
    let mask = if shared < 2 { MASK_V4 } else { MASK_V4 | whole };
    crc_of_sorted(
        (a.to_bits() & mask).to_be_bytes(),
        (b.to_bits() & mask).to_be_bytes(),
    )
}

fn of_v6(a: Ipv6Addr, b: Ipv6Addr) -> u32 {
    let shared = (a.to_bits() ^ b.to_bits()).leading_zeros() / 8;
    let whole = !u128::MAX.checked_shr(shared * 8 + 8).unwrap_or(0);
    let mask = if shared < 6 { MASK_V6 } else { MASK_V6 | whole };
    crc_of_sorted(
        (a.to_bits() & mask).to_be_bytes(),
        (b.to_bits() & mask).to_be_bytes(),
    )
}

fn crc_of_sorted<const N: usize>(a: [u8; N], b: [u8; N]) -> u32 {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    crc32c(low.into_iter().chain(high))
}

/// CRC-32C (Castagnoli), table-driven.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.fold(!0, |crc, byte| {
        (crc >> 8) ^ TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)]
    })
}

const fn table() -> [u32; 256] {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "below 256; a constant function has no other way"
        )]
        let mut crc = index as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (POLYNOMIAL * (crc & 1));
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(a: &str, b: &str) -> u32 {
        let [a, b] = [a, b].map(|text| text.parse().unwrap());
        assert_eq!(priority(a, b), priority(b, a), "both ends compute alike");
        priority(a, b)
    }

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    }

    #[test]
    fn the_examples_of_bep_40_hold() {
        assert_eq!(of("123.213.32.10:0", "98.76.54.32:0"), 0xec2d_7224);
        assert_eq!(of("123.213.32.10:0", "123.213.32.234:0"), 0x9956_8189);
    }

    #[test]
    fn masks_follow_the_networks_that_two_addresses_share() {
        let masked = |a: [u8; 4], b: [u8; 4]| crc_of_sorted(a, b);
        assert_eq!(
            of("1.2.255.255:0", "9.2.255.255:0"),
            masked([1, 2, 0x55, 0x55], [9, 2, 0x55, 0x55])
        );
        assert_eq!(
            of("1.2.255.255:0", "1.2.3.255:0"),
            masked([1, 2, 255, 0x55], [1, 2, 3, 0x55])
        );
        assert_eq!(
            of("1.2.3.255:0", "1.2.3.254:0"),
            masked([1, 2, 3, 255], [1, 2, 3, 254])
        );
        let near = of("[2001:db8:1:ff00::]:0", "[2001:db8:1:aa00::]:0");
        assert_ne!(
            near,
            of("[2001:db8:1:ff00::]:0", "[2001:db8:1:ab00::]:0"),
            "in one /48 the seventh byte counts in full"
        );
        assert_eq!(
            of("[2001:db8:1::]:0", "[2001:db9:1:aa00::]:0"),
            of("[2001:db8:1::]:0", "[2001:db9:1:0::]:0")
        );
    }

    #[test]
    fn behind_one_address_the_ports_decide() {
        assert_eq!(of("1.2.3.4:1", "1.2.3.4:2"), crc_of_sorted([0, 1], [0, 2]));
        assert_eq!(
            of("1.2.3.4:1", "[2001:db8::1]:2"),
            0,
            "two families never meet"
        );
    }
}
