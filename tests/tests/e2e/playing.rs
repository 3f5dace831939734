//! Audio and video that play while they are downloaded.

use std::path::{Path, PathBuf};

use aqueduct_tests::page::Browser;
use aqueduct_tests::programs::{Program, START, aqueduct, command};
use aqueduct_tests::wave::stereo_header;
use serde_json::{Value, json};

use super::{DOWNLOAD, Setup};

/// The size of the sound: at [`RATE`] it takes minutes to arrive.
const SIZE: u32 = 96 << 20;
/// What the seed uploads per second: as much as a sound of 16 bits in stereo needs several times.
const RATE: &str = "1M";

/// A sound of 16 bits in stereo at 44.1 kHz, and of [`SIZE`] bytes.
pub(super) fn sound() -> Vec<u8> {
    let mut wav = stereo_header(SIZE);
    let samples = (SIZE - u32::try_from(wav.len()).unwrap()) / 4;
    // Each piece is different, as in reality.
    wav.extend((0..samples).flat_map(|n| (n ^ (n >> 9)).to_le_bytes().map(|b| b >> 3)));
    wav
}

/// Writes a file, creates its torrent and starts a slow seed.
pub(super) fn slow_seed(setup: &Setup, name: &str, content: &[u8]) -> (PathBuf, Program) {
    let folder = setup.place("data");
    let data = folder.join(name);
    std::fs::write(&data, content).unwrap();
    let torrent = setup.create_torrent(&data);
    let seed = seed(setup, &torrent, &data);
    (torrent, seed)
}

/// Starts a slow seed of these data, and waits until the tracker knows it.
pub(super) fn seed(setup: &Setup, torrent: &Path, data: &Path) -> Program {
    let seed = [
        Path::new("seed"),
        torrent,
        data,
        Path::new("--upload-limit"),
        Path::new(RATE),
        Path::new("--port"),
        Path::new("0"),
        Path::new("--no-dht"),
        Path::new("--no-lsd"),
        Path::new("--no-port-mapping"),
    ];
    let seed = Program::start(&mut command(aqueduct(), seed));
    setup
        .tracker
        .wait_for("a seed", START, |said| said.left == 0);
    seed
}

/// Waits until a script, whose value is a number, returns more than `least`.
pub(super) async fn wait_for_more(browser: &Browser, script: &str, least: f64) {
    let compared = format!("return ({script}) > {least}");
    browser.wait_for(&compared, Value::Bool(true)).await;
}

/// Runs a request of the page and returns the status of the response.
async fn status_of(browser: &Browser, request: &str) -> Value {
    let script = format!(
        "const done = arguments[arguments.length - 1]; {request}.then(r => done(r.status), e => done('' + e));"
    );
    browser.run_async(&script).await
}

/// For how long a sound has played from where it was set to, in seconds.
const PLAYED_AFTER_SEEK: &str = "(audio => audio.seeking ? 0 : audio.currentTime - 0.8 * audio.duration)(document.querySelector('audio'))";

/// Sets a sound that plays to a place that has not arrived yet, and waits until it plays from there.
pub(super) async fn play_from_far_ahead(browser: &Browser) {
    let seek = "const audio = document.querySelector('audio'); audio.currentTime = 0.8 * audio.duration; return audio.duration > 100";
    assert_eq!(browser.run(seek).await, Value::Bool(true));
    wait_for_more(browser, PLAYED_AFTER_SEEK, 0.2).await;
    let late = browser.shown().await[0].progress;
    assert!(late < 75, "it played from there when {late} % were there");
}

#[tokio::test]
async fn a_sound_plays_while_it_is_downloaded_also_from_a_place_that_is_far_from_complete() {
    let setup = Setup::start().await;
    let (torrent, _seed) = slow_seed(&setup, "sound.wav", &sound());
    let browser = &setup.browser;
    browser.add_file(&torrent).await;
    browser.press("Play sound.wav").await;
    let dialog = browser.find("dialog", "sound.wav").await;
    wait_for_more(
        browser,
        "document.querySelector('audio')?.currentTime ?? 0",
        0.2,
    )
    .await;
    let early = browser.shown().await[0].progress;
    assert!(early < 50, "it played when {early} % were there");

    play_from_far_ahead(browser).await;

    // A browser may stop the service worker at any time, here in the middle of an answer.
    browser.devtools("ServiceWorker.enable", json!({})).await;
    browser
        .devtools("ServiceWorker.stopAllWorkers", json!({}))
        .await;
    browser.run("document.querySelector('audio').currentTime = 0.4 * document.querySelector('audio').duration").await;
    let after = PLAYED_AFTER_SEEK.replace("0.8", "0.4");
    wait_for_more(browser, &after, 0.2).await;

    // The file can be loaded by media elements alone: it never becomes a document of the origin.
    let address = "document.querySelector('audio').src";
    assert_eq!(status_of(browser, &format!("fetch({address})")).await, 403);
    dialog
        .find(fantoccini::Locator::Css("form button"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    browser
        .wait_for(
            "return document.querySelectorAll('dialog').length",
            0.into(),
        )
        .await;
    setup.browser.close_but_for("403").await;
}

/// The subtitles that a player offers: labels, and the text of the first cue of the last one.
const TRACKS: &str = "
    const tracks = [...(document.querySelector('video')?.textTracks ?? [])];
    for (const track of tracks) track.mode = 'showing';
    return [tracks.map(track => track.label), tracks.at(-1)?.cues?.[0]?.text ?? ''];
";

#[tokio::test]
async fn subtitles_beside_a_film_are_offered_and_sub_rip_is_converted() {
    let setup = Setup::start().await;
    let folder = setup.place("data").join("film");
    std::fs::create_dir(&folder).unwrap();
    let files: [(&str, &[u8]); 3] = [
        ("film.webm", include_bytes!("film.webm")),
        ("film.de.vtt", b"WEBVTT\n\n00:00.000 --> 00:09.000\nHallo\n"),
        // Windows-1252, as many of these files are.
        (
            "film.fr.srt",
            b"1\r\n00:00:00,000 --> 00:00:09,000\r\n\xc9t\xe9\r\n",
        ),
    ];
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let torrent = setup.create_torrent(&folder);
    let _seed = seed(&setup, &torrent, &folder);
    let browser = &setup.browser;
    browser.add_file(&torrent).await;
    browser.wait_until_complete(DOWNLOAD).await;
    browser.press("Play film.webm").await;
    browser
        .wait_for(TRACKS, json!([["de", "fr"], "\u{c9}t\u{e9}"]))
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn what_the_browser_cannot_play_is_said_in_words() {
    let setup = Setup::start().await;
    let (torrent, _seed) = slow_seed(&setup, "broken.mp4", &vec![7; 300_000]);
    setup.browser.add_file(&torrent).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.press("Play broken.mp4").await;
    setup
        .browser
        .wait_for_text("This browser cannot play this file.")
        .await;
    let offered = "return document.querySelector('dialog .buttons button')?.textContent";
    setup.browser.wait_for(offered, json!("Save")).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_player_in_a_second_tab_gets_its_data_from_the_first() {
    let setup = Setup::start().await;
    let (torrent, _seed) = slow_seed(&setup, "shared.wav", &sound());
    setup.browser.add_file(&torrent).await;
    setup.browser.find("button", "Play shared.wav").await;
    setup.browser.toggle("shared.wav").await;
    setup.browser.wait_for_text("No file is chosen.").await;
    let client = setup.browser.client();
    let first = client.window().await.unwrap();
    setup.open_window(&setup.bridge.url()).await;
    setup.browser.press("Play shared.wav").await;
    wait_for_more(
        &setup.browser,
        "document.querySelector('audio')?.currentTime ?? 0",
        0.2,
    )
    .await;
    client.close_window().await.unwrap();
    client.switch_to_window(first).await.unwrap();
    // What is played is wanted, and the list of files says so.
    let is_ticked = "return document.querySelector('.files input').checked";
    setup.browser.wait_for(is_ticked, true.into()).await;
    setup.browser.close().await;
}
