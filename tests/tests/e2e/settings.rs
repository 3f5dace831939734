//! The settings of the page.

use std::time::{Duration, Instant};

use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::peer::Manner;
use fantoccini::key::Key;
use serde_json::{Value, json};

use super::{DOWNLOAD, Setup, single};

/// The value of the field with this id.
async fn value(browser: &Browser, id: &str) -> Value {
    let script = format!("return document.getElementById('{id}').value");
    browser.run(&script).await
}

#[tokio::test]
async fn limits_apply_at_once_to_running_torrents_and_survive_a_reload() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    browser.press("Settings").await;
    browser.type_into("Download limit", "fast").await;
    let told = browser.find("alert", "").await.text().await.unwrap();
    assert!(told.starts_with("Type a whole number of KiB"), "{told}");
    browser.type_into("Download limit", "16").await;
    let no_alert = "return document.querySelector('[role=alert]') === null";
    browser.wait_for(no_alert, true.into()).await;
    browser.type_into("Peers per torrent", "9").await;
    browser.press("Close").await;

    let torrent = single("limited.bin", 151, 8);
    let seed = setup.seed(&torrent, Manner::Honest);
    let started = Instant::now();
    browser.add_file(&setup.file(&torrent)).await;
    browser
        .wait_until(DOWNLOAD, "it is downloaded", |shown| {
            shown.iter().any(|t| t.status.starts_with("Downloading"))
        })
        .await;
    while seed.blocks_sent() < 5 {
        assert!(started.elapsed() < SOON, "nothing is downloaded");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = started.elapsed();
    assert!(took > Duration::from_secs(2), "80 KiB took {took:?}");

    browser.reload().await;
    browser.press("Settings").await;
    assert_eq!(value(browser, "settings-down").await, "16");
    assert_eq!(value(browser, "settings-peers").await, "9");
    // At this limit it would take nine minutes.
    browser.type_into("Download limit", "").await;
    browser.press("Close").await;
    browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn the_settings_work_with_the_keyboard_alone_in_a_narrow_window_and_either_theme() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    browser.client().set_window_size(320, 700).await.unwrap();
    browser.tab_to("button", "Settings").await;
    browser.key(Key::Enter).await;
    browser.find("dialog", "Settings").await;
    browser.tab_to("textbox", "Upload limit").await;
    browser.key(Key::Tab).await;
    browser.tab_to("combobox", "Theme").await;
    for (theme, scheme) in [("Dark", "dark"), ("Light", "light")] {
        browser.choose("Theme", theme).await;
        let shown = "return getComputedStyle(document.documentElement).colorScheme";
        browser.wait_for(shown, scheme.into()).await;
    }
    let over = "const dialog = document.querySelector('dialog'); return [dialog, document.documentElement].map(e => e.scrollWidth - e.clientWidth)";
    assert_eq!(browser.run(over).await, json!([0, 0]));
    browser.key(Key::Escape).await;
    let focused = "return document.activeElement.textContent";
    browser.wait_for(focused, "Settings".into()).await;

    browser.reload().await;
    let kept = "return document.documentElement.dataset.theme";
    browser.wait_for(kept, "light".into()).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn what_the_browser_answers_when_it_is_to_keep_the_data_is_shown() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    browser
        .run("navigator.storage.persisted = async () => false; navigator.storage.persist = async () => window.agrees === true;")
        .await;
    browser.press("Settings").await;
    browser
        .wait_for_text("The browser grants this page about")
        .await;
    browser.press("Keep this data").await;
    browser.wait_for_text("The browser did not agree").await;
    browser.run("window.agrees = true").await;
    browser.press("Keep this data").await;
    browser
        .wait_for_text("The browser keeps this data until you delete it.")
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_complete_download_stops_if_the_user_wants_that_and_seeds_when_it_is_resumed() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    browser.press("Settings").await;
    browser
        .choose("When a download is complete", "Stop seeding")
        .await;
    browser.press("Close").await;
    let torrent = single("stopped.bin", 152, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    browser.add_file(&setup.file(&torrent)).await;
    browser
        .wait_until(DOWNLOAD, "it is complete and paused", |shown| {
            shown
                .iter()
                .any(|t| t.progress == 100 && t.status.starts_with("Paused"))
        })
        .await;
    browser.press("Resume").await;
    browser.wait_until_complete(SOON).await;
    browser.wait_for_record(r#""when_complete":"Seed""#).await;
    browser.reload().await;
    browser.wait_until_complete(SOON).await;
    browser.open_tab("Details").await;
    let rule = "return document.getElementById('options-complete')?.value";
    browser.wait_for(rule, "Keep seeding".into()).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn default_trackers_find_the_peers_of_a_link_without_any() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    browser.press("Settings").await;
    browser
        .type_into("Default trackers", "wss://t.example")
        .await;
    let told = browser.find("alert", "").await.text().await.unwrap();
    assert!(told.contains("wss://t.example is no address"), "{told}");
    let tracker = setup.tracker.http();
    browser.type_into("Default trackers", &tracker).await;
    browser.press("Close").await;
    let torrent = single("trackerless.bin", 153, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    browser.add_link(&torrent.magnet(&[])).await;
    browser.wait_until_complete(DOWNLOAD).await;
    browser.open_tab("Trackers").await;
    browser.wait_for_text(&tracker).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn settings_with_a_value_that_cannot_apply_stay_open_once() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let is_open = "return document.querySelector('dialog') !== null";
    for with_key in [false, true] {
        browser.press("Settings").await;
        let field = browser.find("textbox", "Download limit").await;
        field.send_keys("1.5 MB").await.unwrap();
        let close = async || {
            if with_key {
                browser.key(Key::Escape).await;
            } else {
                browser.press("Close").await;
            }
        };
        close().await;
        let told = browser.find("alert", "").await.text().await.unwrap();
        assert!(told.contains("from 1 to 100000000"), "{told}");
        let focused = "return document.activeElement.id";
        browser.wait_for(focused, json!("settings-down")).await;
        assert_eq!(browser.run(is_open).await, true);
        close().await;
        browser.wait_for(is_open, false.into()).await;
    }
    setup.browser.close().await;
}

#[tokio::test]
async fn why_something_is_refused_stands_in_the_dialog_that_covers_the_page() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let denied = json!({
        "origin": setup.bridge.url(), "permission": { "name": "notifications" }, "setting": "denied"
    });
    browser.devtools("Browser.setPermission", denied).await;
    browser.press("Settings").await;
    browser
        .toggle("Notify me when a download is complete")
        .await;
    let told = "return document.querySelector('dialog .error')?.textContent.includes('does not allow notifications') ?? false";
    browser.wait_for(told, true.into()).await;
    setup.browser.close().await;
}
