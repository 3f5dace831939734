//! Contrast in both colour schemes, keyboard operation, and narrow windows.

mod views;

use std::sync::Arc;

use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::peer::Manner;
use aqueduct_tests::torrent::Recipe;
use fantoccini::key::Key;
use serde_json::json;

use super::{DOWNLOAD, Setup, single};

/// Returns each visible text, and each field's placeholder, whose contrast with its background is
/// below 4.5:1 (WCAG 2, 1.4.3).
const FAINT: &str = r"
const channels = colour => colour.match(/[\d.]+/g).map(Number);
const linear = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
const over = ([r, g, b, a = 1], back) => [r, g, b].map((c, i) => c * a + back[i] * (1 - a));
const behind = element => {
    if (!element) return [255, 255, 255];
    const own = channels(getComputedStyle(element).backgroundColor);
    return own[3] === 0 ? behind(element.parentElement) : over(own, behind(element.parentElement));
};
const ratio = (colour, back) => {
    const [light, dark] = [luminance(over(colour, back)), luminance(back)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
};
const faint = [];
const judge = (text, style, element) => {
    const colour = channels(style.color);
    colour[3] = (colour[3] ?? 1) * Number(style.opacity || 1);
    const contrast = ratio(colour, behind(element));
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${text}`);
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let seen = 0;
while (texts.nextNode()) {
    const [text, element] = [texts.currentNode.textContent.trim(), texts.currentNode.parentElement];
    if (!text || !element.checkVisibility()) continue;
    seen++;
    judge(text, getComputedStyle(element), element);
}
for (const field of document.querySelectorAll('input[placeholder]')) judge(field.placeholder, getComputedStyle(field, '::placeholder'), field);
return { seen, faint };
";

pub(super) async fn assert_readable(browser: &Browser, state: &str) {
    for scheme in ["light", "dark"] {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser
            .devtools(
                "Emulation.setEmulatedMedia",
                json!({ "features": features }),
            )
            .await;
        let found = browser.run(FAINT).await;
        assert!(
            found["seen"].as_u64() > Some(5),
            "{state}: nothing to read: {found}"
        );
        assert_eq!(found["faint"], json!([]), "{state}, {scheme}");
    }
}

#[tokio::test]
async fn every_text_has_enough_contrast_in_light_and_dark() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    browser.find("heading", "Nothing here yet").await;
    assert_readable(browser, "empty").await;
    browser.press("Settings").await;
    browser.wait_for_text("The browser grants").await;
    assert_readable(browser, "settings").await;
    browser.press("Close").await;
    browser.add_link("nonsense").await;
    browser.find("alert", "").await;
    assert_readable(browser, "an error").await;
    let (complete, alone) = (single("complete.bin", 81, 1), single("alone.bin", 82, 1));
    let _seed = setup.seed(&complete, Manner::Honest);
    browser.add_file(&setup.file(&complete)).await;
    browser.wait_until_complete(DOWNLOAD).await;
    browser.add_file(&setup.file(&alone)).await;
    browser
        .wait_until(SOON, "both are in the list", |shown| shown.len() == 2)
        .await;
    browser.press("Pause").await;
    browser
        .wait_until(SOON, "one is paused", |shown| {
            shown.iter().any(|t| t.status.starts_with("Paused"))
        })
        .await;
    assert_readable(browser, "torrents").await;
    every_tab_is_readable(browser).await;
    browser.add_file(&setup.file(&alone)).await;
    browser.press("Remove").await;
    browser.find("button", "Undo").await;
    assert_readable(browser, "something to undo").await;
    setup.browser.close().await;
}

/// Opens a torrent and each of its tabs, and selects it in the list.
async fn every_tab_is_readable(browser: &Browser) {
    browser.open_torrent("complete.bin").await;
    for tab in ["Peers", "Pieces", "Trackers", "Details", "Files"] {
        browser.open_tab(tab).await;
        browser
            .wait_for(
                "return document.querySelector('[role=tabpanel]').innerText.length > 10",
                true.into(),
            )
            .await;
        assert_readable(browser, tab).await;
    }
    browser.toggle("Select all").await;
    browser.find("button", "Pause selected").await;
    assert_readable(browser, "selected torrents").await;
    browser.toggle("Select all").await;
    browser.press("Close").await;
}

/// The text of the focused element.
async fn focused(browser: &Browser) -> String {
    browser
        .client()
        .active_element()
        .await
        .unwrap()
        .text()
        .await
        .unwrap()
}

#[tokio::test]
async fn everything_a_torrent_offers_works_with_the_keyboard_alone() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let torrent = Arc::new(
        Recipe::folder("keys", 83, &[("a.txt", 16_384), ("b.bin", 16_384)], 16_384).build(),
    );
    let _seed = setup.seed(&torrent, Manner::Honest);
    browser
        .find("textbox", "Magnet link or info-hash")
        .await
        .send_keys(&(setup.magnet(&torrent) + &Key::Enter))
        .await
        .unwrap();
    browser.wait_until_complete(DOWNLOAD).await;
    browser.tab_to("button", "Torrent file").await;
    browser.tab_to("button", "Pause").await;
    browser.key(Key::Space).await;
    browser
        .wait_until(SOON, "it is paused", |shown| {
            shown.iter().any(|t| t.status.starts_with("Paused"))
        })
        .await;
    assert_eq!(focused(browser).await, "Resume", "the focus went elsewhere");
    browser.key(Key::Enter).await;
    browser.wait_until_complete(SOON).await;
    browser.tab_to("button", "Remove").await;
    browser.key(Key::Enter).await;
    browser
        .wait_until(SOON, "it is gone from the list", <[_]>::is_empty)
        .await;
    browser
        .wait_for("return document.activeElement.textContent", "Undo".into())
        .await;
    browser.key(Key::Enter).await;
    browser.wait_until_complete(SOON).await;
    let is_in_row = "return document.activeElement.closest('.torrent') !== null";
    browser.wait_for(is_in_row, true.into()).await;
    files_by_keyboard(browser).await;
    setup.browser.close().await;
}

/// Closes and opens the torrent, moves through its tabs, and selects, previews and saves files.
async fn files_by_keyboard(browser: &Browser) {
    let script = "return document.activeElement.getAttribute('aria-expanded')";
    browser.tab_to("button", "keys").await;
    for state in ["true", "false"] {
        browser.wait_for(script, state.into()).await;
        browser.key(Key::Enter).await;
    }
    browser.tab_to("tab", "Files").await;
    for (key, tab) in [
        (Key::Right, "Peers"),
        (Key::End, "Details"),
        (Key::Right, "Files"),
        (Key::Left, "Details"),
        (Key::Home, "Files"),
    ] {
        browser.key(key).await;
        assert_eq!(focused(browser).await, tab);
        let selected = "return document.activeElement.getAttribute('aria-selected')";
        browser.wait_for(selected, "true".into()).await;
    }
    browser.tab_to("checkbox", "a.txt").await;
    browser.key(Key::Space).await;
    let ticked = "return document.activeElement.checked";
    assert_eq!(browser.run(ticked).await, false);
    browser.key(Key::Space).await;
    assert_eq!(browser.run(ticked).await, true);
    browser.tab_to("button", "Preview a.txt").await;
    browser.key(Key::Enter).await;
    browser.wait_for(script, "true".into()).await;
    browser.tab_to("button", "Save b.bin").await;
    let outline = browser
        .run("return getComputedStyle(document.activeElement).outlineStyle")
        .await;
    assert_eq!(outline, "solid", "nobody sees where the focus is");
}

#[tokio::test]
async fn two_hundred_files_with_long_names_fit_a_narrow_window() {
    let setup = Setup::start().await;
    let names: Vec<String> = (0..200)
        .map(|n| {
            format!(
                "season {}/episode {n} {}.mkv",
                n / 20,
                "of_a_series_without_any_space".repeat(3)
            )
        })
        .collect();
    let files: Vec<(&str, u64)> = names.iter().map(|name| (&name[..], 100)).collect();
    let torrent =
        Arc::new(Recipe::folder(&"a rather long name ".repeat(8), 84, &files, 16_384).build());
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup
        .browser
        .client()
        .set_window_size(360, 800)
        .await
        .unwrap();
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.press("Show 100 more").await;
    setup.browser.find("checkbox", "episode 199").await;
    let over = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
    assert_eq!(
        setup.browser.run(over).await,
        0,
        "the page is wider than its window"
    );
    let tall = setup
        .browser
        .run("return document.documentElement.scrollHeight")
        .await;
    assert!(
        tall.as_u64() < Some(2000),
        "one torrent takes {tall} pixels"
    );
    setup.browser.close().await;
}
