//! The bridge's limits per tab: torrents at a time, and joins per minute.

use std::path::Path;

use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::page::{SOON, Shown};
use aqueduct_tests::peer::Manner;
use aqueduct_tests::tracker::Tracker;
use fantoccini::Locator;

use super::{DOWNLOAD, Setup, single};

/// Starts a bridge with these limits.
fn limited(folder: &Path, limits: &str) -> Bridge {
    let path = folder.join("bridge.toml");
    std::fs::write(&path, format!("[limits]\n{limits}\n")).unwrap();
    Bridge::start_with(&[
        "--peer-bind",
        "127.0.0.1",
        "--allow",
        "127.0.0.0/8",
        "--no-dht",
        "--config",
        path.to_str().unwrap(),
    ])
}

impl Setup {
    /// Presses a button of one torrent.
    async fn press_of(&self, torrent: &str, button: &str) {
        let found =
            format!("//li[.//h2[contains(., '{torrent}')]]//button[contains(., '{button}')]");
        self.browser
            .client()
            .wait()
            .for_element(Locator::XPath(&found))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
    }
}

fn of<'a>(shown: &'a [Shown], name: &str) -> &'a str {
    shown
        .iter()
        .find(|torrent| torrent.name.contains(name))
        .map_or("", |torrent| &torrent.status)
}

#[tokio::test]
async fn a_torrent_beyond_the_bridges_limit_waits_and_a_download_replaces_a_seed() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::start_with(
        limited(folder.path(), "joins-per-session = 2"),
        Tracker::start(),
    )
    .await;
    let [one, two, three] = [
        single("first.bin", 121, 1),
        single("second.bin", 122, 1),
        single("third.bin", 123, 1),
    ];
    for torrent in [&one, &two] {
        setup.browser.add_file(&setup.file(torrent)).await;
        setup.tracker.wait_for("its announce", SOON, |said| {
            said.info_hash == torrent.info().info_hash.wire()
        });
    }
    let seed = setup.seed(&three, Manner::Honest);
    setup.browser.add_file(&setup.file(&three)).await;
    let waits = |shown: &[Shown]| of(shown, "third").contains("Waiting for a place (2 in use)");
    setup
        .browser
        .wait_until(SOON, "the third waits for a place", waits)
        .await;
    assert_eq!(seed.blocks_sent(), 0);
    setup.press_of("first.bin", "Pause").await;
    setup
        .browser
        .wait_until(DOWNLOAD, "the third has the first one's place", |shown| {
            of(shown, "third").starts_with("Seeding")
        })
        .await;
    let second = setup.seed(&one, Manner::Honest);
    setup.press_of("first.bin", "Resume").await;
    let taken = |shown: &[Shown]| of(shown, "first").starts_with("Seeding");
    setup
        .browser
        .wait_until(DOWNLOAD, "a download has taken the seed's place", taken)
        .await;
    assert!(second.blocks_sent() > 0);
    setup
        .browser
        .wait_until(SOON, "one of the seeds waits", |shown| {
            shown
                .iter()
                .any(|t| t.status.contains("Waiting for a place (2 in use)"))
        })
        .await;
    setup.browser.close().await;
}

#[tokio::test]
async fn joins_beyond_the_rate_limit_are_retried_after_pauses_and_reloads() {
    let folder = tempfile::tempdir().unwrap();
    let limits = "joins-per-session = 4\njoins-per-minute = 60\nsessions-per-address = 1\nnew-sessions-per-address = 100";
    let setup = Setup::start_with(limited(folder.path(), limits), Tracker::start()).await;
    let torrent = single("paused.bin", 124, 1);
    setup.browser.add_file(&setup.file(&torrent)).await;
    for number in 0..3 {
        setup
            .browser
            .add_file(&setup.file(&single(&format!("other {number}.bin"), 125 + number, 1)))
            .await;
    }
    setup
        .browser
        .wait_until(SOON, "all are in the list", |shown| shown.len() == 4)
        .await;
    let too_fast = |shown: &[Shown]| {
        of(shown, "paused").contains("many torrents were started within a short time")
    };
    let mut told = false;
    for _ in 0..30 {
        setup.press_of("paused.bin", "Pause").await;
        setup.press_of("paused.bin", "Resume").await;
        told = told || too_fast(&setup.browser.shown().await);
        if told {
            break;
        }
    }
    if !told {
        setup
            .browser
            .wait_until(SOON, "it waits for a place", too_fast)
            .await;
    }
    let _seed = setup.seed(&torrent, Manner::Honest);
    for _ in 0..3 {
        setup.browser.reload().await;
    }
    let complete = |shown: &[Shown]| of(shown, "paused").starts_with("Seeding");
    setup
        .browser
        .wait_until(DOWNLOAD, "it has a place in the end", complete)
        .await;
    let all_in =
        |shown: &[Shown]| shown.len() == 4 && shown.iter().all(|t| !t.status.contains("place"));
    setup
        .browser
        .wait_until(SOON, "all have a place", all_in)
        .await;
    setup.browser.close_but_for("WebSocket").await;
}
