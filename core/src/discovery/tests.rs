//! Trackers, the DHT and local discovery together.

use std::net::{IpAddr, SocketAddr};

use super::dht::krpc::{Body, Message, Method};
use super::lsd::Announce;
use super::trackers::Request::HttpGet;
use super::*;
use crate::io::DiscoverRequest;
use crate::types::{InfoHashV1, Instant, PeerId, PeerSource};

const NOW: Instant = Instant::ZERO;
const KEY: Key = Key {
    info_hash: InfoHashV1([7; 20]),
    owner: 1,
};

/// A machine whose DHT node knows some contacts.
fn discovery() -> Discovery {
    let contacts = (1..=9u8).map(|n| {
        let addr = SocketAddr::from(([11, n, 0, 9], 6881));
        let id = dht::secure_id(addr.ip(), dht::NodeId([n; 20]));
        dht::Contact { id, addr }
    });
    let config = dht::Config {
        v6: false,
        ..dht::Config::default()
    };
    Discovery::new(Config::default(), [1; 32])
        .with_dht(config, dht::State::new([], contacts), [2; 32], NOW)
        .with_lsd(6881, [3; 32])
}

fn add(discovery: &mut Discovery, key: Key, private: bool) -> Membership {
    let swarm = Swarm {
        trackers: vec![vec!["http://t/announce".to_owned()]],
        peer_id: PeerId([2; 20]),
        port: 6881,
        amounts: Amounts::default(),
        private,
    };
    discovery.add(NOW, key, swarm).unwrap()
}

/// Whether trackers, DHT and local network were told of the swarm of [`KEY`].
fn told(discovery: &mut Discovery) -> (bool, bool, bool) {
    let mut told = (false, false, false);
    while let Some(output) = discovery.poll_output() {
        match output {
            Output::Net(NetRequest::Trackers(HttpGet { .. })) => told.0 = true,
            Output::Net(NetRequest::Dht(dht::Request::Send { bytes, .. })) => {
                let Body::Query(query) = Message::parse(&bytes).unwrap().body else {
                    panic!("nobody was answered")
                };
                told.1 |= matches!(query.method, Method::GetPeers(hash) if hash == KEY.info_hash);
            }
            Output::Net(NetRequest::Lsd(announce)) => {
                told.2 |= announce.swarms.contains(&KEY.info_hash);
            }
            _ => {}
        }
    }
    told
}

fn neighbour_says(discovery: &mut Discovery) -> Vec<Output> {
    let announce = Announce {
        port: 7000,
        swarms: vec![KEY.info_hash],
        cookie: None,
    };
    let bytes = announce.encode(IpAddr::V4(lsd::GROUP_V4)).into();
    let from = IpAddr::from([192, 168, 0, 9]);
    discovery.handle(NOW, Input::Lsd { from, bytes });
    let outputs = std::iter::from_fn(|| discovery.poll_output());
    outputs
        .filter(|output| matches!(output, Output::Peers { .. }))
        .collect()
}

#[test]
fn a_torrent_is_announced_everywhere_and_a_private_one_to_its_trackers_alone() {
    for private in [false, true] {
        let mut discovery = discovery();
        let member = add(&mut discovery, KEY, private);
        discovery.request(NOW, &member, DiscoverRequest::Start);
        assert_eq!(told(&mut discovery), (true, !private, !private));
        assert_eq!(discovery.dht_counts(KEY).is_some(), !private);
        assert_eq!(neighbour_says(&mut discovery).is_empty(), private);
    }
}

#[test]
fn a_torrent_that_turns_out_to_be_private_leaves_the_dht_and_the_local_network() {
    let mut discovery = discovery();
    let member = add(&mut discovery, KEY, false);
    discovery.request(NOW, &member, DiscoverRequest::Start);
    told(&mut discovery);
    discovery.set_private(NOW, &member);
    discovery.request(NOW, &member, DiscoverRequest::More);
    for _ in 0..100 {
        let Some((at, _)) = discovery.poll_timeout() else {
            break;
        };
        discovery.handle(at, Input::Timeout);
        let (_, dht, lsd) = told(&mut discovery);
        assert!(!dht && !lsd);
    }
    assert_eq!(discovery.dht_counts(KEY), None);
    assert!(neighbour_says(&mut discovery).is_empty());
}

#[test]
fn a_neighbour_is_told_to_every_member_of_its_swarm_that_wants_peers() {
    let mut discovery = discovery();
    let keys = [1, 2, 3].map(|owner| Key { owner, ..KEY });
    let members = keys.map(|key| add(&mut discovery, key, key.owner == 3));
    for member in [&members[1], &members[2]] {
        discovery.request(NOW, member, DiscoverRequest::Start);
    }
    let addr = "192.168.0.9:7000".parse().unwrap();
    let told = Output::Peers {
        key: keys[1],
        source: PeerSource::Lsd,
        addrs: vec![addr],
    };
    assert_eq!(neighbour_says(&mut discovery), [told]);
    discovery.request(NOW, &members[1], DiscoverRequest::Stop);
    assert!(neighbour_says(&mut discovery).is_empty());
}

#[test]
fn a_removed_torrent_tells_its_tracker_and_is_gone() {
    let mut discovery = discovery();
    let member = add(&mut discovery, KEY, false);
    assert_eq!(
        discovery.add(NOW, KEY, swarm_without_trackers()),
        Err(AddError::Duplicate(KEY.info_hash))
    );
    discovery.request(NOW, &member, DiscoverRequest::Start);
    discovery.remove(NOW, member);
    let mut announces = 0;
    while let Some(output) = discovery.poll_output() {
        announces += usize::from(matches!(
            output,
            Output::Net(NetRequest::Trackers(HttpGet { .. }))
        ));
    }
    assert_eq!(announces, 2, "started, then stopped");
    assert!(!discovery.is_empty() && discovery.dht_counts(KEY).is_none());
}

fn swarm_without_trackers() -> Swarm {
    Swarm {
        trackers: Vec::new(),
        peer_id: PeerId([2; 20]),
        port: 6881,
        amounts: Amounts::default(),
        private: false,
    }
}
