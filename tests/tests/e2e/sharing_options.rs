//! What can be chosen for files that are shared, and what the page says about what was given.

use std::path::PathBuf;

use aqueduct_core::meta::Magnet;
use aqueduct_tests::clients::libtorrent_with;
use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::torrent::{Computed, Recipe};
use fantoccini::Locator;
use serde_json::json;

use super::{DOWNLOAD, Setup, single};

/// Writes a torrent's files to a folder that only the browser reads.
fn own_files(setup: &Setup, torrent: &Computed) -> PathBuf {
    torrent.write_to(&setup.place("own")).unwrap()
}

/// The two links that the page shows after sharing.
async fn links(browser: &Browser) -> (String, Magnet) {
    browser.find("textbox", "Copy this link").await;
    let script = "return ['link-page', 'link-magnet'].map(id => document.getElementById(id).value)";
    let found = browser.run(script).await;
    let text = |at: usize| found[at].as_str().unwrap().to_owned();
    (text(0), Magnet::parse(&text(1)).unwrap())
}

#[tokio::test]
async fn trackers_and_web_seeds_of_shared_files_are_in_the_links_and_survive_a_reload() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let torrent = single("given.bin", 171, 2);
    let path = own_files(&setup, &torrent);
    browser.drop_files(&[&path]).await;
    browser.press("Trackers, web seeds, limits").await;
    let (tracker, web_seed) = (setup.tracker.http(), "https://files.example/given.bin");
    browser.type_into("Trackers", &tracker).await;
    browser.type_into("Web seeds", "files.example").await;
    let told = browser.find("alert", "").await.text().await.unwrap();
    assert!(told.contains("files.example is no address"), "{told}");
    browser.type_into("Web seeds", web_seed).await;
    browser.type_into("Upload limit", "300").await;
    browser.press("Share").await;
    browser.wait_until_complete(DOWNLOAD).await;

    let (page, magnet) = links(browser).await;
    let own_tracker = format!("{}announce", setup.bridge.url());
    assert_eq!(magnet.trackers, [own_tracker, tracker]);
    assert_eq!(magnet.web_seeds, [web_seed]);
    assert_eq!(page, format!("{}#{magnet}", setup.bridge.url()));
    browser.press("Dismiss").await;

    browser.reload().await;
    browser.wait_until_complete(SOON).await;
    browser.open_tab("Details").await;
    browser.wait_for_text(&magnet.to_string()).await;
    browser.wait_for_text("by Aqueduct/").await;
    let limit = "return document.getElementById('options-up')?.value";
    browser.wait_for(limit, "300".into()).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_folder_can_be_chosen_and_is_shared_with_all_its_files() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let files = [("a/deep.bin", 70_000), ("top.txt", 9)];
    let torrent = Recipe::folder("chosen folder", 172, &files, 16_384).build();
    let path = own_files(&setup, &torrent);
    let input = browser
        .client()
        .find(Locator::Css("input[webkitdirectory]"))
        .await
        .unwrap();
    input.send_keys(&path.to_string_lossy()).await.unwrap();
    browser.find("heading", "Share chosen folder?").await;
    browser.press("Share").await;
    browser.wait_until_complete(DOWNLOAD).await;
    let (_, magnet) = links(browser).await;
    assert_eq!(magnet.info_hash, torrent.info().info_hash);
    setup.browser.close().await;
}

#[tokio::test]
async fn what_was_given_is_told_and_kept_and_sharing_ends_at_the_chosen_ratio() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let torrent = single("once.bin", 173, 1);
    let path = own_files(&setup, &torrent);
    browser.drop_files(&[&path]).await;
    browser.press("Trackers, web seeds, limits").await;
    browser.choose("Sharing", "Seed to a ratio").await;
    browser.type_into("Ratio", "1").await;
    browser.press("Share").await;
    browser.wait_until_complete(DOWNLOAD).await;
    let (_, magnet) = links(browser).await;
    // The bridge adds tabs to its tracker only after they have joined.
    browser.wait_for_text("Others can fetch from you").await;
    let place = setup.place("leech");
    let _leech = libtorrent_with(&magnet.to_string(), &place, &[]).0;
    browser
        .wait_until(DOWNLOAD, "all of it was given", |shown| {
            shown.iter().any(|t| t.status.starts_with("Paused"))
        })
        .await;
    torrent.verify(&place).unwrap();
    let given = "return document.querySelector('.given dd')?.textContent";
    let told = browser.run(given).await;
    assert!(
        told.as_str()
            .unwrap_or("")
            .starts_with("gave 1.00 MiB (ratio 1.0"),
        "{told}"
    );
    browser.reload().await;
    browser.wait_for(given, json!(told)).await;
    setup.browser.close().await;
}
