//! Ids that are bound to addresses (BEP 42), so that a host cannot choose its location in the DHT.

use std::net::IpAddr;

use super::id::NodeId;
use crate::net::is_local;

/// The mask of an IPv4 address.
const MASK_V4: [u8; 4] = [0x03, 0x0f, 0x3f, 0xff];
/// The mask of the first half of an IPv6 address.
const MASK_V6: [u8; 8] = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff];

/// An id that is valid for `ip`, derived from a random one.
#[must_use]
pub fn secure_id(ip: IpAddr, random: NodeId) -> NodeId {
    let mut id = random;
    let [first, second, third] = prefix(ip, id.0[19]);
    (id.0[0], id.0[1]) = (first, second);
    id.0[2] = third | (id.0[2] & 0x07);
    id
}

/// Whether this id is valid for `ip`. Local addresses may have any id (BEP 42), since each host
/// sees another address.
#[must_use]
pub fn is_secure(id: &NodeId, ip: IpAddr) -> bool {
    is_local(ip) || prefix(ip, id.0[19]) == [id.0[0], id.0[1], id.0[2] & 0xf8]
}

/// The first 21 bits of the id for an address and one of eight values of the id's last byte.
fn prefix(ip: IpAddr, last: u8) -> [u8; 3] {
    let variant = (last & 0x07) << 5;
    let crc = match ip.to_canonical() {
        IpAddr::V4(v4) => crc32c(masked(v4.octets(), MASK_V4, variant)),
        IpAddr::V6(v6) => {
            let [a, b, c, d, e, f, g, h, ..] = v6.octets();
            crc32c(masked([a, b, c, d, e, f, g, h], MASK_V6, variant))
        }
    };
    let [first, second, third, _] = crc.to_be_bytes();
    [first, second, third & 0xf8]
}

fn masked<const N: usize>(octets: [u8; N], mask: [u8; N], variant: u8) -> [u8; N] {
    std::array::from_fn(|i| (octets[i] & mask[i]) | if i == 0 { variant } else { 0 })
}

/// CRC-32C (Castagnoli), reflected.
fn crc32c<const N: usize>(bytes: [u8; N]) -> u32 {
    !bytes.into_iter().fold(u32::MAX, |crc, byte| {
        (crc >> 8) ^ TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)]
    })
}

const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0u32;
    while byte < 256 {
        let (mut crc, mut bit) = (byte, 0);
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_examples_of_bep_42_hold() {
        for (ip, last, first) in [
            ("124.31.75.21", 1, [0x5f, 0xbf, 0xbf]),
            ("21.75.31.124", 86, [0x5a, 0x3c, 0xe9]),
            ("65.23.51.170", 22, [0xa5, 0xd4, 0x32]),
            ("84.124.73.14", 65, [0x1b, 0x03, 0x21]),
            ("43.213.53.83", 90, [0xe5, 0x6f, 0x6c]),
        ] {
            let mut id = NodeId([0; 20]);
            id.0[..3].copy_from_slice(&first);
            id.0[19] = last;
            let ip: IpAddr = ip.parse().unwrap();
            assert!(is_secure(&id, ip), "{ip}");
            id.0[2] ^= 0x08;
            assert!(!is_secure(&id, ip), "{ip}");
        }
    }

    #[test]
    fn made_ids_are_secure_for_their_address_and_hardly_for_another() {
        let mut rng = ChaCha8Rng::from_seed([1; 32]);
        for ip in ["8.8.8.8", "2606:4700::1111"] {
            let ip: IpAddr = ip.parse().unwrap();
            let id = secure_id(ip, NodeId::random(&mut rng));
            assert!(is_secure(&id, ip) && !is_secure(&id, "9.9.9.9".parse().unwrap()));
            assert_ne!(id, secure_id(ip, NodeId::random(&mut rng)));
        }
    }

    #[test]
    fn local_addresses_may_have_any_id() {
        for local in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1"] {
            assert!(is_secure(&NodeId([7; 20]), local.parse().unwrap()));
        }
    }
}
