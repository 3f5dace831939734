//! The languages of the page.

use aqueduct_tests::page::Browser;
use aqueduct_tests::peer::Manner;
use fantoccini::wd::WindowHandle;
use serde_json::json;

use super::{DOWNLOAD, Setup, single};

const LANGUAGE: &str = "return document.documentElement.lang";

/// Makes the browser prefer these languages, as its user can, from the next page on.
pub(super) async fn prefer(browser: &Browser, languages: &str) {
    let agent = browser.run("return navigator.userAgent").await;
    let parameters = json!({ "userAgent": agent, "acceptLanguage": languages });
    browser
        .devtools("Emulation.setUserAgentOverride", parameters)
        .await;
}

/// Asserts that nothing is wider than the window.
async fn assert_fits(browser: &Browser, state: &str) {
    let over = "return [...document.querySelectorAll('html, dialog, button, select, label, .wide')] \
                .filter(e => e.checkVisibility() && (e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline' \
                    || e.getBoundingClientRect().right > innerWidth + 1)) \
                .map(e => e.outerHTML.slice(0, 200))";
    assert_eq!(browser.run(over).await, json!([]), "{state}");
}

#[tokio::test]
async fn the_page_speaks_the_browsers_language_unless_the_user_chooses_another() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    prefer(browser, "de-AT,en").await;
    browser.client().refresh().await.unwrap();
    browser.find("button", "Herunterladen").await;
    assert_eq!(browser.run(LANGUAGE).await, "de");
    browser.press("Einstellungen").await;
    browser.type_into("Download-Limit", "16").await;
    browser.press("Schließen").await;
    let torrent = single("sprache.bin", 154, 8);
    let _seed = setup.seed(&torrent, Manner::Honest);
    browser.add_file(&setup.file(&torrent)).await;
    browser
        .wait_until(DOWNLOAD, "it says so in German", |shown| {
            shown.iter().any(|t| t.status.starts_with("Lädt"))
        })
        .await;
    browser.client().set_window_size(320, 700).await.unwrap();
    assert_fits(browser, "a torrent in a narrow window").await;
    browser.press("Einstellungen").await;
    assert_fits(browser, "the settings in a narrow window").await;

    browser.choose("Sprache", "English").await;
    for _ in 0..2 {
        browser.find("button", "Download").await;
        browser.wait_for(LANGUAGE, "en".into()).await;
        browser
            .wait_until(DOWNLOAD, "it goes on, in English", |shown| {
                shown.iter().any(|t| t.status.starts_with("Downloading"))
            })
            .await;
        browser.reload().await;
    }
    browser.press("Settings").await;
    browser.type_into("Download limit", "").await;
    browser.press("Close").await;
    browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

/// Opens a window with the page, in English, which notes whether it is loaded again and what it hears of
/// others.
async fn open_marked_window(setup: &Setup) -> WindowHandle {
    let window = setup.open_window(&setup.bridge.url()).await;
    let marks =
        "window.marked = true; window.addEventListener('storage', () => { window.heard = true; })";
    setup.browser.run(marks).await;
    window
}

#[tokio::test]
async fn other_tabs_follow_a_chosen_language_unless_something_is_being_typed_there() {
    let setup = Setup::start().await;
    let (browser, client) = (&setup.browser, setup.browser.client());
    prefer(browser, "fr,EN-gb").await;
    let first = client.window().await.unwrap();
    let idle = open_marked_window(&setup).await;
    let busy = open_marked_window(&setup).await;
    browser.type_into("Magnet link or info-hash", "mag").await;
    client.switch_to_window(first).await.unwrap();
    browser.reload().await;
    browser.press("Settings").await;
    browser.choose("Language", "Deutsch").await;
    browser.find("button", "Herunterladen").await;
    client.switch_to_window(idle).await.unwrap();
    browser.find("button", "Herunterladen").await;
    browser.wait_for(LANGUAGE, "de".into()).await;
    client.switch_to_window(busy).await.unwrap();
    browser.wait_for("return window.heard", true.into()).await;
    assert_eq!(browser.run("return window.marked").await, true);
    assert_eq!(browser.run(LANGUAGE).await, "en");
    client.refresh().await.unwrap();
    browser.find("button", "Herunterladen").await;
    setup.browser.close().await;
}
