//! An opened torrent: what its tabs show, and what the worker sends for them.

use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::peer::Manner;
use serde_json::json;

use super::{DOWNLOAD, Setup, single};

/// The text of the selected tab.
const PANE: &str = "return document.querySelector('[role=tabpanel]').innerText";

async fn pane_says(browser: &Browser, tab: &str, texts: &[&str]) {
    browser.open_tab(tab).await;
    for text in texts {
        let script = format!("{PANE}.includes({})", json!(text));
        browser.wait_for(&script, true.into()).await;
    }
}

/// Whether the map has cells of this many colours besides the background, which is transparent.
const COLOURS: &str = "
    const canvas = document.querySelector('canvas'), found = new Set();
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) found.add(data.slice(i, i + 3).join());
    return found.size;
";

#[tokio::test]
async fn each_tab_of_an_opened_torrent_tells_its_part() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let torrent = single("opened.bin", 141, 16);
    let seed = setup.seed(&torrent, Manner::Slow(1024));
    browser.add_file(&setup.file(&torrent)).await;
    browser.wait_for_progress(5, DOWNLOAD).await;
    pane_says(
        browser,
        "Peers",
        &[
            &seed.addr.to_string(),
            "100 %",
            "sends, wants nothing of us",
            "bridge, TCP, in the clear, dialled",
            "What does the state of a peer mean?",
        ],
    )
    .await;
    for column in ["Address", "Client", "Down", "Up", "Has", "State", "Via"] {
        browser.find("columnheader", column).await;
    }
    pane_says(browser, "Pieces", &["of 65 pieces are complete"]).await;
    browser.find("img", "Piece map").await;
    browser.wait_for(COLOURS, json!(2)).await;
    let tracker = setup.tracker.http();
    pane_says(
        browser,
        "Trackers",
        &[
            "Connected; it answers in",
            "1 named peers",
            &tracker,
            "Named 1 peer",
            "Asked again in ",
        ],
    )
    .await;
    let received = "return Number(/: ([0-9.]+) MiB received and /.exec(document.querySelector('footer').innerText)?.[1]) > 0";
    browser.wait_for(received, true.into()).await;
    pane_says(
        browser,
        "Details",
        &[&torrent.hex(), "16.0 MiB", "65 of 256 KiB", "magnet:?"],
    )
    .await;
    let title = "return /^[0-9]+ % /.test(document.title) && document.querySelector('link[rel=icon]').href.startsWith('data:image/svg')";
    browser.wait_for(title, true.into()).await;
    browser.wait_until_complete(DOWNLOAD).await;
    pane_says(browser, "Pieces", &["All 65 pieces are complete."]).await;
    browser.wait_for(COLOURS, json!(1)).await;
    browser
        .wait_for("return document.title", "Aqueduct".into())
        .await;
    setup.browser.close().await;
}

/// Counts the worker's messages of each kind from now on. An event brings several of them. The first
/// byte of a message is the number of its kind, in the order of `ToPage`.
const COUNT: &str = "
    window.messages = {};
    const KINDS = ['Loaded', 'Ready', 'Pong', 'Blocked', 'Unblocked', 'State', 'Files', 'FilesDone', 'Peers', 'Pieces', 'Trackers', 'Details'];
    const data = Object.getOwnPropertyDescriptor(MessageEvent.prototype, 'data');
    Object.defineProperty(MessageEvent.prototype, 'data', { get() {
        const value = data.get.call(this);
        for (const message of Array.isArray(value) ? value : []) {
            const kind = message instanceof Uint8Array ? KINDS[message[0]] : undefined;
            if (kind) window.messages[kind] = (window.messages[kind] ?? 0) + 1;
        }
        return value;
    }});
";

#[tokio::test]
async fn the_worker_sends_only_what_the_opened_tab_shows_and_at_most_four_times_a_second() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let torrent = single("watched.bin", 142, 24);
    let _seed = setup.seed(&torrent, Manner::Slow(2048));
    browser.add_file(&setup.file(&torrent)).await;
    browser.wait_for_progress(5, DOWNLOAD).await;
    browser.open_tab("Peers").await;
    browser.find("columnheader", "Client").await;
    browser.run(COUNT).await;
    let begun = std::time::Instant::now();
    browser
        .wait_for("return window.messages.Peers >= 8", true.into())
        .await;
    let seconds = begun.elapsed().as_secs_f64();
    let counted = browser.run("return window.messages").await;
    assert!(
        counted["Pieces"].is_null()
            && counted["FilesDone"].is_null()
            && counted["Details"].is_null(),
        "{counted}"
    );
    for kind in ["Peers", "State"] {
        let number = counted[kind].as_f64().unwrap_or(0.0);
        assert!(number <= seconds * 4.0 + 2.0, "{counted} in {seconds} s");
    }
    browser.press("watched.bin").await;
    browser
        .wait_for(
            "return document.querySelector('[role=tabpanel]') === null",
            true.into(),
        )
        .await;
    let start = "window.messages = {}; return true";
    browser.run(start).await;
    browser
        .wait_for("return window.messages.State >= 8", true.into())
        .await;
    let counted = browser.run("return window.messages").await;
    assert!(counted["Peers"].as_i64().unwrap_or(0) <= 1, "{counted}");
    browser
        .wait_until(SOON, "it is in the list", |shown| shown.len() == 1)
        .await;
    setup.browser.close().await;
}
