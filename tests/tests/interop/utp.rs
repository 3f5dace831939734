//! Clients that try uTP before TCP, as most do: uTP is rejected immediately.

use aqueduct_tests::clients::libtorrent_with;
use aqueduct_tests::programs::{Program, START};
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Setup};

/// libtorrent learns our address and tries uTP. It is rejected, so it does not wait for its
/// timeout, and downloads over TCP. `more` are arguments of our program.
fn libtorrent_is_turned_away(seed: u64, more: &[&str]) {
    let setup = Setup::new(Recipe::awkward(seed));
    let full = setup.full_place("aqueduct");
    let mut command = aqueduct_tests::programs::command(
        aqueduct_tests::programs::aqueduct(),
        [
            "seed",
            "--port",
            "0",
            "--bind",
            "127.0.0.1",
            "--no-lsd",
            "--no-trackers",
            "--json",
        ],
    );
    let mut ours = Program::start(
        command
            .args(more)
            .arg(&setup.file)
            .arg(&full)
            .env("XDG_STATE_HOME", setup.place("state")),
    );
    let listening: serde_json::Value =
        serde_json::from_str(&ours.wait_for_line("\"listening\"", START)).unwrap();
    ours.wait_for_line("\"checked\"", START);
    let place = setup.place("libtorrent");
    let peer = format!("127.0.0.1:{}", listening["port"]);
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
fn libtorrent_falls_back_to_tcp_when_our_dht_node_rejects_utp() {
    libtorrent_is_turned_away(61, &["--dht-bootstrap", "127.0.0.1:9"]);
}

#[test]
fn libtorrent_falls_back_to_tcp_when_utp_is_rejected_without_a_dht() {
    libtorrent_is_turned_away(62, &["--no-dht"]);
}
