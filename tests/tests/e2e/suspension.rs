//! Tabs that the browser freezes, and how they avoid it.

use std::time::Duration;

use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::peer::Manner;
use serde_json::Value;

use super::{DOWNLOAD, Setup, single};

/// A suspension that is shorter could be a busy computer.
const FROZEN: Duration = Duration::from_secs(11);
/// The limit for a download to go on afterwards.
const RESUMED_WITHIN: Duration = Duration::from_secs(5);

async fn progress(browser: &Browser) -> i64 {
    browser.shown().await[0].progress
}

/// Whether the page holds the lock and another context waits for it.
const IS_HELD_AND_WAITED_FOR: &str = r#"
    const done = arguments[arguments.length - 1];
    const of = list => list.find(lock => lock.name === "aqueduct.download")?.clientId;
    navigator.locks.query().then(({ held, pending }) => done(!!of(held) && !!of(pending) && of(held) !== of(pending)));
"#;

async fn wait_for_lock(browser: &Browser, expected: bool) {
    let deadline = std::time::Instant::now() + SOON * 2;
    while browser.run_async(IS_HELD_AND_WAITED_FOR).await != Value::Bool(expected) {
        assert!(
            std::time::Instant::now() < deadline,
            "the lock is not {expected}"
        );
        browser.shown().await;
    }
}

#[tokio::test]
async fn a_download_holds_a_lock_that_the_service_worker_waits_for_so_that_no_browser_freezes_it() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let torrent = single("held.bin", 121, 32);
    let _seed = setup.seed(&torrent, Manner::Slow(1024));
    let controlled = "return !!navigator.serviceWorker.controller";
    browser.wait_for(controlled, true.into()).await;
    browser.add_file(&setup.file(&torrent)).await;
    browser.wait_for_progress(1, DOWNLOAD).await;
    wait_for_lock(browser, true).await;
    browser.press("Pause").await;
    wait_for_lock(browser, false).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_frozen_download_goes_on_within_five_seconds_and_the_page_says_so() {
    let mut setup = Setup::start().await;
    let torrent = single("frozen.bin", 122, 64);
    let _seed = setup.seed(&torrent, Manner::Slow(2048));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(3, DOWNLOAD).await;
    // The second time, the connection to the bridge ends meanwhile.
    let mut worker = setup.browser.worker().await;
    for restarts in [false, true] {
        let before = progress(&setup.browser).await;
        worker.set_frozen(true).await;
        if restarts {
            setup.bridge.restart();
        }
        tokio::time::sleep(FROZEN).await;
        worker.set_frozen(false).await;
        setup
            .browser
            .wait_until(RESUMED_WITHIN, "more than was under way arrives", |shown| {
                shown.iter().any(|torrent| torrent.progress > before + 5)
            })
            .await;
        setup
            .browser
            .wait_for_text("This tab was suspended for ")
            .await;
        setup.browser.press("Dismiss").await;
    }
    // The page stays hidden after this kind of freezing, so that no opened torrent is drawn.
    setup.browser.wait_until_complete(DOWNLOAD).await;
    // The browser ends the worker's WebSocket when it freezes a page.
    setup
        .browser
        .close_but_for("Page entered Back-Forward Cache")
        .await;
}
