use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use aqueduct_native::net::{Policy, Purpose, Target};

use super::{Filter, V4_REFUSED, V6_GLOBAL, V6_REFUSED};

/// Random addresses of the property below; the number of checks is a multiple of this.
const RANDOM_ADDRESSES: u64 = if cfg!(debug_assertions) {
    50_000
} else {
    1_000_000
};

fn allowed(filter: &Filter, ip: IpAddr) -> bool {
    filter.allowed(SocketAddr::new(ip, 6881)).is_ok()
}

fn v4(bits: u128) -> IpAddr {
    Ipv4Addr::from_bits(bits.try_into().unwrap()).into()
}

fn v6(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).into()
}

#[test]
fn every_refused_v4_range_ends_where_it_should() {
    let filter = Filter::default();
    for range in V4_REFUSED {
        let (first, last) = range.ends();
        assert!(
            !allowed(&filter, v4(first)) && !allowed(&filter, v4(last)),
            "{range}"
        );
        let neighbours = [
            first.checked_sub(1),
            Some(last + 1).filter(|&next| next <= u128::from(u32::MAX)),
        ];
        for neighbour in neighbours.into_iter().flatten().map(v4) {
            let in_another = V4_REFUSED.iter().any(|range| range.contains(neighbour));
            assert_eq!(
                allowed(&filter, neighbour),
                !in_another,
                "{neighbour}, beside {range}"
            );
        }
    }
    // Adjacent ranges are few; all other neighbouring addresses must be permitted.
    for open in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "128.0.0.0",
        "172.32.0.0",
        "192.0.1.0",
        "223.255.255.255",
    ] {
        assert!(allowed(&filter, open.parse().unwrap()), "{open}");
    }
}

#[test]
fn every_refused_v6_range_ends_where_it_should() {
    let filter = Filter::default();
    for range in V6_REFUSED {
        let (first, last) = range.ends();
        assert!(
            !allowed(&filter, v6(first)) && !allowed(&filter, v6(last)),
            "{range}"
        );
        for neighbour in [v6(first - 1), v6(last + 1)] {
            let refused = !V6_GLOBAL.contains(neighbour)
                || V6_REFUSED.iter().any(|range| range.contains(neighbour));
            assert_eq!(
                allowed(&filter, neighbour),
                !refused,
                "{neighbour}, beside {range}"
            );
        }
    }
    let (first, last) = V6_GLOBAL.ends();
    assert!(!allowed(&filter, v6(first - 1)) && !allowed(&filter, v6(last + 1)));
    for open in [
        "2000::",
        "2001:200::",
        "2003::1",
        "2606:4700::1111",
        "3ffe:ffff::",
        "3fff:1000::",
    ] {
        assert!(allowed(&filter, open.parse().unwrap()), "{open}");
    }
    for shut in [
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fdff::1",
        "ff02::1",
        "64:ff9b::1",
        "64:ff9b:1::1",
        "100::1",
        "5f00::1",
        "4000::",
        "1fff::",
    ] {
        assert!(!allowed(&filter, shut.parse().unwrap()), "{shut}");
    }
}

/// The seven ways to embed an IPv4 address in an IPv6 address.
fn disguises(ip: Ipv4Addr) -> [String; 7] {
    let [a, b, c, d] = ip.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    [
        format!("::ffff:{ip}"),
        format!("::ffff:{high:x}:{low:x}"),
        format!("::{ip}"),
        format!("::ffff:0:{ip}"),
        format!("64:ff9b::{ip}"),
        format!("2002:{high:x}:{low:x}::1"),
        format!("2001:0:0:0:0:0:{:x}:{:x}", !high, !low),
    ]
}

/// Whether an IPv4 address is public, by comparing numbers instead of masks.
fn is_public(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127 | 224.., ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
    )
}

#[test]
fn random_addresses_get_one_verdict_in_every_spelling() {
    let filter = Filter::default();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..RANDOM_ADDRESSES {
        // xorshift64: a fixed, evenly distributed sequence of addresses.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let ip = Ipv4Addr::from_bits((state >> 32) as u32);
        let plain: Ipv4Addr = ip.to_string().parse().unwrap();
        assert_eq!(allowed(&filter, plain.into()), is_public(ip), "{ip}");
        for text in disguises(ip) {
            assert!(
                !allowed(&filter, text.parse::<Ipv6Addr>().unwrap().into()),
                "{text}"
            );
        }
    }
}

#[test]
fn ports_of_other_services_are_refused_for_peers_and_most_of_them_for_trackers() {
    let filter = Filter::default();
    let check = |purpose, port| {
        filter
            .check(&Target::new(
                purpose,
                SocketAddr::from(([8, 8, 8, 8], port)),
            ))
            .is_ok()
    };
    for port in [
        0, 1, 22, 25, 80, 443, 1023, 1433, 1521, 2049, 2375, 2376, 3306, 3389, 5432, 5900, 5910,
        6379, 6667, 8500, 9200, 10250, 11211, 27017,
    ] {
        assert!(!check(Purpose::Peer, port), "{port}");
    }
    for port in [1024, 1337, 5899, 5911, 6881, 6969, 51413, 65535] {
        assert!(
            check(Purpose::Peer, port) && check(Purpose::UdpTracker, port),
            "{port}"
        );
    }
    assert!(check(Purpose::HttpTracker, 80) && check(Purpose::HttpTracker, 443));
    assert!(!check(Purpose::HttpTracker, 25) && !check(Purpose::HttpTracker, 6379));
}

#[test]
fn the_operator_opens_ranges_and_the_machines_own_addresses_stay_shut() {
    let filter = Filter::new(vec!["127.0.0.0/8".parse().unwrap()]);
    assert!(allowed(&filter, "127.0.0.1".parse().unwrap()));
    assert!(!allowed(&filter, "::ffff:127.0.0.1".parse().unwrap()));
    assert!(!allowed(&filter, "10.0.0.1".parse().unwrap()));
    let own: IpAddr = "8.8.8.8".parse().unwrap();
    assert!(allowed(&filter, own));
    filter.set_own([own, "127.0.0.1".parse().unwrap()]);
    assert!(!allowed(&filter, own));
    assert!(
        allowed(&filter, "127.0.0.1".parse().unwrap()),
        "what the operator opens is open"
    );
    let refusal = filter.allowed("8.8.8.8:6881".parse().unwrap()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "8.8.8.8:6881 is not dialled: it is the bridge's own address"
    );
}
