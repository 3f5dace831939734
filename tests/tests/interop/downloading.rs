//! Other clients seed; our program downloads.

use std::time::Duration;

use aqueduct_tests::clients::{aria2, libtorrent, transmission};
use aqueduct_tests::programs::{Program, START};
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Setup};

#[test]
fn we_download_awkward_files_from_libtorrent() {
    let setup = Setup::new(Recipe::awkward(1));
    let _seed = libtorrent(setup.source(), &setup.full_place("libtorrent"));
    setup.wait_for_seed();
    setup.get(setup.source());
}

#[test]
fn we_download_awkward_files_from_aria2() {
    let setup = Setup::new(Recipe::awkward(2));
    let _seed = aria2(&setup.file, &setup.full_place("aria2"), true);
    setup.wait_for_seed();
    setup.get(setup.source());
}

#[test]
fn we_download_awkward_files_from_transmission() {
    let setup = Setup::new(Recipe::awkward(3));
    let _seed = transmission(
        &setup.file,
        &setup.full_place("transmission"),
        &setup.place("settings"),
    );
    setup.wait_for_seed();
    setup.get(setup.source());
}

#[test]
fn we_download_a_magnet_link_from_libtorrent() {
    let setup = Setup::new(Recipe::awkward(4));
    let _seed = libtorrent(setup.source(), &setup.full_place("libtorrent"));
    setup.wait_for_seed();
    setup.get(&setup.torrent.magnet(&[setup.tracker.http()]));
}

#[test]
fn we_download_a_magnet_link_from_transmission() {
    let setup = Setup::new(Recipe::awkward(5));
    let _seed = transmission(
        &setup.file,
        &setup.full_place("transmission"),
        &setup.place("settings"),
    );
    setup.wait_for_seed();
    setup.get(&setup.torrent.magnet(&[setup.tracker.http()]));
}

#[test]
fn we_find_a_seed_through_a_tracker_over_udp() {
    let setup = Setup::new(Recipe::awkward(6));
    let _seed = libtorrent(setup.source(), &setup.full_place("libtorrent"));
    setup.wait_for_seed();
    setup.get(&setup.torrent.magnet(&[setup.tracker.udp()]));
}

#[test]
fn we_find_a_seed_that_the_user_names() {
    let setup = Setup::new(Recipe::awkward(7));
    let _seed = libtorrent(setup.source(), &setup.full_place("libtorrent"));
    let seed = setup
        .tracker
        .wait_for("a seed", START, |said| said.left == 0)
        .addr
        .to_string();
    setup.get_with(&setup.torrent.magnet(&[]), &["--peer", &seed]);
}

#[test]
fn we_download_from_three_clients_at_once() {
    let setup = Setup::new(Recipe::single(
        "three.bin",
        8,
        (48 << 20) + 4321,
        256 * 1024,
    ));
    let _libtorrent = libtorrent(setup.source(), &setup.full_place("libtorrent"));
    let _aria2 = aria2(&setup.file, &setup.full_place("aria2"), true);
    let _transmission = transmission(
        &setup.file,
        &setup.full_place("transmission"),
        &setup.place("settings"),
    );
    for client in ["-LT", "A2-", "-TR"] {
        let says_so = |id: &[u8]| id.starts_with(client.as_bytes());
        setup.tracker.wait_for(client, START, |said| {
            said.left == 0 && said.event != "stopped" && says_so(&said.peer_id.0)
        });
    }
    setup.get(setup.source());
}

#[test]
fn an_interrupted_download_resumes() {
    let setup = Setup::new(Recipe::single("interrupted.bin", 9, 24 << 20, 128 * 1024));
    let _seed = libtorrent(setup.source(), &setup.full_place("libtorrent"));
    setup.wait_for_seed();
    let place = setup.place("aqueduct");
    let start = |more: &[&str]| {
        Program::start(
            setup
                .aqueduct("get")
                .args([setup.source(), "--json", "-o"])
                .arg(&place)
                .args(more),
        )
    };
    let mut first = start(&["--download-limit", "4M"]);
    first.wait_for_line("\"progress\"", START);
    first.wait_for_line("\"progress\"", START);
    first.wait_for_line("\"progress\"", START);
    first.signal("INT");
    assert_eq!(
        first.wait(Duration::from_secs(20)).code(),
        Some(130),
        "{}",
        first.told()
    );
    let mut second = start(&[]);
    let line = second.wait_for_line("\"checked\"", START);
    let checked = serde_json::from_str::<serde_json::Value>(&line).unwrap();
    assert!(
        checked["have"].as_u64().unwrap() > 8,
        "it began anew: {line}"
    );
    assert!(
        checked["read"].as_u64().unwrap() <= 4 << 20,
        "it read everything again: {line}"
    );
    second.wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}
