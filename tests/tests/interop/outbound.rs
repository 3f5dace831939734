//! `--proxy` and `--bind`: captures of all traffic show that nothing takes another way. Requires
//! root.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use aqueduct_tests::namespace::INSIDE;
use aqueduct_tests::programs::{self, Program, START, command, system};
use aqueduct_tests::socks::{Manner, Proxy};
use aqueduct_tests::torrent::{Computed, Recipe};
use aqueduct_tests::tracker::Tracker;
use serde_json::Value;
use tempfile::TempDir;

use super::DOWNLOAD;
use super::network_namespace::{Namespace, sniffer};

/// Where trackers, proxies and other peers are.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
/// An address outside that only a route leads to; nothing listens at the ports that are tried.
const FAR: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));
/// The port of dante, a SOCKS5 server.
const DANTE: u16 = 1080;
/// The address of the program that is tested.
const TESTED: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));

/// A namespace for the program that is tested, and one for all others. Each of two interfaces
/// inside, `aq0` and `aq1`, leads to one outside.
struct World {
    inside: Namespace,
    outside: Namespace,
    folder: TempDir,
    torrent: Arc<Computed>,
}

impl World {
    fn new(name: &str) -> Self {
        let recipe = Recipe::single("outbound.bin", 43, (2 << 20) + 11, 64 * 1024);
        Self {
            outside: Namespace::create(
                &format!("{name}-out"),
                &[&format!("addr add {FAR}/32 dev lo")],
            ),
            inside: Namespace::create(&format!("{name}-in"), &[]),
            folder: TempDir::new().unwrap(),
            torrent: Arc::new(recipe.build()),
        }
    }

    /// Adds the interface `aqN` inside, with the address 10.(77 + N).0.2, and a default route whose
    /// metric is `metric`.
    fn connect(&self, number: u8, metric: u32) {
        let net = 77 + number;
        let outside = self.outside.name();
        self.inside.ip(&format!(
            "link add aq{number} type veth peer name out{number} netns {outside}"
        ));
        self.outside
            .ip(&format!("addr add 10.{net}.0.1/24 dev out{number}"));
        self.outside.ip(&format!("link set out{number} up"));
        self.inside
            .ip(&format!("addr add 10.{net}.0.2/24 dev aq{number}"));
        self.inside.ip(&format!("link set aq{number} up"));
        self.inside.ip(&format!(
            "route add default via 10.{net}.0.1 metric {metric}"
        ));
    }

    fn ours(&self, subcommand: &str, torrent: &Path, name: &str) -> Command {
        let mut ours = Command::new(programs::aqueduct());
        ours.arg(subcommand)
            .arg(torrent)
            .arg("--json")
            .env(INSIDE, "1")
            .env(
                "XDG_STATE_HOME",
                self.folder.path().join(name).join("state"),
            );
        if subcommand == "get" {
            ours.arg("-o").arg(self.folder.path().join(name));
        }
        ours
    }

    /// Writes the .torrent file with these trackers.
    fn file(&self, name: &str, trackers: &[String]) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, self.torrent.metainfo(trackers)).unwrap();
        path
    }

    fn full(&self) -> std::path::PathBuf {
        let full = self.folder.path().join("full");
        self.torrent.write_to(&full).unwrap();
        full
    }

    fn verify(&self, name: &str) {
        self.torrent.verify(&self.folder.path().join(name)).unwrap();
    }
}

/// What was captured until a datagram to `last` passes, which is sent now.
fn captured(sniffer: &mut Program, last: IpAddr) -> Vec<String> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    socket.send_to(b"last", (last, 9)).unwrap();
    let last = format!("udp {last}:9");
    sniffer.wait_for_line(&last, START);
    let lines = sniffer.lines().into_iter();
    lines
        .filter(|line| *line != last && line != "sniffing")
        .collect()
}

fn wait_for_note(program: &mut Program, text: &str) {
    program.wait_for("a note", START, |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let is_note = event["event"] == "note" && event["message"].as_str()?.contains(text);
        is_note.then_some(())
    });
}

#[test]
fn with_a_proxy_nothing_leaves_but_to_it() {
    let world = World::new("proxy");
    world.connect(0, 1);
    let (tracker, seed) = tracked_seed(&world);
    let proxy = world.outside.within(|| {
        let names = [("tracker.test", tracker.addr())];
        Proxy::start_at(OUTSIDE, Manner::Login("me", "secret"), names)
    });
    // The tracker by a name that only the proxy knows, one that nobody may look up, and one over UDP.
    let port = tracker.addr().port();
    let trackers = [
        format!("http://tracker.test:{port}/announce"),
        "http://nobody.test/announce".to_owned(),
        tracker.udp(),
    ];
    let file = world.file("get.torrent", &trackers);
    let lines = world.inside.within(|| {
        let mut sniffer = sniffer(Some("aq0"));
        let url = format!("socks5://me:secret@{}", proxy.addr);
        let mut get = Program::start(world.ours("get", &file, "get").args(["--proxy", &url]));
        get.wait_for_success(DOWNLOAD);
        captured(&mut sniffer, OUTSIDE)
    });
    world.verify("get");
    drop(seed);
    // The second is what peers say in these connections.
    assert_eq!(
        lines,
        [format!("tcp {}", proxy.addr), "tcp ut_pex".to_owned()]
    );
    let requests = proxy.requests();
    assert!(
        requests.contains(&format!("tracker.test:{port}")),
        "{requests:?}"
    );
}

/// Checks that only the proxy and one port of its host, the relay, were sent to.
fn only_to_proxy_and_relay(lines: &[String], proxy: SocketAddr, tracker: SocketAddr) {
    let datagrams: Vec<&String> = lines
        .iter()
        .filter(|line| line.starts_with("udp "))
        .collect();
    let relay = format!("udp {}:", proxy.ip());
    let [one] = datagrams[..] else {
        panic!("{lines:?}")
    };
    assert!(
        one.starts_with(&relay) && *one != format!("udp {tracker}"),
        "{lines:?}"
    );
    let rest: Vec<&String> = lines.iter().filter(|line| *line != one).collect();
    assert_eq!(rest, [&format!("tcp {proxy}"), "tcp ut_pex"]);
}

/// Downloads through a proxy, where a UDP tracker alone knows the seed. Returns what left.
fn download_by_udp_tracker(world: &World, proxy: &str, tracker: String) -> Vec<String> {
    let file = world.file("get.torrent", &[tracker]);
    let lines = world.inside.within(|| {
        let mut sniffer = sniffer(Some("aq0"));
        let mut get = world.ours("get", &file, "get");
        Program::start(get.args(["--proxy", proxy])).wait_for_success(DOWNLOAD);
        captured(&mut sniffer, OUTSIDE)
    });
    world.verify("get");
    lines
}

/// A tracker outside, and a seed that has announced itself there.
fn tracked_seed(world: &World) -> (Tracker, Program) {
    let full = world.full();
    world.outside.within(|| {
        let tracker = Tracker::start_at(OUTSIDE);
        let file = world.file("seed.torrent", &[tracker.http()]);
        let mut seed = world.ours("seed", &file, "seed");
        seed.arg(&full)
            .args(["--no-dht", "--no-port-mapping", "--port", "0"]);
        let seed = Program::start(&mut seed);
        tracker.wait_for("a seed", START, |said| said.left == 0);
        (tracker, seed)
    })
}

#[test]
fn datagrams_to_a_udp_tracker_leave_to_the_proxys_relay_alone() {
    let world = World::new("relay");
    world.connect(0, 1);
    let (tracker, _seed) = tracked_seed(&world);
    let proxy = world.outside.within(|| {
        let names = [("tracker.test", tracker.addr())];
        Proxy::start_at(OUTSIDE, Manner::Login("me", "secret"), names)
    });
    let url = format!("socks5://me:secret@{}", proxy.addr);
    let port = tracker.addr().port();
    let udp = format!("udp://tracker.test:{port}/announce");
    let lines = download_by_udp_tracker(&world, &url, udp);
    only_to_proxy_and_relay(&lines, proxy.addr, tracker.addr());
    let requests = proxy.requests();
    assert!(
        requests.contains(&format!("udp tracker.test:{port}")),
        "{requests:?}"
    );
}

#[test]
fn a_udp_tracker_is_asked_through_dante() {
    let world = World::new("dante");
    world.connect(0, 1);
    let (tracker, _seed) = tracked_seed(&world);
    let settings = world.folder.path().join("danted.conf");
    let text = format!(
        "logoutput: stderr\ninternal: {OUTSIDE} port = {DANTE}\nexternal: {OUTSIDE}\n\
         clientmethod: none\nsocksmethod: none\n\
         user.privileged: root\nuser.unprivileged: nobody\n\
         client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}\n\
         socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0\n command: connect udpassociate udpreply }}\n"
    );
    std::fs::write(&settings, text).unwrap();
    let program = system("danted", "dante-server");
    let mut danted = command(program, ["-f", settings.to_str().unwrap()]);
    let mut danted = world.outside.within(|| {
        let mut danted = Program::start(&mut danted);
        danted.wait_for_line("running", START);
        danted
    });
    let proxy = SocketAddr::new(OUTSIDE, DANTE);
    let url = format!("socks5://{proxy}");
    let lines = download_by_udp_tracker(&world, &url, tracker.udp());
    // It ends its processes itself.
    danted.signal("TERM");
    danted.wait(START);
    only_to_proxy_and_relay(&lines, proxy, tracker.addr());
}

#[test]
fn a_bound_program_sends_by_its_interface_alone_and_follows_it_when_it_comes_back() {
    let world = World::new("bind");
    // The system prefers the other interface, so that what is not bound leaves by it.
    world.connect(1, 1);
    let trackers = [
        "http://tracker.test/announce".to_owned(),
        format!("http://{FAR}:7001/announce"),
        format!("udp://{FAR}:7002/announce"),
    ];
    let (file, full) = (world.file("seed.torrent", &trackers), world.full());
    let (mut other, mut seed) = world.inside.within(|| {
        let other = sniffer(Some("aq1"));
        let [node, peer] = [7003, 7004].map(|port| SocketAddr::new(FAR, port).to_string());
        let mut seed = world.ours("seed", &file, "seed");
        seed.arg(&full).args([
            "--bind",
            "aq0",
            "--port",
            "7000",
            "--dht-bootstrap",
            &node,
            "--peer",
            &peer,
        ]);
        (other, Program::start(&mut seed))
    });
    for (round, transport) in ["--no-utp", "--no-tcp"].into_iter().enumerate() {
        wait_for_note(&mut seed, "the interface aq0 does not exist");
        world.connect(0, 2);
        let mut used = world.inside.within(|| sniffer(Some("aq0")));
        wait_for_note(&mut seed, "the network can be used again");
        used.wait_for_line(&FAR.to_string(), START);
        let name = format!("get{round}");
        world.outside.within(|| {
            let peer = SocketAddr::new(TESTED, 7000).to_string();
            let mut get = world.ours("get", &file, &name);
            get.args([
                "--port",
                "0",
                "--no-dht",
                "--no-trackers",
                "--no-port-mapping",
                "--peer",
                &peer,
                transport,
            ]);
            Program::start(&mut get).wait_for_success(DOWNLOAD);
        });
        world.verify(&name);
        world.inside.ip("link delete aq0");
    }
    // What leaves otherwise takes the other interface, and is captured there.
    let last = IpAddr::from([10, 78, 0, 1]);
    let lines = world.inside.within(|| captured(&mut other, last));
    assert!(lines.is_empty(), "{lines:?}");
}

#[test]
fn a_program_waits_for_its_interface_also_while_loopback_is_down() {
    let world = World::new("loopback");
    world.inside.ip("link set lo down");
    let (file, full) = (world.file("seed.torrent", &[]), world.full());
    let mut seed = world.inside.within(|| {
        let mut seed = world.ours("seed", &file, "seed");
        seed.arg(&full)
            .args(["--bind", "aq0", "--port", "7000", "--no-port-mapping"]);
        Program::start(&mut seed)
    });
    wait_for_note(&mut seed, "the interface aq0 does not exist");
    world.connect(0, 1);
    wait_for_note(&mut seed, "the network can be used again");
    for transport in ["--no-utp", "--no-tcp"] {
        world.outside.within(|| {
            let peer = SocketAddr::new(TESTED, 7000).to_string();
            let mut get = world.ours("get", &file, transport);
            get.args(["--port", "0", "--no-dht", "--no-port-mapping", "--peer"]);
            Program::start(get.args([&peer, transport])).wait_for_success(DOWNLOAD);
        });
        world.verify(transport);
    }
}

#[test]
fn a_bound_download_continues_when_its_interface_was_removed_and_added_again() {
    let world = World::new("again");
    world.connect(0, 1);
    let (file, full) = (world.file("again.torrent", &[]), world.full());
    let alone = ["--no-dht", "--no-utp", "--no-port-mapping"];
    let _seed = world.outside.within(|| {
        let mut seed = world.ours("seed", &file, "seed");
        seed.arg(&full).args(alone).args(["--port", "7000"]);
        // The download is in progress for some seconds, and the seed, which always has something to
        // send, notices that its connection is gone.
        Program::start(seed.args(["--upload-limit", "256K"]))
    });
    let mut get = world.inside.within(|| {
        let mut get = world.ours("get", &file, "get");
        get.args(alone)
            .args(["--bind", "aq0", "--peer", "10.77.0.1:7000"]);
        Program::start(&mut get)
    });
    get.wait_for("progress", START, |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        event["done"].as_u64().filter(|done| *done > 0)
    });
    world.inside.ip("link delete aq0");
    wait_for_note(&mut get, "the interface aq0 does not exist");
    world.connect(0, 1);
    wait_for_note(&mut get, "the network can be used again");
    // Longer than the download takes, and shorter than a connection may be silent.
    get.wait_for_success(START);
    world.verify("get");
}
