//! Players outside the browser, which read files of the tab through a bridge on the same machine.

use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::http;
use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::tracker::Tracker;
use fantoccini::key::Key;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::accessibility::assert_readable;
use super::playing::{slow_seed, sound};
use super::{DOWNLOAD, Setup, single};

/// The address that the player's dialog shows; empty while there is none.
const ADDRESS: &str = "document.querySelector('#player-address')?.value ?? ''";

/// Opens the part of the player's dialog that shows the address, with the keyboard. Returns host and
/// path of the address.
async fn address(browser: &Browser) -> (String, String) {
    browser.find("dialog", "").await;
    let focus = "const summary = document.querySelector('dialog summary'); summary?.focus(); return summary?.textContent";
    browser
        .wait_for(focus, json!("Open in another player"))
        .await;
    browser.key(Key::Enter).await;
    browser
        .wait_for(&format!("return ({ADDRESS}) !== ''"), true.into())
        .await;
    browser.find("textbox", "Address for players").await;
    shown(browser).await
}

/// Host and path of the address that is shown.
async fn shown(browser: &Browser) -> (String, String) {
    let shown = browser.run(&format!("return {ADDRESS}")).await;
    let rest = shown.as_str().unwrap().strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    (host.to_owned(), format!("/{path}"))
}

/// What a player gets for a request. Returns head and body.
async fn request((host, path): &(String, String), fields: &str) -> (String, Vec<u8>) {
    let socket = TcpStream::connect(host).await.unwrap();
    http::get(socket, host, path, fields).await
}

#[tokio::test]
async fn a_player_outside_the_browser_reads_a_sound_while_it_is_downloaded() {
    let setup = Setup::start().await;
    let content = sound();
    let (torrent, _seed) = slow_seed(&setup, "sound.wav", &content);
    let browser = &setup.browser;
    browser.add_file(&torrent).await;
    browser.press("Play sound.wav").await;
    let address = address(browser).await;
    assert!(address.1.ends_with("/sound.wav"), "{address:?}");
    assert_readable(browser, "an address for players").await;

    let far = content.len() * 4 / 5;
    for (range, start, end) in [
        ("bytes=0-1".to_owned(), 0, 2),
        (format!("bytes={far}-{}", far + 99_999), far, far + 100_000),
        ("bytes=-100".to_owned(), content.len() - 100, content.len()),
    ] {
        let (head, body) = request(&address, &format!("range: {range}\r\n")).await;
        assert!(head.starts_with("HTTP/1.1 206"), "{head}");
        assert!(head.contains("content-type: audio/wav\r\n"), "{head}");
        let field = format!(
            "content-range: bytes {start}-{}/{}\r\n",
            end - 1,
            content.len()
        );
        assert!(head.contains(&field), "{field} in\n{head}");
        assert!(body == content[start..end], "other bytes for {range}");
    }
    let late = browser.shown().await[0].progress;
    assert!(late < 75, "it was read from there when {late} % were there");

    // The service worker leaves the address alone: the bridge says what it is.
    let fetched = format!(
        "const done = arguments[arguments.length - 1]; fetch({ADDRESS}, {{ headers: {{ range: 'bytes=0-1' }} }}).then(r => r.text().then(text => done([r.status, text, r.headers.get('content-disposition')])), e => done('' + e));"
    );
    let seen = browser.run_async(&fetched).await;
    assert_eq!(seen, json!([206, "RI", "attachment"]));
    setup.browser.close().await;
}

#[tokio::test]
async fn what_the_browser_cannot_play_has_an_address_until_it_is_removed() {
    let mut setup = Setup::start().await;
    let numbers = (0..75_000u32).map(|n| n.wrapping_mul(2_654_435_761));
    let content: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
    let name = "It's <b>a<b> film & more.mkv";
    let (torrent, _seed) = slow_seed(&setup, name, &content);
    setup.browser.add_file(&torrent).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.press("Play It's").await;
    setup
        .browser
        .wait_for_text("This browser cannot play this file.")
        .await;
    let old = address(&setup.browser).await;
    let (head, body) = request(&old, "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("content-type: video/x-matroska\r\n"),
        "{head}"
    );
    assert!(body == content, "other bytes");

    // A bridge that was restarted knows the address no more; the dialog shows a new one.
    setup.bridge.restart();
    let is_new = format!(
        "return ({ADDRESS}) !== '' && !({ADDRESS}).endsWith({:?})",
        old.1
    );
    setup.browser.wait_for(&is_new, true.into()).await;
    let (head, _) = request(&old, "").await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    let new = shown(&setup.browser).await;
    assert!(request(&new, "").await.1 == content, "other bytes");

    setup.browser.press("Close").await;
    setup.browser.press("Remove").await;
    setup.browser.find("button", "Undo").await;
    let (head, _) = request(&new, "").await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    setup.browser.close_but_for("WebSocket").await;
}

#[tokio::test]
async fn a_page_whose_bridge_gives_no_addresses_does_not_speak_of_any() {
    let bridge = Bridge::start_with(&[
        "--allow",
        "127.0.0.0/8",
        "--no-dht",
        "--no-player-addresses",
    ]);
    let setup = Setup::start_with(bridge, Tracker::start()).await;
    let (torrent, _seed) = slow_seed(&setup, "broken.mp4", &vec![7; 300_000]);
    let browser = &setup.browser;
    browser.add_file(&torrent).await;
    browser.wait_until_complete(DOWNLOAD).await;
    browser.press("Play broken.mp4").await;
    browser
        .wait_for_text("This browser cannot play this file.")
        .await;
    let summaries = "return document.querySelectorAll('dialog summary').length";
    assert_eq!(browser.run(summaries).await, Value::from(0));
    setup.browser.close().await;
}

/// Another tab numbers the torrents anew when it leads.
#[tokio::test]
async fn what_a_tab_plays_goes_on_when_the_tab_that_led_closes() {
    let setup = Setup::start().await;
    let (browser, client) = (&setup.browser, setup.browser.client());
    browser
        .add_file(&setup.file(&single("first.bin", 181, 1)))
        .await;
    browser
        .wait_until(SOON, "it is there", |shown| shown.len() == 1)
        .await;
    let (torrent, _seed) = slow_seed(&setup, "sound.wav", &sound());
    browser.add_file(&torrent).await;
    browser
        .wait_until(SOON, "both are there", |shown| shown.len() == 2)
        .await;
    let remove = "[...document.querySelectorAll('.torrent')].find(row => row.textContent.includes('first.bin')) \
        .querySelector('[data-control=remove]').click()";
    browser.run(remove).await;
    let first = client.window().await.unwrap();
    let second = setup.open_window(&setup.bridge.url()).await;
    browser.press("Play sound.wav").await;
    let old = address(browser).await;
    setup.close_window(first, second).await;
    let is_new = format!(
        "const address = {ADDRESS}; return address !== '' && !address.endsWith('{}')",
        old.1
    );
    browser.wait_for(&is_new, true.into()).await;
    let (head, body) = request(&shown(browser).await, "range: bytes=0-1\r\n").await;
    assert!(head.starts_with("HTTP/1.1 206") && body == b"RI", "{head}");
    let says = "document.querySelector('dialog [role=status]').textContent";
    let before = browser.run(&format!("return {says}")).await;
    let moves = format!("return {says} !== {before}");
    browser.wait_for(&moves, true.into()).await;

    let remove = "document.querySelector('[data-control=remove]').click()";
    browser.run(remove).await;
    browser.wait_for_text("This torrent was removed.").await;
    let undo = "document.querySelector('.undo button').click()";
    browser.run(undo).await;
    let says_removed = format!("return {says}.includes('removed')");
    browser.wait_for(&says_removed, false.into()).await;
    setup.browser.close().await;
}
