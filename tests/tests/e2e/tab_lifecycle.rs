//! A tab's life: reloaded, closed, opened twice, out of sight, its worker trapped.

use std::time::{Duration, Instant};

use aqueduct_tests::page::{Browser, SOON, Shown};
use aqueduct_tests::peer::Manner;

use super::{DOWNLOAD, Stage, single};

/// A worker that starts brings its torrents back within this time.
const BACK_WITHIN: Duration = Duration::from_secs(3);
/// A tab that waited for the lead takes it within this time.
const TAKEOVER_WITHIN: Duration = Duration::from_secs(5);

fn at_least(percent: i64) -> impl Fn(&[Shown]) -> bool {
    move |shown| shown.iter().any(|torrent| torrent.progress >= percent)
}

#[tokio::test]
async fn a_reloaded_tab_shows_its_torrents_and_their_progress_within_three_seconds() {
    let stage = Stage::set().await;
    let torrent = single("back.bin", 31, 16);
    // Two seconds' worth may be lost: at this rate 2 MiB of 16.
    let _seed = stage.seed(&torrent, Manner::Slow(1024));
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage
        .browser
        .wait_until(DOWNLOAD, "most of it is there", at_least(80))
        .await;
    stage.browser.press("Pause").await;
    stage
        .browser
        .wait_until(SOON, "it is paused", |shown| {
            shown.iter().all(|t| t.status.starts_with("Paused"))
        })
        .await;
    stage.browser.reload().await;
    stage
        .browser
        .wait_until(BACK_WITHIN, "it is back with what it had", at_least(60))
        .await;
    stage.browser.close().await;
}

#[tokio::test]
async fn a_second_tab_waits_for_the_first_and_takes_over_when_it_closes() {
    let stage = Stage::set().await;
    let client = stage.browser.client();
    let torrent = single("second.bin", 32, 1);
    let _seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    let first = client.window().await.unwrap();
    let second = client.new_window(true).await.unwrap().handle;
    client.switch_to_window(second.clone()).await.unwrap();
    stage.browser.open(&stage.bridge.url()).await;
    let told = stage.browser.find("alert", "").await.text().await.unwrap();
    assert!(told.contains("already open in another tab"), "{told}");
    stage
        .browser
        .wait_until(SOON, "it shows what the other does", |shown| {
            shown.len() == 1 && shown[0].progress == 100
        })
        .await;
    client.switch_to_window(first).await.unwrap();
    client.close_window().await.unwrap();
    client.switch_to_window(second).await.unwrap();
    stage.browser.wait_until_complete(TAKEOVER_WITHIN).await;
    assert!(
        stage.browser.find_now("alert", "").await.is_none(),
        "it still says that another tab leads"
    );
    stage.save_and_verify(&torrent).await;
    stage.browser.close().await;
}

#[tokio::test]
async fn a_hidden_tab_continues_downloading() {
    let stage = Stage::set().await;
    let client = stage.browser.client();
    let torrent = single("hidden.bin", 33, 24);
    let seed = stage.seed(&torrent, Manner::Slow(4096));
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage
        .browser
        .wait_until(DOWNLOAD, "it has begun", at_least(5))
        .await;
    client.minimize_window().await.unwrap();
    assert_eq!(
        stage.browser.run("return document.hidden").await,
        true,
        "the browser thinks that it can be seen"
    );
    let (before, begun) = (seed.blocks_sent(), Instant::now());
    stage.browser.wait_until_complete(DOWNLOAD).await;
    let moved = u64::from(seed.blocks_sent() - before) * 16;
    println!(
        "{} KiB/s out of sight",
        moved * 1000 / u64::try_from(begun.elapsed().as_millis().max(1)).unwrap()
    );
    assert_eq!(
        stage.browser.run("return document.hidden").await,
        true,
        "it came into sight meanwhile"
    );
    client.maximize_window().await.unwrap();
    stage.save_and_verify(&torrent).await;
    stage.browser.close().await;
}

/// Makes the worker trap.
async fn trap(browser: &Browser) {
    browser.worker().await.ruin_memory().await;
}

#[tokio::test]
async fn a_crashed_worker_restarts_from_storage_but_not_after_three_crashes_in_a_minute() {
    let stage = Stage::set().await;
    let torrent = single("trap.bin", 34, 8);
    let _seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    for _ in 0..2 {
        trap(&stage.browser).await;
        stage
            .browser
            .wait_until(SOON, "the old worker is gone", <[_]>::is_empty)
            .await;
        stage.browser.wait_until_complete(BACK_WITHIN).await;
    }
    stage.save_and_verify(&torrent).await;
    trap(&stage.browser).await;
    stage
        .browser
        .wait_until(SOON, "the worker is gone for good", <[_]>::is_empty)
        .await;
    let told = stage.browser.find("alert", "").await.text().await.unwrap();
    assert!(
        told.contains("broke 3 times within a minute") && told.contains("reload"),
        "{told}"
    );
    stage.browser.reload().await;
    stage.browser.wait_until_complete(SOON).await;
    stage.browser.close_but_for("RuntimeError").await;
}

#[tokio::test]
async fn a_worker_that_crashes_during_a_download_completes_it() {
    let stage = Stage::set().await;
    let torrent = single("midst.bin", 35, 24);
    let _seed = stage.seed(&torrent, Manner::Slow(4096));
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage
        .browser
        .wait_until(DOWNLOAD, "half of it is there", at_least(50))
        .await;
    trap(&stage.browser).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.close_but_for("RuntimeError").await;
}

/// Without an error event for the page: only the worker's silence shows it.
#[tokio::test]
async fn a_worker_that_ends_silently_is_restarted() {
    let stage = Stage::set().await;
    let torrent = single("silence.bin", 38, 1);
    let _seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    let count = "window.started = 0; window.Worker = class extends Worker { constructor(...given) { super(...given); window.started++; } };";
    stage.browser.run(count).await;
    stage.browser.worker().await.run("self.close()").await;
    stage
        .browser
        .wait_for("return window.started", 1.into())
        .await;
    stage.browser.wait_until_complete(SOON).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.close().await;
}

#[tokio::test]
async fn removing_a_torrent_can_be_undone_for_some_seconds() {
    let stage = Stage::set().await;
    let torrent = single("undo.bin", 36, 4);
    let seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    let sent = seed.blocks_sent();
    stage.browser.press("Remove").await;
    stage
        .browser
        .wait_until(SOON, "it is gone from the list", <[_]>::is_empty)
        .await;
    stage.browser.press("Undo").await;
    stage.browser.wait_until_complete(SOON).await;
    assert!(
        stage.browser.find_now("button", "Undo").await.is_none(),
        "there is nothing to undo any more"
    );
    stage.browser.reload().await;
    stage.browser.wait_until_complete(SOON).await;
    stage.save_and_verify(&torrent).await;
    assert_eq!(seed.blocks_sent(), sent, "it was fetched again");
    stage.browser.close().await;
}

#[tokio::test]
async fn the_data_of_a_removed_torrent_is_deleted_when_undo_ends() {
    let stage = Stage::set().await;
    let torrent = single("deleted.bin", 37, 1);
    let _seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    assert_eq!(folders(&stage.browser).await, 1);
    stage.browser.press("Remove").await;
    stage.browser.find("button", "Undo").await;
    while stage.browser.find_now("button", "Undo").await.is_some() {
        stage.browser.shown().await;
    }
    assert_eq!(folders(&stage.browser).await, 0, "its data are still there");
    stage.browser.close().await;
}

/// Torrents with a folder in the origin's storage.
async fn folders(browser: &Browser) -> u64 {
    let script = r#"
        const done = arguments[arguments.length - 1];
        navigator.storage.getDirectory().then(root => root.getDirectoryHandle("torrents"))
            .then(async torrents => { let n = 0; for await (const _ of torrents.keys()) n++; done(n); });
    "#;
    browser.run_async(script).await.as_u64().unwrap()
}
