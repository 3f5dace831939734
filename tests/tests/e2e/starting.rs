//! What a browser shows of the page in which its program does not run.

use aqueduct_tests::page::{Browser, SOON};
use serde_json::json;

use super::Setup;
use super::language::prefer;

/// What prevents the program from running: a file that cannot be loaded, or a browser that lacks
/// something.
enum Obstacle {
    File(&'static str),
    Browser(&'static str),
}

const OBSTACLES: [Obstacle; 5] = [
    Obstacle::File("*/boot.js"),
    Obstacle::File("*/app-*.js"),
    Obstacle::File("*_bg.wasm"),
    Obstacle::Browser("delete globalThis.WebAssembly"),
    Obstacle::Browser(
        "for (const name of ['instantiate', 'instantiateStreaming']) WebAssembly[name] = async () => { throw new WebAssembly.CompileError('too new'); }",
    ),
];

/// What the page says, by the browser's language.
const FAILED: [(&str, &str); 2] = [
    (
        "en",
        "This browser could not start Aqueduct. Please reload the page, or use a current version of Chrome, Edge, Firefox or Safari.",
    ),
    (
        "de",
        "Dieser Browser konnte Aqueduct nicht starten. Bitte die Seite neu laden oder eine aktuelle Version von Chrome, Edge, Firefox oder Safari verwenden.",
    ),
];

async fn block(browser: &Browser, files: &[&str]) {
    browser
        .devtools("Network.setBlockedURLs", json!({ "urls": files }))
        .await;
}

#[tokio::test]
async fn a_page_whose_program_does_not_start_says_so_and_works_when_it_is_loaded_again() {
    let setup = Setup::start().await;
    let (browser, url) = (&setup.browser, setup.bridge.url());
    browser.devtools("Network.enable", json!({})).await;
    // It would answer with the stored files.
    let bypass = json!({ "bypass": true });
    browser
        .devtools("Network.setBypassServiceWorker", bypass)
        .await;
    for obstacle in OBSTACLES {
        for (language, text) in FAILED {
            prefer(browser, language).await;
            let script = match obstacle {
                Obstacle::File(file) => {
                    block(browser, &[file]).await;
                    ""
                }
                Obstacle::Browser(script) => script,
            };
            let source = json!({ "source": script });
            let added = browser
                .devtools("Page.addScriptToEvaluateOnNewDocument", source)
                .await;
            browser.client().goto(&url).await.unwrap();
            let told = browser.find("alert", "").await.text().await.unwrap();
            assert_eq!(told, text);
            assert_eq!(browser.violations(&[]).await, [""; 0]);
            block(browser, &[]).await;
            browser
                .devtools("Page.removeScriptToEvaluateOnNewDocument", added)
                .await;
        }
    }
    prefer(browser, "en").await;
    browser.reload().await;
    // The browser's own errors, and those that the page passed on.
    assert!(browser.console_errors().await.len() >= OBSTACLES.len());
    setup.browser.close().await;
}

#[tokio::test]
async fn a_browser_without_scripts_is_told_what_the_page_needs() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let without = json!({ "value": true });
    browser
        .devtools("Emulation.setScriptExecutionDisabled", without)
        .await;
    browser.client().refresh().await.unwrap();
    let deadline = std::time::Instant::now() + SOON;
    for text in [
        "needs JavaScript and WebAssembly. Please allow them",
        "braucht JavaScript und WebAssembly. Bitte beides",
    ] {
        // What screen readers read, which needs no script.
        while !browser
            .devtools("Accessibility.getFullAXTree", json!({}))
            .await
            .to_string()
            .contains(text)
        {
            assert!(
                std::time::Instant::now() < deadline,
                "it does not say {text:?}"
            );
        }
    }
    setup.browser.close().await;
}
