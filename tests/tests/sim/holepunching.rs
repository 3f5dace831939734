//! Holepunching (BEP 55): peers behind NATs meet through a third one, where that is possible;
//! elsewhere, and through a relaying peer that lies, floods or leaves, nothing is stuck and nobody
//! else is bothered much.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::extensions::Holepunch;
use aqueduct_core::types::PeerSource;
use aqueduct_core::wire::Message;
use aqueduct_core::{Command, Config, DialKind};
use aqueduct_tests::sim::Dependence::{Address, AddressAndPort, Independent};
use aqueduct_tests::sim::{Access, HostId, Misbehavior, NatKind, Plan, TORRENT, World};
use aqueduct_tests::torrent::{Computed, Recipe};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{KIB, millis, secs, seeds, torrent};

/// The engine's extension id for `ut_holepunch`.
const HOLEPUNCH: u8 = 4;
/// What is common at home: one external port for everything, and datagrams pass from where some
/// were sent.
const HOME: NatKind = NatKind::new(Independent, AddressAndPort);

fn line() -> Access {
    Access::symmetric(1024 * KIB, millis(20))
}

/// 2 MiB, which take more than three minutes over the relaying peer.
fn two_mib() -> Arc<Computed> {
    torrent(64, 32)
}

/// A peer that everybody reaches.
fn relay(torrent: &Arc<Computed>) -> Plan {
    Plan::leech(torrent).access(line()).utp().trackerless()
}

/// Adds a relaying peer that hardly downloads or uploads, so that the others need each other.
fn add_relay(world: &mut World, plan: Plan) -> HostId {
    let relay = world.add(plan);
    let limits = Command::Limits {
        download: Some(10 * KIB),
        upload: Some(10 * KIB),
    };
    world.command(relay, limits).unwrap();
    relay
}

/// A seed (or another leech) and a leech behind NATs of these kinds, which know only the relaying
/// peers.
struct Swarm {
    world: World,
    relays: Vec<HostId>,
    seed: HostId,
    leech: HostId,
}

impl Swarm {
    fn new(seed: u64, relays: &[Misbehavior], nats: [NatKind; 2]) -> Self {
        let torrent = two_mib();
        Self::of(seed, Plan::seed(&torrent), relays, nats)
    }

    /// Nobody has any data, so that nobody leaves.
    fn without_data(seed: u64, torrent: &Arc<Computed>) -> Self {
        let nats = [HOME, HOME];
        Self::of(seed, Plan::leech(torrent), &[Misbehavior::None], nats)
    }

    fn of(seed: u64, plan: Plan, relays: &[Misbehavior], nats: [NatKind; 2]) -> Self {
        let torrent = &Arc::clone(plan.torrent());
        let mut world = World::new(seed);
        let relays = relays.iter();
        let relays: Vec<_> = relays
            .map(|how| add_relay(&mut world, relay(torrent).misbehavior(*how)))
            .collect();
        let [seed_nat, leech_nat] = nats;
        let mut add = |plan: Plan, nat| world.add(plan.access(line()).nat(nat).trackerless());
        let seed = add(plan, seed_nat);
        let leech = add(Plan::leech(torrent), leech_nat);
        for host in [seed, leech] {
            world.introduce(host, PeerSource::User, &relays);
        }
        Self {
            world,
            relays,
            seed,
            leech,
        }
    }

    fn are_connected(&self) -> bool {
        let neighbours = self.world.host(self.leech).neighbours();
        neighbours.contains(&self.world.host(self.seed).addr().ip())
    }

    /// Runs until a peer has received a request for an introduction.
    fn run_until_asked(&mut self, relay: HostId) {
        let asked = |world: &World| !world.host(relay).heard(HOLEPUNCH).is_empty();
        // Not every message is reported as news, so the condition is checked in small steps.
        for _ in 0..3000 {
            if asked(&self.world) {
                return;
            }
            self.world.run_for(millis(10));
        }
        panic!("nobody asked for an introduction");
    }

    fn finish(&mut self, limit: Duration) {
        let leech = self.leech;
        self.world.run_until_finished(limit, &[leech]);
    }
}

#[test]
fn peers_behind_nats_meet_through_a_third_wherever_that_is_possible() {
    let endpoint_independent = |filtering| NatKind::new(Independent, filtering);
    let symmetric = |filtering| NatKind::new(AddressAndPort, filtering);
    let by_address = |filtering| NatKind::new(Address, filtering);
    for (n, (one, other, possible)) in (0..).zip([
        (HOME, HOME, true),
        (endpoint_independent(Independent), HOME, true),
        (endpoint_independent(Address), HOME, true),
        (
            endpoint_independent(Address),
            endpoint_independent(Address),
            true,
        ),
        (
            symmetric(AddressAndPort),
            endpoint_independent(Address),
            true,
        ),
        (
            symmetric(Independent),
            endpoint_independent(Independent),
            true,
        ),
        (
            by_address(AddressAndPort),
            endpoint_independent(Address),
            true,
        ),
        (symmetric(AddressAndPort), HOME, false),
        (symmetric(AddressAndPort), symmetric(AddressAndPort), false),
        (symmetric(Independent), symmetric(Independent), false),
        (by_address(Address), by_address(Address), false),
    ]) {
        for nats in [[one, other], [other, one]] {
            let mut swarm = Swarm::new(700 + n, &[Misbehavior::None], nats);
            swarm.world.run_for(secs(6));
            assert_eq!(swarm.are_connected(), possible, "{nats:?}");
            if possible {
                swarm.finish(secs(20));
            }
            for host in [swarm.seed, swarm.leech] {
                let dials = swarm.world.holepunches(host);
                assert!((1..=2).contains(&dials), "{nats:?}: {dials} dials");
            }
        }
    }
}

#[test]
fn two_peers_that_cannot_meet_give_up_and_the_rest_of_the_swarm_serves_them() {
    let symmetric = NatKind::new(AddressAndPort, AddressAndPort);
    for (n, nats) in [[symmetric, symmetric], [symmetric, HOME]]
        .into_iter()
        .enumerate()
    {
        let mut swarm = Swarm::new(720 + n as u64, &[Misbehavior::None], nats);
        swarm.finish(secs(900));
        let tries = |swarm: &Swarm| {
            let hosts = [swarm.seed, swarm.leech];
            hosts.map(|host| swarm.world.holepunches(host))
        };
        let tried = tries(&swarm);
        assert!(
            tried.iter().all(|tried| (1..=6).contains(tried)),
            "{tried:?}"
        );
        swarm.world.run_for(secs(2 * 3600));
        assert_eq!(tries(&swarm), tried);
        let view = swarm.world.host(swarm.leech).snapshot().unwrap();
        assert_eq!(view.dialling, 0);
    }
}

#[test]
fn a_peer_that_can_be_dialled_needs_no_introduction() {
    let torrent = two_mib();
    let mut world = World::new(730);
    let relay = add_relay(&mut world, relay(&torrent));
    let plan = |plan: Plan| plan.access(line()).utp().trackerless();
    let seed = world.add(plan(Plan::seed(&torrent)));
    let leech = world.add(plan(Plan::leech(&torrent)));
    for host in [seed, leech] {
        world.introduce(host, PeerSource::User, &[relay]);
    }
    world.run_until_finished(secs(30), &[leech]);
    assert_eq!([seed, leech].map(|host| world.holepunches(host)), [0, 0]);
}

#[test]
fn a_peer_behind_a_nat_reaches_one_that_only_its_relaying_peers_can_reach() {
    let torrent = two_mib();
    let mut world = World::new(731);
    let relay = add_relay(&mut world, relay(&torrent));
    let seed = world.add(Plan::seed(&torrent).access(line()).nat(HOME).trackerless());
    let leech = world.add(Plan::leech(&torrent).access(line()).utp().trackerless());
    for host in [seed, leech] {
        world.introduce(host, PeerSource::User, &[relay]);
    }
    world.run_until_finished(secs(30), &[leech]);
}

#[test]
fn where_one_relaying_peer_is_silent_lies_or_leaves_another_is_asked() {
    for (n, how) in [Misbehavior::Ignore, Misbehavior::Misdirect]
        .into_iter()
        .enumerate()
    {
        let relays = [how, Misbehavior::None];
        let mut swarm = Swarm::new(740 + n as u64, &relays, [HOME, HOME]);
        swarm.finish(secs(60));
        let asked = swarm.world.host(swarm.relays[0]).heard(HOLEPUNCH);
        assert!(!asked.is_empty(), "the first one was asked first");
    }
    let leave = |world: &mut World, relay: HostId| {
        world.command(relay, Command::Pause(TORRENT)).unwrap();
    };
    let die = |world: &mut World, relay: HostId| world.kill(relay);
    for (n, end) in [leave as fn(&mut World, HostId), die]
        .into_iter()
        .enumerate()
    {
        let relays = [Misbehavior::Ignore, Misbehavior::None];
        let mut swarm = Swarm::new(750 + n as u64, &relays, [HOME, HOME]);
        let first = swarm.relays[0];
        swarm.run_until_asked(first);
        end(&mut swarm.world, first);
        swarm.finish(secs(60));
    }
}

#[test]
fn if_no_relaying_peer_answers_the_swarm_goes_on_without() {
    let relays = [Misbehavior::Ignore; 5];
    let mut swarm = Swarm::new(760, &relays, [HOME, HOME]);
    swarm.world.run_for(secs(300));
    assert!(!swarm.are_connected());
    assert_eq!(swarm.world.holepunches(swarm.leech), 0);
    // Three introductions, for each of which three peers are asked; and the seed's own.
    let asked = swarm.relays.iter();
    let asked: usize = asked
        .map(|relay| swarm.world.host(*relay).heard(HOLEPUNCH).len())
        .sum();
    assert!((2..=18).contains(&asked), "{asked}");
    swarm.finish(secs(900));
}

fn random_addr(rng: &mut ChaCha8Rng) -> SocketAddr {
    let first = [10, 46, 127, 192, 224, 0][rng.random_range(0..6)];
    let port = [0, 53, 6881][rng.random_range(0..3)];
    ([first, 168, rng.random(), rng.random()], port).into()
}

#[test]
fn a_peer_that_floods_introductions_causes_six_dials_a_minute_and_only_to_usable_addresses() {
    let mut swarm = Swarm::without_data(770, &two_mib());
    swarm.world.run_for(secs(30));
    assert!(swarm.are_connected());
    let (relay, leech) = (swarm.relays[0], swarm.leech);
    let before = swarm.world.dials_of(leech).len();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..180 {
        for _ in 0..20 {
            let payload = Holepunch::Connect(random_addr(&mut rng)).encode();
            let message = Message::Extended {
                id: HOLEPUNCH,
                payload,
            };
            swarm.world.say(relay, leech, message);
        }
        swarm.world.run_for(secs(1));
    }
    let dialled = &swarm.world.dials_of(leech)[before..];
    // In three minutes, and a burst. Most of what was said cannot be dialled.
    assert!((1..=24).contains(&dialled.len()), "{dialled:?}");
    for (_, addr, kind) in dialled {
        let is_usable = addr.to_string().starts_with("46.") && addr.port() != 0;
        assert!(
            is_usable && *kind == DialKind::Holepunch,
            "{addr}: {kind:?}"
        );
    }
    assert!(swarm.are_connected());
}

#[test]
fn without_peer_exchange_no_introduction_is_followed() {
    let torrent = two_mib();
    let mut world = World::new(780);
    let config = Config {
        pex: false,
        ..Config::default()
    };
    let relay = add_relay(&mut world, relay(&torrent).config(config.clone()));
    let leech = Plan::leech(&torrent).access(line()).nat(HOME);
    let leech = world.add(leech.config(config).trackerless());
    world.introduce(leech, PeerSource::User, &[relay]);
    world.run_for(secs(5));
    let payload = Holepunch::Connect("46.0.0.1:6881".parse().unwrap()).encode();
    let message = Message::Extended {
        id: HOLEPUNCH,
        payload,
    };
    world.say(relay, leech, message);
    world.run_for(secs(60));
    assert_eq!(world.holepunches(leech), 0);
}

#[test]
fn a_private_torrents_peers_are_not_introduced_whatever_is_said() {
    let torrent = Recipe::single("secret.bin", 5, 64 * 32 * KIB, 32 * 1024).private();
    let torrent = Arc::new(torrent.build());
    let mut swarm = Swarm::without_data(790, &torrent);
    swarm.world.run_for(secs(5));
    let [relay, seed, leech] = [swarm.relays[0], swarm.seed, swarm.leech];
    let [seed_addr, leech_addr] = [seed, leech].map(|id| swarm.world.host(id).addr());
    for _ in 0..60 {
        for (from, to, said) in [
            (relay, leech, Holepunch::Connect(seed_addr)),
            (relay, seed, Holepunch::Connect(leech_addr)),
            (leech, relay, Holepunch::Rendezvous(seed_addr)),
        ] {
            let payload = said.encode();
            let message = Message::Extended {
                id: HOLEPUNCH,
                payload,
            };
            swarm.world.say(from, to, message);
        }
        swarm.world.run_for(secs(1));
    }
    assert!(!swarm.are_connected());
    for host in [seed, leech] {
        assert_eq!(swarm.world.holepunches(host), 0);
        let heard = swarm.world.host(host).heard(HOLEPUNCH).len();
        assert_eq!(heard, 60, "what the test said, and no answer");
    }
}

#[test]
fn an_idle_connection_outlives_what_the_nats_remember_of_silence() {
    let torrent = two_mib();
    let mut world = World::new(800);
    let relay = add_relay(&mut world, relay(&torrent));
    let plan = Plan::leech(&torrent).access(line()).nat(HOME).trackerless();
    let [one, other] = [(); 2].map(|()| world.add(plan.clone()));
    for host in [one, other] {
        world.introduce(host, PeerSource::User, &[relay]);
    }
    world.run_for(secs(30));
    let state = |world: &World| {
        let met = [one, other].map(|host| world.host(host).neighbours().len());
        (met, [one, other].map(|host| world.dials_of(host).len()))
    };
    let (met, dialled) = state(&world);
    assert_eq!(met, [2, 2]);
    world.run_for(secs(1800));
    assert_eq!(state(&world), (met, dialled));
}

#[test]
fn whatever_the_nats_and_the_losses_are_everybody_finishes_and_a_seed_replays_it() {
    for seed in seeds(1..7) {
        let [first, again] = [(); 2].map(|()| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let torrent = torrent(16, 32);
            let mut world = World::new(seed);
            let relays = world.add_many(2, &relay(&torrent));
            let mut hosts = Vec::new();
            for n in 0..6 {
                let mut dependence =
                    || [Independent, Address, AddressAndPort][rng.random_range(0..3)];
                let nat = NatKind::new(dependence(), dependence());
                let plan = if n == 0 {
                    Plan::seed(&torrent)
                } else {
                    Plan::leech(&torrent)
                };
                let loss = f64::from(rng.random_range(0..5)) / 100.0;
                let plan = plan.access(line().lossy(loss)).nat(nat).trackerless();
                let host = world.add(plan);
                world.introduce(host, PeerSource::User, &relays);
                hosts.push(host);
            }
            world.run_until_finished(secs(600), &hosts[1..]);
            world.fingerprint()
        });
        assert_eq!(first, again, "seed {seed}");
    }
}
