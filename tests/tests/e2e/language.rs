//! The languages of the page.

use aqueduct_tests::page::Browser;
use aqueduct_tests::peer::Manner;
use serde_json::json;

use super::{DOWNLOAD, Setup, single};

const LANGUAGE: &str = "return document.documentElement.lang";

/// Makes the browser prefer these languages, as its user can, from the next page on.
async fn prefer(browser: &Browser, languages: &str) {
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
