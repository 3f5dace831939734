//! Sharing the user's own files from the tab.

use std::path::{Path, PathBuf};

use aqueduct_core::meta::Magnet;
use aqueduct_tests::clients::libtorrent_with;
use aqueduct_tests::page::{Browser, SOON};
use aqueduct_tests::programs::{Program, START, aqueduct, command};
use aqueduct_tests::torrent::{Computed, Recipe};

use fantoccini::Locator;

use super::{DOWNLOAD, Setup, single};

/// The magnet link of the shared torrent, from the button that copies it.
async fn link(browser: &Browser) -> String {
    browser.run("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); };").await;
    browser.press("Share").await;
    browser.wait_for_text("Link copied.").await;
    let copied = browser
        .run("return window.copied")
        .await
        .as_str()
        .unwrap_or_default()
        .to_owned();
    copied.split_once('#').unwrap().1.to_owned()
}

/// The magnet link that the terminal program creates for the same files.
fn made_by_the_terminal(setup: &Setup, path: &Path) -> Magnet {
    let file = setup.place("made").join("made.torrent");
    let made = [Path::new("create"), path, Path::new("-o"), &file];
    let mut program = Program::start(&mut command(aqueduct(), made));
    Magnet::parse(&program.wait_for_line("magnet:", START)).unwrap()
}

/// Shares the offered files and checks that libtorrent, which has only the link, downloads
/// everything, also after a reload.
pub(super) async fn share_and_fetch(setup: &Setup, torrent: &Computed, path: &Path) {
    setup.browser.press("Share").await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let link = link(&setup.browser).await;
    let (shared, expected) = (
        Magnet::parse(&link).unwrap(),
        made_by_the_terminal(setup, path),
    );
    assert_eq!(
        (shared.info_hash, &shared.name),
        (expected.info_hash, &expected.name)
    );
    assert_eq!(shared.trackers, [format!("{}announce", setup.bridge.url())]);
    fetch(setup, torrent, &link, "first").await;
    setup.browser.reload().await;
    setup.browser.wait_until_complete(SOON).await;
    fetch(setup, torrent, &link, "second").await;
}

async fn fetch(setup: &Setup, torrent: &Computed, link: &str, name: &str) {
    let place = setup.place(name);
    // The bridge adds tabs to its tracker only after they have joined.
    setup
        .browser
        .wait_until(SOON, "it seeds", |shown| {
            shown
                .iter()
                .all(|t| t.status.contains("Others can fetch from you"))
        })
        .await;
    let mut leech = libtorrent_with(link, &place, &[]).0;
    leech.wait_for_line("\"seeding\"", DOWNLOAD);
    torrent.verify(&place).unwrap();
}

/// Writes a torrent's files to a folder that only the browser reads.
pub(super) fn own_files(setup: &Setup, torrent: &Computed) -> PathBuf {
    torrent.write_to(&setup.place("own")).unwrap()
}

#[tokio::test]
async fn a_dropped_file_is_shared_and_libtorrent_downloads_it() {
    let setup = Setup::start().await;
    let torrent = single("my own film.bin", 91, 5);
    let path = own_files(&setup, &torrent);
    setup.browser.drop_files(&[&path]).await;
    setup
        .browser
        .find("heading", "Share my own film.bin?")
        .await;
    assert!(setup.browser.text().await.contains("1 file, 5.00 MiB"));
    assert_eq!(
        setup.browser.shown().await,
        [],
        "it was shared without being asked"
    );
    setup.browser.press("Cancel").await;
    assert!(
        setup
            .browser
            .find_now("heading", "Share my own film.bin?")
            .await
            .is_none()
    );
    setup.browser.drop_files(&[&path]).await;
    share_and_fetch(&setup, &torrent, &path).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_dropped_folder_is_shared_with_all_its_files() {
    let setup = Setup::start().await;
    let files = [
        ("a/first.bin", 100_000),
        ("a/second/deep.txt", 1),
        ("empty.txt", 0),
        ("z.bin", 50_000),
    ];
    let torrent = Recipe::folder("my folder", 92, &files, 16_384).build();
    let path = own_files(&setup, &torrent);
    setup.browser.drop_files(&[&path]).await;
    setup.browser.find("heading", "Share my folder?").await;
    share_and_fetch(&setup, &torrent, &path).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn several_files_are_chosen_with_the_keyboard_and_named_together() {
    let setup = Setup::start().await;
    let files = [("one.bin", 40_000), ("two.bin", 30_000)];
    let torrent = Recipe::folder("Both of them", 93, &files, 16_384).build();
    let folder = own_files(&setup, &torrent);
    let input = setup
        .browser
        .client()
        .find(Locator::Css("input[type=file]:not([accept])"))
        .await
        .unwrap();
    let both = files.map(|(name, _)| folder.join(name).to_string_lossy().into_owned());
    input.send_keys(&both.join("\n")).await.unwrap();
    let name = setup.browser.find("textbox", "Name").await;
    name.clear().await.unwrap();
    name.send_keys("Both of them").await.unwrap();
    setup.browser.find("heading", "Share Both of them?").await;
    share_and_fetch(&setup, &torrent, &folder).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn files_that_do_not_fit_are_not_shared_and_leave_nothing_behind() {
    let setup = Setup::start().await;
    let torrent = single("large.bin", 94, 16);
    let path = own_files(&setup, &torrent);
    setup
        .browser
        .limit_storage(&setup.bridge.url(), Some(4 << 20))
        .await;
    setup.browser.drop_files(&[&path]).await;
    setup.browser.press("Share").await;
    let told = setup.browser.find("alert", "").await.text().await.unwrap();
    assert!(
        told.contains("large.bin could not be shared") && told.contains("needs 16.0 MiB more"),
        "{told}"
    );
    setup
        .browser
        .wait_until(SOON, "it is not in the list", <[_]>::is_empty)
        .await;
    setup.browser.limit_storage(&setup.bridge.url(), None).await;
    setup.browser.press("Dismiss").await;
    setup.browser.drop_files(&[&path]).await;
    setup.browser.press("Share").await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn an_offer_stays_until_its_name_can_be_used_and_its_link_until_the_torrent_is_removed() {
    let setup = Setup::start().await;
    let browser = &setup.browser;
    let own = setup.place("own");
    let files = ["one.bin", "two.bin"].map(|name| own.join(name));
    files
        .iter()
        .for_each(|file| std::fs::write(file, "content").unwrap());
    browser.drop_files(&[&files[0], &files[1]]).await;
    browser.find("heading", "Share Shared files?").await;
    for (name, why) in [
        ("AC/DC", "AC/DC/one.bin would be written as AC_DC/one.bin"),
        (" ", "Type a name for what you share."),
    ] {
        browser.type_into("Name", name).await;
        browser.press("Share").await;
        browser.wait_for_text(why).await;
        browser.find("textbox", "Name").await;
    }
    browser.drop_files(&[&files[0], &files[1]]).await;
    let alerts = "return document.querySelectorAll('#add-alert .notice').length";
    browser.wait_for(alerts, 0.into()).await;
    browser.type_into("Name", "Both").await;
    browser.press("Share").await;
    browser
        .wait_until(SOON, "they are shared", |shown| {
            shown.len() == 1 && shown[0].name == "Both"
        })
        .await;
    browser.wait_for_text("Send it to anyone").await;
    browser.press("Remove").await;
    let link = "return document.querySelector('#link-page') !== null";
    browser.wait_for(link, false.into()).await;
    setup.browser.close().await;
}
