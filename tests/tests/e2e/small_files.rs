//! Torrents with many small files: they share stored files and writes, and each can be saved.

use std::sync::Arc;

use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::peer::Manner;
use aqueduct_tests::torrent::{Computed, Recipe};
use fantoccini::key::Key;

use super::{DOWNLOAD, Setup};

/// The size of each file in bytes. No piece boundary coincides with the end of a file.
const SIZE: u64 = 3001;

/// A torrent with this many files.
fn small(name: &str, seed: u64, files: usize) -> Arc<Computed> {
    let names: Vec<String> = (0..files)
        .map(|n| format!("{}/file {n}.bin", n / 100))
        .collect();
    let files: Vec<(&str, u64)> = names.iter().map(|name| (&name[..], SIZE)).collect();
    Arc::new(Recipe::folder(name, seed, &files, 64 * 1024).build())
}

/// The names of the stored files of the only torrent, without records.
async fn stored(browser: &Browser) -> Vec<String> {
    let script = r#"
        const done = arguments[arguments.length - 1];
        (async () => {
            const names = [], torrents = await (await navigator.storage.getDirectory()).getDirectoryHandle("torrents");
            for await (const folder of torrents.values()) for await (const name of folder.keys()) names.push(name);
            done(names.filter(name => !name.startsWith("record")).sort());
        })().catch(error => done(["" + error]));
    "#;
    serde_json::from_value(browser.run_async(script).await).unwrap()
}

/// Converts the storage to the layout of earlier versions: one stored file per file of the torrent.
const SPREAD: &str = r#"
    const [size, done] = arguments;
    (async () => {
        const torrents = await (await navigator.storage.getDirectory()).getDirectoryHandle("torrents");
        for await (const folder of torrents.values()) for await (const [name, handle] of folder.entries()) {
            if (!name.startsWith("pack-")) continue;
            const pack = await handle.getFile();
            for (let n = 0; n * size < pack.size; n++) {
                const file = await folder.getFileHandle("" + (Number(name.slice(5)) + n), { create: true });
                const writable = await file.createWritable();
                await writable.write(pack.slice(n * size, (n + 1) * size));
                await writable.close();
            }
            await folder.removeEntry(name);
        }
        done("spread");
    })().catch(error => done("" + error));
"#;

/// Saves some files and compares all bytes.
async fn save_some(setup: &Setup, torrent: &Computed) {
    for n in [0, 70, 199] {
        let saved = setup
            .browser
            .save(&format!("file {n}.bin"), SIZE, SOON)
            .await;
        torrent.verify_file(&saved, n * SIZE, SIZE).unwrap();
        std::fs::remove_file(saved).unwrap();
    }
}

#[tokio::test]
async fn two_hundred_small_files_lie_in_one_stored_file_and_each_is_saved_from_it() {
    let setup = Setup::start().await;
    let torrent = small("many", 101, 200);
    let seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let focus = "[...document.querySelectorAll('button')].find(e => e.textContent === 'Show 100 more').focus()";
    setup.browser.run(focus).await;
    setup.browser.key(Key::Enter).await;
    // The button is gone, and the keyboard is at the first new file.
    let focused =
        "return document.activeElement.closest('.files li')?.textContent.includes('file 100.bin')";
    setup.browser.wait_for(focused, true.into()).await;
    save_some(&setup, &torrent).await;
    assert_eq!(stored(&setup.browser).await, ["pack-0"]);
    let sent = seed.blocks_sent();
    setup.browser.reload().await;
    setup.browser.wait_until_complete(SOON).await;
    setup.browser.press("Show 100 more").await;
    save_some(&setup, &torrent).await;
    assert_eq!(seed.blocks_sent(), sent, "something was fetched again");
    setup.browser.close().await;
}

#[tokio::test]
async fn small_files_stored_one_by_one_by_an_earlier_version_are_found_and_served() {
    let setup = Setup::start().await;
    let torrent = small("earlier", 102, 200);
    let seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let sent = seed.blocks_sent();
    // Navigate to another page of the origin, so that no worker holds the files.
    setup
        .browser
        .client()
        .goto(&format!("{}healthz", setup.bridge.url()))
        .await
        .unwrap();
    assert_eq!(
        setup
            .browser
            .client()
            .execute_async(SPREAD, vec![SIZE.into()])
            .await
            .unwrap(),
        "spread"
    );
    setup.browser.open(&setup.bridge.url()).await;
    setup.browser.wait_until_complete(SOON).await;
    setup.browser.press("Show 100 more").await;
    save_some(&setup, &torrent).await;
    let other = setup.another("other", &setup.bridge).await;
    other.add_link(&torrent.magnet(&[])).await;
    other.wait_until_complete(DOWNLOAD).await;
    other.close().await;
    assert_eq!(seed.blocks_sent(), sent, "something was fetched again");
    assert_eq!(stored(&setup.browser).await.len(), 200);
    setup.browser.close_but_for("favicon.ico").await;
}

#[tokio::test]
async fn a_worker_that_crashes_among_small_files_completes_them_and_saves_one_meanwhile() {
    let setup = Setup::start().await;
    let torrent = small("trapped", 103, 4000);
    let _seed = setup.seed(&torrent, Manner::Slow(4096));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(50, DOWNLOAD).await;
    let name = setup
        .browser
        .find("button", "Save file ")
        .await
        .attr("aria-label")
        .await
        .unwrap()
        .unwrap();
    let name = name.strip_prefix("Save ").unwrap();
    let n: u64 = name
        .strip_prefix("file ")
        .unwrap()
        .strip_suffix(".bin")
        .unwrap()
        .parse()
        .unwrap();
    let saved = setup.browser.save(name, SIZE, SOON).await;
    torrent.verify_file(&saved, n * SIZE, SIZE).unwrap();
    setup.browser.worker().await.ruin_memory().await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.press("Show 100 more").await;
    let saved = setup.browser.save("file 199.bin", SIZE, SOON).await;
    torrent.verify_file(&saved, 199 * SIZE, SIZE).unwrap();
    let stored = stored(&setup.browser).await;
    assert_eq!(stored.len(), 3, "{stored:?}");
    setup.browser.close_but_for("RuntimeError").await;
}
