//! The browser's storage: full, short, taken away; and what never runs in the page's origin.

use std::sync::Arc;

use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::page::{SOON, Shown};
use aqueduct_tests::peer::Manner;
use aqueduct_tests::torrent::Recipe;
use aqueduct_tests::tracker::Tracker;

use super::{DOWNLOAD, Stage, single};

const MIB: u64 = 1 << 20;

fn failed(shown: &[Shown]) -> bool {
    shown
        .iter()
        .any(|torrent| torrent.status.starts_with("Error"))
}

#[tokio::test]
async fn too_little_space_is_reported_with_both_numbers_before_writing() {
    let stage = Stage::set().await;
    let (torrent, origin) = (single("large.bin", 41, 16), stage.bridge.url());
    let _seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.limit_storage(&origin, Some(4 * MIB)).await;
    stage.browser.add_file(&stage.file(&torrent)).await;
    let shown = stage
        .browser
        .wait_until(DOWNLOAD, "it says that the space is too little", failed)
        .await;
    let status = &shown[0].status;
    assert!(
        status.contains("needs 16.0 MiB more")
            && status.contains("grants this page")
            && status.contains("press Resume"),
        "{status}"
    );
    assert_eq!(shown[0].progress, 0, "something was stored");
    stage.browser.limit_storage(&origin, None).await;
    stage.browser.press("Resume").await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.close().await;
}

#[tokio::test]
async fn space_is_checked_for_torrents_started_together() {
    let stage = Stage::set().await;
    let (both, origin) = (
        [single("one.bin", 47, 20), single("two.bin", 48, 20)],
        stage.bridge.url(),
    );
    // Enough for one. Browsers give room in steps, each twice the one before: the first takes 32
    // MiB in the end, and what both need is a step of 64 MiB until the first has taken one of 16.
    // So slow that neither completes before the other has begun.
    stage.browser.limit_storage(&origin, Some(40 * MIB)).await;
    let _seeds = both
        .each_ref()
        .map(|torrent| stage.seed(torrent, Manner::Slow(1024)));
    let files = both.each_ref().map(|torrent| stage.file(torrent));
    stage.browser.drop_files(&[&files[0], &files[1]]).await;
    let shown = stage
        .browser
        .wait_until(
            DOWNLOAD,
            "one of them says that the space is too little",
            failed,
        )
        .await;
    let (bad, good): (Vec<&Shown>, Vec<&Shown>) = shown
        .iter()
        .partition(|torrent| torrent.status.starts_with("Error"));
    assert!(
        bad[0].status.contains("needs 20.0 MiB more")
            && bad[0].status.contains("other torrents still need"),
        "{shown:?}"
    );
    assert_eq!(
        (bad.len(), good.len(), bad[0].progress),
        (1, 1, 0),
        "{shown:?}"
    );
    stage.browser.limit_storage(&origin, None).await;
    stage.browser.press("Resume").await;
    stage
        .browser
        .wait_until(DOWNLOAD, "both are complete", |shown| {
            shown.len() == 2 && shown.iter().all(|t| t.progress == 100)
        })
        .await;
    stage.browser.close().await;
}

#[tokio::test]
async fn a_quota_exceeded_during_a_download_pauses_it_until_resumed() {
    let stage = Stage::set().await;
    let torrent = single("quota.bin", 42, 16);
    let _seed = stage.seed(&torrent, Manner::Slow(4096));
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage
        .browser
        .wait_until(DOWNLOAD, "it has begun", |shown| {
            shown.iter().any(|t| t.progress >= 10)
        })
        .await;
    let mut worker = stage.browser.worker().await;
    let full = r#"
        self.realWrite = FileSystemSyncAccessHandle.prototype.write;
        FileSystemSyncAccessHandle.prototype.write = () => { throw new DOMException("full", "QuotaExceededError"); };
        true
    "#;
    worker.run(full).await;
    let shown = stage
        .browser
        .wait_until(DOWNLOAD, "it says that the storage is full", failed)
        .await;
    assert!(
        shown[0]
            .status
            .contains("storage for this page is full. Save and remove a torrent"),
        "{shown:?}"
    );
    worker
        .run("FileSystemSyncAccessHandle.prototype.write = self.realWrite; true")
        .await;
    stage.browser.press("Resume").await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.close().await;
}

#[tokio::test]
async fn short_writes_are_continued() {
    let stage = Stage::set().await;
    let torrent = single("short.bin", 43, 8);
    let _seed = stage.seed(&torrent, Manner::Honest);
    let mut worker = stage.browser.worker().await;
    let shorten = r#"
        self.shortened = 0;
        const write = FileSystemSyncAccessHandle.prototype.write;
        FileSystemSyncAccessHandle.prototype.write = function (bytes, options) {
            if (bytes.length > 60000) { self.shortened++; bytes = bytes.subarray(0, 50001); }
            return write.call(this, bytes, options);
        };
        true
    "#;
    worker.run(shorten).await;
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    assert!(
        worker.run("self.shortened").await.as_u64() > Some(100),
        "no write was shortened"
    );
    stage.save_and_verify(&torrent).await;
    stage.browser.close().await;
}

#[tokio::test]
async fn data_evicted_by_the_browser_is_noticed_and_can_be_downloaded_again() {
    let stage = Stage::set().await;
    let torrent = single("evicted.bin", 44, 1);
    let _seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    // Another page of the origin, so that no worker holds the files.
    stage
        .browser
        .client()
        .goto(&format!("{}healthz", stage.bridge.url()))
        .await
        .unwrap();
    let evict = r#"
        const done = arguments[arguments.length - 1];
        navigator.storage.getDirectory().then(root => root.removeEntry("torrents", { recursive: true })).then(() => done("gone"), done);
    "#;
    assert_eq!(stage.browser.run_async(evict).await, "gone");
    stage.browser.open(&stage.bridge.url()).await;
    let told = stage.browser.find("alert", "").await.text().await.unwrap();
    assert!(
        told.contains("evicted.bin") && told.contains("gone"),
        "{told}"
    );
    stage.browser.reload().await;
    stage.browser.press("Fetch again").await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.reload().await;
    stage.browser.wait_until_complete(SOON).await;
    assert!(
        stage.browser.find_now("alert", "").await.is_none(),
        "it still tells of what was fetched again"
    );
    stage.browser.close_but_for("favicon.ico").await;
}

#[tokio::test]
async fn active_content_is_only_saved_and_the_policy_is_strict() {
    let stage = Stage::set().await;
    let files = [
        ("page.html", 3000),
        ("drawing.svg", 3000),
        ("notes.txt", 3000),
    ];
    let torrent = Arc::new(Recipe::folder("site", 45, &files, 16 * 1024).build());
    let _seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.browser.find("button", "Preview notes.txt").await;
    for name in ["page.html", "drawing.svg"] {
        stage.browser.save(name, 3000, SOON).await;
        assert!(
            stage
                .browser
                .find_now("button", &format!("Preview {name}"))
                .await
                .is_none()
        );
    }
    let asks = "const done = arguments[arguments.length - 1]; fetch('/').then(r => done(r.headers.get('content-security-policy')));";
    let expected = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; \
                    img-src 'self' blob:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    assert_eq!(stage.browser.run_async(asks).await, expected);
    stage.browser.close().await;
}

#[tokio::test]
async fn a_typed_token_is_sent_to_the_bridge_now_and_on_later_visits() {
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), "open sesame\n").unwrap();
    let path = tokens.path().to_str().unwrap();
    let bridge = Bridge::start_with(&[
        "--peer-bind",
        "127.0.0.1",
        "--allow",
        "127.0.0.0/8",
        "--no-dht",
        "--token-file",
        path,
    ]);
    let stage = Stage::set_with(bridge, Tracker::start()).await;
    let torrent = single("token.bin", 46, 1);
    let _seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.add_file(&stage.file(&torrent)).await;
    assert!(
        stage
            .browser
            .find("alert", "")
            .await
            .text()
            .await
            .unwrap()
            .contains("have a token")
    );
    for (token, answer) in [("wrong", "does not know this token"), ("open sesame", "")] {
        let field = stage
            .browser
            .run("return document.querySelector('#token') !== null")
            .await;
        assert_eq!(field, true);
        let field = stage
            .browser
            .client()
            .find(fantoccini::Locator::Css("#token"))
            .await
            .unwrap();
        field.clear().await.unwrap();
        field.send_keys(token).await.unwrap();
        stage.browser.press("Connect").await;
        if !answer.is_empty() {
            while !stage.browser.text().await.contains(answer) {
                stage.browser.shown().await;
            }
        }
    }
    stage.browser.wait_until_complete(DOWNLOAD).await;
    assert_eq!(
        stage.browser.client().current_url().await.unwrap().as_str(),
        stage.bridge.url()
    );
    stage.browser.reload().await;
    stage
        .browser
        .wait_until(SOON, "it seeds", |shown| {
            shown
                .iter()
                .any(|t| t.status.contains("Others can fetch from you"))
        })
        .await;
    assert_eq!(
        stage
            .browser
            .run("return document.querySelector('#token') === null")
            .await,
        true
    );
    stage.browser.close_but_for("WebSocket").await;
}
