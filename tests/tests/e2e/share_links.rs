//! Links that share a torrent with other users, and .torrent files dropped on the page.

use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::peer::Manner;
use serde_json::json;

use super::{DOWNLOAD, Setup, save_and_verify, single};

/// Presses "Share" and returns the copied link.
async fn shared_link(browser: &Browser, origin: &str) -> String {
    browser.devtools("Browser.grantPermissions", json!({ "origin": origin, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] })).await;
    browser.press("Share").await;
    browser.wait_for_text("Link copied.").await;
    let read = "const done = arguments[arguments.length - 1]; navigator.clipboard.readText().then(done, done);";
    browser
        .run_async(read)
        .await
        .as_str()
        .expect("the clipboard can be read")
        .to_owned()
}

#[tokio::test]
async fn a_copied_share_link_opens_elsewhere_and_downloads_from_this_tab() {
    let setup = Setup::start().await;
    let (torrent, origin) = (single("shared link.bin", 61, 2), setup.bridge.url());
    let seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let link = shared_link(&setup.browser, &origin).await;
    assert!(
        link.starts_with(&format!("{origin}#magnet:?xt=urn:btih:{}", torrent.hex())),
        "{link}"
    );
    let sent = seed.blocks_sent();
    let (opened, pasted) = (
        setup.another("opened", &setup.bridge).await,
        setup.another("pasted", &setup.bridge).await,
    );
    opened.open(&link).await;
    assert_eq!(
        opened.shown().await,
        [],
        "it was added without a press of the button"
    );
    opened.press("Download").await;
    opened.wait_until_complete(DOWNLOAD).await;
    assert_eq!(
        opened.client().current_url().await.unwrap().as_str(),
        origin,
        "a reload would fill it in again"
    );
    pasted.add_link(&link).await;
    pasted.wait_until_complete(DOWNLOAD).await;
    for browser in [opened, pasted] {
        save_and_verify(&browser, &torrent).await;
        browser.close().await;
    }
    assert!(
        seed.blocks_sent() < sent * 3,
        "nothing came from the tab that shared it"
    );
    setup.browser.close().await;
}

#[tokio::test]
async fn dropped_torrent_files_are_added() {
    let setup = Setup::start().await;
    let both = [
        single("dropped.bin", 62, 1),
        single("dropped too.bin", 63, 1),
    ];
    let _seeds = both
        .each_ref()
        .map(|torrent| setup.seed(torrent, Manner::Honest));
    let files = both.each_ref().map(|torrent| setup.file(torrent));
    setup.browser.drop_files(&[&files[0], &files[1]]).await;
    setup
        .browser
        .wait_until(DOWNLOAD, "both are complete", |shown| {
            shown.len() == 2 && shown.iter().all(|t| t.progress == 100)
        })
        .await;
    setup.browser.drop_files(&[&files[0]]).await;
    setup
        .browser
        .wait_for_text("dropped.bin is in the list already.")
        .await;
    for torrent in &both {
        setup.browser.open_torrent(torrent.name()).await;
        setup.save_and_verify(torrent).await;
    }
    setup.browser.close().await;
}

#[tokio::test]
async fn a_link_that_the_browser_does_not_copy_can_be_copied_by_hand() {
    let setup = Setup::start().await;
    let torrent = single("by hand.bin", 64, 1);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup
        .browser
        .wait_until(SOON, "it is in the list", |shown| shown.len() == 1)
        .await;
    setup
        .browser
        .run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'));")
        .await;
    setup.browser.press("Share").await;
    let field = setup.browser.find("textbox", "Copy this link").await;
    let link = field.prop("value").await.unwrap().unwrap_or_default();
    assert!(link.contains(&torrent.hex()), "{link}");
    setup.browser.press("Dismiss").await;
    assert!(
        setup
            .browser
            .find_now("textbox", "Copy this link")
            .await
            .is_none()
    );
    setup.browser.close().await;
}
