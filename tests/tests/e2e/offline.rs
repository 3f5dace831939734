//! The page without its bridge, and what the system may do with the page.

use aqueduct_tests::page::SOON;
use aqueduct_tests::peer::Manner;
use serde_json::json;

use super::{DOWNLOAD, Setup, single};

/// Waits until all files of the page are stored.
const STORED: &str = r#"
    const done = arguments[arguments.length - 1];
    const missing = async () => {
        const names = (await caches.keys()).filter(name => name.startsWith("aqueduct "));
        const paths = performance.getEntriesByType("resource").map(entry => new URL(entry.name).pathname);
        const cache = names.length === 1 ? await caches.open(names[0]) : undefined;
        const found = await Promise.all(["/", "/worker.js", "/storage_worker.js", ...paths.filter(path => /_bg.wasm$/.test(path))].map(path => cache?.match(path)));
        return found.every(Boolean);
    };
    missing().then(done, error => done(`${error}`));
"#;

async fn wait_until_stored(setup: &Setup) {
    let deadline = std::time::Instant::now() + SOON;
    while setup.browser.run_async(STORED).await != true {
        assert!(std::time::Instant::now() < deadline, "it is not stored");
        setup.browser.shown().await;
    }
}

#[tokio::test]
async fn without_its_bridge_the_page_opens_and_saves_what_was_downloaded() {
    let mut setup = Setup::start().await;
    let torrent = single("offline.bin", 131, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    wait_until_stored(&setup).await;
    setup.bridge.crash();
    setup.browser.reload().await;
    setup
        .browser
        .wait_for_text("Cannot reach the bridge.")
        .await;
    setup
        .browser
        .wait_until(SOON, "it is in the list", |shown| {
            shown.len() == 1 && shown[0].progress == 100
        })
        .await;
    setup.save_and_verify(&torrent).await;
    setup.bridge.revive();
    setup.browser.wait_until_complete(SOON).await;
    setup.browser.close_but_for("ERR_CONNECTION_REFUSED").await;
}

#[tokio::test]
async fn a_stored_page_is_never_used_while_the_bridge_answers() {
    let setup = Setup::start().await;
    wait_until_stored(&setup).await;
    let replace = r#"
        const done = arguments[arguments.length - 1];
        caches.keys().then(async names => {
            for (const name of names) await (await caches.open(name)).put("/", new Response("old"));
            done();
        });
    "#;
    setup.browser.run_async(replace).await;
    setup.browser.reload().await;
    setup.browser.find("heading", "Nothing here yet").await;
    setup.browser.close().await;
}

#[tokio::test]
async fn the_page_can_be_installed_and_is_opened_with_magnet_links() {
    let setup = Setup::start().await;
    let manifest = setup
        .browser
        .devtools("Page.getAppManifest", json!({}))
        .await;
    assert_eq!(manifest["errors"], json!([]), "{manifest}");
    let errors = setup
        .browser
        .devtools("Page.getInstallabilityErrors", json!({}))
        .await;
    assert_eq!(errors["installabilityErrors"], json!([]));

    // As browsers open a page that handles these links.
    let link = "magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567&dn=a b";
    let escaped = percent_encoding::utf8_percent_encode(link, percent_encoding::NON_ALPHANUMERIC);
    let client = setup.browser.client();
    client.goto("about:blank").await.unwrap();
    setup
        .browser
        .open(&format!("{}#{escaped}", setup.bridge.url()))
        .await;
    let field = "return document.querySelector('#link').value";
    setup.browser.wait_for(field, link.into()).await;
    assert_eq!(
        setup.browser.shown().await,
        [],
        "it was added without a press"
    );
    setup.browser.close().await;
}

#[tokio::test]
async fn a_notification_tells_that_a_hidden_download_is_complete() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let grant = json!({ "origin": setup.bridge.url(), "permissions": ["notifications"] });
    browser.devtools("Browser.grantPermissions", grant).await;
    browser.press("Settings").await;
    browser
        .toggle("Notify me when a download is complete")
        .await;
    browser.press("Close").await;
    let torrent = single("notified.bin", 132, 4);
    let seed = setup.seed(&torrent, Manner::Half);
    browser.add_file(&setup.file(&torrent)).await;
    browser.wait_for_progress(40, DOWNLOAD).await;
    browser.client().minimize_window().await.unwrap();
    browser
        .wait_for("return document.hidden", true.into())
        .await;
    seed.complete();
    browser.wait_until_complete(DOWNLOAD).await;
    let titles = "const done = arguments[arguments.length - 1]; navigator.serviceWorker.ready
        .then(worker => worker.getNotifications()).then(all => done(all.map(one => one.title)));";
    let deadline = std::time::Instant::now() + SOON;
    while browser.run_async(titles).await != json!(["notified.bin"]) {
        assert!(std::time::Instant::now() < deadline, "no notification");
        browser.shown().await;
    }
    setup.browser.close().await;
}
