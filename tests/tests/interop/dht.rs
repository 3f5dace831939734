//! A DHT of libtorrent nodes on loopback over IPv4, IPv6 and both: our program finds what they
//! announce, and they find what it announces. No tracker, no local discovery.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use aqueduct_tests::network::Network;
use aqueduct_tests::programs::{self, Program, START};
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Setup};

/// Arguments that leave the DHT as our program's only source of peers.
const ALONE: [&str; 3] = ["--no-trackers", "--no-lsd", "--no-pex"];

/// [`ALONE`], and the bootstrap nodes of a network.
fn arguments(network: &Network) -> Vec<&str> {
    [&ALONE, &network.bootstrap()[..]].concat()
}

/// A torrent without trackers.
fn setup(recipe: Recipe) -> Setup {
    let setup = Setup::new(recipe);
    std::fs::write(&setup.file, setup.torrent.metainfo(&[])).unwrap();
    setup
}

/// Our program with a DHT node, listening at all addresses of the machine.
fn anywhere(setup: &Setup, subcommand: &str) -> Command {
    let mut command = Command::new(programs::aqueduct());
    command
        .arg(subcommand)
        .args(["--port", "0", "--no-port-mapping"])
        .env("XDG_STATE_HOME", setup.place("state"));
    command
}

/// As [`anywhere`], listening at one address.
fn at(host: &str, setup: &Setup, subcommand: &str) -> Command {
    let mut command = anywhere(setup, subcommand);
    command.args(["--bind", host]);
    command
}

fn ours(setup: &Setup, subcommand: &str) -> Command {
    at("127.0.0.1", setup, subcommand)
}

/// Our program downloads `source` from peers in the DHT.
fn get(setup: &Setup, source: &str, arguments: &[&str]) {
    get_with(ours(setup, "get"), setup, source, arguments);
}

fn get_with(mut program: Command, setup: &Setup, source: &str, arguments: &[&str]) {
    let place = setup.place("aqueduct");
    let mut get = Program::start(program.arg(source).arg("-o").arg(&place).args(arguments));
    get.wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

/// The listening port of a seed.
fn port_of(seed: &mut Program) -> u16 {
    let listening: serde_json::Value =
        serde_json::from_str(&seed.wait_for_line("\"listening\"", START)).unwrap();
    u16::try_from(listening["port"].as_u64().unwrap()).unwrap()
}

/// A network with nodes at these `homes`, one of which seeds the torrent and has announced it.
fn seeding(setup: &Setup, homes: &str) -> Network {
    let full = setup.full_place("libtorrent");
    let mut network = Network::start(&["--homes", homes, "--seed", setup.source(), text(&full)]);
    network.wait_for_announce(&setup.torrent.hex(), None);
    network
}

/// Our program at `host` seeds, and libtorrent in a network at these `homes` finds it.
fn found_by_libtorrent(setup: &Setup, host: &str, homes: &str) {
    let place = setup.place("libtorrent");
    let magnet = setup.torrent.magnet(&[]);
    let mut network = Network::start(&["--homes", homes, "--leech", &magnet, text(&place)]);
    let full = setup.full_place("aqueduct");
    let mut seed = Program::start(
        at(host, setup, "seed")
            .arg(&setup.file)
            .arg(&full)
            .arg("--json")
            .args(arguments(&network)),
    );
    let port = port_of(&mut seed);
    network.wait_for_announce(&setup.torrent.hex(), Some(port));
    network.program.wait_for_line("\"seeding\"", DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn we_find_by_its_info_hash_alone_what_libtorrent_announces() {
    let setup = setup(Recipe::awkward(41));
    let hash = setup.torrent.hex();
    let full = setup.full_place("libtorrent");
    let mut network = Network::start(&["--seed", setup.source(), text(&full)]);
    network.wait_for_announce(&hash, None);
    get(&setup, &hash, &arguments(&network));
}

#[test]
fn we_find_by_a_magnet_link_without_trackers_what_libtorrent_announces() {
    let setup = setup(Recipe::awkward(42));
    let network = seeding(&setup, "4");
    get(&setup, &setup.torrent.magnet(&[]), &arguments(&network));
}

#[test]
fn libtorrent_finds_by_a_magnet_link_without_trackers_what_we_announce() {
    found_by_libtorrent(&setup(Recipe::awkward(43)), "127.0.0.1", "4");
}

#[test]
fn over_ipv6_alone_we_find_what_libtorrent_announces() {
    let setup = setup(Recipe::awkward(47));
    let network = seeding(&setup, "6");
    let one = [&ALONE, &network.bootstrap()[..2]].concat();
    get_with(at("::1", &setup, "get"), &setup, &setup.torrent.hex(), &one);
}

#[test]
fn over_ipv6_alone_libtorrent_finds_what_we_announce() {
    found_by_libtorrent(&setup(Recipe::awkward(48)), "::1", "6");
}

/// BEP 32: nodes of one family return nodes of the other, and the only peer is in that other
/// family.
#[test]
fn ipv4_nodes_lead_to_a_peer_that_only_ipv6_reaches() {
    let setup = setup(Recipe::awkward(49));
    let network = seeding(&setup, "46");
    let known = [&ALONE, &network.bootstrap_at("127.")[..]].concat();
    get_with(
        anywhere(&setup, "get"),
        &setup,
        &setup.torrent.hex(),
        &known,
    );
}

/// Without libtorrent: each program knows only the other as a node.
#[test]
fn two_of_our_own_programs_form_a_dht_and_remember_it() {
    let setup = setup(Recipe::awkward(44));
    let full = setup.full_place("full");
    let mut seed = Program::start(ours(&setup, "seed").arg(&setup.file).arg(&full).args([
        "--json",
        "--no-trackers",
        "--no-lsd",
        "--dht-bootstrap",
        "127.0.0.1:9",
    ]));
    let node = format!("127.0.0.1:{}", port_of(&mut seed));
    let state = setup.place("other-state");
    let mut get = ours(&setup, "get");
    get.args([
        &setup.torrent.hex(),
        "--no-trackers",
        "--no-lsd",
        "--no-pex",
        "--dht-bootstrap",
        &node,
    ])
    .env("XDG_STATE_HOME", &state);
    let place = setup.place("aqueduct");
    Program::start(get.arg("-o").arg(&place)).wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
    assert!(
        state.join("aqueduct/dht").is_file(),
        "the DHT state is not kept"
    );
}

#[test]
fn a_torrent_without_peers_fails_and_reports_the_dhts_state() {
    let setup = setup(Recipe::awkward(45));
    let network = Network::start(&[]);
    let mut get = Program::start(
        ours(&setup, "get")
            .arg(&setup.file)
            .arg("-o")
            .arg(setup.place("out"))
            .args(arguments(&network))
            .args(["--timeout", "8s"]),
    );
    let line = get.wait_for_line("nothing was received for 8", Duration::from_secs(30));
    assert!(
        line.contains("DHT: 8 nodes, 0 peers") && line.contains("0 addresses known"),
        "{line}"
    );
    assert_eq!(get.wait(START).code(), Some(4));
}

#[test]
fn a_private_torrent_stays_out_of_the_dht_and_the_screen_says_so() {
    let setup = setup(Recipe::awkward(46).private());
    let mut network = Network::start(&[]);
    let mut get = Program::start(
        ours(&setup, "get")
            .arg(&setup.file)
            .arg("-o")
            .arg(setup.place("out"))
            .args(arguments(&network))
            .args(["--timeout", "5s"]),
    );
    let line = get.wait_for_line("nothing was received for 5", Duration::from_secs(30));
    assert!(line.contains("DHT: off (private torrent)"), "{line}");
    network.program.signal("TERM");
    network.program.wait(START);
    let hash = setup.torrent.hex();
    assert!(
        !network
            .program
            .lines()
            .iter()
            .any(|line| line.contains(&hash)),
        "{}",
        network.program.told()
    );
}
