//! Which addresses may be disclosed to which recipient, and which sources of addresses are trusted.
//! Every part of the engine that sends or receives addresses uses this module.
//!
//! | recipient | which addresses | function |
//! |---|---|---|
//! | a peer (BEP 11, 55) | IP addresses; local ones only to peers that share such a network | [`to_peer`] |
//! | a peer (`yourip` of BEP 10) | its own IP address | [`own_ip`] |
//! | the bridge of a tab (hints) | usable IP addresses | [`to_bridge`] |
//! | our node of the DHT | the IP address of a peer, at the port that it names | [`to_dht`] |
//! | trackers, other nodes of the DHT | only our own, which they see anyway | |
//! | resume records, records of the DHT | no peers, and nodes by IP address | |
//!
//! A tab's address has no meaning outside its bridge and is never disclosed.

use std::net::{IpAddr, SocketAddr};

use super::addr::{is_local, is_shared, is_usable};
use crate::types::PeerAddr;

/// The address of the peer at `of` as it may be disclosed to the peer at `to`; `None` if it must
/// not be. Addresses inside a private network are not disclosed to peers outside it.
pub(crate) fn to_peer(to: PeerAddr, of: PeerAddr) -> Option<SocketAddr> {
    of.socket_addr()
        .filter(|of| is_shared(to) || !is_local(of.ip()))
}

/// The peer's own IP address, as disclosed to that peer.
pub(crate) fn own_ip(peer: PeerAddr) -> Option<IpAddr> {
    peer.ip().map(|ip| ip.to_canonical())
}

/// The address of a peer that others named, as disclosed to a tab's bridge. The bridge applies its
/// own filter.
pub(crate) fn to_bridge(peer: PeerAddr) -> Option<SocketAddr> {
    peer.socket_addr().filter(|addr| is_usable(*addr))
}

/// The address of the DHT node that a peer announced with this port (BEP 5).
pub(crate) fn to_dht(peer: PeerAddr, port: u16) -> Option<SocketAddr> {
    let ip = own_ip(peer)?;
    (port != 0).then(|| SocketAddr::new(ip, port))
}

/// Whether a peer at `informant` can know of `addr`: from outside a private network the peers
/// inside cannot be seen.
pub(crate) fn may_name(informant: PeerAddr, addr: SocketAddr) -> bool {
    is_shared(informant) || !is_local(addr.ip())
}

/// Whether a DHT node at `informant` may name a node at `addr`: as [`may_name`], but not with the
/// port of a well-known service, which could otherwise be flooded with datagrams.
pub(crate) fn may_name_node(informant: SocketAddr, addr: SocketAddr) -> bool {
    is_usable(addr)
        && may_name(informant.into(), addr)
        && (is_local(informant.ip()) || addr.port() >= 1024)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{
        Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };

    use super::*;
    use crate::types::TabId;

    fn ip() -> impl Strategy<Value = PeerAddr> {
        let public = any::<u8>().prop_map(|last| PeerAddr::from(([45, 0, 0, last], 6881)));
        let local = any::<u8>().prop_map(|last| PeerAddr::from(([192, 168, 0, last], 6881)));
        let mapped = Just(PeerAddr::from((
            "::ffff:10.0.0.1".parse::<IpAddr>().unwrap(),
            6881,
        )));
        prop_oneof![
            public,
            local,
            mapped,
            any::<SocketAddr>().prop_map(PeerAddr::from)
        ]
    }

    fn addr() -> impl Strategy<Value = PeerAddr> {
        prop_oneof![
            ip(),
            any::<u64>().prop_map(|number| PeerAddr::Tab(TabId(number)))
        ]
    }

    #[test]
    fn a_public_node_cannot_name_local_addresses_nor_privileged_ports() {
        let [public, local] =
            ["8.8.8.8:6881", "192.168.0.1:6881"].map(|text| text.parse().unwrap());
        for refused in [
            "127.0.0.1:6881",
            "10.0.0.1:6881",
            "100.64.0.1:6881",
            "[::1]:6881",
            "[::ffff:10.0.0.1]:6881",
            "9.9.9.9:53",
            "9.9.9.9:0",
            "224.0.0.1:6881",
            "0.1.2.3:6881",
        ] {
            assert!(
                !may_name_node(public, refused.parse().unwrap()),
                "{refused}"
            );
        }
        for (informant, addr) in [
            (public, "9.9.9.9:6881"),
            (local, "127.0.0.1:6881"),
            (local, "9.9.9.9:6881"),
        ] {
            assert!(may_name_node(informant, addr.parse().unwrap()), "{addr}");
        }
        assert!(!may_name_node(local, "9.9.9.9:0".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn a_tab_is_told_to_nobody(to in addr(), number in any::<u64>(), port in any::<u16>()) {
            let tab = PeerAddr::Tab(TabId(number));
            prop_assert_eq!((to_peer(to, tab), to_bridge(tab), to_dht(tab, port), own_ip(tab)), (None, None, None, None));
        }

        #[test]
        fn who_is_inside_a_private_network_is_told_only_to_those_who_may_be_inside(to in ip(), of in ip()) {
            let (to_ip, of_ip) = (to.ip().unwrap(), of.ip().unwrap());
            prop_assert_eq!(to_peer(to, of).is_some(), is_local(to_ip) || !is_local(of_ip));
        }

        #[test]
        fn what_a_peer_may_be_told_it_may_also_say(to in addr(), of in addr()) {
            if let Some(told) = to_peer(to, of) {
                prop_assert!(may_name(to, told));
                prop_assert_eq!(PeerAddr::from(told), of);
            }
        }

        #[test]
        fn the_bridge_and_the_dht_hear_of_addresses_with_a_port(peer in addr(), port in any::<u16>()) {
            prop_assert!(to_bridge(peer).is_none_or(|addr| addr.port() != 0));
            prop_assert_eq!(to_dht(peer, port).is_some(), peer.ip().is_some() && port != 0);
        }
    }
}
