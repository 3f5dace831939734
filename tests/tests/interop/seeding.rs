//! We seed, they download.

use aqueduct_tests::clients::{aria2, libtorrent, transmission};
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Table};

#[test]
fn libtorrent_downloads_awkward_files_from_us() {
    let table = Table::set(Recipe::awkward(21));
    let _seed = table.seed();
    let place = table.place("libtorrent");
    libtorrent(table.source(), &place).wait_for_line("\"seeding\"", DOWNLOAD);
    table.torrent.verify(&place).unwrap();
}

#[test]
fn libtorrent_downloads_a_magnet_link_from_us() {
    let table = Table::set(Recipe::awkward(22));
    let _seed = table.seed();
    let place = table.place("libtorrent");
    libtorrent(&table.torrent.magnet(&[table.tracker.http()]), &place)
        .wait_for_line("\"seeding\"", DOWNLOAD);
    table.torrent.verify(&place).unwrap();
}

#[test]
fn aria2_downloads_awkward_files_from_us() {
    let table = Table::set(Recipe::awkward(23));
    let _seed = table.seed();
    let place = table.place("aria2");
    aria2(&table.file, &place, false).wait_for_success(DOWNLOAD);
    table.torrent.verify(&place).unwrap();
}

/// Transmission never dials loopback: the tracker names it when we announce, and we dial it.
#[test]
fn transmission_downloads_awkward_files_from_us() {
    let table = Table::set(Recipe::awkward(24));
    let place = table.place("transmission");
    let mut leech = transmission(&table.file, &place, &table.place("settings"));
    table.wait_for_leech();
    let _seed = table.seed();
    leech.wait_for_line("Seeding", DOWNLOAD);
    table
        .torrent
        .verify_all_but_empty(&place)
        .unwrap_or_else(|wrong| panic!("{wrong}{}", leech.told()));
}

#[test]
fn three_clients_download_from_us_at_once() {
    let table = Table::set(Recipe::single("three.bin", 25, (24 << 20) + 1, 128 * 1024));
    let places = ["libtorrent", "aria2", "transmission"].map(|name| table.place(name));
    let mut third = transmission(&table.file, &places[2], &table.place("settings"));
    table.wait_for_leech();
    let _seed = table.seed();
    let mut first = libtorrent(table.source(), &places[0]);
    let mut second = aria2(&table.file, &places[1], false);
    first.wait_for_line("\"seeding\"", DOWNLOAD);
    second.wait_for_success(DOWNLOAD);
    third.wait_for_line("Seeding", DOWNLOAD);
    places
        .iter()
        .for_each(|place| table.torrent.verify(place).unwrap());
}
