//! Saving all files of a torrent into a folder that the user chooses. No test can operate the
//! browser's own dialog, so a folder of the page's private file system is chosen.

use std::path::Path;
use std::sync::Arc;

use aqueduct_tests::page::Browser;
use aqueduct_tests::peer::Manner;
use aqueduct_tests::torrent::{Computed, Recipe};
use serde_json::{Map, Value, json};

use super::{DOWNLOAD, Setup};

/// From now on the user chooses this folder.
pub(super) const CHOOSE: &str = "
    window.showDirectoryPicker = async () =>
        (await navigator.storage.getDirectory()).getDirectoryHandle('chosen', { create: true });
";

/// All files in the chosen folder: each path with its bytes in hexadecimal digits.
const CHOSEN: &str = "
    const done = arguments[arguments.length - 1], found = {};
    const walk = async (folder, path) => {
        for await (const [name, handle] of folder.entries()) {
            if (handle.kind === 'directory') { await walk(handle, `${path}${name}/`); continue; }
            const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
            found[path + name] = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
        }
    };
    const chosen = navigator.storage.getDirectory().then(root => root.getDirectoryHandle('chosen'));
    chosen.then(folder => walk(folder, '')).then(() => done(found), error => done(String(error)));
";

/// Each write waits until the test calls `release`.
pub(super) const HOLD: &str = "
    const write = FileSystemWritableFileStream.prototype.write;
    FileSystemWritableFileStream.prototype.write = async function (data) {
        await new Promise(go => { window.release = go; });
        return write.call(this, data);
    };
";

/// Downloads a torrent of several files, whose user chooses the folder.
async fn complete(seed: u64, files: &[(&str, u64)]) -> (Setup, Arc<Computed>) {
    let setup = Setup::start().await;
    let torrent = Arc::new(Recipe::folder("several", seed, files, 64 * 1024).build());
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.run(CHOOSE).await;
    (setup, torrent)
}

async fn chosen(browser: &Browser) -> Value {
    browser.run_async(CHOSEN).await
}

fn hex(file: &Path) -> Value {
    let bytes = std::fs::read(file).unwrap();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.into()
}

#[tokio::test]
async fn all_files_are_saved_into_a_new_folder_under_names_that_every_computer_takes() {
    let files = [
        ("Season 1/Ep 1: Pilot.bin", 300_000),
        ("Season 1/empty.nfo", 0),
        ("readme.txt", 17),
        ("README.txt", 40),
    ];
    let (setup, torrent) = complete(211, &files).await;
    let browser = &setup.browser;
    let data = setup.full_place("expected", &torrent);
    let saved = [
        "Season 1/Ep 1_ Pilot.bin",
        "Season 1/empty.nfo",
        "readme.txt",
        "README (2).txt",
    ];
    let mut expected = Map::new();
    for folder in ["several", "several (2)"] {
        browser.press("Save into a folder").await;
        browser
            .wait_for_text(&format!(
                "4 files saved in your folder, in {folder}. 2 of them under other names"
            ))
            .await;
        for ((name, _), saved) in files.iter().zip(saved) {
            let bytes = hex(&data.join("several").join(name));
            expected.insert(format!("{folder}/{saved}"), bytes);
        }
        let found = chosen(browser).await;
        assert!(
            found == json!(expected),
            "{:?}",
            found.as_object().map(|all| all.keys())
        );
    }
    setup.browser.close().await;
}

#[tokio::test]
async fn saving_into_a_folder_can_be_cancelled_and_leaves_no_part_of_a_file() {
    let (setup, _torrent) = complete(212, &[("a.bin", 300_000), ("b.bin", 200_000)]).await;
    let browser = &setup.browser;
    browser.run(HOLD).await;
    for kept in [0, 1] {
        browser.press("Save into a folder").await;
        for _ in 0..kept {
            let next =
                "const { release } = window; delete window.release; release?.(); return !!release";
            browser.wait_for(next, true.into()).await;
        }
        let is_writing = "return !!window.release";
        browser.wait_for(is_writing, true.into()).await;
        browser.find("progressbar", "Saving into the folder").await;
        browser.press("Cancel").await;
        browser
            .run("const { release } = window; delete window.release; release()")
            .await;
        let told = match kept {
            0 => "Nothing of it is in your folder.",
            _ => "Saving was cancelled. 1 file saved before that, in several.",
        };
        browser.wait_for_text(told).await;
        let found = chosen(browser).await;
        let names: Vec<&String> = found.as_object().unwrap().keys().collect();
        assert_eq!(names, ["several/a.bin"][..kept].iter().collect::<Vec<_>>());
    }
    setup.browser.close().await;
}

#[tokio::test]
async fn saving_goes_on_and_can_be_cancelled_when_the_tab_that_led_closes() {
    let (setup, _torrent) = complete(214, &[("a.bin", 300_000), ("b.bin", 200_000)]).await;
    let (browser, client) = (&setup.browser, setup.browser.client());
    let first = client.window().await.unwrap();
    let second = setup.open_window(&setup.bridge.url()).await;
    browser.wait_until_complete(DOWNLOAD).await;
    browser.run(CHOOSE).await;
    browser.run(HOLD).await;
    browser.press("Save into a folder").await;
    browser
        .wait_for("return !!window.release", true.into())
        .await;
    let observe = "new MutationObserver(() => { window.cleared ||= !document.querySelector('.torrent'); }) \
        .observe(document.body, { childList: true, subtree: true });";
    browser.run(observe).await;
    setup.close_window(first, second).await;
    let is_back = "return window.cleared === true && document.querySelector('.torrent') !== null";
    browser.wait_for(is_back, true.into()).await;
    browser.find("progressbar", "Saving into the folder").await;
    browser.press("Cancel").await;
    browser.run("window.release()").await;
    browser
        .wait_for_text("Nothing of it is in your folder.")
        .await;
    setup.browser.close().await;
}
