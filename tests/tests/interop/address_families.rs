//! A tracker whose name resolves to both address families (BEP 7), over real sockets on 127.0.0.1
//! and ::1.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;

use aqueduct_tests::programs::{self, Program, START, system};
use aqueduct_tests::torrent::Recipe;
use aqueduct_tests::tracker::{Options, ReturnedPeers, Tracker};

use super::Setup;

const HOMES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// The program, with `both.test` resolving to 127.0.0.1 and ::1.
fn with_hosts(folder: &Path, program: &Path) -> Command {
    let hosts = folder.join("hosts");
    fs::write(&hosts, "127.0.0.1 localhost both.test\n::1 both.test\n").unwrap();
    let mut unshare = Command::new(system("unshare", "util-linux"));
    // The root user of a new user namespace may mount, even where the user that runs the test may
    // not.
    let script = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
    unshare
        .args(["--map-root-user", "--mount", "--", "sh", "-c", script])
        .arg(hosts)
        .arg(program);
    unshare
}

/// Waits until this event was announced at both addresses over both protocols.
fn wait_for(event: &str, tracker: &Tracker, program: &Program) {
    for (ip, over_udp) in HOMES.into_iter().flat_map(|ip| [(ip, false), (ip, true)]) {
        let what = format!("{event} at {ip}, UDP {over_udp}{}", program.told());
        tracker.wait_for(&what, START, |announce| {
            announce.event == event
                && announce.at.ip() == ip
                && announce.target.is_none() == over_udp
        });
    }
}

#[test]
fn a_tracker_with_ipv4_and_ipv6_gets_announces_over_both_by_http_and_udp() {
    let setup = Setup::new(Recipe::single("both.bin", 71, 1 << 20, 64 * 1024));
    let tracker = Tracker::with(Options {
        ips: HOMES.to_vec(),
        knows: ReturnedPeers::Only(Vec::new()),
        ..Options::default()
    });
    let port = tracker.addr().port();
    let trackers = ["http", "udp"].map(|scheme| format!("{scheme}://both.test:{port}/announce"));
    fs::write(&setup.file, setup.torrent.metainfo(&trackers)).unwrap();
    let mut get = with_hosts(setup.folder.path(), &programs::aqueduct());
    get.args([
        "get",
        "--port",
        "0",
        "--no-dht",
        "--no-lsd",
        "--no-port-mapping",
    ])
    .arg(&setup.file)
    .arg("-o")
    .arg(setup.place("out"));
    let mut get = Program::start(get.env("XDG_STATE_HOME", setup.place("state")));
    wait_for("started", &tracker, &get);
    get.signal("INT");
    wait_for("stopped", &tracker, &get);
    assert_eq!(get.wait(START).code(), Some(130), "{}", get.told());
}
