//! Private torrents (BEP 27) contact only their tracker and its peers. A capture of all traffic in
//! a network namespace shows that. Requires root.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use aqueduct_tests::programs::{self, Program, START};
use aqueduct_tests::torrent::{Computed, Recipe};
use aqueduct_tests::tracker::Tracker;
use tempfile::TempDir;

use super::DOWNLOAD;
use super::network_namespace::{Namespace, sniffer};

/// The namespace's only address, on an interface without a route to other hosts.
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));

fn namespace(name: &str) -> Namespace {
    Namespace::create(
        name,
        &[
            "link add aq0 type veth peer name aq1",
            "addr add 10.77.0.1/24 dev aq0",
            "link set aq1 up",
            "link set aq0 up multicast on",
            "route add default dev aq0",
        ],
    )
}

fn ours(subcommand: &str, folder: &Path, bootstrap: &str) -> Command {
    let mut ours = Command::new(programs::aqueduct());
    ours.arg(subcommand)
        .args(["--port", "0", "--json", "--no-port-mapping"])
        .args(["--dht-bootstrap", bootstrap])
        .env("XDG_STATE_HOME", folder.join("state"));
    ours
}

/// A seed and a leech of ours find each other through a tracker. Returns the captured traffic, and
/// the traffic that is permitted.
fn capture(torrent: &Computed) -> (Vec<String>, String) {
    let (tracker, folder) = (Tracker::start_at(HOME), TempDir::new().unwrap());
    let mut sniffer = sniffer(None);
    let node = UdpSocket::bind((HOME, 0)).unwrap();
    let bootstrap = node.local_addr().unwrap().to_string();
    let [file, full, place] = ["t.torrent", "full", "place"].map(|name| folder.path().join(name));
    std::fs::write(&file, torrent.metainfo(&[tracker.http()])).unwrap();
    torrent.write_to(&full).unwrap();
    let _seed = Program::start(
        ours("seed", folder.path(), &bootstrap)
            .arg(&file)
            .arg(&full),
    );
    tracker.wait_for("a seed", START, |said| said.left == 0);
    let mut get = Program::start(
        ours("get", folder.path(), &bootstrap)
            .arg(&file)
            .arg("-o")
            .arg(&place),
    );
    get.wait_for_success(DOWNLOAD);
    torrent.verify(&place).unwrap();
    // The last announce is done. When this datagram has been captured, so has everything before it.
    let last = UdpSocket::bind((HOME, 0)).unwrap();
    last.send_to(b"last", (HOME, 9)).unwrap();
    sniffer.wait_for_line("udp 10.77.0.1:9", START);
    let allowed = tracker
        .announces()
        .into_iter()
        // Peers reach each other over TCP and uTP, at the same port number.
        .flat_map(|said| ["tcp", "udp"].map(|way| format!("{way} {}", said.addr)))
        .chain([tracker.http().replace("http://", "tcp ")]);
    let allowed = allowed
        .map(|line| line.trim_end_matches("/announce").to_owned())
        .collect::<Vec<_>>();
    let captured = sniffer.lines().into_iter();
    let captured = captured
        .take_while(|line| line != "udp 10.77.0.1:9")
        .filter(|line| !allowed.contains(line) && line != "sniffing");
    (captured.collect(), bootstrap)
}

fn recipe(seed: u64) -> Recipe {
    Recipe::single("captured.bin", seed, (2 << 20) + 11, 64 * 1024)
}

#[test]
fn a_private_torrent_sends_nothing_but_to_its_tracker_and_its_peers() {
    let torrent = Arc::new(recipe(41).private().build());
    let (captured, _) = namespace("private").within(|| capture(&torrent));
    assert!(captured.is_empty(), "{captured:#?}");
}

#[test]
fn a_public_torrent_is_seen_by_the_same_capture() {
    let torrent = Arc::new(recipe(42).build());
    let (captured, bootstrap) = namespace("public").within(|| capture(&torrent));
    for expected in [
        "udp 239.192.152.143:6771",
        "tcp ut_pex",
        &format!("udp {bootstrap}"),
    ] {
        assert!(
            captured.iter().any(|line| line == expected),
            "{expected} is not among {captured:#?}"
        );
    }
}
