//! Our program seeds; other clients download.

use aqueduct_tests::clients::{aria2, libtorrent, transmission};
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Setup};

#[test]
fn libtorrent_downloads_awkward_files_from_us() {
    let setup = Setup::new(Recipe::awkward(21));
    let _seed = setup.seed();
    let place = setup.place("libtorrent");
    libtorrent(setup.source(), &place).wait_for_line("\"seeding\"", DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

#[test]
fn libtorrent_downloads_a_magnet_link_from_us() {
    let setup = Setup::new(Recipe::awkward(22));
    let _seed = setup.seed();
    let place = setup.place("libtorrent");
    libtorrent(&setup.torrent.magnet(&[setup.tracker.http()]), &place)
        .wait_for_line("\"seeding\"", DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

#[test]
fn aria2_downloads_awkward_files_from_us() {
    let setup = Setup::new(Recipe::awkward(23));
    let _seed = setup.seed();
    let place = setup.place("aria2");
    aria2(&setup.file, &place, false).wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

/// Transmission never dials loopback. The tracker returns it to our program, which dials it.
#[test]
fn transmission_downloads_awkward_files_from_us() {
    let setup = Setup::new(Recipe::awkward(24));
    let place = setup.place("transmission");
    let mut leech = transmission(&setup.file, &place, &setup.place("settings"));
    setup.wait_for_leech();
    let _seed = setup.seed();
    leech.wait_for_line("Seeding", DOWNLOAD);
    setup
        .torrent
        .verify_all_but_empty(&place)
        .unwrap_or_else(|wrong| panic!("{wrong}{}", leech.told()));
}

#[test]
fn three_clients_download_from_us_at_once() {
    let setup = Setup::new(Recipe::single("three.bin", 25, (24 << 20) + 1, 128 * 1024));
    let places = ["libtorrent", "aria2", "transmission"].map(|name| setup.place(name));
    let mut third = transmission(&setup.file, &places[2], &setup.place("settings"));
    setup.wait_for_leech();
    let _seed = setup.seed();
    let mut first = libtorrent(setup.source(), &places[0]);
    let mut second = aria2(&setup.file, &places[1], false);
    first.wait_for_line("\"seeding\"", DOWNLOAD);
    second.wait_for_success(DOWNLOAD);
    third.wait_for_line("Seeding", DOWNLOAD);
    places
        .iter()
        .for_each(|place| setup.torrent.verify(place).unwrap());
}
