//! Extensions: peer exchange, lost pieces (BEP 54), partial seeds (BEP 21), holepunching (BEP 55);
//! and what private torrents do not exchange.

use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::extensions::{Holepunch, HolepunchError};
use aqueduct_core::types::PeerSource;
use aqueduct_core::wire::Message;
use aqueduct_core::{Command, Config, Phase};
use aqueduct_tests::sim::{Access, HostId, Misbehavior, Plan, TORRENT, World};
use aqueduct_tests::torrent::{Computed, Recipe};

use super::{KIB, millis, secs, torrent};

/// The engine's extension id for `ut_holepunch`.
const HOLEPUNCH: u8 = 4;

fn line() -> Access {
    Access::symmetric(100 * KIB, millis(20))
}

fn private() -> Arc<Computed> {
    Arc::new(
        Recipe::single("secret.bin", 5, 64 * 32 * KIB, 32 * 1024)
            .private()
            .build(),
    )
}

/// A slow seed, and leeches that know only the seed.
fn star(seed: u64, torrent: &Arc<Computed>, config: &Config) -> (World, HostId, Vec<HostId>) {
    let mut world = World::new(seed);
    let config = || config.clone();
    let hub = world.add(
        Plan::seed(torrent)
            .access(Access::symmetric(20 * KIB, millis(20)))
            .config(config())
            .trackerless(),
    );
    let leeches = world.add_many(
        8,
        &Plan::leech(torrent)
            .access(line())
            .config(config())
            .trackerless(),
    );
    leeches
        .iter()
        .for_each(|leech| world.introduce(*leech, PeerSource::User, &[hub]));
    (world, hub, leeches)
}

#[test]
fn knowing_one_peer_leads_to_all_peers_within_two_minutes() {
    let torrent = torrent(512, 32);
    let (mut world, _, leeches) = star(600, &torrent, &Config::default());
    world.run_for(secs(120));
    let counts: Vec<_> = leeches
        .iter()
        .map(|leech| world.host(*leech).neighbours().len())
        .collect();
    assert_eq!(counts, [8; 8], "one seed and seven other leeches each");
}

#[test]
fn without_peer_exchange_one_known_peer_stays_the_only_one() {
    let torrent = torrent(512, 32);
    let (mut world, _, leeches) = star(
        601,
        &torrent,
        &Config {
            pex: false,
            ..Config::default()
        },
    );
    world.run_for(secs(180));
    assert!(
        leeches
            .iter()
            .all(|leech| world.host(*leech).neighbours().len() == 1)
    );
}

#[test]
fn a_private_torrent_exchanges_nothing() {
    let (mut world, _, leeches) = star(
        602,
        &private(),
        &Config {
            dht_port: Some(6881),
            ..Config::default()
        },
    );
    world.run_for(secs(180));
    for leech in leeches {
        assert_eq!(world.host(leech).neighbours().len(), 1);
        assert!(world.host(leech).hints().is_empty() && world.host(leech).dht_nodes().is_empty());
    }
}

#[test]
fn peers_from_other_sources_than_the_tracker_are_not_dialled_for_a_private_torrent() {
    let torrent = private();
    let mut world = World::new(603);
    let seed = world.add(Plan::seed(&torrent).trackerless());
    let leech = world.add(Plan::leech(&torrent).trackerless());
    for source in [
        PeerSource::Link,
        PeerSource::Dht,
        PeerSource::Pex,
        PeerSource::Lsd,
    ] {
        world.introduce(leech, source, &[seed]);
    }
    world.run_for(secs(60));
    let view = world.host(leech).snapshot().unwrap();
    assert_eq!((view.phase, view.candidates), (Phase::Connecting, 0));
    world.introduce(leech, PeerSource::Tracker, &[seed]);
    world.run_until_finished(secs(60), &[leech]);
}

#[test]
fn a_magnet_link_that_turns_out_private_drops_peers_of_other_sources() {
    let torrent = private();
    let mut world = World::encoded(604);
    let seeds = world.add_many(5, &Plan::seed(&torrent).access(line()).trackerless());
    let leech = world.add(Plan::leech(&torrent).access(line()).magnet().trackerless());
    let sources = [
        PeerSource::Link,
        PeerSource::Dht,
        PeerSource::Lsd,
        PeerSource::User,
        PeerSource::Tracker,
    ];
    for (source, seed) in sources.into_iter().zip(&seeds) {
        world.introduce(leech, source, &[*seed]);
    }
    world.run_for(secs(5));
    let kept = world.host(leech).neighbours();
    assert_eq!(
        kept,
        seeds[3..]
            .iter()
            .map(|seed| world.host(*seed).addr().ip())
            .collect()
    );
    world.run_until_finished(secs(120), &[leech]);
}

#[test]
fn peers_with_dht_nodes_exchange_ports_only_with_each_other() {
    let torrent = torrent(512, 32);
    let with_node = |port| Config {
        dht_port: Some(port),
        ..Config::default()
    };
    let mut world = World::encoded(605);
    let seed = world.add(Plan::seed(&torrent).access(line()).config(with_node(7001)));
    let [leech, other] = [with_node(7002), Config::default()]
        .map(|config| world.add(Plan::leech(&torrent).access(line()).config(config)));
    world.run_for(secs(5));
    let node = |id: HostId, port| (world.host(id).addr().ip(), port).into();
    assert_eq!(world.host(leech).dht_nodes(), [node(seed, 7001)]);
    assert_eq!(world.host(seed).dht_nodes(), [node(leech, 7002)]);
    assert!(world.host(other).dht_nodes().is_empty());
}

#[test]
fn an_engine_that_never_dials_reports_peers_as_hints() {
    let torrent = torrent(512, 32);
    let mut world = World::new(606);
    let seed = world.add(Plan::seed(&torrent).access(line()));
    let leeches = world.add_many(3, &Plan::leech(&torrent).access(line()));
    let config = Config {
        max_dialling: 0,
        ..Config::default()
    };
    let tab = world.add(Plan::leech(&torrent).config(config).trackerless());
    world.introduce(tab, PeerSource::Link, &[leeches[0]]);
    assert_eq!(world.host(tab).hints(), [world.host(leeches[0]).addr()]);
    world.introduce(seed, PeerSource::User, &[tab]);
    world.run_for(secs(130));
    let mut hints = world.host(tab).hints().to_vec();
    hints.sort();
    let mut all: Vec<_> = leeches
        .iter()
        .map(|leech| world.host(*leech).addr())
        .collect();
    all.sort();
    assert_eq!(
        hints, all,
        "each once, whether the link or a peer named it first"
    );
}

#[test]
fn a_peer_that_floods_invented_addresses_is_disconnected() {
    let torrent = torrent(96, 64);
    let mut world = World::encoded(607);
    world.add_many(3, &Plan::seed(&torrent).access(line()));
    let gossip = world.add(
        Plan::seed(&torrent)
            .access(line())
            .misbehavior(Misbehavior::InventedPeers),
    );
    let leech = world.add(Plan::leech(&torrent));
    world.run_for(secs(3));
    assert!(
        !world
            .host(leech)
            .neighbours()
            .contains(&world.host(gossip).addr().ip())
    );
    let known = world.host(leech).snapshot().unwrap().candidates;
    assert!(
        known <= 250 + 4,
        "{known} addresses are known, a quarter of 1,000 may come from one peer"
    );
    world.run_until_finished(secs(120), &[leech]);
}

#[test]
fn a_piece_that_a_seed_has_lost_comes_from_another() {
    let torrent = torrent(64, 32);
    let mut world = World::encoded(608);
    let [forgetful, other] = [200, 20].map(|kib| {
        world.add(Plan::seed(&torrent).access(Access::symmetric(kib * KIB, millis(10))))
    });
    let leech = world.add(Plan::leech(&torrent));
    world.run_for(secs(2));
    let lost = torrent
        .lengths()
        .iter()
        .filter(|piece| !world.host(leech).disk().has(*piece));
    lost.take(20)
        .collect::<Vec<_>>()
        .into_iter()
        .for_each(|piece| world.host_mut(forgetful).disk_mut().lose(piece));
    world.run_until_finished(secs(120), &[leech]);
    assert!(world.host(leech).banned().is_empty());
    assert!(world.host(other).blocks_sent() > 0);
    let view = world.host(forgetful).snapshot().unwrap();
    assert!(
        view.have.count() < 64 || view.downloaded > 0,
        "the seed noticed, and fetches again what it lost"
    );
}

/// A seed and two leeches that want the same one of three files.
fn partial(seed: u64) -> (World, HostId, [HostId; 2]) {
    let files = [("a", 300 * KIB), ("b", 500 * KIB), ("c", 400 * KIB)];
    let torrent = Arc::new(Recipe::folder("selection", 12, &files, 32 * 1024).build());
    let mut world = World::encoded(seed);
    let hub = world.add(Plan::seed(&torrent).access(line()));
    let plan = Plan::leech(&torrent)
        .access(line())
        .wanted(vec![true, false, false]);
    let leeches = [0, 1].map(|_| world.add(plan.clone()));
    world.run_until_finished(secs(60), &leeches);
    (world, hub, leeches)
}

#[test]
fn partial_seeds_disconnect_from_seeds_and_from_each_other() {
    let (mut world, hub, leeches) = partial(609);
    // The seed dials again five seconds after a leech disconnected, and then learns that the leech
    // wants nothing.
    world.run_for(secs(15));
    for host in [leeches[0], leeches[1], hub] {
        assert!(world.host(host).neighbours().is_empty());
    }
}

#[test]
fn a_partial_seed_that_wants_more_reconnects_at_once() {
    let (mut world, _, leeches) = partial(610);
    world.run_for(secs(60));
    world
        .command(leeches[0], Command::Want(TORRENT, vec![true; 3]))
        .unwrap();
    world.run_until(secs(30), "all files are there", |world| {
        world.host(leeches[0]).disk().is_complete()
    });
}

#[test]
fn peers_of_higher_priority_replace_others_when_connections_are_full() {
    let torrent = torrent(64, 32);
    let mut world = World::new(611);
    let hub = world.add(
        Plan::leech(&torrent)
            .config(Config {
                max_peers: 4,
                pex: false,
                ..Config::default()
            })
            .trackerless(),
    );
    let others = world.add_many(12, &Plan::leech(&torrent).trackerless());
    others
        .iter()
        .for_each(|other| world.introduce(*other, PeerSource::User, &[hub]));
    world.run_for(secs(10));
    let first = world.host(hub).neighbours();
    world.run_for(secs(3600));
    let settled = world.host(hub).neighbours();
    assert_eq!(settled.len(), 4);
    assert_ne!(first, settled, "whoever came first does not stay for ever");
    world.run_for(secs(3600));
    assert_eq!(
        world.host(hub).neighbours(),
        settled,
        "everybody agrees on who belongs there"
    );
}

#[test]
fn a_relaying_peer_introduces_its_peers_or_says_why_it_cannot() {
    let torrent = torrent(512, 32);
    let config = Config {
        pex: false,
        ..Config::default()
    };
    let (mut world, middle, leeches) = star(610, &torrent, &config);
    world.run_for(secs(15));
    let [one, other] = [leeches[0], leeches[1]];
    let [one_addr, other_addr] = [one, other].map(|id| world.host(id).addr());
    let stranger: SocketAddr = "45.1.2.3:6881".parse().unwrap();
    for target in [other_addr, stranger] {
        let payload = Holepunch::Rendezvous(target).encode();
        world.say(
            one,
            middle,
            Message::Extended {
                id: HOLEPUNCH,
                payload,
            },
        );
    }
    let heard = |world: &World, id: HostId| -> Vec<_> {
        let payloads = world.host(id).heard(HOLEPUNCH);
        payloads.into_iter().filter_map(Holepunch::decode).collect()
    };
    // The reply waits behind what the slow seed has queued already.
    world.run_until(secs(120), "both were told", |world| {
        heard(world, one).len() == 2 && heard(world, other).len() == 1
    });
    let refusal = Holepunch::Error(stranger, HolepunchError::NotConnected);
    assert_eq!(
        heard(&world, one),
        [Holepunch::Connect(other_addr), refusal]
    );
    assert_eq!(heard(&world, other), [Holepunch::Connect(one_addr)]);
}
