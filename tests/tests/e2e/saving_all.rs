//! Saving all files of a torrent as one ZIP archive, when asked and by itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use aqueduct_tests::page::SOON;
use aqueduct_tests::peer::Manner;
use aqueduct_tests::torrent::{Computed, Recipe};

use super::{DOWNLOAD, Setup, single};

/// Unpacks an archive with another program, which checks all checksums, and compares every file.
fn verify_archive(archive: &Path, torrent: &Computed) {
    let folder = tempfile::tempdir().unwrap();
    let (unpacked, expected) = (
        folder.path().join("unpacked"),
        folder.path().join("expected"),
    );
    std::fs::create_dir(&expected).unwrap();
    torrent.write_to(&expected).unwrap();
    let run = |program: &mut Command| {
        let ran = program.output().unwrap();
        assert!(ran.status.success(), "{program:?}: {ran:?}");
    };
    run(Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .args([archive, &unpacked]));
    run(Command::new("diff").arg("-r").args([&expected, &unpacked]));
}

/// Waits for the archive, whose name appears with its complete content.
async fn saved(setup: &Setup, torrent: &Computed) -> PathBuf {
    let name = format!("{}.zip", torrent.name());
    setup.browser.saved(&name, DOWNLOAD, |size| size > 0).await
}

/// Downloads the torrent, saves all of it and compares every file.
async fn all_is_saved(setup: Setup, torrent: Arc<Computed>) {
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.press("Save all").await;
    verify_archive(&saved(&setup, &torrent).await, &torrent);
    setup.browser.close().await;
}

#[tokio::test]
async fn all_files_are_saved_as_one_archive_with_their_paths() {
    let setup = Setup::start().await;
    let files = [
        ("Season 1/Ep 1 – Grüße 🎬.bin", (5 << 20) + 123),
        ("Season 1/empty.nfo", 0),
        ("Season 2/Extras/b.bin", 300_000),
        ("readme.txt", 17),
    ];
    let torrent = Arc::new(Recipe::folder("all of it", 201, &files, 64 * 1024).build());
    all_is_saved(setup, torrent).await;
}

#[tokio::test]
async fn small_files_that_are_stored_together_are_in_the_archive_too() {
    let setup = Setup::start().await;
    let names: Vec<String> = (0..300).map(|n| format!("{}/{n}.bin", n % 7)).collect();
    let files: Vec<(&str, u64)> = names.iter().map(|name| (&name[..], 3001)).collect();
    let torrent = Arc::new(Recipe::folder("crumbs", 202, &files, 64 * 1024).build());
    all_is_saved(setup, torrent).await;
}

#[tokio::test]
async fn what_the_user_asked_for_is_saved_by_itself_when_it_is_finished_also_after_a_reload() {
    let setup = Setup::start().await;
    let files = [("a.bin", 700_000), ("b.bin", 1_500_000)];
    let several = Arc::new(Recipe::folder("several", 203, &files, 64 * 1024).build());
    let one = single("one.bin", 204, 1);
    setup.browser.add_file(&setup.file(&several)).await;
    for torrent in [&several, &one] {
        if torrent.name() == one.name() {
            setup.browser.add_file(&setup.file(torrent)).await;
        }
        setup.browser.open_torrent(torrent.name()).await;
        let boxed = setup.browser.find("checkbox", "Save when finished").await;
        boxed.click().await.unwrap();
        setup.browser.reload().await;
        setup.browser.open_torrent(torrent.name()).await;
        let boxed = setup.browser.find("checkbox", "Save when finished").await;
        assert!(
            boxed.is_selected().await.unwrap(),
            "the choice was forgotten"
        );
        let _seed = setup.seed(torrent, Manner::Honest);
        setup
            .browser
            .wait_until(DOWNLOAD, "it is complete", |shown| {
                shown.iter().all(|t| t.status.starts_with("Seeding"))
            })
            .await;
        if torrent.name() == one.name() {
            let size = one.lengths().total();
            let path = setup
                .browser
                .saved(one.name(), SOON, |found| found == size)
                .await;
            one.verify_file(&path, 0, size).unwrap();
        } else {
            verify_archive(&saved(&setup, torrent).await, torrent);
        }
    }
    setup.browser.close().await;
}
