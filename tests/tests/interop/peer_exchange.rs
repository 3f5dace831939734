//! Swarms in which most members use no tracker: they find each other through peer exchange (BEP 11)
//! and local discovery (BEP 14).

use aqueduct_tests::clients::libtorrent_with;
use aqueduct_tests::programs::{Program, START};
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Setup};

/// A rate so low that a client with no other source does not finish within [`DOWNLOAD`].
const CRAWL: &str = "20480";

/// A torrent of twelve MiB, which takes ten minutes at [`CRAWL`].
fn setup(seed: u64) -> Setup {
    Setup::new(Recipe::single("told.bin", seed, (12 << 20) + 7, 64 * 1024))
}

/// The same torrent without its tracker.
fn without_tracker(setup: &Setup) -> String {
    let file = setup.place("torrents").join("alone.torrent");
    std::fs::write(&file, setup.torrent.metainfo(&[])).unwrap();
    file.to_str().unwrap().to_owned()
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

fn ours(setup: &Setup, source: &str, folder: &str, more: &[&str]) -> (Program, u16) {
    let mut command = setup.aqueduct("get");
    command
        .arg(source)
        .arg("-o")
        .arg(setup.place(folder))
        .args(["--no-trackers", "--json"])
        .args(more);
    let mut program = Program::start(&mut command);
    let port = port(&program.wait_for_line("\"listening\"", START));
    (program, port)
}

fn port(line: &str) -> u16 {
    let digits = line
        .chars()
        .filter(char::is_ascii_digit)
        .collect::<String>();
    digits.parse().expect("it says at which port")
}

#[test]
fn we_learn_of_a_seed_from_libtorrent() {
    let setup = setup(31);
    let source = without_tracker(&setup);
    let (_seed, seed) = libtorrent_with(&source, &setup.full_place("seed"), &[]);
    let (_between, between) = libtorrent_with(
        &source,
        &setup.place("between"),
        &["--peer", &at(seed), "--download-limit", CRAWL],
    );
    let (mut get, _) = ours(&setup, &source, "aqueduct", &["--peer", &at(between)]);
    get.wait_for_success(DOWNLOAD);
    setup.torrent.verify(&setup.place("aqueduct")).unwrap();
}

#[test]
fn libtorrent_learns_of_a_seed_from_us() {
    let setup = setup(32);
    let source = without_tracker(&setup);
    let full = setup.full_place("seed");
    // The seed takes no part in the exchange: it learns of no peers and dials none.
    let mut seed = Program::start(setup.aqueduct("seed").arg(&source).arg(full).args([
        "--no-trackers",
        "--no-pex",
        "--json",
    ]));
    let seed_port = port(&seed.wait_for_line("\"listening\"", START));
    let (_between, between) = ours(
        &setup,
        &source,
        "aqueduct",
        &["--peer", &at(seed_port), "--download-limit", "20K"],
    );
    let (mut leech, _) = libtorrent_with(&source, &setup.place("leech"), &["--peer", &at(between)]);
    leech.wait_for_line("\"seeding\"", DOWNLOAD);
}

#[test]
fn with_no_pex_no_peers_are_exchanged() {
    let setup = setup(33);
    let source = without_tracker(&setup);
    let (_seed, seed) = libtorrent_with(&source, &setup.full_place("seed"), &[]);
    let (_between, between) = libtorrent_with(
        &source,
        &setup.place("between"),
        &["--peer", &at(seed), "--download-limit", CRAWL],
    );
    let (mut get, _) = ours(
        &setup,
        &source,
        "aqueduct",
        // The peer in between tells the seed of us, which would dial us over uTP within seconds.
        &["--peer", &at(between), "--no-pex", "--no-utp"],
    );
    assert!(
        get.wait_within(DOWNLOAD / 8).is_none(),
        "it found the seed{}",
        get.told()
    );
}

#[test]
fn libtorrent_finds_us_on_the_local_network() {
    let setup = Setup::new(Recipe::awkward(34));
    let source = without_tracker(&setup);
    let place = setup.place("libtorrent");
    let (mut leech, _) = libtorrent_with(&source, &place, &["--lsd"]);
    let full = setup.full_place("aqueduct");
    let _seed = Program::start(
        setup
            .open_aqueduct("seed")
            .arg(&source)
            .arg(&full)
            .arg("--no-trackers"),
    );
    leech.wait_for_line("\"seeding\"", DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

#[test]
fn we_find_libtorrent_on_the_local_network() {
    let setup = Setup::new(Recipe::awkward(35));
    let source = without_tracker(&setup);
    let place = setup.place("aqueduct");
    let mut get = Program::start(
        setup
            .open_aqueduct("get")
            .arg(setup.torrent.magnet(&[]))
            .arg("-o")
            .arg(&place)
            .args(["--no-trackers", "--json"]),
    );
    get.wait_for_line("\"listening\"", START);
    let _seed = libtorrent_with(&source, &setup.full_place("libtorrent"), &["--lsd"]);
    get.wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}
