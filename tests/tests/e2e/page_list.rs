//! The list of torrents with many of them: compact rows, filter, order, selection, keyboard.

use std::ops::Range;
use std::path::{Path, PathBuf};

use aqueduct_tests::page::{Browser, SOON, Shown};
use aqueduct_tests::torrent::Recipe;
use fantoccini::key::Key;
use serde_json::json;

use super::Setup;

const MANY: usize = 50;

/// Drops torrents that nobody has on the page: `alpha 0.bin`, `beta 1.bin`, `alpha 2.bin`, …
async fn drop_torrents(setup: &Setup, numbers: Range<usize>) {
    let one = |n: usize| {
        let name = format!("{} {n}.bin", ["alpha", "beta"][n % 2]);
        setup.file(&Recipe::single(&name, 700 + n as u64, 20_000, 16_384).build())
    };
    let files: Vec<PathBuf> = numbers.map(one).collect();
    let paths: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    setup.browser.drop_files(&paths).await;
}

/// Adds torrents, the first of which has the number 0.
async fn add(setup: &Setup, number: usize) {
    drop_torrents(setup, 0..number).await;
    setup
        .browser
        .wait_until(SOON, "all are in the list", |shown| shown.len() == number)
        .await;
}

fn names(shown: &[Shown]) -> Vec<String> {
    shown.iter().map(|torrent| torrent.name.clone()).collect()
}

fn all_say(shown: &[Shown], word: &str) -> bool {
    !shown.is_empty() && shown.iter().all(|torrent| torrent.status.starts_with(word))
}

async fn filter(browser: &Browser, text: &str) {
    let field = browser.find("searchbox", "Filter by name").await;
    field.clear().await.unwrap();
    field.send_keys(text).await.unwrap();
}

/// The number of elements that the Tab key reaches.
const TAB_STOPS: &str = "return [...document.querySelectorAll('a[href], button, input, select, summary, [tabindex]')] \
     .filter(e => e.tabIndex >= 0 && !e.disabled && e.checkVisibility()).length";

#[tokio::test]
async fn fifty_torrents_take_a_compact_row_each_and_few_tab_stops() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    add(&setup, MANY).await;
    browser.wait_for_text("50 torrents: ").await;
    let opened = "return document.querySelectorAll('[role=tabpanel], [aria-expanded=true]').length";
    assert_eq!(browser.run(opened).await, 0, "something is open");
    for (width, limit) in [(1600, 66), (1000, 66), (360, 145)] {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        browser
            .devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let highest = browser
            .run("return Math.max(...[...document.querySelectorAll('.torrent')].map(row => { row.scrollIntoView(); return row.offsetHeight; }))")
            .await;
        assert!(
            highest.as_i64() <= Some(limit),
            "a row is {highest} pixels high in a window {width} wide"
        );
        let over = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        assert_eq!(over, 0, "{width}");
    }
    let stops = browser.run(TAB_STOPS).await;
    assert!(stops.as_i64() < Some(30), "{stops} tab stops");
    setup.browser.close().await;
}

#[tokio::test]
async fn the_list_is_filtered_by_text_and_state_and_sorted() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    add(&setup, 6).await;
    browser.choose("Sort by", "Name").await;
    let sorted = [
        "alpha 0.bin",
        "alpha 2.bin",
        "alpha 4.bin",
        "beta 1.bin",
        "beta 3.bin",
        "beta 5.bin",
    ];
    browser
        .wait_until(SOON, "the list is sorted", |shown| names(shown) == sorted)
        .await;
    browser.toggle("Reverse").await;
    browser
        .wait_until(SOON, "the order is reversed", |shown| {
            names(shown).into_iter().rev().eq(sorted)
        })
        .await;
    filter(browser, "ALPHA").await;
    browser
        .wait_until(SOON, "only some are shown", |shown| {
            names(shown)
                .into_iter()
                .rev()
                .eq(sorted[..3].iter().copied())
        })
        .await;
    browser.press("Pause").await;
    browser
        .wait_until(SOON, "one is paused", |shown| {
            shown
                .iter()
                .any(|torrent| torrent.status.starts_with("Paused"))
        })
        .await;
    browser.choose("State", "Paused").await;
    browser
        .wait_until(SOON, "only that one is shown", |shown| {
            shown.len() == 1 && all_say(shown, "Paused")
        })
        .await;
    browser.wait_for_text("6 torrents: ").await;
    filter(browser, "nothing of the kind").await;
    browser.press("Show all").await;
    browser
        .wait_until(SOON, "all are shown again", |shown| shown.len() == 6)
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn selected_torrents_are_paused_resumed_and_removed_together() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    add(&setup, 6).await;
    filter(browser, "beta").await;
    browser
        .wait_until(SOON, "three are shown", |shown| shown.len() == 3)
        .await;
    browser.toggle("Select all").await;
    browser.wait_for_text("3 selected").await;
    browser.press("Pause selected").await;
    browser
        .wait_until(SOON, "all are paused", |shown| all_say(shown, "Paused"))
        .await;
    filter(browser, " ").await;
    let paused = |shown: &[Shown]| {
        shown.len() == 6
            && shown
                .iter()
                .all(|t| t.status.starts_with("Paused") == t.name.starts_with("beta"))
    };
    browser.wait_until(SOON, "the others are not", paused).await;
    browser.press("Resume selected").await;
    browser
        .wait_until(SOON, "none is paused", |shown| {
            shown.iter().all(|t| !t.status.starts_with("Paused"))
        })
        .await;
    browser.toggle("Select all").await;
    browser.wait_for_text("6 selected").await;
    browser.press("Remove selected").await;
    browser
        .wait_until(SOON, "all are gone", <[_]>::is_empty)
        .await;
    browser.wait_for_text("Removed 6 torrents.").await;
    browser.press("Undo").await;
    browser
        .wait_until(SOON, "all are back", |shown| shown.len() == 6)
        .await;
    setup.browser.close().await;
}

/// The row and the control that have the focus.
const FOCUS: &str = "const e = document.activeElement; return [e.closest('.torrent')?.querySelector('h2').textContent, e.dataset.control]";

#[tokio::test]
async fn arrow_keys_move_between_rows_and_enter_opens_one_of_them() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    add(&setup, 4).await;
    browser.choose("Sort by", "Name").await;
    browser.tab_to("button", "alpha 0.bin").await;
    for (key, row) in [
        (Key::Down, "alpha 2.bin"),
        (Key::End, "beta 3.bin"),
        (Key::Down, "beta 3.bin"),
        (Key::Up, "beta 1.bin"),
    ] {
        browser.key(key).await;
        browser.wait_for(FOCUS, json!([row, "open"])).await;
    }
    browser.tab_to("button", "Remove").await;
    browser.key(Key::Home).await;
    browser
        .wait_for(FOCUS, json!(["alpha 0.bin", "remove"]))
        .await;
    browser.key(Key::Down).await;
    browser
        .wait_for(FOCUS, json!(["alpha 2.bin", "remove"]))
        .await;
    let reverse = "const box = document.querySelector('.reverse input'); box.checked = true; box.dispatchEvent(new Event('change', { bubbles: true }));";
    browser.run(reverse).await;
    browser
        .wait_until(SOON, "the order is reversed", |shown| {
            shown[0].name == "beta 3.bin"
        })
        .await;
    browser
        .wait_for(FOCUS, json!(["alpha 2.bin", "remove"]))
        .await;
    browser.open_torrent("alpha 2.bin").await;
    browser.tab_to("tab", "Files").await;
    setup.browser.close().await;
}

#[tokio::test]
async fn one_torrent_opens_by_itself_and_among_several_the_user_opens_one() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    add(&setup, 1).await;
    browser.find("checkbox", "alpha 0.bin").await;
    add(&setup, 2).await;
    let open = "return document.querySelectorAll('[aria-expanded=true]').length";
    browser.wait_for(open, json!(0)).await;
    browser.open_torrent("beta 1.bin").await;
    browser.find("checkbox", "beta 1.bin").await;
    browser.open_torrent("alpha 0.bin").await;
    browser.find("checkbox", "alpha 0.bin").await;
    browser.wait_for(open, json!(1)).await;
    let beside = "const [list, opened] = ['.list', '.opened-torrent'].map(e => document.querySelector(e).getBoundingClientRect()); return opened.left >= list.right";
    assert_eq!(browser.run(beside).await, true, "not side by side");
    browser
        .find("tab", "Files")
        .await
        .send_keys("\u{e00c}")
        .await
        .unwrap();
    browser.wait_for(open, json!(0)).await;
    browser
        .wait_for(FOCUS, json!(["alpha 0.bin", "open"]))
        .await;
    setup.browser.close().await;
}

/// Holds the timers before each frame in which the page builds rows, until [`BUILD`] ends the oldest
/// one: rows in sight wait 0 ms, the first of the others 1,000, the rest 50. The driver sets timers,
/// too.
const HOLD_BUILDING: &str = "
    window.tasks = [];
    const later = window.setTimeout.bind(window);
    const isOfPage = () => new Error().stack.includes('.wasm');
    window.setTimeout = (task, delay, ...more) => [0, 50, 1000].includes(delay) && isOfPage() ? window.tasks.push(task) : later(task, delay, ...more);
";
const BUILD: &str = "window.tasks.shift()?.()";
/// The number of rows, and of tasks that are held.
const BUILDING: &str = "return [document.querySelectorAll('.torrent').length, window.tasks.length]";

#[tokio::test]
async fn keys_move_between_the_rows_that_are_built_and_a_list_that_changes_is_built_no_faster() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    browser.run(HOLD_BUILDING).await;
    drop_torrents(&setup, 0..5).await;
    browser.wait_for_text("5 torrents: ").await;
    drop_torrents(&setup, 5..20).await;
    browser.wait_for_text("20 torrents: ").await;
    let counts =
        async || -> (usize, usize) { serde_json::from_value(browser.run(BUILDING).await).unwrap() };
    let (none, held) = counts().await;
    assert!(none == 0 && held > 1, "{none} rows, {held} tasks");
    // Only one of the tasks has an effect, whatever has changed since they began to wait.
    for _ in 0..held {
        browser.run(BUILD).await;
    }
    browser.wait_for(BUILDING, json!([4, 1])).await;

    browser
        .run("document.querySelector('.torrent .open').focus()")
        .await;
    browser.key(Key::End).await;
    let last = "const rows = [...document.querySelectorAll('.torrent')]; return [rows.indexOf(document.activeElement.closest('.torrent')), document.activeElement.tabIndex]";
    browser.wait_for(last, json!([3, 0])).await;
    browser.key(Key::Down).await;
    browser.wait_for(last, json!([3, 0])).await;

    for rows in [8, 12, 16, 20] {
        browser.run(BUILD).await;
        browser
            .wait_for(BUILDING, json!([rows, usize::from(rows < 20)]))
            .await;
    }
    browser.wait_for(last, json!([3, 0])).await;
    browser.key(Key::End).await;
    browser.wait_for(last, json!([19, 0])).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_filter_does_not_hide_the_last_torrent_and_undo_leads_back_to_its_row() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    add(&setup, 2).await;
    filter(browser, "beta").await;
    browser
        .wait_until(SOON, "one is shown", |shown| names(shown) == ["beta 1.bin"])
        .await;
    browser.press("Remove").await;
    browser
        .wait_until(SOON, "the other one is shown", |shown| {
            names(shown) == ["alpha 0.bin"]
        })
        .await;
    browser.press("Undo").await;
    browser
        .wait_until(SOON, "both are shown", |shown| shown.len() == 2)
        .await;
    let row =
        "return document.activeElement.closest('.torrent')?.textContent.includes('beta') ?? false";
    browser.wait_for(row, true.into()).await;
    setup.browser.close().await;
}
