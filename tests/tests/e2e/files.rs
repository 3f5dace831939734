//! A torrent's files: which are downloaded, and which can be previewed in the page.

use std::sync::Arc;

use aqueduct_tests::clients::libtorrent;
use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::peer::Manner;
use aqueduct_tests::programs::{Program, START};
use aqueduct_tests::sample::picture;
use aqueduct_tests::torrent::Recipe;

use super::{DOWNLOAD, Setup};

const PIECE: u64 = 16 * 1024;

#[tokio::test]
async fn a_file_whose_box_is_unticked_is_not_fetched_until_it_is_ticked() {
    let setup = Setup::start().await;
    let files = [
        ("first.bin", 10 * PIECE),
        ("second.bin", 20 * PIECE),
        ("third.bin", 30 * PIECE),
    ];
    let torrent = Arc::new(Recipe::folder("chosen", 71, &files, 16 * 1024).build());
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.toggle("second.bin").await;
    setup.browser.press("Pause").await;
    setup
        .browser
        .wait_until(SOON, "it is paused", |shown| {
            shown.iter().all(|t| t.status.starts_with("Paused"))
        })
        .await;
    let seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.press("Resume").await;
    let rest = |shown: &[aqueduct_tests::page::Shown]| {
        shown
            .iter()
            .any(|t| t.status.starts_with("Finished") && t.progress == 100)
    };
    setup
        .browser
        .wait_until(DOWNLOAD, "the others are there", rest)
        .await;
    assert_eq!(
        seed.blocks_sent(),
        40,
        "a block is a piece here, and two files have 40"
    );
    assert!(
        setup
            .browser
            .find_now("button", "Save second.bin")
            .await
            .is_none()
    );
    setup.browser.save("third.bin", 30 * PIECE, SOON).await;
    setup.browser.reload().await;
    let ticked = |element: fantoccini::elements::Element| async move {
        element.is_selected().await.unwrap()
    };
    assert!(
        !ticked(setup.browser.find("checkbox", "second.bin").await).await,
        "the choice was forgotten"
    );
    assert!(ticked(setup.browser.find("checkbox", "third.bin").await).await);
    setup.browser.toggle("second.bin").await;
    setup
        .browser
        .wait_until(DOWNLOAD, "all is there", |shown| {
            shown.iter().any(|t| t.status.starts_with("Seeding"))
        })
        .await;
    assert_eq!(seed.blocks_sent(), 60);
    let saved = setup.browser.save("second.bin", 20 * PIECE, SOON).await;
    torrent.verify_file(&saved, 10 * PIECE, 20 * PIECE).unwrap();
    setup.browser.close().await;
}

#[tokio::test]
async fn a_torrent_without_a_selected_file_says_so() {
    let setup = Setup::start().await;
    let torrent = Arc::new(Recipe::single("nothing.bin", 72, PIECE * 4, 16 * 1024).build());
    let seed = setup.seed(&torrent, Manner::Stall);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.toggle("nothing.bin").await;
    setup
        .browser
        .wait_until(SOON, "it says so", |shown| {
            shown.iter().any(|t| t.status.contains("No file is chosen"))
        })
        .await;
    assert_eq!(seed.blocks_sent(), 0);
    setup.browser.close().await;
}

/// One second of silence with 8 bits per sample.
pub(super) fn sound() -> Vec<u8> {
    let samples = 8000u32;
    let mut wav = b"RIFF".to_vec();
    wav.extend((36 + samples).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend([samples.to_le_bytes(), samples.to_le_bytes()].concat());
    wav.extend(b"\x01\0\x08\0data");
    wav.extend(samples.to_le_bytes());
    wav.resize(wav.len() + samples as usize, 0x80);
    wav
}

/// Creates a folder with images, audio and video, and starts libtorrent as its seed.
fn seed_of_media(setup: &Setup) -> Program {
    let folder = setup.place("data").join("media");
    std::fs::create_dir(&folder).unwrap();
    let contents = [
        ("picture.png", picture(64, 36).unwrap()),
        ("sound.wav", sound()),
        ("film.webm", include_bytes!("film.webm").to_vec()),
    ];
    for (name, content) in contents
        .iter()
        .map(|(name, content)| (*name, &content[..]))
        .chain([("notes.txt", "Grüße aus dem Tab".as_bytes())])
    {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let file = setup.create_torrent(&folder);
    libtorrent(file.to_str().unwrap(), &setup.place("data"))
}

/// Waits until the element that shows a file has this property, which the browser sets once it has
/// decoded the file.
async fn wait_for_property(browser: &Browser, element: &str, property: &str) {
    let script =
        format!("const e = document.querySelector('{element}'); return !!e && e.{property} > 0");
    browser.wait_for(&script, true.into()).await;
}

/// Closes the player.
async fn close_player(browser: &Browser) {
    browser.press("Close").await;
    browser
        .wait_for(
            "return document.querySelectorAll('dialog').length",
            0.into(),
        )
        .await;
}

#[tokio::test]
async fn images_audio_video_and_text_are_shown_from_storage_under_the_strict_policy() {
    let setup = Setup::start().await;
    let _seed = seed_of_media(&setup);
    setup
        .tracker
        .wait_for("a seed", START, |said| said.left == 0);
    setup
        .browser
        .add_file(&setup.place("data").join("media.torrent"))
        .await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let browser = &setup.browser;
    browser.press("Play sound.wav").await;
    wait_for_property(browser, "dialog audio", "duration").await;
    let played = "const done = arguments[arguments.length - 1]; document.querySelector('audio').play().then(() => done('plays'), done);";
    assert_eq!(browser.run_async(played).await, "plays");
    close_player(browser).await;
    browser.press("Play film.webm").await;
    wait_for_property(browser, "dialog video", "videoWidth").await;
    close_player(browser).await;
    browser.press("Preview picture.png").await;
    wait_for_property(browser, "img.stage", "naturalWidth").await;
    browser.press("Preview notes.txt").await;
    browser.wait_for_text("Grüße aus dem Tab").await;
    for button in ["Preview picture.png", "Preview notes.txt"] {
        browser.press(button).await;
    }
    setup
        .browser
        .wait_for(
            "return document.querySelectorAll('.stage').length",
            0.into(),
        )
        .await;
    setup.browser.close().await;
}
