//! What a reload finds: records despite a full storage, data without a record, the order of the
//! list.

use aqueduct_tests::page::{Browser, SOON, Shown};
use aqueduct_tests::peer::Manner;

use super::{DOWNLOAD, Setup, single};

/// Makes every write in the storage worker fail as if no space were left.
const FULL: &str = r#"
    self.refused = 0;
    FileSystemSyncAccessHandle.prototype.write = () => { self.refused++; throw new DOMException("full", "QuotaExceededError"); };
    true
"#;

/// Waits until two more writes than in `before` were refused: of a piece, and of the record.
const TWO_REFUSED: &str = r"
    new Promise(done => {
        const look = () => self.refused >= self.before + 2 ? done(true) : setTimeout(look, 10);
        look();
    });
";

impl Setup {
    /// Navigates to another page of the origin, so that no worker holds the files.
    async fn leave(&self) {
        self.browser
            .client()
            .goto(&format!("{}healthz", self.bridge.url()))
            .await
            .unwrap();
    }
}

/// Runs a script that gets the storage folder of all torrents.
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
    let setup = Setup::start().await;
    let torrent = single("filled.bin", 101, 16);
    let _seed = setup.seed(&torrent, Manner::Slow(2048));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(40, DOWNLOAD).await;
    let mut storage = setup.browser.storage_worker().await;
    storage.run(FULL).await;
    let failed = |shown: &[Shown]| {
        shown
            .iter()
            .any(|torrent| torrent.status.starts_with("Error"))
    };
    setup
        .browser
        .wait_until(DOWNLOAD, "it says that the storage is full", failed)
        .await;
    // Often enough for both slots of the record.
    for _ in 0..3 {
        storage.run("self.before = self.refused").await;
        setup.browser.press("Resume").await;
        assert_eq!(storage.run(TWO_REFUSED).await, true);
        setup
            .browser
            .wait_until(DOWNLOAD, "it says so again", failed)
            .await;
    }
    setup.browser.reload().await;
    setup
        .browser
        .wait_until(SOON, "it is back with what it had", |shown| {
            shown.len() == 1 && shown[0].progress >= 10
        })
        .await;
    if setup.browser.find_now("button", "Resume").await.is_some() {
        setup.browser.press("Resume").await;
    }
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn data_without_a_record_is_kept_and_used_when_the_torrent_is_added_again() {
    let setup = Setup::start().await;
    let torrent = single("unrecorded.bin", 102, 4);
    let seed = setup.seed(&torrent, Manner::Honest);
    let file = setup.file(&torrent);
    setup.browser.add_file(&file).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.leave().await;
    let act = format!(
        "const own = await torrents.getDirectoryHandle('{}'); for (const name of ['record-a', 'record-b']) \
         await own.removeEntry(name).catch(() => null); return 'done';",
        torrent.hex()
    );
    assert_eq!(in_storage(&setup.browser, &act).await, "done");
    setup.browser.open(&setup.bridge.url()).await;
    setup.browser.wait_for_text("Its data are kept").await;
    setup.browser.reload().await;
    let sent = seed.blocks_sent();
    setup.browser.add_file(&file).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    assert_eq!(seed.blocks_sent(), sent, "what was there was fetched again");
    setup.save_and_verify(&torrent).await;
    setup.browser.close_but_for("favicon.ico").await;
}

#[tokio::test]
async fn torrents_removed_just_before_leaving_the_page_stay_removed() {
    let setup = Setup::start().await;
    let all = [
        single("one.bin", 103, 1),
        single("two.bin", 104, 1),
        single("three.bin", 105, 1),
    ];
    let _seeds = all
        .each_ref()
        .map(|torrent| setup.seed(torrent, Manner::Honest));
    let complete = |shown: &[Shown]| shown.len() == 3 && shown.iter().all(|t| t.progress == 100);
    let files = all.each_ref().map(|torrent| setup.file(torrent));
    setup
        .browser
        .drop_files(&[&files[0], &files[1], &files[2]])
        .await;
    setup
        .browser
        .wait_until(DOWNLOAD, "all are complete", complete)
        .await;
    for left in (0..3).rev() {
        setup.browser.press("Remove").await;
        setup
            .browser
            .wait_until(SOON, "it is gone from the list", |shown| {
                shown.len() == left
            })
            .await;
    }
    // The browser may release the old worker's files only after the page has come back. To simulate
    // that, another tab holds one of the files.
    let client = setup.browser.client();
    let page = client.window().await.unwrap();
    setup.leave().await;
    let holder = client.new_window(true).await.unwrap().handle;
    client.switch_to_window(holder).await.unwrap();
    setup.leave().await;
    let hold = format!(
        "const own = await torrents.getDirectoryHandle('{}'); window.held = await (await own.getFileHandle('0')).createWritable(); return 'held';",
        all[0].hex()
    );
    assert_eq!(in_storage(&setup.browser, &hold).await, "held");
    client.switch_to_window(page.clone()).await.unwrap();
    setup.browser.open(&setup.bridge.url()).await;
    setup.browser.wait_for_text("Nothing here yet").await;
    assert!(
        setup.browser.find_now("alert", "").await.is_none(),
        "{}",
        setup.browser.text().await
    );
    assert_eq!(
        folders(&setup.browser).await,
        serde_json::json!([all[0].hex()])
    );
    client.close_window().await.unwrap();
    client
        .switch_to_window(client.windows().await.unwrap()[0].clone())
        .await
        .unwrap();
    assert_eq!(
        in_storage(&setup.browser, "await window.held.abort(); return 'free';").await,
        "free"
    );
    setup.browser.open(&setup.bridge.url()).await;
    setup.browser.wait_for_text("Nothing here yet").await;
    let left = "return navigator.storage.getDirectory().then(root => root.getDirectoryHandle('torrents')).then(async torrents => { \
                let left = 0; for await (const _ of torrents.keys()) left++; return left; })";
    setup.browser.wait_for(left, serde_json::json!(0)).await;
    setup.browser.close_but_for("favicon.ico").await;
}

#[tokio::test]
async fn the_list_keeps_its_order_over_reloads() {
    let setup = Setup::start().await;
    // Their folders have random names, so the order of folders differs.
    for number in 1..=6 {
        let torrent = single(&format!("number {number}.bin"), 110 + number, 1);
        setup.browser.add_file(&setup.file(&torrent)).await;
        setup
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
        assert_eq!(names(&setup.browser.shown().await), expected);
        setup.browser.reload().await;
        setup
            .browser
            .wait_until(SOON, "all are back", |shown| shown.len() == 6)
            .await;
    }
    assert_eq!(names(&setup.browser.shown().await), expected);
    setup.browser.close().await;
}

#[tokio::test]
async fn clearing_site_data_is_noticed_and_resume_downloads_it_again() {
    let setup = Setup::start().await;
    let torrent = single("cleared.bin", 117, 4);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let origin = setup.bridge.url();
    setup
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
    setup
        .browser
        .wait_until(SOON, "it says that its data were cleared", missed)
        .await;
    setup.browser.press("Resume").await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.reload().await;
    setup.browser.wait_until_complete(SOON).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn an_unfinished_share_asks_before_the_page_closes_and_is_reported_when_interrupted() {
    let setup = Setup::start().await;
    let torrent = single("in the making.bin", 118, 4);
    let path = torrent.write_to(&setup.place("own")).unwrap();
    setup
        .browser
        .storage_worker()
        .await
        .run("crypto.subtle.digest = () => new Promise(() => {}); true")
        .await;
    setup.browser.drop_files(&[&path]).await;
    setup.browser.press("Share").await;
    setup
        .browser
        .wait_until(SOON, "it is in the list", |shown| shown.len() == 1)
        .await;
    assert_eq!(
        setup.browser.run(super::adding::ASKS_BEFORE_LEAVING).await,
        true
    );
    let named = "return navigator.storage.getDirectory().then(root => root.getDirectoryHandle('torrents')).then(async torrents => { \
                 for await (const own of torrents.values()) return (await (await own.getFileHandle('making')).getFile()).size > 0; }).catch(() => false)";
    setup.browser.wait_for(named, serde_json::json!(true)).await;
    setup.browser.reload().await;
    setup
        .browser
        .wait_for_text(
            "in the making.bin was not shared: the page was closed before all of it was copied.",
        )
        .await;
    assert_eq!(folders(&setup.browser).await, serde_json::json!([]));
    assert_eq!(
        setup.browser.run(super::adding::ASKS_BEFORE_LEAVING).await,
        false
    );
    setup.browser.close().await;
}
