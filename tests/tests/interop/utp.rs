//! uTP with libtorrent, in both directions and without TCP; and its rejection where our uTP is off.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use aqueduct_tests::clients::libtorrent_with;
use aqueduct_tests::programs::{Program, START};
use aqueduct_tests::relay::{Faults, Relay};
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Setup};

/// Large enough for slow start, losses in loopback's queues, and full windows.
fn big(seed: u64) -> Setup {
    Setup::new(Recipe::single("utp.bin", seed, (24 << 20) + 1, 128 * 1024))
}

/// Starts our program as a seed without announcing it. Returns it and its address.
fn seed(setup: &Setup, mut command: Command, more: &[&str]) -> (Program, String) {
    let place = setup.full_place("aqueduct");
    command.args(["--no-trackers", "--json"]).args(more);
    let mut ours = Program::start(command.arg(&setup.file).arg(&place));
    let listening = ours.wait_for_line("\"listening\"", START);
    let listening: serde_json::Value = serde_json::from_str(&listening).unwrap();
    ours.wait_for_line("\"checked\"", START);
    let addr = format!("127.0.0.1:{}", listening["port"]);
    (ours, addr)
}

/// Starts libtorrent as a seed over uTP only. Returns it and its address.
fn libtorrent_seed(setup: &Setup) -> (Program, String) {
    let place = setup.full_place("libtorrent");
    let (mut seed, port) = libtorrent_with(setup.source(), &place, &["--no-tcp"]);
    seed.wait_for_line("\"seeding\"", START);
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    (seed, addr.to_string())
}

/// libtorrent downloads over uTP only from the given peer.
fn libtorrent_downloads(setup: &Setup, peer: &str) {
    let place = setup.place("leech");
    let more = ["--no-tcp", "--peer", peer];
    let (mut leech, _) = libtorrent_with(&setup.torrent.magnet(&[]), &place, &more);
    leech.wait_for_line("\"seeding\"", DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

#[test]
fn we_download_from_libtorrent_over_utp_alone() {
    let setup = big(63);
    let (_seed, addr) = libtorrent_seed(&setup);
    setup.get_with(
        &setup.torrent.magnet(&[]),
        &["--no-tcp", "--no-trackers", "--peer", &addr],
    );
}

#[test]
fn we_find_by_ourselves_that_a_peer_is_reachable_over_utp_alone() {
    let setup = Setup::new(Recipe::awkward(64));
    let (_seed, addr) = libtorrent_seed(&setup);
    setup.get_with(
        &setup.torrent.magnet(&[]),
        &["--no-trackers", "--peer", &addr],
    );
}

#[test]
fn libtorrent_downloads_from_us_over_utp_alone() {
    let setup = big(65);
    let (_seed, addr) = seed(&setup, setup.aqueduct("seed"), &["--no-tcp"]);
    libtorrent_downloads(&setup, &addr);
}

#[test]
fn libtorrent_downloads_over_utp_from_the_port_that_is_also_our_node_of_the_dht() {
    let setup = Setup::new(Recipe::awkward(66));
    let mut command = Command::new(aqueduct_tests::programs::aqueduct());
    command
        .args(["seed", "--port", "0", "--bind", "127.0.0.1", "--no-lsd"])
        .args(["--dht-bootstrap", "127.0.0.1:9"])
        .env("XDG_STATE_HOME", setup.place("state"));
    let (_seed, addr) = seed(&setup, command, &[]);
    libtorrent_downloads(&setup, &addr);
}

#[test]
fn we_download_from_ourselves_over_utp_alone() {
    let setup = big(67);
    let (_seed, addr) = seed(&setup, setup.aqueduct("seed"), &["--no-tcp"]);
    let place = setup.place("leech");
    let mut command = setup.aqueduct("get");
    command
        .args(["--no-tcp", "--no-trackers", "--peer", &addr, "-o"])
        .arg(&place)
        .arg(setup.torrent.magnet(&[]))
        .env("XDG_STATE_HOME", setup.place("other state"));
    let mut get = Program::start(&mut command);
    get.wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

/// Paths from one millisecond to 300 each way, with loss up to 10 % and reordering; how many KiB
/// are sent over each.
fn paths() -> impl Iterator<Item = (Faults, u64)> {
    let path = |delay, jitter, loss, size| {
        let [delay, jitter] = [delay, jitter].map(Duration::from_millis);
        let faults = Faults {
            delay,
            jitter,
            loss,
            interrupted_after: None,
        };
        (faults, size)
    };
    [
        path(1, 0, 0, 8192),
        path(10, 5, 0, 4096),
        path(10, 0, 10, 4096),
        path(30, 20, 20, 1024),
        path(5, 2, 100, 1024),
        path(150, 20, 10, 512),
        path(300, 0, 0, 512),
    ]
    .into_iter()
}

/// These paths at the same time. `run` transfers a torrent over the path, and returns the relay.
fn over_paths(
    what: &str,
    paths: impl Iterator<Item = (Faults, u64)>,
    seed: u64,
    run: impl Fn(&Setup, Faults) -> Relay + Send + Sync + Copy,
) {
    std::thread::scope(|scope| {
        for ((faults, size), number) in paths.zip(seed..) {
            scope.spawn(move || {
                let setup = Setup::new(Recipe::single("path.bin", number, size << 10, 32 * 1024));
                let start = Instant::now();
                let relay = run(&setup, faults);
                let rate = size as f64 / start.elapsed().as_secs_f64();
                println!("{what}: {faults:?}: {size} KiB, {rate:.0} KiB/s");
                // Nothing came by another way.
                assert!(relay.carried() > size << 10 >> 11, "{}", relay.carried());
            });
        }
    });
}

#[test]
fn we_download_from_libtorrent_over_utp_on_paths_with_some_loss_delay_and_reordering() {
    // With a tenth of all datagrams lost, libtorrent as the sender stalls for minutes.
    let up_to_two_percent = |(faults, _): &(Faults, u64)| faults.loss <= 20;
    let paths = paths().filter(up_to_two_percent);
    over_paths("from libtorrent", paths, 70, |setup, faults| {
        let (_seed, addr) = libtorrent_seed(setup);
        let relay = Relay::start(addr.parse().unwrap(), faults, 1);
        let peer = relay.addr().to_string();
        let more = ["--no-tcp", "--no-trackers", "--peer", &peer];
        setup.get_with(setup.source(), &more);
        relay
    });
}

#[test]
fn libtorrent_downloads_from_us_over_utp_on_paths_with_loss_delay_and_reordering() {
    over_paths("to libtorrent", paths(), 80, |setup, faults| {
        let (_seed, addr) = seed(setup, setup.aqueduct("seed"), &["--no-tcp"]);
        let relay = Relay::start(addr.parse().unwrap(), faults, 2);
        libtorrent_downloads(setup, &relay.addr().to_string());
        relay
    });
}

/// A connection that breaks is replaced by one over the same path. Its lost data are sent again.
#[test]
fn libtorrent_downloads_the_rest_from_us_over_utp_after_the_path_was_interrupted() {
    let faults = Faults {
        interrupted_after: Some(20),
        ..Faults::default()
    };
    let path = [(faults, 4096)].into_iter();
    over_paths("to libtorrent", path, 90, |setup, faults| {
        let (_seed, addr) = seed(setup, setup.aqueduct("seed"), &["--no-tcp"]);
        let relay = Relay::start(addr.parse().unwrap(), faults, 3);
        libtorrent_downloads(setup, &relay.addr().to_string());
        relay
    });
}

/// libtorrent learns our address, tries uTP, is rejected instead of waiting for a timeout, and
/// downloads over TCP.
fn libtorrent_is_turned_away(seed_number: u64, discovery: &[&str]) {
    let setup = Setup::new(Recipe::awkward(seed_number));
    let mut command = Command::new(aqueduct_tests::programs::aqueduct());
    command
        .args(["seed", "--port", "0", "--bind", "127.0.0.1", "--no-lsd"])
        .env("XDG_STATE_HOME", setup.place("state"));
    let (_seed, peer) = seed(&setup, command, &[discovery, &["--no-utp"]].concat());
    let place = setup.place("libtorrent");
    let (mut leech, _) = libtorrent_with(
        &setup.torrent.magnet(&[]),
        &place,
        &["--utp", "--peer", &peer],
    );
    let line = leech.wait_for_line("disconnecting (uTP)", START);
    assert!(line.contains("Connection reset by peer"), "{line}");
    leech.wait_for_line("\"seeding\"", DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

#[test]
fn libtorrent_goes_on_with_tcp_as_soon_as_our_node_of_the_dht_turns_its_utp_away() {
    libtorrent_is_turned_away(61, &["--dht-bootstrap", "127.0.0.1:9"]);
}

#[test]
fn libtorrent_goes_on_with_tcp_as_soon_as_its_utp_is_turned_away_where_there_is_no_dht() {
    libtorrent_is_turned_away(62, &["--no-dht"]);
}
