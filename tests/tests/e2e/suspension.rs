//! How a tab avoids that the browser freezes it.

use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::peer::Manner;
use serde_json::Value;

use super::{DOWNLOAD, Setup, single};

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
