//! Tabs that find peers only in a DHT of libtorrent nodes, through their bridges: no tracker, and
//! no peer in the link.

use std::sync::Arc;

use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::network::Network;
use aqueduct_tests::page::SOON;
use aqueduct_tests::peer::{Manner, ScriptedSeed};
use aqueduct_tests::torrent::Recipe;
use aqueduct_tests::tracker::Tracker;

use super::{DOWNLOAD, Setup, single};

/// A bridge that uses only this DHT.
fn bridge(network: &Network) -> Bridge {
    Bridge::start_with(
        &[
            &["--peer-bind", "127.0.0.1", "--allow", "127.0.0.0/8"],
            &network.bootstrap()[..],
        ]
        .concat(),
    )
}

#[tokio::test]
async fn a_magnet_link_without_trackers_finds_a_libtorrent_seed() {
    let folder = tempfile::tempdir().unwrap();
    let torrent = single("magnet.bin", 41, 4);
    let file = folder.path().join("magnet.torrent");
    std::fs::write(&file, torrent.metainfo(&[])).unwrap();
    torrent.write_to(folder.path()).unwrap();
    let mut network = Network::start(&[
        "--seed",
        file.to_str().unwrap(),
        folder.path().to_str().unwrap(),
    ]);
    network.wait_for_announce(&torrent.hex(), None);
    let setup = Setup::start_with(bridge(&network), Tracker::start()).await;
    setup.browser.add_link(&torrent.magnet(&[])).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn tabs_of_two_bridges_find_each_other() {
    let mut network = Network::start(&[]);
    let setup = Setup::start_with(bridge(&network), Tracker::start()).await;
    let torrent = single("tabs.bin", 42, 4);
    let seed = ScriptedSeed::start(Arc::clone(&torrent), Manner::Honest);
    setup
        .browser
        .add_link(&format!("{}&x.pe={}", torrent.magnet(&[]), seed.addr))
        .await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    network.wait_for_announce(&torrent.hex(), None);
    setup
        .another_fetches_from_tabs(&bridge(&network), &torrent.magnet(&[]), &torrent, &seed)
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_tab_reports_what_the_dht_found_and_does_not_look_up_private_torrents() {
    let network = Network::start(&[]);
    let setup = Setup::start_with(bridge(&network), Tracker::start()).await;
    let (public, private) = (
        single("nobody.bin", 43, 1),
        Recipe::single("private.bin", 44, 1 << 20, 256 * 1024)
            .private()
            .build(),
    );
    setup.browser.add_file(&setup.file(&public)).await;
    setup.browser.add_file(&setup.file(&private)).await;
    let says = |name: &'static str, text: &'static str| {
        move |s: &aqueduct_tests::page::Shown| s.name == name && s.status.contains(text)
    };
    let (told, silent) = (
        says("nobody.bin", "1 knows no peers; DHT: 8 nodes, 0 peers."),
        says("private.bin", "1 knows no peers."),
    );
    setup
        .browser
        .wait_until(SOON * 2, "what the search came to", |shown| {
            shown.iter().any(told) && shown.iter().any(silent)
        })
        .await;
    setup.browser.close().await;
}
