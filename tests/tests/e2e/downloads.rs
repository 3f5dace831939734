//! Downloads from link to saved file, pausing, and removal.

use std::sync::Arc;
use std::time::Duration;

use aqueduct_tests::clients::{libtorrent, transmission};
use aqueduct_tests::page::SOON;
use aqueduct_tests::peer::Manner;
use aqueduct_tests::programs::START;
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Setup, single};

#[tokio::test]
async fn a_quarter_of_a_gigabyte_is_downloaded_from_transmission_and_libtorrent_and_saved() {
    let setup = Setup::start().await;
    let torrent =
        Arc::new(Recipe::single("quarter.bin", 11, (256 << 20) + 12_345, 1 << 20).build());
    let file = setup.file(&torrent);
    let data = setup.full_place("data", &torrent);
    let _libtorrent = libtorrent(file.to_str().unwrap(), &data);
    let _transmission = transmission(&file, &data, &setup.place("settings"));
    for client in ["-LT", "-TR"] {
        let says_so = |id: &[u8]| id.starts_with(client.as_bytes());
        setup.tracker.wait_for(client, START * 2, |said| {
            said.left == 0 && said.event != "stopped" && says_so(&said.peer_id.0)
        });
    }
    setup.browser.add_file(&file).await;
    setup
        .browser
        .wait_until_complete(Duration::from_secs(180))
        .await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_magnet_link_of_many_files_completes_and_each_file_can_be_saved() {
    let setup = Setup::start().await;
    let torrent = Recipe::awkward(12).build();
    let file = setup.file(&torrent);
    let _seed = libtorrent(file.to_str().unwrap(), &setup.full_place("data", &torrent));
    setup
        .tracker
        .wait_for("a seed", START, |said| said.left == 0);
    setup.browser.add_link(&setup.magnet(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    for (path, offset, size) in torrent.files().filter(|(_, _, size)| *size > 1000) {
        let name = path.file_name().unwrap().to_str().unwrap();
        let saved = setup.browser.save(name, size, SOON).await;
        torrent.verify_file(&saved, offset, size).unwrap();
    }
    setup.browser.close().await;
}

/// The limit for data to arrive after "Resume".
const RESUMED_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_torrent_that_is_resumed_goes_on_with_its_peer_before_its_tracker_is_asked_again() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let recipe = Recipe::single("resumed.bin", 16, 24 << 20, 256 * 1024);
    for recipe in [recipe.clone().private(), recipe] {
        let torrent = Arc::new(recipe.build());
        let _seed = setup.seed(&torrent, Manner::Slow(1024));
        browser.add_file(&setup.file(&torrent)).await;
        browser.wait_for_progress(5, DOWNLOAD).await;
        // A second time, no hint of the tab's may be sent either.
        for _ in 0..2 {
            browser.press("Pause").await;
            let paused = browser
                .wait_until(SOON, "it is paused", |shown| {
                    shown.iter().any(|t| t.status.starts_with("Paused"))
                })
                .await;
            let before = paused[0].progress;
            browser.press("Resume").await;
            browser
                .wait_until(RESUMED_WITHIN, "data arrive", |shown| {
                    shown[0].progress > before + 1
                })
                .await;
        }
        browser.press("Remove").await;
        browser
            .wait_until(SOON, "it is gone", <[_]>::is_empty)
            .await;
    }
    setup.browser.close().await;
}

#[tokio::test]
async fn a_download_continues_after_a_reload() {
    let setup = Setup::start().await;
    let torrent = single("reload.bin", 13, 24);
    let seed = setup.seed(&torrent, Manner::Slow(4096));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(50, DOWNLOAD).await;
    // At most 2 s or 16 MiB of work may be lost.
    setup.browser.reload().await;
    setup
        .browser
        .wait_until(SOON, "it is there again", |shown| {
            shown.iter().any(|t| t.name == "reload.bin")
        })
        .await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let (sent, needed) = (
        u64::from(seed.blocks_sent()),
        torrent.lengths().total() / 16384,
    );
    assert!(
        sent < needed + (16 << 20) / 16384,
        "{sent} blocks were sent for {needed}"
    );
    setup.save_and_verify(&torrent).await;
    setup.browser.reload().await;
    setup.browser.wait_until_complete(SOON).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_paused_torrent_stops_and_a_removed_one_stays_removed() {
    let setup = Setup::start().await;
    let torrent = single("pause.bin", 14, 16);
    let seed = setup.seed(&torrent, Manner::Slow(2048));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(5, DOWNLOAD).await;
    setup.browser.press("Pause").await;
    setup
        .browser
        .wait_until(SOON, "it is paused", |shown| {
            shown.iter().all(|t| t.status.starts_with("Paused"))
        })
        .await;
    let paused = seed.blocks_sent();
    setup.browser.press("Resume").await;
    setup
        .browser
        .wait_until(DOWNLOAD, "it goes on", |_| {
            seed.blocks_sent() > paused + 100
        })
        .await;
    setup.browser.press("Remove").await;
    setup
        .browser
        .wait_until(SOON, "it is gone", <[_]>::is_empty)
        .await;
    setup.browser.reload().await;
    assert_eq!(setup.browser.shown().await, [], "it is back after a reload");
    setup.browser.close().await;
}
