//! Port mapping by the program, with a scripted gateway at the real ports of an address of loopback.

use std::time::Duration;

use aqueduct_core::types::PeerId;
use aqueduct_core::wire::Message;
use aqueduct_testkit::gateway::{Behaviour, Gateway, REAL_PORTS, Transport};
use aqueduct_testkit::namespace::ran_inside;
use aqueduct_testkit::peer::{self, Peer};
use aqueduct_testkit::programs::{Program, START};
use aqueduct_testkit::tracker::Tracker;

use super::world::{Running, World};

/// Starts a seed that asks this gateway. Returns it and its port.
fn seed(world: &World, gateway: &Gateway, more: &[&str]) -> (Running, u16) {
    let ip = gateway.ip.to_string();
    let args = [
        "seed",
        "data.torrent",
        "data",
        "--no-dht",
        "--no-lsd",
        "--port",
        "0",
        "--port-mapping-gateway",
        &ip,
    ];
    let mut seed = world.start(&[&args[..], more].concat());
    let listening = seed.wait_for(|event| event["event"] == "listening");
    let port = listening["port"].as_u64().unwrap();
    (seed, u16::try_from(port).unwrap())
}

#[test]
fn a_seed_says_how_it_is_mapped_and_removes_the_mapping_when_it_is_interrupted() {
    let (world, gateway) = (
        World::new(),
        Gateway::start_at(REAL_PORTS, Behaviour::upnp()),
    );
    world.shared();
    let (mut seed, port) = seed(&world, &gateway, &["--no-trackers"]);
    let said = seed.wait_for(|event| event["event"] == "reachability");
    assert_eq!(said["reachable"], serde_json::Value::Null);
    assert_eq!(
        (&said["incoming"], &said["protocol"]),
        (&0.into(), &"UPnP".into())
    );
    assert_eq!(
        (&said["port"], &said["external_port"]),
        (&port.into(), &port.into())
    );
    let message = format!("port {port} is mapped by the gateway (UPnP), nobody connected yet");
    assert_eq!(said["message"], message);
    let expected = [(Transport::Tcp, port, port), (Transport::Udp, port, port)];
    assert_eq!(gateway.mappings(), expected);
    seed.signal("INT");
    assert_eq!(seed.exit_code(), Some(130));
    assert_eq!(gateway.mappings(), []);
}

#[test]
fn the_port_that_is_mapped_is_announced_to_trackers_and_peers_if_it_is_another_one() {
    let (world, tracker) = (World::new(), Tracker::start());
    world.shared();
    // The seed's port is not known before it starts: the gateway takes part only then.
    let gateway = Gateway::start_at(REAL_PORTS, Behaviour::silent());
    let (mut seed, port) = seed(&world, &gateway, &["--tracker", &tracker.http()]);
    gateway.behave(|behaviour| {
        behaviour.taken = vec![(Transport::Tcp, port)];
        behaviour.pcp = Behaviour::pcp().pcp;
    });
    let mapped = seed.wait_for(|event| {
        event["event"] == "reachability" && event["external_port"].as_u64().is_some()
    });
    let external = u16::try_from(mapped["external_port"].as_u64().unwrap()).unwrap();
    assert_ne!(external, port);
    let announced = tracker.wait_for("the external port", START, |said| {
        said.addr.port() == external
    });
    let ours = peer::handshake(PeerId([7; 20]), announced.info_hash);
    let mut peer = Peer::dial(([127, 0, 0, 1], port).into(), ours);
    let told = format!("1:pi{external}e");
    peer.expect_some("an extension handshake with the port", |message| {
        let Message::Extended { id: 0, payload } = message else {
            return false;
        };
        String::from_utf8_lossy(payload).contains(&told)
    });
}

#[test]
fn a_gateway_that_is_not_to_be_asked_or_could_not_help_hears_nothing() {
    let (world, gateway) = (
        World::new(),
        Gateway::start_at(REAL_PORTS, Behaviour::pcp()),
    );
    world.shared();
    let (mut seed, _) = seed(&world, &gateway, &["--no-trackers", "--bind", "127.0.0.1"]);
    seed.wait_for(|event| event["event"] == "progress");
    seed.signal("INT");
    assert_eq!(seed.exit_code(), Some(130));
    let asked = gateway.events.find(Duration::ZERO, |_| true);
    assert!(asked.is_err(), "{asked:?}");
    let ip = gateway.ip.to_string();
    let both = [
        "seed",
        "x",
        "--no-port-mapping",
        "--port-mapping-gateway",
        &ip,
    ];
    world.fails(2, &both);
}

#[test]
fn a_seed_without_peers_says_in_its_line_that_it_cannot_be_reached() {
    let (world, gateway) = (
        World::new(),
        Gateway::start_at(REAL_PORTS, Behaviour::silent()),
    );
    world.shared();
    let ip = gateway.ip.to_string();
    let args = [
        "seed",
        "data.torrent",
        "data",
        "--no-dht",
        "--no-lsd",
        "--no-trackers",
        "--port",
        "0",
        "--port-mapping-gateway",
        &ip,
    ];
    let mut seed = Program::start(&mut world.aqueduct(&args));
    let expected =
        "0 peers; not reachable: the gateway does not answer PCP, NAT-PMP or UPnP; forward port";
    seed.wait_for_line(expected, START);
}

#[test]
fn peers_with_public_addresses_that_connect_show_that_we_are_reachable() {
    let addresses = ["203.0.113.5".parse().unwrap()];
    let test = "port_mapping::peers_with_public_addresses_that_connect_show_that_we_are_reachable";
    if ran_inside(test, &addresses, START) {
        return;
    }
    for transport in ["--no-utp", "--no-tcp"] {
        let world = World::new();
        world.shared();
        let args = ["seed", "data.torrent", "data", "--no-dht", "--no-lsd"];
        let more = ["--no-trackers", "--port", "0", transport];
        let mut seed = world.start(&[&args[..], &more].concat());
        let listening = seed.wait_for(|event| event["event"] == "listening");
        seed.wait_for(|event| event["event"] == "checked");
        for (ours, place) in [("127.0.0.1", "near"), ("203.0.113.5", "far")] {
            let peer = format!("{ours}:{}", listening["port"]);
            let from = [
                "--peer",
                &peer,
                "--bind",
                ours,
                "--timeout",
                "20s",
                transport,
            ];
            let alone = ["--no-trackers", "--no-dht", "--no-lsd", "--port", "0"];
            let get = ["get", "data.torrent", "-o", place];
            world.ok(&[&get[..], &from, &alone].concat());
        }
        let said = seed.wait_for(|event| event["event"] == "reachability");
        assert_eq!(
            (&said["reachable"], &said["incoming"]),
            (&true.into(), &1.into())
        );
        assert_eq!(said["message"], "reachable: 1 peer connected to us");
    }
}
