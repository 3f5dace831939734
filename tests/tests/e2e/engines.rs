//! What every browser must be able to do. One session per engine runs all of it, since starting a
//! browser takes seconds.

use std::sync::Arc;
use std::time::Instant;

use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::page::{Browser, Engine, SOON};
use aqueduct_tests::peer::{Manner, ScriptedSeed};
use aqueduct_tests::torrent::Computed;
use aqueduct_tests::tracker::Tracker;
use fantoccini::Locator;
use tempfile::TempDir;

use super::playing::{play_from_far_ahead, slow_seed, sound, wait_for_more};
use super::sharing::{own_files, share_and_fetch};
use super::{DOWNLOAD, ONE_AT_A_TIME, Setup, single};

#[tokio::test]
async fn firefox_does_what_chromium_does() {
    core_journeys(Engine::Firefox).await;
}

/// WebKitGTK keeps the private file system switched off. Switched on, it is refused in the windows
/// that drivers open, as in private windows of other browsers.
#[tokio::test]
async fn webkit_gtk_says_what_it_lacks_and_what_to_do() {
    let _turn = ONE_AT_A_TIME.lock().await;
    let (bridge, downloads) = (Bridge::start(), TempDir::new().unwrap());
    for (features, said) in [
        ("", "Open this page in a current version of Chrome,"),
        (
            "StorageAPI,FileSystem,AccessHandle",
            "Use an ordinary window or allow site data for this page, then reload.",
        ),
    ] {
        let engine = Engine::WebKitGtk(features);
        let browser = Browser::start_engine(engine, downloads.path()).await;
        browser.client().goto(&bridge.url()).await.unwrap();
        browser.wait_for_text(said).await;
        // Nothing is offered that would do nothing.
        let link = browser.find_now("textbox", "Magnet link").await;
        assert!(link.is_none(), "{features}: torrents cannot be added");
        browser.close().await;
    }
}

async fn core_journeys(engine: Engine) {
    let begun = Instant::now();
    let done = |what: &str| println!("{engine:?}: {what} after {:.1?}", begun.elapsed());
    let setup = Setup::start_in(engine, Bridge::start(), Tracker::start()).await;
    done("opened");
    a_link_is_downloaded_and_saved(&setup).await;
    done("downloaded and saved");
    a_download_continues_after_a_reload(&setup).await;
    done("reloaded");
    a_sound_plays_while_it_is_downloaded(&setup).await;
    done("played");
    own_files_are_shared(&setup).await;
    done("shared");
    a_second_tab_takes_over(&setup).await;
    done("taken over");
    setup.browser.close().await;
}

async fn a_link_is_downloaded_and_saved(setup: &Setup) {
    let torrent = single("by link.bin", 111, 8);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_link(&setup.magnet(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    remove(setup).await;
}

async fn a_download_continues_after_a_reload(setup: &Setup) {
    let torrent = single("reloaded.bin", 112, 12);
    let _seed = slowly_seeded(setup, &torrent).await;
    setup.browser.wait_for_progress(40, DOWNLOAD).await;
    setup.browser.reload().await;
    // At most two seconds of data may be lost: 4 MiB of 12 at this rate.
    setup.browser.wait_for_progress(5, SOON).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    remove(setup).await;
}

/// Adds a .torrent file whose seed sends 2 MiB per second.
async fn slowly_seeded(setup: &Setup, torrent: &Arc<Computed>) -> ScriptedSeed {
    let seed = setup.seed(torrent, Manner::Slow(2048));
    setup.browser.add_file(&setup.file(torrent)).await;
    seed
}

async fn a_sound_plays_while_it_is_downloaded(setup: &Setup) {
    let (torrent, _seed) = slow_seed(setup, "sound.wav", &sound());
    let browser = &setup.browser;
    browser.add_file(&torrent).await;
    browser.press("Play sound.wav").await;
    let dialog = browser.find("dialog", "sound.wav").await;
    // Firefox without a sound device would fail at the seek. What is muted needs none.
    let mute = "(audio => audio && (audio.muted = true))(document.querySelector('audio'))";
    browser
        .wait_for(&format!("return {mute}"), true.into())
        .await;
    let time = "document.querySelector('audio')?.currentTime ?? 0";
    wait_for_more(browser, time, 0.2).await;
    let early = browser.shown().await[0].progress;
    assert!(early < 75, "it played when {early} % were there");
    play_from_far_ahead(browser).await;
    let close = dialog.find(Locator::Css("form button")).await.unwrap();
    close.click().await.unwrap();
    let dialogs = "return document.querySelectorAll('dialog').length";
    browser.wait_for(dialogs, 0.into()).await;
    remove(setup).await;
}

async fn own_files_are_shared(setup: &Setup) {
    let torrent = single("my own.bin", 113, 3);
    let path = own_files(setup, &torrent);
    let input = Locator::Css("input[type=file]:not([accept])");
    let input = setup.browser.client().find(input).await.unwrap();
    input.send_keys(&path.to_string_lossy()).await.unwrap();
    setup.browser.find("heading", "Share my own.bin?").await;
    share_and_fetch(setup, &torrent, &path).await;
}

/// The shared torrent is still in the list.
async fn a_second_tab_takes_over(setup: &Setup) {
    let client = setup.browser.client();
    let first = client.window().await.unwrap();
    let second = setup.open_window(&setup.bridge.url()).await;
    setup
        .browser
        .wait_for_text("already open in another tab")
        .await;
    setup.browser.wait_until_complete(SOON).await;
    setup.close_window(first, second).await;
    setup.browser.wait_until_complete(SOON).await;
    assert!(
        setup.browser.find_now("alert", "").await.is_none(),
        "it still says that another tab leads"
    );
}

/// Removes the only torrent.
async fn remove(setup: &Setup) {
    setup.browser.press("Remove").await;
    setup
        .browser
        .wait_until(SOON, "it is gone", <[_]>::is_empty)
        .await;
}
