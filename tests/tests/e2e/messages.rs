//! Messages of the page: plain wording, shown once, covering nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::peer::Manner;
use aqueduct_tests::torrent::Recipe;
use serde_json::json;

use super::{DOWNLOAD, Setup, single};

#[tokio::test]
async fn a_saved_file_keeps_its_name_or_the_page_says_that_it_cannot() {
    let setup = Setup::start().await;
    let files = [("README", 3000), ("Makefile", 3001), (".gitignore", 3002)];
    let torrent = Arc::new(Recipe::folder("source", 111, &files, 16 * 1024).build());
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    for (name, size) in &files[..2] {
        setup.browser.save(name, *size, SOON).await;
    }
    setup.browser.press("Save .gitignore").await;
    setup
        .browser
        .wait_for_text("the torrent calls this file .gitignore")
        .await;
    setup.browser.close().await;
}

/// Writes a file of this name that is not a torrent.
fn bad(setup: &Setup, name: &str, content: &str) -> PathBuf {
    let path = setup.place("bad").join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// The texts of all alerts, once this many exist.
async fn alerts(browser: &Browser, number: usize) -> Vec<String> {
    let script =
        "return Array.from(document.querySelectorAll('[role=alert]'), alert => alert.textContent)";
    browser
        .wait_for(
            &script.replace(", alert => alert.textContent)", ").length"),
            json!(number),
        )
        .await;
    serde_json::from_value(browser.run(script).await).unwrap()
}

#[tokio::test]
async fn each_file_that_is_not_a_torrent_is_named_beside_a_valid_one() {
    let setup = Setup::start().await;
    let files = [
        bad(&setup, "page.torrent", "<!DOCTYPE html><p>Sign in"),
        bad(&setup, "cut.torrent", "d8:announce20:http"),
    ];
    let good = setup.file(&single("good.bin", 112, 1));
    setup
        .browser
        .drop_files(&[&files[0], &files[1], &good])
        .await;
    setup
        .browser
        .wait_until(SOON, "the good one is in the list", |shown| {
            shown.len() == 1
        })
        .await;
    let told = alerts(&setup.browser, 2).await.join("\n");
    assert!(
        told.contains("page.torrent is a web page, not a torrent.")
            && told.contains("cut.torrent is incomplete"),
        "{told}"
    );
    let link = "magnet:?xt=urn:btih:12345";
    setup.browser.add_link(link).await;
    let told = alerts(&setup.browser, 1).await.join("\n");
    assert!(told.contains("damaged or incomplete"), "{told}");
    setup.browser.close().await;
}

#[tokio::test]
async fn browser_errors_are_reported_in_plain_words() {
    let setup = Setup::start().await;
    let torrent = single("refused.bin", 113, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.run("StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('no', 'SecurityError'))").await;
    setup.browser.press("Save refused.bin").await;
    let told = alerts(&setup.browser, 1).await.join("\n");
    assert!(
        told.contains("the browser does not allow this page to do that"),
        "{told}"
    );
    assert!(
        !told.contains("JsValue") && !told.contains("SecurityError"),
        "{told}"
    );
    setup.browser.close().await;
}

#[tokio::test]
async fn a_countdown_is_read_out_once() {
    let setup = Setup::start().await;
    let torrent = single("nobody.bin", 114, 1);
    // A tab learns when a tracker is asked again only if that tracker answers, not if it fails.
    setup
        .browser
        .add_link(&torrent.magnet(&[setup.tracker.http()]))
        .await;
    let told = |shown: &[aqueduct_tests::page::Shown]| {
        shown.iter().any(|t| t.status.contains("1 knows no peers"))
    };
    setup
        .browser
        .wait_until(SOON, "what the tracker said", told)
        .await;
    let watch = r"
        window.counted = 0; window.spoken = [];
        const read = selector => document.querySelector(selector).textContent;
        let [count, status] = [read('.status > span'), read('[role=status]')];
        new MutationObserver(() => {
            if (read('.status > span') !== count) { count = read('.status > span'); window.counted++; }
            if (read('[role=status]') !== status) { status = read('[role=status]'); window.spoken.push(status); }
        }).observe(document.body, { subtree: true, childList: true, characterData: true });
    ";
    setup.browser.run(watch).await;
    setup
        .browser
        .wait_for("return window.counted >= 5", true.into())
        .await;
    assert_eq!(setup.browser.run("return window.spoken").await, json!([]));
    setup.browser.close().await;
}

#[tokio::test]
async fn what_held_a_download_up_is_not_said_any_more_once_it_goes_on() {
    let setup = Setup::start().await;
    let torrent = single("half.bin", 120, 128);
    let seed = setup.seed(&torrent, Manner::Half);
    let browser = &setup.browser;
    let watch = r"
        window.wrong = [];
        const look = () => {
            const text = document.querySelector('.torrent')?.innerText ?? '';
            if (text.includes('none has') && /Down\s*[1-9]/.test(text)) window.wrong.push(text);
            requestAnimationFrame(look);
        };
        look();
    ";
    browser.run(watch).await;
    browser.add_file(&setup.file(&torrent)).await;
    browser.wait_for_text("none has piece").await;
    seed.complete();
    browser.wait_until_complete(DOWNLOAD).await;
    assert_eq!(browser.run("return window.wrong").await, json!([]));
    setup.browser.close().await;
}

#[tokio::test]
async fn the_page_says_where_files_are_kept_who_sees_the_users_address_and_what_its_words_mean() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    for text in ["private window forgets", "this computer\u{2019}s address"] {
        browser.wait_for_text(text).await;
    }
    let opened = |summary: &str| {
        format!(
            "for (const s of document.querySelectorAll('summary')) if (s.textContent === '{summary}') s.click()"
        )
    };
    browser
        .run(&opened("What is a magnet link or an info-hash?"))
        .await;
    browser
        .wait_for_text("An info-hash is a torrent\u{2019}s fingerprint")
        .await;
    browser
        .run(&opened("Where your files are, and who sees what"))
        .await;
    browser
        .wait_for_text("The bridge is the server that this page came from (127.0.0.1)")
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn system_files_are_left_out_of_a_share_and_listed() {
    let setup = Setup::start().await;
    let torrent = Recipe::folder(
        "holiday",
        115,
        &[("beach.jpg", 20_000), ("sea/waves.jpg", 30_000)],
        16_384,
    )
    .build();
    let folder = torrent.write_to(&setup.place("own")).unwrap();
    for (name, content) in [
        (".DS_Store", "Bud1"),
        ("sea/Thumbs.db", "thumbs"),
        ("._beach.jpg", "resource fork"),
    ] {
        std::fs::write(folder.join(name), content).unwrap();
    }
    setup.browser.drop_files(&[&folder]).await;
    setup.browser.find("heading", "Share holiday?").await;
    let text = setup.browser.text().await;
    assert!(
        text.contains("2 files, ")
            && text.contains("keeps such files for itself: .DS_Store, ._beach.jpg, Thumbs.db."),
        "{text}"
    );
    setup.browser.press("Share").await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let listed =
        "return Array.from(document.querySelectorAll('.files li .want'), row => row.textContent)";
    setup
        .browser
        .wait_for(listed, json!(["beach.jpg", "sea/waves.jpg"]))
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn the_undo_notice_covers_no_button() {
    let setup = Setup::start().await;
    let all = [121, 122, 123, 124].map(|seed| single(&format!("torrent {seed}.bin"), seed, 1));
    let files: Vec<PathBuf> = all.iter().map(|torrent| setup.file(torrent)).collect();
    setup
        .browser
        .drop_files(&files.iter().map(PathBuf::as_path).collect::<Vec<&Path>>())
        .await;
    setup
        .browser
        .wait_until(SOON, "all are in the list", |shown| shown.len() == 4)
        .await;
    setup
        .browser
        .client()
        .set_window_size(500, 500)
        .await
        .unwrap();
    setup.browser.press("Remove").await;
    setup.browser.find("button", "Undo").await;
    let covered = r"
        const covered = [];
        for (const button of document.querySelectorAll('.torrents button')) for (const block of ['start', 'end']) {
            button.scrollIntoView({ block, behavior: 'instant' });
            const box = button.getBoundingClientRect();
            const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
            if (top !== button) covered.push(`${button.textContent} at the ${block} of the window`);
        }
        return covered;
    ";
    assert_eq!(setup.browser.run(covered).await, json!([]));
    // The message is where the torrent was: above the others.
    let above = "return document.querySelector('.undo p').getBoundingClientRect().bottom <= document.querySelector('.torrent').getBoundingClientRect().top";
    assert_eq!(setup.browser.run(above).await, true);
    setup.browser.close().await;
}

/// By how many pixels the page is wider than its window.
async fn overhang(browser: &Browser) -> i64 {
    browser
        .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        .await
        .as_i64()
        .unwrap()
}

#[tokio::test]
async fn nothing_on_the_page_is_wider_than_a_window_of_320_pixels() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    // A window cannot be made this narrow, but its viewport can.
    browser
        .devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": false }),
        )
        .await;
    browser.find("heading", "Nothing here yet").await;
    assert_eq!(overhang(browser).await, 0, "empty");
    browser
        .run("document.querySelectorAll('details').forEach(details => details.open = true)")
        .await;
    assert_eq!(overhang(browser).await, 0, "explained");
    browser
        .add_link(
            "magnet:?xt=urn:btih:00112233445566778899001122334455667788990011223344556677889900",
        )
        .await;
    browser.find("alert", "").await;
    assert_eq!(overhang(browser).await, 0, "an error");
    let files = [
        (
            "a_name_of_one_long_word_that_nothing_breaks_anywhere_in_the_middle.webm",
            16_384,
        ),
        ("b.txt", 16_384),
    ];
    let torrent = Arc::new(
        Recipe::folder(
            "season_without_any_space_in_its_name_whatsoever_and_then_some",
            116,
            &files,
            16_384,
        )
        .build(),
    );
    let _seed = setup.seed(&torrent, Manner::Honest);
    browser.add_file(&setup.file(&torrent)).await;
    browser.wait_until_complete(DOWNLOAD).await;
    browser.press("Preview b.txt").await;
    assert_eq!(overhang(browser).await, 0, "a torrent");
    for tab in ["Peers", "Pieces", "Trackers", "Details", "Files"] {
        browser.open_tab(tab).await;
        assert_eq!(overhang(browser).await, 0, "{tab}");
    }
    browser
        .run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'));")
        .await;
    browser.press("Share").await;
    browser.find("textbox", "Copy this link").await;
    assert_eq!(overhang(browser).await, 0, "a link to copy");
    browser.press("Remove").await;
    browser.find("button", "Undo").await;
    assert_eq!(overhang(browser).await, 0, "something to undo");
    let own = bad(
        &setup,
        "a_file_of_ones_own_with_a_name_that_is_rather_long_as_one_word.bin",
        "content",
    );
    browser.drop_files(&[&own]).await;
    browser.find("heading", "Share a_file").await;
    assert_eq!(overhang(browser).await, 0, "an offer");
    setup.browser.close().await;
}
