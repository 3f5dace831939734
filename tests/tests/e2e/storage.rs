//! The browser's storage: full, short writes, evicted data; and active content that must not run.

use std::sync::Arc;

use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::page::{SOON, Shown};
use aqueduct_tests::peer::Manner;
use aqueduct_tests::torrent::Recipe;
use aqueduct_tests::tracker::Tracker;

use super::{DOWNLOAD, Setup, single};

const MIB: u64 = 1 << 20;

fn failed(shown: &[Shown]) -> bool {
    shown
        .iter()
        .any(|torrent| torrent.status.starts_with("Error"))
}

#[tokio::test]
async fn too_little_space_is_reported_with_both_numbers_before_writing() {
    let setup = Setup::start().await;
    let (torrent, origin) = (single("large.bin", 41, 16), setup.bridge.url());
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.limit_storage(&origin, Some(4 * MIB)).await;
    setup.browser.add_file(&setup.file(&torrent)).await;
    let shown = setup
        .browser
        .wait_until(DOWNLOAD, "it says that the space is too little", failed)
        .await;
    let is_too_little = |shown: &[Shown]| {
        let status = &shown[0].status;
        assert!(
            status.contains("needs 16.0 MiB more")
                && status.contains("grants this page")
                && status.contains("press Resume"),
            "{status}"
        );
        assert_eq!(shown[0].progress, 0, "something was stored");
    };
    is_too_little(&shown);
    // The pieces in memory are written again every ten seconds. The rest still does not fit.
    let mut worker = setup.browser.storage_worker().await;
    let retried = "new Promise(resolve => {
        const failed = performance.now();
        const truncate = FileSystemSyncAccessHandle.prototype.truncate;
        FileSystemSyncAccessHandle.prototype.truncate = function (size) {
            if (size >= 16 << 20 && performance.now() - failed > 15_000) resolve();
            return truncate.call(this, size);
        };
    })";
    worker.run(retried).await;
    is_too_little(&setup.browser.shown().await);
    setup.browser.limit_storage(&origin, None).await;
    setup.browser.press("Resume").await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn space_is_checked_for_torrents_started_together() {
    let setup = Setup::start().await;
    let (both, origin) = (
        [single("one.bin", 47, 20), single("two.bin", 48, 20)],
        setup.bridge.url(),
    );
    // Enough space for one torrent. Browsers grant space in steps, each twice the previous one. The
    // first torrent takes 32 MiB in the end. Both together need a step of 64 MiB until the first
    // one has taken a step of 16 MiB. The download is so slow that neither torrent completes before
    // the other has started.
    setup.browser.limit_storage(&origin, Some(40 * MIB)).await;
    let _seeds = both
        .each_ref()
        .map(|torrent| setup.seed(torrent, Manner::Slow(1024)));
    let files = both.each_ref().map(|torrent| setup.file(torrent));
    setup.browser.drop_files(&[&files[0], &files[1]]).await;
    let shown = setup
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
    setup.browser.limit_storage(&origin, None).await;
    setup.browser.press("Resume").await;
    setup
        .browser
        .wait_until(DOWNLOAD, "both are complete", |shown| {
            shown.len() == 2 && shown.iter().all(|t| t.progress == 100)
        })
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_quota_exceeded_during_a_download_pauses_it_until_resumed() {
    let setup = Setup::start().await;
    let torrent = single("quota.bin", 42, 16);
    let seed = setup.seed(&torrent, Manner::Half);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(40, DOWNLOAD).await;
    let mut worker = setup.browser.storage_worker().await;
    let full = r#"
        self.realWrite = FileSystemSyncAccessHandle.prototype.write;
        FileSystemSyncAccessHandle.prototype.write = () => { throw new DOMException("full", "QuotaExceededError"); };
        true
    "#;
    worker.run(full).await;
    seed.complete();
    let shown = setup
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
    setup.browser.press("Resume").await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn short_writes_are_continued() {
    let setup = Setup::start().await;
    let torrent = single("short.bin", 43, 8);
    let _seed = setup.seed(&torrent, Manner::Honest);
    let mut worker = setup.browser.storage_worker().await;
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
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    assert!(
        worker.run("self.shortened").await.as_u64() > Some(100),
        "no write was shortened"
    );
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

/// Lets the storage worker have at most 100 open files, and counts how often it wanted another.
const HUNDRED_OPEN: &str = r#"
    self.openFiles = 0;
    self.refused = 0;
    const create = FileSystemFileHandle.prototype.createSyncAccessHandle;
    FileSystemFileHandle.prototype.createSyncAccessHandle = async function () {
        if (self.openFiles >= 100) {
            self.refused++;
            throw new DOMException("too many", "InvalidStateError");
        }
        self.openFiles++;
        return create.call(this);
    };
    const close = FileSystemSyncAccessHandle.prototype.close;
    FileSystemSyncAccessHandle.prototype.close = function () {
        self.openFiles--;
        return close.call(this);
    };
    true
"#;

#[tokio::test]
async fn a_browser_that_allows_few_open_files_downloads_a_torrent_of_more() {
    let setup = Setup::start().await;
    let names: Vec<String> = (0..150).map(|n| format!("file {n}.bin")).collect();
    let size = 300 * 1024;
    let files: Vec<(&str, u64)> = names.iter().map(|name| (&name[..], size)).collect();
    let torrent = Arc::new(Recipe::folder("files", 46, &files, 256 * 1024).build());
    let _seed = setup.seed(&torrent, Manner::Honest);
    let mut worker = setup.browser.storage_worker().await;
    worker.run(HUNDRED_OPEN).await;
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let refused = worker.run("self.refused").await.as_u64().unwrap();
    assert!(
        (1..10).contains(&refused),
        "the limit was met {refused} times"
    );
    let saved = setup.browser.save(&names[3], size, SOON).await;
    torrent.verify_file(&saved, 3 * size, size).unwrap();
    std::fs::remove_file(saved).unwrap();
    setup.browser.reload().await;
    setup.browser.wait_until_complete(SOON).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn data_evicted_by_the_browser_is_noticed_and_can_be_downloaded_again() {
    let setup = Setup::start().await;
    let torrent = single("evicted.bin", 44, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    // Navigate to another page of the origin, so that no worker holds the files.
    setup
        .browser
        .client()
        .goto(&format!("{}healthz", setup.bridge.url()))
        .await
        .unwrap();
    let evict = r#"
        const done = arguments[arguments.length - 1];
        navigator.storage.getDirectory().then(root => root.removeEntry("torrents", { recursive: true })).then(() => done("gone"), done);
    "#;
    assert_eq!(setup.browser.run_async(evict).await, "gone");
    setup.browser.open(&setup.bridge.url()).await;
    let told = setup.browser.find("alert", "").await.text().await.unwrap();
    assert!(
        told.contains("evicted.bin") && told.contains("gone"),
        "{told}"
    );
    setup.browser.reload().await;
    setup.browser.press("Fetch again").await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.reload().await;
    setup.browser.wait_until_complete(SOON).await;
    assert!(
        setup.browser.find_now("alert", "").await.is_none(),
        "it still tells of what was fetched again"
    );
    setup.browser.close_but_for("favicon.ico").await;
}

#[tokio::test]
async fn active_content_is_only_saved_and_the_policy_is_strict() {
    let setup = Setup::start().await;
    let files = [
        ("page.html", 3000),
        ("drawing.svg", 3000),
        ("notes.txt", 3000),
    ];
    let torrent = Arc::new(Recipe::folder("site", 45, &files, 16 * 1024).build());
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.find("button", "Preview notes.txt").await;
    for name in ["page.html", "drawing.svg"] {
        setup.browser.save(name, 3000, SOON).await;
        assert!(
            setup
                .browser
                .find_now("button", &format!("Preview {name}"))
                .await
                .is_none()
        );
    }
    let asks = "const done = arguments[arguments.length - 1]; fetch('/').then(r => done(r.headers.get('content-security-policy')));";
    let expected = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; style-src 'self'; \
                    manifest-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                    require-trusted-types-for 'script'; trusted-types default";
    assert_eq!(setup.browser.run_async(asks).await, expected);
    setup.browser.close().await;
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
    let setup = Setup::start_with(bridge, Tracker::start()).await;
    let torrent = single("token.bin", 46, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    assert!(
        setup
            .browser
            .find("alert", "")
            .await
            .text()
            .await
            .unwrap()
            .contains("have a token")
    );
    for (token, answer) in [("wrong", "does not know this token"), ("open sesame", "")] {
        let field = setup
            .browser
            .run("return document.querySelector('#token') !== null")
            .await;
        assert_eq!(field, true);
        let field = setup
            .browser
            .client()
            .find(fantoccini::Locator::Css("#token"))
            .await
            .unwrap();
        field.clear().await.unwrap();
        field.send_keys(token).await.unwrap();
        setup.browser.press("Connect").await;
        if !answer.is_empty() {
            while !setup.browser.text().await.contains(answer) {
                setup.browser.shown().await;
            }
        }
    }
    setup.browser.wait_until_complete(DOWNLOAD).await;
    assert_eq!(
        setup.browser.client().current_url().await.unwrap().as_str(),
        setup.bridge.url()
    );
    setup.browser.reload().await;
    setup
        .browser
        .wait_until(SOON, "it seeds", |shown| {
            shown
                .iter()
                .any(|t| t.status.contains("Others can fetch from you"))
        })
        .await;
    assert_eq!(
        setup
            .browser
            .run("return document.querySelector('#token') === null")
            .await,
        true
    );
    setup.browser.close_but_for("WebSocket").await;
}
