//! Private torrents (BEP 27) contact only their tracker and its peers. A capture of all traffic in
//! a network namespace shows that. Requires root.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use aqueduct_tests::programs::{self, Program, START, command, system};
use aqueduct_tests::torrent::{Computed, Recipe};
use aqueduct_tests::tracker::Tracker;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tempfile::TempDir;

use super::DOWNLOAD;

/// The namespace's only address, on an interface without a route to other hosts.
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));

/// A network namespace, removed when this is dropped.
struct Namespace(String);

impl Namespace {
    fn create(name: &str) -> Self {
        let namespace = Self(format!("aq-{name}-{}", std::process::id()));
        ip(&["netns", "add", &namespace.0]);
        let lines = [
            "link set lo up",
            "link add aq0 type veth peer name aq1",
            "addr add 10.77.0.1/24 dev aq0",
            "link set aq1 up",
            "link set aq0 up multicast on",
            "route add default dev aq0",
        ];
        for line in lines {
            let arguments: Vec<&str> = ["-n", &namespace.0]
                .into_iter()
                .chain(line.split(' '))
                .collect();
            ip(&arguments);
        }
        namespace
    }

    /// Runs `act` on a thread inside the namespace. Threads and programs that it starts are inside
    /// too.
    fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let file =
            File::open(Path::new("/run/netns").join(&self.0)).expect("the namespace has a name");
        let inside = || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may enter a namespace");
            act()
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|failure| std::panic::resume_unwind(failure))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        Command::new("ip")
            .args(["netns", "delete", &self.0])
            .output()
            .ok();
    }
}

fn ip(arguments: &[&str]) {
    let done = command(system("ip", "iproute2"), arguments)
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "`ip {}` failed: {why}network namespaces need root",
        arguments.join(" ")
    );
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
    let mut sniffer = Program::start(&mut command(
        system("python3", "python3"),
        [concat!(env!("CARGO_MANIFEST_DIR"), "/clients/sniffer.py")],
    ));
    sniffer.wait_for_line("sniffing", START);
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
    let (captured, _) = Namespace::create("private").within(|| capture(&torrent));
    assert!(captured.is_empty(), "{captured:#?}");
}

#[test]
fn a_public_torrent_is_seen_by_the_same_capture() {
    let torrent = Arc::new(recipe(42).build());
    let (captured, bootstrap) = Namespace::create("public").within(|| capture(&torrent));
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
