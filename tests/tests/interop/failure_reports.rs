//! The terminal's report when a download gets no data.

use std::time::Duration;

use aqueduct_tests::closed_port;
use aqueduct_tests::http::{Reply, Server};
use aqueduct_tests::peer::{Manner, ScriptedSeed};
use aqueduct_tests::programs::{Program, START};
use aqueduct_tests::torrent::Recipe;

use super::Setup;

/// The last line of a download that gives up after five seconds without data.
fn last_words(setup: &Setup) -> String {
    let mut get = Program::start(
        setup
            .aqueduct("get")
            .arg(&setup.file)
            .arg("-o")
            .arg(setup.place("out"))
            .args(["--timeout", "5s"]),
    );
    let line = get.wait_for_line("nothing was received for 5", Duration::from_secs(60));
    assert_eq!(get.wait(START).code(), Some(4), "{}", get.told());
    line
}

#[test]
fn dead_hanging_and_empty_trackers_are_reported_differently() {
    let setup = Setup::new(Recipe::single("nobody.bin", 61, 1 << 20, 64 * 1024));
    let hanging = Server::start(|_| Reply::Hang);
    let trackers = [
        setup.tracker.http(),
        format!("http://{}/announce", closed_port()),
        hanging.url("/announce"),
    ];
    std::fs::write(&setup.file, setup.torrent.metainfo(&trackers)).unwrap();
    let line = last_words(&setup);
    assert!(
        line.contains(
            "asked 3 trackers: 1 failed, 1 knows no peers, 1 has not answered (127.0.0.1:"
        ),
        "{line}"
    );
    assert!(
        line.contains("connection refused); 0 addresses known"),
        "{line}"
    );
}

#[test]
fn a_banned_peer_is_not_reported_as_unreachable() {
    let setup = Setup::new(Recipe::single("lie.bin", 62, 1 << 20, 256 * 1024));
    let liar = ScriptedSeed::start(std::sync::Arc::clone(&setup.torrent), Manner::Corrupt);
    setup
        .tracker
        .introduce(setup.torrent.info().info_hash.wire(), liar.addr);
    let line = last_words(&setup);
    assert!(line.contains("1 peer banned for wrong data"), "{line}");
    assert!(liar.blocks_sent() > 0, "it was never asked");
}
