//! Clients that require encryption, in both directions.

use aqueduct_tests::clients::{aria2_with, libtorrent_with, transmission_requiring_encryption};
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Setup};

/// The ciphers that libtorrent is configured to allow.
const CIPHERS: [&str; 3] = ["rc4", "plaintext", "both"];
const ARIA2: [&str; 2] = ["--bt-require-crypto=true", "--bt-min-crypto-level=arc4"];

#[test]
fn we_download_from_libtorrent_whatever_cipher_it_insists_on() {
    for (seed, cipher) in (31..).zip(CIPHERS) {
        let setup = Setup::new(Recipe::awkward(seed));
        let place = setup.full_place("libtorrent");
        let more = ["--encryption", "forced", "--cipher", cipher];
        let _seed = libtorrent_with(setup.source(), &place, &more);
        setup.wait_for_seed();
        setup.get(setup.source());
    }
}

#[test]
fn libtorrent_downloads_from_us_whatever_cipher_it_insists_on() {
    for (seed, cipher) in (34..).zip(CIPHERS) {
        let setup = Setup::new(Recipe::awkward(seed));
        let _seed = setup.seed();
        let place = setup.place("libtorrent");
        let more = ["--encryption", "forced", "--cipher", cipher];
        let (mut leech, _) = libtorrent_with(setup.source(), &place, &more);
        leech.wait_for_line("\"seeding\"", DOWNLOAD);
        setup.torrent.verify(&place).unwrap();
    }
}

#[test]
fn we_require_encryption_of_libtorrent_in_its_usual_settings() {
    let setup = Setup::new(Recipe::awkward(37));
    let _seed = libtorrent_with(setup.source(), &setup.full_place("libtorrent"), &[]);
    setup.wait_for_seed();
    setup.get_with(setup.source(), &["--encryption", "require"]);
}

#[test]
fn we_download_from_transmission_that_requires_encryption() {
    let setup = Setup::new(Recipe::awkward(38));
    let _seed = transmission_requiring_encryption(
        &setup.file,
        &setup.full_place("transmission"),
        &setup.place("settings"),
    );
    setup.wait_for_seed();
    setup.get(setup.source());
}

/// Transmission never dials loopback, so our program dials it.
#[test]
fn transmission_that_requires_encryption_downloads_from_us() {
    let setup = Setup::new(Recipe::awkward(39));
    let place = setup.place("transmission");
    let settings = setup.place("settings");
    let mut leech = transmission_requiring_encryption(&setup.file, &place, &settings);
    setup.wait_for_leech();
    let _seed = setup.seed();
    leech.wait_for_line("Seeding", DOWNLOAD);
    setup.torrent.verify_all_but_empty(&place).unwrap();
}

#[test]
fn we_download_from_aria2_that_requires_encryption() {
    let setup = Setup::new(Recipe::awkward(40));
    let _seed = aria2_with(&setup.file, &setup.full_place("aria2"), true, &ARIA2);
    setup.wait_for_seed();
    setup.get(setup.source());
}

#[test]
fn aria2_that_requires_encryption_downloads_from_us() {
    let setup = Setup::new(Recipe::awkward(41));
    let _seed = setup.seed();
    let place = setup.place("aria2");
    aria2_with(&setup.file, &place, false, &ARIA2).wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}
