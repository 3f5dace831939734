//! Bridges that restart or crash, and peers that stall, flood or send wrong data.

use aqueduct_tests::page::{SOON, Shown};
use aqueduct_tests::peer::Manner;

use super::{DOWNLOAD, Setup, single};

#[tokio::test]
async fn a_bridge_that_restarts_does_not_end_a_download() {
    let mut setup = Setup::start().await;
    let torrent = single("restart.bin", 21, 24);
    let _seed = setup.seed(&torrent, Manner::Slow(4096));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(25, DOWNLOAD).await;
    setup.bridge.restart();
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    // The browser's own message about the lost connection is not an error of the page.
    setup.browser.close_but_for("WebSocket").await;
}

#[tokio::test]
async fn a_tab_waits_for_a_crashed_bridge_and_reconnects() {
    let mut setup = Setup::start().await;
    let torrent = single("crash.bin", 22, 16);
    let seed = setup.seed(&torrent, Manner::Half);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(40, DOWNLOAD).await;
    setup.bridge.crash();
    setup
        .browser
        .wait_for_text("Cannot reach the bridge.")
        .await;
    seed.complete();
    setup.bridge.revive();
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close_but_for("WebSocket").await;
}

#[tokio::test]
async fn a_peer_that_corrupts_is_banned_and_the_file_is_right() {
    let setup = Setup::start().await;
    let torrent = single("corrupt.bin", 23, 16);
    let liar = setup.seed(&torrent, Manner::Corrupt);
    let _good = [
        setup.seed(&torrent, Manner::Slow(2048)),
        setup.seed(&torrent, Manner::Slow(2048)),
    ];
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    assert!(liar.blocks_sent() > 0, "the liar was never asked");
    assert!(liar.connections_ended() > 0, "the liar is still connected");
    setup.browser.close().await;
}

#[tokio::test]
async fn a_tab_reports_that_its_only_peer_sent_wrong_data() {
    let setup = Setup::start().await;
    let torrent = single("lie.bin", 25, 1);
    let _liar = setup.seed(&torrent, Manner::Corrupt);
    setup.browser.add_file(&setup.file(&torrent)).await;
    let told = |shown: &[Shown]| {
        shown
            .iter()
            .any(|t| t.status.contains("1 sent wrong data and is banned"))
    };
    setup
        .browser
        .wait_until(SOON * 2, "what the peer did is told", told)
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn peers_that_stall_or_flood_do_not_prevent_a_download() {
    let setup = Setup::start().await;
    let torrent = single("stall.bin", 24, 8);
    let _bad = [
        setup.seed(&torrent, Manner::Stall),
        setup.seed(&torrent, Manner::Flood),
    ];
    let _good = setup.seed(&torrent, Manner::Slow(2048));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}
