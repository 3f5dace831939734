//! Bridges that go and peers that lie.

use aqueduct_tests::page::{SOON, Shown};
use aqueduct_tests::peer::Manner;

use super::{DOWNLOAD, Stage, single};

#[tokio::test]
async fn a_bridge_that_restarts_does_not_end_a_download() {
    let mut stage = Stage::set().await;
    let torrent = single("restart.bin", 21, 24);
    let _seed = stage.seed(&torrent, Manner::Slow(4096));
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage
        .browser
        .wait_until(DOWNLOAD, "a quarter of it is there", |shown| {
            shown.iter().any(|t| t.progress >= 25)
        })
        .await;
    stage.bridge.restart();
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    // What the browser itself says of the lost connection is no error of the page.
    stage.browser.close_but_for("WebSocket").await;
}

#[tokio::test]
async fn a_tab_waits_for_a_crashed_bridge_and_reconnects() {
    let mut stage = Stage::set().await;
    let torrent = single("crash.bin", 22, 16);
    let _seed = stage.seed(&torrent, Manner::Slow(4096));
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage
        .browser
        .wait_until(DOWNLOAD, "some of it is there", |shown| {
            shown.iter().any(|t| t.progress >= 10)
        })
        .await;
    stage.bridge.crash();
    stage
        .browser
        .wait_until(SOON, "the page notices", |shown| {
            shown.iter().any(|t| t.progress < 100)
        })
        .await;
    stage.bridge.revive();
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.close_but_for("WebSocket").await;
}

#[tokio::test]
async fn a_peer_that_corrupts_is_banned_and_the_file_is_right() {
    let stage = Stage::set().await;
    let torrent = single("corrupt.bin", 23, 16);
    let liar = stage.seed(&torrent, Manner::Corrupt);
    let _good = [
        stage.seed(&torrent, Manner::Slow(2048)),
        stage.seed(&torrent, Manner::Slow(2048)),
    ];
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    assert!(liar.blocks_sent() > 0, "the liar was never asked");
    assert!(liar.connections_ended() > 0, "the liar is still connected");
    stage.browser.close().await;
}

#[tokio::test]
async fn a_tab_reports_that_its_only_peer_sent_wrong_data() {
    let stage = Stage::set().await;
    let torrent = single("lie.bin", 25, 1);
    let _liar = stage.seed(&torrent, Manner::Corrupt);
    stage.browser.add_file(&stage.file(&torrent)).await;
    let told = |shown: &[Shown]| {
        shown
            .iter()
            .any(|t| t.status.contains("1 sent wrong data and is shut out"))
    };
    stage
        .browser
        .wait_until(SOON * 2, "what the peer did is told", told)
        .await;
    stage.browser.close().await;
}

#[tokio::test]
async fn peers_that_stall_or_flood_do_not_prevent_a_download() {
    let stage = Stage::set().await;
    let torrent = single("stall.bin", 24, 8);
    let _bad = [
        stage.seed(&torrent, Manner::Stall),
        stage.seed(&torrent, Manner::Flood),
    ];
    let _good = stage.seed(&torrent, Manner::Slow(2048));
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.close().await;
}
