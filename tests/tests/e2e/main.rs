//! End-to-end tests: the page in a browser (Chromium, unless a test names another), through a bridge,
//! from real clients over TCP.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod accessibility;
mod adding;
mod bridge_quotas;
mod dht;
mod downloads;
mod encryption_and_utp;
mod engines;
mod faults;
mod files;
mod form;
mod hostile_names;
mod language;
mod messages;
mod offline;
mod other_players;
mod page_list;
mod page_opened;
mod page_size;
mod persistence;
mod playing;
mod saving_all;
mod saving_into_folder;
mod settings;
mod share_links;
mod sharing;
mod sharing_options;
mod small_files;
mod starting;
mod storage;
mod suspension;
mod tab_lifecycle;
mod tabs_as_peers;
mod torrent_options;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_tests::bridge::Bridge;
use aqueduct_tests::page::{Browser, Engine};
use aqueduct_tests::peer::{Manner, ScriptedSeed};
use aqueduct_tests::programs::{Program, START, aqueduct, command};
use aqueduct_tests::torrent::{Computed, Recipe};
use aqueduct_tests::tracker::Tracker;
use fantoccini::wd::WindowHandle;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

/// Several browsers at the same time would disturb each other's measurements on a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The limit for a download of a few MiB.
const DOWNLOAD: Duration = Duration::from_secs(240);

/// A bridge, a browser that shows its page, and a tracker.
struct Setup {
    bridge: Bridge,
    browser: Browser,
    tracker: Tracker,
    folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Setup {
    async fn start() -> Self {
        Self::start_with(Bridge::start(), Tracker::start()).await
    }

    async fn start_with(bridge: Bridge, tracker: Tracker) -> Self {
        Self::start_in(Engine::Chromium, bridge, tracker).await
    }

    async fn start_in(engine: Engine, bridge: Bridge, tracker: Tracker) -> Self {
        let turn = ONE_AT_A_TIME.lock().await;
        let folder = TempDir::new().unwrap();
        let downloads = folder.path().join("downloads");
        std::fs::create_dir(&downloads).unwrap();
        let browser = Browser::start_engine(engine, &downloads).await;
        browser.open(&bridge.url()).await;
        Self {
            bridge,
            browser,
            tracker,
            folder,
            _turn: turn,
        }
    }

    /// Starts another browser with its own profile, at the page of this bridge.
    async fn another(&self, name: &str, bridge: &Bridge) -> Browser {
        let browser = Browser::start(&self.place(name)).await;
        browser.open(&bridge.url()).await;
        browser
    }

    /// Opens a page in a window of its own, to which the browser switches.
    async fn open_window(&self, url: &str) -> WindowHandle {
        let client = self.browser.client();
        let window = client.new_window(true).await.unwrap().handle;
        client.switch_to_window(window.clone()).await.unwrap();
        self.browser.open(url).await;
        window
    }

    /// Closes a window, and switches to another one.
    async fn close_window(&self, closed: WindowHandle, next: WindowHandle) {
        let client = self.browser.client();
        client.switch_to_window(closed).await.unwrap();
        client.close_window().await.unwrap();
        client.switch_to_window(next).await.unwrap();
    }

    /// Another browser at this bridge's page downloads everything from a link, while the seed sends
    /// nothing more.
    async fn another_fetches_from_tabs(
        &self,
        bridge: &Bridge,
        link: &str,
        torrent: &Computed,
        seed: &ScriptedSeed,
    ) {
        let sent = seed.blocks_sent();
        let other = self.another("other", bridge).await;
        other.add_link(link).await;
        other.wait_until_complete(DOWNLOAD).await;
        assert_eq!(seed.blocks_sent(), sent, "the seed was found as well");
        save_and_verify(&other, torrent).await;
        other.close().await;
    }

    /// Writes the .torrent file, which names the test's tracker.
    fn file(&self, torrent: &Computed) -> PathBuf {
        let path = self
            .folder
            .path()
            .join(format!("{}.torrent", torrent.name()));
        std::fs::write(&path, torrent.metainfo(&[self.tracker.http()])).unwrap();
        path
    }

    /// Creates a .torrent file beside the data, which names the test's tracker.
    fn create_torrent(&self, data: &Path) -> PathBuf {
        let (file, tracker) = (data.with_extension("torrent"), self.tracker.http());
        let made = [
            Path::new("create"),
            data,
            Path::new("--tracker"),
            Path::new(&tracker),
            Path::new("-o"),
            &file,
        ];
        Program::start(&mut command(aqueduct(), made)).wait_for_success(START);
        file
    }

    fn magnet(&self, torrent: &Computed) -> String {
        torrent.magnet(&[self.tracker.http()])
    }

    /// Starts a scripted seed and adds it to the tracker.
    fn seed(&self, torrent: &Arc<Computed>, manner: Manner) -> ScriptedSeed {
        let seed = ScriptedSeed::start(Arc::clone(torrent), manner);
        self.tracker
            .introduce(torrent.info().info_hash.wire(), seed.addr);
        seed
    }

    /// A client's folder that contains all data.
    fn full_place(&self, name: &str, torrent: &Computed) -> PathBuf {
        let place = self.place(name);
        torrent.write_to(&place).unwrap();
        place
    }

    fn place(&self, name: &str) -> PathBuf {
        let place = self.folder.path().join(name);
        std::fs::create_dir_all(&place).unwrap();
        place
    }

    /// Saves the torrent's only file and checks all bytes.
    async fn save_and_verify(&self, torrent: &Computed) {
        save_and_verify(&self.browser, torrent).await;
    }
}

/// Saves the torrent's only file with this browser and checks all bytes.
async fn save_and_verify(browser: &Browser, torrent: &Computed) {
    let size = torrent.lengths().total();
    verify(torrent, &browser.save(torrent.name(), size, DOWNLOAD).await);
}

fn verify(torrent: &Computed, saved: &Path) {
    torrent
        .verify_file(saved, 0, torrent.lengths().total())
        .unwrap();
}

fn single(name: &str, seed: u64, mib: u64) -> Arc<Computed> {
    Arc::new(Recipe::single(name, seed, (mib << 20) + 777, 256 * 1024).build())
}
