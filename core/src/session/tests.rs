//! A session with torrents, trackers and a DHT node.

use std::net::SocketAddr;
use std::sync::Arc;

use super::*;
use crate::bencode::Encoder;
use crate::config::Config;
use crate::discovery::dht::krpc::{Body, Message, Method};
use crate::discovery::{self, Discovery, Fetched, NetRequest, QueryId, dht, trackers};
use crate::engine::Engine;
use crate::io::{Command, CommandError, Input, NewTorrent, Resumed, TorrentSource};
use crate::meta::{Content, Details, Draft, Info, Magnet};
use crate::types::{Instant, PeerAddr, PeerId, TorrentId};

const NOW: Instant = Instant::ZERO;
const PEER: &str = "9.9.9.9:6881";

struct World {
    session: Session,
    now: Instant,
    /// All outputs.
    said: Vec<Output>,
}

/// The `n`-th torrent: one small file.
fn torrent(n: u32, private: bool) -> Arc<Info> {
    let draft = Draft::new(&format!("file {n}"), Content::File(1000), None).unwrap();
    let details = Details {
        private,
        ..Details::default()
    };
    let digest = [u8::try_from(n % 256).unwrap(); 20];
    draft.finish(&[digest], details).unwrap().info
}

impl World {
    fn new() -> Self {
        let config = Config {
            listen_port: 6881,
            dht_port: Some(6881),
            max_torrents: 1000,
            ..Config::default()
        };
        let identity = Identity {
            peer_id: PeerId::ours([1; 12]),
            port: 6881,
        };
        let engine = Engine::new(config, identity.peer_id, [2; 32], NOW);
        let contacts = (1..=9u8).map(|n| {
            let addr = SocketAddr::from(([11, n, 0, 9], 6881));
            let id = dht::secure_id(addr.ip(), dht::NodeId([n; 20]));
            dht::Contact { id, addr }
        });
        let config = dht::Config {
            v6: false,
            max_searches: 1000,
            ..dht::Config::default()
        };
        let trackers = discovery::Config {
            max_queries: 1000,
            max_queries_per_owner: 1000,
            ..discovery::Config::default()
        };
        let discovery = Discovery::new(trackers, [3; 32])
            .with_dht(config, dht::State::new([], contacts), [4; 32], NOW)
            .with_lsd(6881, [5; 32]);
        Self {
            session: Session::new(engine, discovery, identity, NOW),
            now: NOW,
            said: Vec::new(),
        }
    }

    fn add(&mut self, n: u32, source: TorrentSource) -> Result<(), CommandError> {
        let new = NewTorrent {
            torrent: TorrentId(n),
            source,
            paused: false,
        };
        let result = self.session.add(self.now, new, trackers(n));
        self.drain();
        result
    }

    fn add_info(&mut self, n: u32, private: bool) {
        let (info, resumed, wanted) = (torrent(n, private), Resumed::Nothing, None);
        self.add(
            n,
            TorrentSource::Info {
                info,
                resumed,
                wanted,
            },
        )
        .unwrap();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.said.push(output);
        }
    }

    fn hear(&mut self, input: trackers::Input) {
        let input = discovery::Input::Trackers(input);
        self.session.handle_net(self.now, input);
        self.drain();
    }

    /// The requested announces: ids and URLs.
    fn announces(&self) -> Vec<(QueryId, String)> {
        let announces = self.said.iter().filter_map(|output| match output {
            Output::Net(NetRequest::Trackers(trackers::Request::HttpGet { id, url, .. })) => {
                Some((*id, url.clone()))
            }
            _ => None,
        });
        announces.collect()
    }

    /// The swarms that were looked up in the DHT, and those announced on the local network.
    fn told_others(&self) -> Vec<crate::types::InfoHashV1> {
        let told = self.said.iter().flat_map(|output| match output {
            Output::Net(NetRequest::Dht(dht::Request::Send { bytes, .. })) => {
                match Message::parse(bytes).unwrap().body {
                    Body::Query(query) => match query.method {
                        Method::GetPeers(hash) => vec![hash],
                        _ => vec![],
                    },
                    _ => vec![],
                }
            }
            Output::Net(NetRequest::Lsd(announce)) => announce.swarms.clone(),
            _ => vec![],
        });
        told.collect()
    }

    fn dials(&self) -> Vec<PeerAddr> {
        let dials = self.said.iter().filter_map(|output| match output {
            Output::Engine(crate::Output::Dial { addr, .. }) => Some(*addr),
            _ => None,
        });
        dials.collect()
    }
}

fn trackers(n: u32) -> Vec<Vec<String>> {
    vec![vec![format!("http://tracker/{n}/announce")]]
}

fn one_peer() -> Result<Fetched, discovery::TrackerError> {
    let peers = Encoder::new()
        .bytes("peers", [9, 9, 9, 9, 26, 225])
        .finish();
    Ok(Fetched {
        body: peers.into(),
        from: [8, 8, 8, 8].into(),
        dual: false,
    })
}

#[test]
fn an_added_torrent_is_announced_at_once_and_the_peers_that_come_are_dialled() {
    let mut world = World::new();
    world.add_info(1, false);
    let [(id, url)] = &world.announces()[..] else {
        panic!("{:?}", world.said)
    };
    assert!(url.starts_with("http://tracker/1/announce?") && url.contains("left=1000"));
    let (id, result) = (*id, one_peer());
    world.hear(trackers::Input::HttpResponse { id, result });
    assert_eq!(world.dials(), [PEER.parse::<SocketAddr>().unwrap().into()]);
    let inside = |output: &Output| {
        matches!(
            output,
            Output::Engine(crate::Output::Discover { .. } | crate::Output::DhtNode(_))
        )
    };
    assert!(!world.said.iter().any(inside));
}

#[test]
fn four_hundred_torrents_added_in_a_burst_are_all_announced_whatever_arrives_between() {
    let mut world = World::new();
    for n in 0..400 {
        let (info, resumed, wanted) = (torrent(n, false), Resumed::Nothing, None);
        let new = NewTorrent {
            torrent: TorrentId(n),
            source: TorrentSource::Info {
                info,
                resumed,
                wanted,
            },
            paused: false,
        };
        // Outputs are not collected between two torrents, but only after all are added.
        world.session.add(NOW, new, trackers(n)).unwrap();
        let junk = trackers::Input::UdpPacket {
            from: PEER.parse().unwrap(),
            bytes: vec![0; 20].into(),
        };
        let junk = discovery::Input::Trackers(junk);
        world.session.handle_net(NOW, junk);
    }
    world.drain();
    assert_eq!(world.announces().len(), 400);
    let swarms: std::collections::BTreeSet<_> = world.told_others().into_iter().collect();
    assert_eq!(swarms.len(), 400);
}

#[test]
fn a_private_torrent_is_told_to_its_tracker_alone() {
    let mut world = World::new();
    world.add_info(1, true);
    assert_eq!(world.announces().len(), 1);
    assert_eq!(world.told_others(), []);
    assert_eq!(world.session.dht_counts(TorrentId(1)), None);
}

#[test]
fn a_torrent_that_is_refused_is_announced_nowhere_and_can_be_added_later() {
    let mut world = World::new();
    let (info, resumed) = (torrent(1, false), Resumed::Nothing);
    let wrong = TorrentSource::Info {
        info,
        resumed,
        wanted: Some(vec![true; 7]),
    };
    assert!(matches!(
        world.add(1, wrong),
        Err(CommandError::Files { .. })
    ));
    assert!(world.session.has_left() && world.announces().is_empty());
    world.add_info(1, false);
    assert_eq!(world.announces().len(), 1);
    let again = TorrentSource::Info {
        info: torrent(1, false),
        resumed: Resumed::Nothing,
        wanted: None,
    };
    assert!(matches!(
        world.add(2, again),
        Err(CommandError::Duplicate(_))
    ));
    assert_eq!(world.announces().len(), 1);
}

#[test]
fn a_removed_torrent_tells_its_tracker_how_far_it_came() {
    let mut world = World::new();
    world.add_info(1, false);
    let (id, _) = world.announces()[0].clone();
    let result = one_peer();
    world.hear(trackers::Input::HttpResponse { id, result });
    world
        .session
        .command(NOW, Command::Remove(TorrentId(1)))
        .unwrap();
    world.drain();
    let (id, url) = world.announces().last().unwrap().clone();
    assert!(url.contains("event=stopped") && url.contains("left=1000"));
    assert!(!world.session.has_left());
    let result = one_peer();
    world.hear(trackers::Input::HttpResponse { id, result });
    assert!(world.session.has_left());
}

#[test]
fn a_link_is_announced_before_its_metadata_are_there_and_with_all_of_it_at_the_end() {
    let mut world = World::new();
    let magnet = Magnet {
        info_hash: torrent(1, false).info_hash,
        name: None,
        trackers: vec![],
        web_seeds: vec![],
        peers: vec![],
        select: None,
    };
    world.add(1, TorrentSource::Magnet(magnet)).unwrap();
    let (_, url) = world.announces()[0].clone();
    assert!(url.contains("left=16384"), "{url}");
    assert!(!world.told_others().is_empty());
    world.session.leave(NOW);
    world.drain();
    assert!(world.session.trackers(TorrentId(1)).is_empty());
}

#[test]
fn the_first_deadline_of_either_half_wakes_the_whole() {
    let mut world = World::new();
    world.add_info(1, false);
    let mut reasons = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let (at, reason) = world.session.poll_timeout().unwrap();
        reasons.insert(matches!(reason, Reason::Engine(_)));
        world.now = at.max(world.now);
        world.session.handle(world.now, Input::Timeout);
        world.drain();
    }
    assert_eq!(reasons.len(), 2, "both halves were woken");
}

#[test]
fn a_port_that_a_gateway_maps_is_announced_to_trackers_and_in_the_dht_from_then_on() {
    let mut world = World::new();
    world.session.set_port(NOW, 7000);
    world.add_info(1, false);
    let (_, url) = world.announces()[0].clone();
    assert!(url.contains("port=7000"), "{url}");
    world.session.set_port(NOW, 7001);
    let (id, result) = (world.announces()[0].0, one_peer());
    world.hear(trackers::Input::HttpResponse { id, result });
    while world.announces().len() < 2 {
        let (at, _) = world.session.poll_timeout().unwrap();
        world.now = at.max(world.now);
        world.session.handle(world.now, Input::Timeout);
        world.drain();
    }
    let (_, url) = world.announces()[1].clone();
    assert!(url.contains("port=7001"), "{url}");
}
