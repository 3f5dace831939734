//! Peers that a tab reaches only because its bridge encrypts connections or uses uTP.

use aqueduct_tests::clients::libtorrent_with;
use aqueduct_tests::programs::START;

use super::{DOWNLOAD, Setup, single};

/// The only seed of each swarm: libtorrent with these arguments.
const SEEDS: [(&str, &[&str]); 3] = [
    ("rc4.bin", &["--encryption", "forced", "--cipher", "rc4"]),
    (
        "plaintext.bin",
        &["--encryption", "forced", "--cipher", "plaintext"],
    ),
    ("utp.bin", &["--no-tcp"]),
];

#[tokio::test]
async fn a_tab_downloads_from_seeds_that_require_encryption_and_from_one_over_utp_alone() {
    let setup = Setup::start().await;
    let mut seeds = Vec::new();
    for (number, (name, arguments)) in (91..).zip(SEEDS) {
        let torrent = single(name, number, 6);
        let file = setup.file(&torrent);
        let place = setup.full_place(&format!("{name} data"), &torrent);
        let (mut seed, _) = libtorrent_with(file.to_str().unwrap(), &place, arguments);
        seed.wait_for_line("\"seeding\"", START);
        setup.browser.add_file(&file).await;
        seeds.push(seed);
    }
    setup
        .browser
        .wait_until(DOWNLOAD, "all are complete", |shown| {
            shown.len() == SEEDS.len() && shown.iter().all(|torrent| torrent.progress == 100)
        })
        .await;
    // Seeds dial the bridge, too. Where plaintext was chosen, only the handshake is encrypted.
    for (counter, least) in [
        ("encrypted_streams_total", 1),
        ("utp_streams_total", 1),
        ("streams_total", 3),
    ] {
        assert!(setup.bridge.counted(counter) >= least, "{counter}");
    }
    setup.browser.close().await;
}
