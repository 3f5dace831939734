//! What a later visit finds: records that survive a full storage, folders that are never deleted
//! for want of one, the list in its order.

use aqueduct_tests::page::{Browser, SOON, Shown};
use aqueduct_tests::peer::Manner;

use super::{DOWNLOAD, Stage, single};

/// Every write fails as if no space were left, in the worker that is there now.
const FULL: &str = r#"
    self.refused = 0;
    FileSystemSyncAccessHandle.prototype.write = () => { self.refused++; throw new DOMException("full", "QuotaExceededError"); };
    true
"#;

/// Pauses and resumes the first torrent several times; each time a record is stored, or tried to
/// be.
const PAUSE_AND_RESUME: &str = r#"
    const before = self.refused;
    const say = text => self.dispatchEvent(new MessageEvent("message", { data: [text] }));
    for (let n = 0; n < 3; n++) { say('{"Resume":1}'); say('{"Pause":1}'); }
    new Promise(done => {
        const look = () => self.refused >= before + 6 ? done(true) : setTimeout(look, 10);
        look();
    });
"#;

impl Stage {
    /// Another page of the origin, so that no worker holds the files.
    async fn leave(&self) {
        self.browser
            .client()
            .goto(&format!("{}healthz", self.bridge.url()))
            .await
            .unwrap();
    }
}

/// Runs a script with the folder of all torrents.
async fn in_storage(browser: &Browser, act: &str) -> serde_json::Value {
    let script = format!(
        "const done = arguments[arguments.length - 1]; (async () => {{ const torrents = await (await navigator.storage.getDirectory())\
         .getDirectoryHandle('torrents'); {act} }})().then(done, error => done(String(error)));"
    );
    browser.run_async(&script).await
}

async fn folders(browser: &Browser) -> serde_json::Value {
    in_storage(browser, "const names = []; for await (const name of torrents.keys()) names.push(name); return names;").await
}

fn names(shown: &[Shown]) -> Vec<String> {
    shown.iter().map(|torrent| torrent.name.clone()).collect()
}

#[tokio::test]
async fn a_download_whose_storage_fills_in_its_first_seconds_is_restored_with_its_pieces() {
    let stage = Stage::set().await;
    let torrent = single("filled.bin", 101, 16);
    let _seed = stage.seed(&torrent, Manner::Slow(2048));
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage
        .browser
        .wait_until(DOWNLOAD, "it has begun", |shown| {
            shown.iter().any(|t| t.progress >= 40)
        })
        .await;
    let mut worker = stage.browser.worker().await;
    worker.run(FULL).await;
    let failed = |shown: &[Shown]| {
        shown
            .iter()
            .any(|torrent| torrent.status.starts_with("Error"))
    };
    stage
        .browser
        .wait_until(DOWNLOAD, "it says that the storage is full", failed)
        .await;
    assert_eq!(worker.run(PAUSE_AND_RESUME).await, true);
    stage.browser.reload().await;
    stage
        .browser
        .wait_until(SOON, "it is back with what it had", |shown| {
            shown.len() == 1 && shown[0].progress >= 10
        })
        .await;
    if stage.browser.find_now("button", "Resume").await.is_some() {
        stage.browser.press("Resume").await;
    }
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.close().await;
}

#[tokio::test]
async fn data_without_a_record_is_kept_and_used_when_the_torrent_is_added_again() {
    let stage = Stage::set().await;
    let torrent = single("unrecorded.bin", 102, 4);
    let seed = stage.seed(&torrent, Manner::Honest);
    let file = stage.file(&torrent);
    stage.browser.add_file(&file).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.leave().await;
    let act = format!(
        "const own = await torrents.getDirectoryHandle('{}'); for (const name of ['record-a', 'record-b']) \
         await own.removeEntry(name).catch(() => null); return 'done';",
        torrent.hex()
    );
    assert_eq!(in_storage(&stage.browser, &act).await, "done");
    stage.browser.open(&stage.bridge.url()).await;
    stage.browser.wait_for_text("Its data are kept").await;
    stage.browser.reload().await;
    let sent = seed.blocks_sent();
    stage.browser.add_file(&file).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    assert_eq!(seed.blocks_sent(), sent, "what was there was fetched again");
    stage.save_and_verify(&torrent).await;
    stage.browser.close_but_for("favicon.ico").await;
}

#[tokio::test]
async fn torrents_removed_just_before_leaving_the_page_stay_removed() {
    let stage = Stage::set().await;
    let all = [
        single("one.bin", 103, 1),
        single("two.bin", 104, 1),
        single("three.bin", 105, 1),
    ];
    let _seeds = all
        .each_ref()
        .map(|torrent| stage.seed(torrent, Manner::Honest));
    let complete = |shown: &[Shown]| shown.len() == 3 && shown.iter().all(|t| t.progress == 100);
    let files = all.each_ref().map(|torrent| stage.file(torrent));
    stage
        .browser
        .drop_files(&[&files[0], &files[1], &files[2]])
        .await;
    stage
        .browser
        .wait_until(DOWNLOAD, "all are complete", complete)
        .await;
    for left in (0..3).rev() {
        stage.browser.press("Remove").await;
        stage
            .browser
            .wait_until(SOON, "it is gone from the list", |shown| {
                shown.len() == left
            })
            .await;
    }
    // The browser may let go of the old worker's files only after the page has come back; here,
    // another tab holds one of them.
    let client = stage.browser.client();
    let page = client.window().await.unwrap();
    stage.leave().await;
    let holder = client.new_window(true).await.unwrap().handle;
    client.switch_to_window(holder).await.unwrap();
    stage.leave().await;
    let hold = format!(
        "const own = await torrents.getDirectoryHandle('{}'); window.held = await (await own.getFileHandle('0')).createWritable(); return 'held';",
        all[0].hex()
    );
    assert_eq!(in_storage(&stage.browser, &hold).await, "held");
    client.switch_to_window(page.clone()).await.unwrap();
    stage.browser.open(&stage.bridge.url()).await;
    stage.browser.wait_for_text("Nothing here yet").await;
    assert!(
        stage.browser.find_now("alert", "").await.is_none(),
        "{}",
        stage.browser.text().await
    );
    assert_eq!(
        folders(&stage.browser).await,
        serde_json::json!([all[0].hex()])
    );
    client.close_window().await.unwrap();
    client
        .switch_to_window(client.windows().await.unwrap()[0].clone())
        .await
        .unwrap();
    assert_eq!(
        in_storage(&stage.browser, "await window.held.abort(); return 'free';").await,
        "free"
    );
    stage.browser.open(&stage.bridge.url()).await;
    stage.browser.wait_for_text("Nothing here yet").await;
    let left = "return navigator.storage.getDirectory().then(root => root.getDirectoryHandle('torrents')).then(async torrents => { \
                let left = 0; for await (const _ of torrents.keys()) left++; return left; })";
    stage.browser.wait_for(left, serde_json::json!(0)).await;
    stage.browser.close_but_for("favicon.ico").await;
}

#[tokio::test]
async fn the_list_keeps_its_order_over_reloads() {
    let stage = Stage::set().await;
    // Their folders, which are named by chance, are in no such order.
    for number in 1..=6 {
        let torrent = single(&format!("number {number}.bin"), 110 + number, 1);
        stage.browser.add_file(&stage.file(&torrent)).await;
        stage
            .browser
            .wait_until(SOON, "it is in the list", |shown| {
                u64::try_from(shown.len()) == Ok(number)
            })
            .await;
    }
    let expected: Vec<String> = (1..=6)
        .rev()
        .map(|number| format!("number {number}.bin"))
        .collect();
    for _ in 0..2 {
        assert_eq!(names(&stage.browser.shown().await), expected);
        stage.browser.reload().await;
        stage
            .browser
            .wait_until(SOON, "all are back", |shown| shown.len() == 6)
            .await;
    }
    assert_eq!(names(&stage.browser.shown().await), expected);
    stage.browser.close().await;
}

#[tokio::test]
async fn clearing_site_data_is_noticed_and_resume_downloads_it_again() {
    let stage = Stage::set().await;
    let torrent = single("cleared.bin", 117, 4);
    let _seed = stage.seed(&torrent, Manner::Honest);
    stage.browser.add_file(&stage.file(&torrent)).await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    let origin = stage.bridge.url();
    stage
        .browser
        .devtools(
            "Storage.clearDataForOrigin",
            serde_json::json!({ "origin": origin, "storageTypes": "all" }),
        )
        .await;
    let missed = |shown: &[Shown]| {
        shown
            .iter()
            .any(|t| t.status.starts_with("Error") && t.status.contains("data were cleared"))
    };
    stage
        .browser
        .wait_until(SOON, "it says that its data were cleared", missed)
        .await;
    stage.browser.press("Resume").await;
    stage.browser.wait_until_complete(DOWNLOAD).await;
    stage.save_and_verify(&torrent).await;
    stage.browser.reload().await;
    stage.browser.wait_until_complete(SOON).await;
    stage.browser.close().await;
}

#[tokio::test]
async fn an_unfinished_share_asks_before_the_page_closes_and_is_reported_when_interrupted() {
    let stage = Stage::set().await;
    let torrent = single("in the making.bin", 118, 4);
    let path = torrent.write_to(&stage.place("own")).unwrap();
    stage
        .browser
        .worker()
        .await
        .run("crypto.subtle.digest = () => new Promise(() => {}); true")
        .await;
    stage.browser.drop_files(&[&path]).await;
    stage.browser.press("Share").await;
    stage
        .browser
        .wait_until(SOON, "it is in the list", |shown| shown.len() == 1)
        .await;
    assert_eq!(
        stage.browser.run(super::adding::ASKS_BEFORE_LEAVING).await,
        true
    );
    let named = "return navigator.storage.getDirectory().then(root => root.getDirectoryHandle('torrents')).then(async torrents => { \
                 for await (const own of torrents.values()) return (await (await own.getFileHandle('making')).getFile()).size > 0; }).catch(() => false)";
    stage.browser.wait_for(named, serde_json::json!(true)).await;
    stage.browser.reload().await;
    stage
        .browser
        .wait_for_text(
            "in the making.bin was not shared: the page was closed before all of it was copied.",
        )
        .await;
    assert_eq!(folders(&stage.browser).await, serde_json::json!([]));
    assert_eq!(
        stage.browser.run(super::adding::ASKS_BEFORE_LEAVING).await,
        false
    );
    stage.browser.close().await;
}
