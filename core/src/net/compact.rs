//! Compact addresses: 4 or 16 bytes of IP address and 2 bytes of port, in network order (BEP 5, 7,
//! 11, 15, 23, 32, 55).

use std::net::{IpAddr, SocketAddr};

/// The length of a compact IPv4 address in bytes.
pub const LEN_V4: usize = 6;
/// The length of a compact IPv6 address in bytes.
pub const LEN_V6: usize = 18;

/// Appends a compact address of 6 or 18 bytes.
pub fn write(out: &mut impl Extend<u8>, addr: SocketAddr) {
    match addr.ip() {
        IpAddr::V4(v4) => out.extend(v4.octets()),
        IpAddr::V6(v6) => out.extend(v6.octets()),
    }
    out.extend(addr.port().to_be_bytes());
}

/// A compact address as an array. `N` must be `IP + 2`.
pub(crate) fn of<const IP: usize, const N: usize>(ip: [u8; IP], port: u16) -> [u8; N] {
    const { assert!(N == IP + 2) };
    let mut bytes = [0; N];
    bytes[..IP].copy_from_slice(&ip);
    bytes[IP..].copy_from_slice(&port.to_be_bytes());
    bytes
}

/// Decodes a compact address of 6 or 18 bytes; `None` for any other length.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip = match ip.len() {
        4 => IpAddr::from(*ip.first_chunk::<4>()?),
        16 => IpAddr::from(*ip.first_chunk::<16>()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// Decodes a list of compact IPv4 addresses, 6 bytes each (BEP 23). An incomplete one at the end is
/// ignored.
pub fn read_v4(list: &[u8]) -> impl Iterator<Item = SocketAddr> {
    read_list::<LEN_V4>(list)
}

/// Decodes a list of compact IPv6 addresses, 18 bytes each (BEP 7). An incomplete one at the end is
/// ignored.
pub fn read_v6(list: &[u8]) -> impl Iterator<Item = SocketAddr> {
    read_list::<LEN_V6>(list)
}

fn read_list<const N: usize>(list: &[u8]) -> impl Iterator<Item = SocketAddr> {
    let (entries, _) = list.as_chunks::<N>();
    entries.iter().filter_map(|entry| read(entry))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    fn plain(addr: SocketAddr) -> SocketAddr {
        SocketAddr::new(addr.ip(), addr.port())
    }

    #[test]
    fn the_form_is_that_of_bep_5() {
        let mut out = Vec::new();
        write(&mut out, SocketAddr::from(([1, 2, 3, 4], 0x1ae1)));
        assert_eq!(out, [1, 2, 3, 4, 0x1a, 0xe1]);
    }

    proptest! {
        #[test]
        fn addresses_of_both_families_are_read_as_they_were_written(addrs in vec(any::<SocketAddr>(), 0..40), torn in 0usize..6) {
            let (mut v4, mut v6) = (Vec::new(), Vec::new());
            for addr in addrs.iter().copied().map(plain) {
                let list = if addr.is_ipv4() { &mut v4 } else { &mut v6 };
                let start = list.len();
                write(list, addr);
                prop_assert_eq!(read(&list[start..]), Some(addr));
            }
            let family = |v4: bool| addrs.iter().copied().map(plain).filter(move |addr| addr.is_ipv4() == v4);
            v4.extend(vec![0; torn]);
            prop_assert_eq!(read_v4(&v4).collect::<Vec<_>>(), family(true).collect::<Vec<_>>());
            prop_assert_eq!(read_v6(&v6).collect::<Vec<_>>(), family(false).collect::<Vec<_>>());
        }

        #[test]
        fn arbitrary_bytes_are_an_address_only_if_there_are_6_or_18(bytes in vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(read(&bytes).is_some(), [LEN_V4, LEN_V6].contains(&bytes.len()));
            prop_assert_eq!(read_v4(&bytes).count(), bytes.len() / LEN_V4);
            prop_assert_eq!(read_v6(&bytes).count(), bytes.len() / LEN_V6);
        }
    }
}
