//! A tab that is reloaded, closed, opened twice or hidden, and a worker that crashes.

use std::time::{Duration, Instant};

use aqueduct_tests::page::{Browser, SOON, Shown};
use aqueduct_tests::peer::Manner;
use fantoccini::wd::WindowHandle;

use super::{DOWNLOAD, Setup, single};

/// The limit for a new worker to restore its torrents.
const BACK_WITHIN: Duration = Duration::from_secs(3);
/// The limit for a waiting tab to take over after the leading one has closed.
const TAKEOVER_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_reloaded_tab_shows_its_torrents_and_their_progress_within_three_seconds() {
    let setup = Setup::start().await;
    let torrent = single("back.bin", 31, 16);
    // Two seconds of data may be lost: 2 MiB of 16 at this rate.
    let _seed = setup.seed(&torrent, Manner::Slow(1024));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(80, DOWNLOAD).await;
    setup.browser.press("Pause").await;
    setup
        .browser
        .wait_until(SOON, "it is paused", |shown| {
            shown.iter().all(|t| t.status.starts_with("Paused"))
        })
        .await;
    setup.browser.reload().await;
    setup.browser.wait_for_progress(60, BACK_WITHIN).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn a_second_tab_waits_for_the_first_and_takes_over_when_it_closes() {
    let setup = Setup::start().await;
    let client = setup.browser.client();
    let torrent = single("second.bin", 32, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let first = client.window().await.unwrap();
    let second = setup.open_window(&setup.bridge.url()).await;
    let told = setup.browser.find("alert", "").await.text().await.unwrap();
    assert!(told.contains("already open in another tab"), "{told}");
    setup
        .browser
        .wait_until(SOON, "it shows what the other does", |shown| {
            shown.len() == 1 && shown[0].progress == 100
        })
        .await;
    setup.close_window(first, second).await;
    setup.browser.wait_until_complete(TAKEOVER_WITHIN).await;
    assert!(
        setup.browser.find_now("alert", "").await.is_none(),
        "it still says that another tab leads"
    );
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

/// As soon as it can, the current window leads as a page of another version does, or one that is still
/// opening its storage: it answers nobody.
async fn ask_to_lead_silently(setup: &Setup) {
    let health = format!("{}healthz", setup.bridge.url());
    setup.browser.client().goto(&health).await.unwrap();
    let ask = "navigator.locks.request('aqueduct', () => { window.leads = true; return new Promise(resolve => { window.end = resolve; }); });";
    setup.browser.run(ask).await;
}

async fn wait_until_it_leads(setup: &Setup) {
    let leads = "return window.leads";
    setup.browser.wait_for(leads, true.into()).await;
}

async fn lead_silently(setup: &Setup) {
    ask_to_lead_silently(setup).await;
    wait_until_it_leads(setup).await;
}

/// Ends a tab's silent lead. One of the others leads then, and they show so many torrents, all complete.
async fn end_and_wait_for_all(
    setup: &Setup,
    silent: WindowHandle,
    tabs: Vec<WindowHandle>,
    torrents: usize,
) {
    let client = setup.browser.client();
    client.switch_to_window(silent).await.unwrap();
    setup.browser.run("window.end()").await;
    for tab in tabs {
        client.switch_to_window(tab).await.unwrap();
        let all =
            |shown: &[Shown]| shown.len() == torrents && shown.iter().all(|t| t.progress == 100);
        setup
            .browser
            .wait_until(DOWNLOAD, "all are added and complete", all)
            .await;
    }
}

#[tokio::test]
async fn a_tab_that_leads_and_does_not_answer_is_named_and_nothing_is_taken_that_would_be_lost() {
    let setup = Setup::start().await;
    let client = setup.browser.client();
    let silent = client.window().await.unwrap();
    lead_silently(&setup).await;
    let second = setup.open_window(&setup.bridge.url()).await;
    setup
        .browser
        .wait_for_text("does not answer this one")
        .await;
    let forms = "return document.querySelectorAll('form').length";
    setup.browser.wait_for(forms, 0.into()).await;

    setup.close_window(silent, second).await;
    let torrent = single("late.bin", 44, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.find("textbox", "").await;
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.browser.close_but_for("favicon.ico").await;
}

#[tokio::test]
async fn what_is_added_before_the_leading_tab_listens_is_added_when_one_does() {
    let setup = Setup::start().await;
    let client = setup.browser.client();
    let silent = client.window().await.unwrap();
    lead_silently(&setup).await;
    let torrents = [single("early.bin", 45, 1), single("too.bin", 46, 1)];
    let _seeds = torrents
        .each_ref()
        .map(|torrent| setup.seed(torrent, Manner::Honest));
    let mut tabs = Vec::new();
    for torrent in &torrents {
        tabs.push(setup.open_window(&setup.bridge.url()).await);
        let waits = "already open in another tab";
        setup.browser.wait_for_text(waits).await;
        setup.browser.add_file(&setup.file(torrent)).await;
    }
    end_and_wait_for_all(&setup, silent, tabs, 2).await;
    setup.browser.close_but_for("favicon.ico").await;
}

/// The tab that takes over needs a moment to open its storage; the others believe that the former one
/// still leads.
#[tokio::test]
async fn what_is_added_while_another_tab_takes_over_is_added_once_it_has() {
    let setup = Setup::start().await;
    let client = setup.browser.client();
    let before = single("before.bin", 47, 1);
    let _before = setup.seed(&before, Manner::Honest);
    setup.browser.add_file(&setup.file(&before)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let first = client.window().await.unwrap();
    let silent = setup.open_window(&setup.bridge.url()).await;
    ask_to_lead_silently(&setup).await;
    let torrents = [single("between.bin", 48, 1), single("both.bin", 49, 1)];
    let _seeds = torrents
        .each_ref()
        .map(|torrent| setup.seed(torrent, Manner::Honest));
    let mut tabs = Vec::new();
    for _ in &torrents {
        tabs.push(setup.open_window(&setup.bridge.url()).await);
        // It has heard the leader.
        setup.browser.wait_until_complete(SOON).await;
    }
    setup.close_window(first, silent.clone()).await;
    wait_until_it_leads(&setup).await;
    for (tab, torrent) in tabs.iter().zip(&torrents) {
        client.switch_to_window(tab.clone()).await.unwrap();
        setup.browser.add_file(&setup.file(torrent)).await;
    }
    end_and_wait_for_all(&setup, silent, tabs, 3).await;
    setup.browser.close_but_for("favicon.ico").await;
}

#[tokio::test]
async fn a_hidden_tab_continues_downloading() {
    let setup = Setup::start().await;
    let client = setup.browser.client();
    let torrent = single("hidden.bin", 33, 24);
    let seed = setup.seed(&torrent, Manner::Slow(4096));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(5, DOWNLOAD).await;
    client.minimize_window().await.unwrap();
    assert_eq!(
        setup.browser.run("return document.hidden").await,
        true,
        "the browser thinks that it can be seen"
    );
    let (before, begun) = (seed.blocks_sent(), Instant::now());
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let moved = u64::from(seed.blocks_sent() - before) * 16;
    println!(
        "{} KiB/s out of sight",
        moved * 1000 / u64::try_from(begun.elapsed().as_millis().max(1)).unwrap()
    );
    assert_eq!(
        setup.browser.run("return document.hidden").await,
        true,
        "it came into sight meanwhile"
    );
    client.maximize_window().await.unwrap();
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

/// Makes the worker trap.
async fn trap(browser: &Browser) {
    browser.worker().await.ruin_memory().await;
}

#[tokio::test]
async fn a_crashed_worker_restarts_from_storage_but_not_after_three_crashes_in_a_minute() {
    let setup = Setup::start().await;
    let torrent = single("trap.bin", 34, 8);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    for _ in 0..2 {
        trap(&setup.browser).await;
        setup
            .browser
            .wait_until(SOON, "the old worker is gone", <[_]>::is_empty)
            .await;
        setup.browser.wait_until_complete(BACK_WITHIN).await;
    }
    setup.save_and_verify(&torrent).await;
    trap(&setup.browser).await;
    setup
        .browser
        .wait_until(SOON, "the worker is gone for good", <[_]>::is_empty)
        .await;
    let told = setup.browser.find("alert", "").await.text().await.unwrap();
    assert!(
        told.contains("broke 3 times within a minute") && told.contains("reload"),
        "{told}"
    );
    setup.browser.reload().await;
    setup.browser.wait_until_complete(SOON).await;
    setup.browser.close_but_for("RuntimeError").await;
}

#[tokio::test]
async fn a_worker_that_crashes_during_a_download_completes_it() {
    let setup = Setup::start().await;
    let torrent = single("midst.bin", 35, 24);
    let _seed = setup.seed(&torrent, Manner::Slow(4096));
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_for_progress(50, DOWNLOAD).await;
    trap(&setup.browser).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close_but_for("RuntimeError").await;
}

/// The page receives no error event; it notices that the worker no longer answers.
#[tokio::test]
async fn a_worker_that_ends_silently_is_restarted() {
    let setup = Setup::start().await;
    let torrent = single("silence.bin", 38, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let count = "window.started = 0; window.Worker = class extends Worker { constructor(...given) { super(...given); window.started++; } };";
    setup.browser.run(count).await;
    setup.browser.worker().await.run("self.close()").await;
    setup
        .browser
        .wait_for("return window.started", 1.into())
        .await;
    setup.browser.wait_until_complete(SOON).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

/// The browser reports an error of the storage worker, but not that it has ended.
#[tokio::test]
async fn a_storage_worker_that_crashes_or_ends_is_replaced_and_the_download_completes() {
    let setup = Setup::start().await;
    let torrent = single("stored.bin", 39, 32);
    let _seed = setup.seed(&torrent, Manner::Slow(4096));
    setup.browser.add_file(&setup.file(&torrent)).await;
    for (percent, end) in [
        (
            20,
            "setTimeout(() => { throw new Error('it ends here'); }); true",
        ),
        (60, "self.close(); true"),
    ] {
        setup.browser.wait_for_progress(percent, DOWNLOAD).await;
        setup.browser.storage_worker().await.run(end).await;
        let told = |shown: &[Shown]| {
            shown
                .iter()
                .any(|torrent| torrent.status.contains("broke and was started again"))
        };
        setup
            .browser
            .wait_until(SOON, "it says that storing failed", told)
            .await;
    }
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.reload().await;
    setup.browser.wait_until_complete(BACK_WITHIN).await;
    setup.browser.close_but_for("it ends here").await;
}

/// Nothing is lost: what it was to digest is digested by the next one, without a press of "Resume".
#[tokio::test]
async fn a_storage_worker_that_ends_while_it_only_digests_is_replaced_and_the_download_goes_on() {
    let setup = Setup::start().await;
    let torrent = single("digested.bin", 40, 2);
    let _seed = setup.seed(&torrent, Manner::Honest);
    let mut storage = setup.browser.storage_worker().await;
    let hang = "self.asked = new Promise(asked => { \
                crypto.subtle.digest = () => { asked(true); return new Promise(() => {}); }; }); true";
    storage.run(hang).await;
    setup.browser.add_file(&setup.file(&torrent)).await;
    assert_eq!(storage.run("self.asked").await, true);
    storage.run("self.close(); true").await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    setup.save_and_verify(&torrent).await;
    setup.browser.close().await;
}

#[tokio::test]
async fn removing_a_torrent_can_be_undone_for_some_seconds() {
    let setup = Setup::start().await;
    let torrent = single("undo.bin", 36, 4);
    let seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    let sent = seed.blocks_sent();
    setup.browser.press("Remove").await;
    setup
        .browser
        .wait_until(SOON, "it is gone from the list", <[_]>::is_empty)
        .await;
    setup.browser.press("Undo").await;
    setup.browser.wait_until_complete(SOON).await;
    assert!(
        setup.browser.find_now("button", "Undo").await.is_none(),
        "there is nothing to undo any more"
    );
    setup.browser.reload().await;
    setup.browser.wait_until_complete(SOON).await;
    setup.save_and_verify(&torrent).await;
    assert_eq!(seed.blocks_sent(), sent, "it was fetched again");
    setup.browser.close().await;
}

#[tokio::test]
async fn the_data_of_a_removed_torrent_is_deleted_when_undo_ends() {
    let setup = Setup::start().await;
    let torrent = single("deleted.bin", 37, 1);
    let _seed = setup.seed(&torrent, Manner::Honest);
    setup.browser.add_file(&setup.file(&torrent)).await;
    setup.browser.wait_until_complete(DOWNLOAD).await;
    assert_eq!(folders(&setup.browser).await, 1);
    setup.browser.press("Remove").await;
    setup.browser.find("button", "Undo").await;
    while setup.browser.find_now("button", "Undo").await.is_some() {
        setup.browser.shown().await;
    }
    // The storage worker deletes it.
    setup.browser.wait_for(FOLDERS, 0.into()).await;
    setup.browser.close().await;
}

/// Counts the torrents with a folder in the origin's storage.
const FOLDERS: &str = r#"
    return navigator.storage.getDirectory().then(root => root.getDirectoryHandle("torrents"))
        .then(async torrents => { let n = 0; for await (const _ of torrents.keys()) n++; return n; });
"#;

async fn folders(browser: &Browser) -> u64 {
    browser.run(FOLDERS).await.as_u64().unwrap()
}
