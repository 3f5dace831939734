//! The user's choices for one torrent: limits, order, and priorities of files.

use std::sync::Arc;

use aqueduct_tests::page::Browser;
use aqueduct_tests::peer::Manner;
use aqueduct_tests::torrent::Recipe;
use serde_json::{Value, json};

use super::{DOWNLOAD, Setup, single};

#[tokio::test]
async fn the_limit_and_the_order_of_a_torrent_are_kept_and_a_limit_can_be_lifted() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let (torrent, other) = (single("own.bin", 161, 4), single("other.bin", 162, 1));
    browser.add_file(&setup.file(&torrent)).await;
    browser.open_tab("Details").await;
    browser.type_into("Download limit", "1").await;
    browser.toggle("Sequential").await;
    let _seeds = [&torrent, &other].map(|torrent| setup.seed(torrent, Manner::Honest));
    // The tracker is asked again when the torrent is resumed.
    browser.press("Pause").await;
    browser.press("Resume").await;
    browser.add_file(&setup.file(&other)).await;
    browser
        .wait_until(DOWNLOAD, "the other one is complete", |shown| {
            shown
                .iter()
                .any(|t| t.name == "other.bin" && t.progress == 100)
        })
        .await;

    browser.reload().await;
    browser.open_torrent("own.bin").await;
    browser.open_tab("Details").await;
    let kept = "return [document.getElementById('options-down')?.value, document.querySelector('#pane input[type=checkbox]')?.checked]";
    browser.wait_for(kept, json!(["1", true])).await;
    let shown = browser.shown().await;
    assert!(shown.iter().any(|t| t.progress < 50), "{shown:?}");
    browser.type_into("Download limit", "").await;
    browser
        .wait_until(DOWNLOAD, "it is complete", |shown| {
            shown.iter().all(|t| t.progress == 100)
        })
        .await;
    setup.browser.close().await;
}

/// The priorities of the files that are not complete, and whether each is wanted.
const PRIORITIES: &str = "
    return [...document.querySelectorAll('.files li')].filter(row => row.querySelector('select'))
        .map(row => [row.querySelector('select').value, row.querySelector('input').checked]);
";

async fn wait_for_priorities(browser: &Browser, expected: Value) {
    browser.wait_for(PRIORITIES, expected).await;
}

#[tokio::test]
async fn files_of_high_priority_come_first_and_skipped_ones_never_also_after_a_reload() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let files = [("a.bin", 12 << 20), ("b.bin", 2 << 20), ("c.bin", 1 << 20)];
    let torrent = Arc::new(Recipe::folder("prioritised", 163, &files, 256 * 1024).build());
    browser.add_file(&setup.file(&torrent)).await;
    browser.choose("Priority of c.bin", "Skip").await;
    browser.choose("Priority of b.bin", "High").await;
    let chosen = json!([["Normal", true], ["High", true], ["Skip", false]]);
    wait_for_priorities(browser, chosen.clone()).await;
    browser.wait_for_record(r#""high":[1]"#).await;
    browser.reload().await;
    wait_for_priorities(browser, chosen).await;
    browser.toggle("c.bin").await;
    wait_for_priorities(
        browser,
        json!([["Normal", true], ["High", true], ["Normal", true]]),
    )
    .await;
    browser.toggle("c.bin").await;

    let seed = setup.seed(&torrent, Manner::Slow(1024));
    // The tracker is asked again when the torrent is resumed.
    browser.press("Pause").await;
    browser.press("Resume").await;
    // The bridge may have asked that tracker for this torrent a moment ago, and asks again later.
    browser.wait_for_progress(1, DOWNLOAD).await;
    browser.find("button", "Save b.bin").await;
    let early = browser.shown().await[0].progress;
    assert!(early < 60, "{early} % were there before what comes first");
    browser
        .wait_until(DOWNLOAD, "all that is wanted", |shown| {
            shown.iter().all(|t| t.status.starts_with("Finished"))
        })
        .await;
    assert!(seed.blocks_sent() < 15 * 64, "the skipped file was fetched");
    setup.browser.close().await;
}
