//! axe-core finds nothing in any view, and nothing is wider than the window: in every language, wide
//! and narrow, light, dark and in forced colours.

use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::page::Browser;
use aqueduct_tests::peer::{Manner, ScriptedSeed};
use aqueduct_tests::programs::Program;
use aqueduct_tests::sample::picture;
use aqueduct_tests::torrent::Recipe;
use serde_json::{Value, json};

use crate::saving_into_folder::{CHOOSE, HOLD};
use crate::{DOWNLOAD, Setup, playing, single};

/// The languages of the page. English is the last one, in which [`Browser`] reads what is shown.
const LANGUAGES: [&str; 2] = ["de", "en"];

/// A computer's window, the narrowest that a page must fit (WCAG 2, 1.4.10), and the wide one at a
/// zoom of 200 %.
const WIDE: (u32, u32) = (1200, 900);
const NARROW: (u32, u32) = (320, 640);
const ZOOMED: (u32, u32) = (600, 450);

/// What is wider than the window or than itself, and what moves although the user wants little motion.
const UNFIT: &str = "
    const page = document.documentElement;
    const all = [...document.querySelectorAll('dialog, button, select, label, summary, h1, h2, h3, p, dd, dt, li, .notice, .card, .wide, .tabs')];
    const over = all.filter(e => e.checkVisibility() && !e.closest('table, pre, .unseen') && getComputedStyle(e).overflowX === 'visible'
        && getComputedStyle(e).display !== 'inline' && (e.scrollWidth > e.clientWidth + 1 || e.getBoundingClientRect().right > innerWidth + 1));
    const moving = matchMedia('(prefers-reduced-motion: reduce)').matches ? document.getAnimations() : [];
    return [
        ...(page.scrollWidth > page.clientWidth ? [`the page is ${page.scrollWidth} pixels wide`] : []),
        ...over.map(e => `too wide: ${e.outerHTML.slice(0, 300)}`),
        ...moving.map(animation => `moves: ${animation.effect?.target?.outerHTML.slice(0, 300)}`),
    ];
";

/// One pass through the views in one language.
struct Walk<'a> {
    browser: &'a Browser,
    language: &'static str,
    found: &'a mut Vec<String>,
}

impl Walk<'_> {
    /// Loads the page in the walk's language.
    async fn load(&self, url: &str) {
        let client = self.browser.client();
        client.goto(url).await.unwrap();
        let stored = format!(
            "localStorage.setItem('aqueduct.language', '\"{}\"')",
            self.language
        );
        self.browser.run(&stored).await;
        client.refresh().await.unwrap();
        self.appears("main form").await;
    }

    /// Checks what the page shows now.
    async fn check(&mut self, view: &str) {
        let language = self
            .browser
            .run("return document.documentElement.lang")
            .await;
        assert_eq!(language, self.language, "{view}");
        let still = ("prefers-reduced-motion", "reduce");
        self.check_as(view, "wide", WIDE, &[], &[]).await;
        self.check_as(view, "zoomed", ZOOMED, &[still], &["target-size"])
            .await;
        self.check_as(view, "narrow", NARROW, &[], &[]).await;
        // Colours do not depend on the language.
        if self.language == "en" {
            let (dark, forced) = (
                ("prefers-color-scheme", "dark"),
                ("forced-colors", "active"),
            );
            for (name, feature) in [("dark", dark), ("forced colours", forced)] {
                self.check_as(view, name, WIDE, &[feature], &["color-contrast"])
                    .await;
            }
        }
        self.browser.show_as(WIDE, &[]).await;
    }

    async fn check_as(
        &mut self,
        view: &str,
        name: &str,
        size: (u32, u32),
        features: &[(&str, &str)],
        rules: &[&str],
    ) {
        self.browser.show_as(size, features).await;
        let mut found = self.browser.violations(rules).await;
        let unfit = self.browser.run(UNFIT).await;
        let unfit: Vec<String> = serde_json::from_value(unfit).unwrap();
        found.extend(unfit);
        let place = format!("{view}, {name}, {}", self.language);
        self.found
            .extend(found.into_iter().map(|text| format!("{place}: {text}")));
    }

    /// Waits for an element.
    async fn appears(&self, css: &str) {
        self.until(&format!("!!document.querySelector(`{css}`)"))
            .await;
    }

    /// Waits until no such element is left.
    async fn disappears(&self, css: &str) {
        self.until(&format!("!document.querySelector(`{css}`)"))
            .await;
    }

    async fn until(&self, expression: &str) {
        self.browser
            .wait_for(&format!("return {expression}"), true.into())
            .await;
    }

    /// Clicks an element as soon as it is there.
    async fn click(&self, css: &str) {
        self.appears(css).await;
        let click = format!("document.querySelector(`{css}`).click()");
        self.browser.run(&click).await;
    }

    /// Opens a torrent of the list.
    async fn open(&self, name: &str) {
        let row = format!(
            "[...document.querySelectorAll('.torrent .open')].find(row => row.textContent.includes('{name}'))"
        );
        self.until(&format!("!!{row}")).await;
        let open = format!(
            "const row = {row}; if (row.getAttribute('aria-expanded') !== 'true') row.click();"
        );
        self.browser.run(&open).await;
        self.until(&format!(
            "document.querySelector('.opened-torrent')?.ariaLabel.includes('{name}') ?? false"
        ))
        .await;
    }

    async fn open_tab(&self, tab: &str) {
        self.click(&format!("#tab-{tab}")).await;
        let text = format!(
            "document.querySelector('#pane[aria-labelledby=tab-{tab}]')?.innerText.length > 10"
        );
        self.until(&text).await;
    }

    /// Changes the value of a field, or the chosen option, as a user does.
    async fn enter(&self, css: &str, value: &Value) {
        self.appears(css).await;
        let property = if value.is_string() {
            "value"
        } else {
            "selectedIndex"
        };
        let enter = format!(
            "const field = document.querySelector('{css}'); field.{property} = {value}; \
             for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, {{ bubbles: true }}));"
        );
        self.browser.run(&enter).await;
    }

    /// Opens or closes all explanations.
    async fn explain(&self, is_open: bool) {
        let explain = format!(
            "document.querySelectorAll('details').forEach(details => {{ details.open = {is_open}; }})"
        );
        self.browser.run(&explain).await;
    }
}

#[tokio::test]
async fn axe_finds_nothing_in_any_view_and_nothing_is_too_wide_in_any_language() {
    let mut setup = Setup::start().await;
    let mut found = Vec::new();
    macro_rules! in_each_language {
        ($part:ident $(, $argument:expr)*) => {
            for language in LANGUAGES {
                let mut walk = Walk { browser: &setup.browser, language, found: &mut found };
                $part(&mut walk $(, $argument)*).await;
            }
        };
    }
    in_each_language!(without_torrents, &setup);
    in_each_language!(own_torrent, &setup);
    let _seeds = add_torrents(&setup).await;
    in_each_language!(with_torrents, &setup);
    setup.bridge.crash();
    in_each_language!(without_bridge);
    in_each_language!(with_token);
    assert!(found.is_empty(), "{}: {found:#?}", found.len());
    setup.browser.close_but_for("WebSocket").await;
}

/// The empty page, its form, an offer, and the settings.
async fn without_torrents(walk: &mut Walk<'_>, setup: &Setup) {
    walk.load(&setup.bridge.url()).await;
    walk.appears(".empty").await;
    walk.check("empty").await;
    walk.explain(true).await;
    walk.check("explained").await;
    walk.explain(false).await;
    settings(walk).await;

    walk.enter("#link", &json!("nonsense")).await;
    walk.click(".add .primary").await;
    walk.appears("#add-alert .notice").await;
    walk.check("an error").await;
    let links = format!(
        "magnet:?xt=urn:btih:{0}1 magnet:?xt=urn:btih:{0}2",
        "0".repeat(39)
    );
    walk.enter("#link", &json!(links)).await;
    walk.check("several links").await;
    walk.enter("#link", &json!("")).await;

    let own = setup
        .place("own")
        .join("a_file_of_ones_own_with_a_name_that_is_rather_long_as_one_word.bin");
    std::fs::write(&own, "content").unwrap();
    walk.browser.drop_files(&[&own]).await;
    walk.appears(".offer").await;
    walk.explain(true).await;
    walk.enter("#share-complete", &json!(2)).await;
    walk.appears("#share-ratio").await;
    walk.check("an offer").await;
    walk.click(".offer .buttons button:last-child").await;
    walk.disappears(".offer").await;
}

/// A torrent of the user's own: the links that lead to it, and how its removal is undone.
async fn own_torrent(walk: &mut Walk<'_>, setup: &Setup) {
    walk.load(&setup.bridge.url()).await;
    let own = setup.place("own").join("shared.bin");
    std::fs::write(&own, "content").unwrap();
    walk.browser.drop_files(&[&own]).await;
    walk.click(".offer .primary").await;
    walk.appears("#link-page").await;
    walk.check("a torrent of one's own").await;
    walk.click("[data-control=remove]:enabled").await;
    walk.appears(".undo button").await;
    walk.check("something of one's own to undo").await;
    walk.disappears(".undo button").await;
}

/// The settings, with a ratio and a wrong value.
async fn settings(walk: &mut Walk<'_>) {
    walk.click(".head button").await;
    walk.until("!!document.querySelector('.settings [role=status]')?.textContent")
        .await;
    walk.enter("#settings-complete", &json!(2)).await;
    walk.appears("#settings-ratio").await;
    walk.enter("#settings-down", &json!("a lot")).await;
    walk.appears(".settings .wrong").await;
    walk.check("settings").await;
    walk.enter("#settings-complete", &json!(0)).await;
    walk.enter("#settings-down", &json!("")).await;
    walk.click(".dialog-head button").await;
    walk.disappears("dialog").await;
}

/// Names of the torrents: with files of every kind, with files that nobody has, and for which there
/// is no space.
const MEDIA: &str = "media";
const MISSING: &str = "season_without_any_space_in_its_name_whatsoever_and_then_some";
const LARGE: &str = "large.bin";

/// Adds the torrents. The files of one are complete afterwards.
async fn add_torrents(setup: &Setup) -> (Program, ScriptedSeed) {
    let folder = setup.place("data").join(MEDIA);
    std::fs::create_dir(&folder).unwrap();
    let (picture, sound) = (picture(64, 36).unwrap(), crate::files::sound());
    let files: [(&str, &[u8]); 5] = [
        ("picture.png", &picture),
        ("sound.wav", &sound),
        ("film.webm", include_bytes!("../film.webm")),
        ("film.de.vtt", b"WEBVTT\n\n00:00.000 --> 00:09.000\nHallo\n"),
        ("notes.txt", "Grüße aus dem Tab".as_bytes()),
    ];
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let media = setup.create_torrent(&folder);
    let seed = playing::seed(setup, &media, &folder);
    let browser = &setup.browser;
    browser.add_file(&media).await;
    browser.wait_until_complete(DOWNLOAD).await;
    let names = [
        "a_name_of_one_long_word_that_nothing_breaks_anywhere_in_the_middle.webm",
        "b.txt",
    ];
    let missing = Recipe::folder(MISSING, 171, &names.map(|name| (name, 16_384)), 16_384).build();
    browser.add_file(&setup.file(&missing)).await;
    let large = single(LARGE, 172, 16);
    let large_seed = setup.seed(&large, Manner::Honest);
    setup.file(&large);
    (seed, large_seed)
}

/// The list, each tab of a torrent, players, previews, notices.
async fn with_torrents(walk: &mut Walk<'_>, setup: &Setup) {
    walk.load(&setup.bridge.url()).await;
    walk.until("document.querySelectorAll('.torrent').length === 2")
        .await;
    let origin = setup.bridge.url();
    walk.browser.limit_storage(&origin, Some(8 << 20)).await;
    let large = setup.folder.path().join(format!("{LARGE}.torrent"));
    walk.browser.add_file(&large).await;
    walk.appears(".torrent.failed").await;
    walk.check("a list").await;
    walk.click(".select-all input").await;
    walk.appears(".selection .buttons").await;
    walk.check("selected torrents").await;
    walk.click(".select-all input").await;
    walk.enter(".filter-text", &json!("nothing is called this"))
        .await;
    walk.click(".list > .notice button").await;
    for name in [MEDIA, MISSING] {
        walk.open(name).await;
        for tab in ["Peers", "Pieces", "Trackers", "Details", "Files"] {
            walk.open_tab(tab).await;
            if tab == "Details" {
                walk.enter("#options-complete", &json!(3)).await;
                walk.enter("#options-down", &json!("a lot")).await;
                walk.appears(".opened-torrent .wrong").await;
            }
            walk.check(&format!("{tab} of {name}")).await;
        }
    }
    files(walk).await;
    notices(walk).await;
    suspended(walk).await;
    lost(walk).await;
    another_tab(walk, &origin).await;
    walk.browser.limit_storage(&origin, None).await;
    walk.click(".torrent.failed [data-control=remove]").await;
    walk.appears(".undo button").await;
}

/// Previews, players, and saving into a folder.
async fn files(walk: &mut Walk<'_>) {
    walk.open(MEDIA).await;
    for name in ["picture.png", "notes.txt"] {
        walk.click(&format!(
            ".files button[aria-expanded=false][aria-label*='{name}']"
        ))
        .await;
    }
    walk.until("document.querySelectorAll('.stage').length === 2")
        .await;
    walk.check("previews").await;
    for (name, ready) in [("film.webm", "video track"), ("sound.wav", "audio")] {
        walk.click(&format!(".files button[aria-label*='{name}']"))
            .await;
        walk.until(&format!("!!document.querySelector('dialog {ready}') && document.querySelector('dialog :is(audio, video)').readyState > 1")).await;
        walk.check(name).await;
        walk.click(".dialog-head button").await;
        walk.disappears("dialog").await;
    }
    walk.browser.run(CHOOSE).await;
    walk.browser.run(HOLD).await;
    walk.click(".save-all button:nth-of-type(2)").await;
    walk.appears(".save-all [role=progressbar]").await;
    walk.until("!!window.release").await;
    walk.check("saving into a folder").await;
    walk.click(".save-all > button:last-child").await;
    walk.browser.run("window.release()").await;
    walk.until("document.querySelector('.toast').textContent.length > 10")
        .await;
    walk.check("a message").await;
}

/// Links to copy, and torrents that can be restored: one, several.
async fn notices(walk: &mut Walk<'_>) {
    walk.browser
        .run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'));")
        .await;
    walk.click("[data-control=share]:enabled").await;
    walk.appears("#link-page").await;
    walk.check("a link to copy").await;
    walk.click(".links .quiet").await;
    walk.click("[data-control=remove]").await;
    walk.appears(".undo button").await;
    walk.check("something to undo").await;
    walk.click(".undo button").await;
    walk.disappears(".undo button").await;
    walk.until("document.querySelectorAll('.torrent').length === 3")
        .await;
}

/// What the page says of a time in which the tab was suspended.
async fn suspended(walk: &mut Walk<'_>) {
    // A worker that was suspended for an hour notices that by its clock.
    let later = "{ const now = Date.now; Date.now = () => now() + 3_600_000; } true";
    walk.browser.worker().await.run(later).await;
    let dismiss = ".notice.row:has([role=status]) button";
    walk.appears(dismiss).await;
    walk.check("a suspension").await;
    walk.click(dismiss).await;
    walk.disappears(dismiss).await;
}

/// Torrents whose data the browser has deleted.
async fn lost(walk: &mut Walk<'_>) {
    let remember = format!(
        "const all = JSON.parse(localStorage.getItem('aqueduct.torrents')); \
         for (const name of ['lost', '{MISSING}']) all.push({{ folder: name + 'x', name, magnet: '' }}); \
         localStorage.setItem('aqueduct.torrents', JSON.stringify(all));"
    );
    walk.browser.run(&remember).await;
    walk.browser.client().refresh().await.unwrap();
    walk.appears(".notice.lost").await;
    walk.until("document.querySelectorAll('.torrent').length === 3")
        .await;
    // There is still no space for it, which it notices with its first piece.
    walk.appears(".torrent.failed").await;
    walk.check("lost torrents").await;
    walk.click(".notice.lost .quiet").await;
    walk.disappears(".notice.lost").await;
}

/// What a tab says while another one does the work.
async fn another_tab(walk: &mut Walk<'_>, url: &str) {
    let client = walk.browser.client();
    let first = client.window().await.unwrap();
    let second = client.new_window(true).await.unwrap().handle;
    client.switch_to_window(second).await.unwrap();
    walk.load(url).await;
    walk.appears(".notice.warning[role=alert]").await;
    walk.check("another tab").await;
    client.close_window().await.unwrap();
    client.switch_to_window(first).await.unwrap();
}

/// The page as its service worker has stored it.
async fn without_bridge(walk: &mut Walk<'_>) {
    let stored = format!(
        "localStorage.setItem('aqueduct.language', '\"{}\"')",
        walk.language
    );
    walk.browser.run(&stored).await;
    walk.browser.client().refresh().await.unwrap();
    walk.appears(".notice > .status").await;
    walk.explain(true).await;
    walk.check("no bridge").await;
}

async fn with_token(walk: &mut Walk<'_>) {
    let tokens = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(tokens.path(), "open sesame\n").unwrap();
    let bridge = Bridge::start_with(&["--no-dht", "--token-file", tokens.path().to_str().unwrap()]);
    walk.load(&bridge.url()).await;
    walk.appears("#token").await;
    walk.explain(true).await;
    walk.check("a token is asked for").await;
}
