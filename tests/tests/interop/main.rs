//! Other BitTorrent clients as seeds and leeches of the terminal program, over TCP on loopback.
//!
//! No test is skipped: a missing client fails its tests, with a message that says how to install
//! it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod address_families;
mod bridge_tracker;
mod dht;
mod disk;
mod downloading;
mod encryption;
mod failure_reports;
mod holepunching;
mod matrix;
mod network_namespace;
mod outbound;
mod peer_exchange;
mod port_mapping;
mod private_torrents;
mod seeding;
mod utp;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_tests::programs::{self, Program, START};
use aqueduct_tests::torrent::{Computed, Recipe};
use aqueduct_tests::tracker::Tracker;
use tempfile::TempDir;

/// The limit for a download of a few MiB on loopback, including the timers of all clients.
const DOWNLOAD: Duration = Duration::from_secs(180);

/// Creates an empty folder for a client in the test's folder.
fn place(folder: &TempDir, name: &str) -> PathBuf {
    let place = folder.path().join(name);
    std::fs::create_dir_all(&place).unwrap();
    place
}

/// Creates a folder for a client that contains all data.
fn full_place(folder: &TempDir, name: &str, torrent: &Computed) -> PathBuf {
    let place = place(folder, name);
    torrent.write_to(&place).unwrap();
    place
}

/// A tracker, a torrent, and a folder per client.
struct Setup {
    torrent: Arc<Computed>,
    tracker: Tracker,
    /// The path of the .torrent file.
    file: PathBuf,
    folder: TempDir,
}

impl Setup {
    fn new(recipe: Recipe) -> Self {
        let (torrent, tracker, folder) = (
            Arc::new(recipe.build()),
            Tracker::start(),
            TempDir::new().unwrap(),
        );
        let file = folder.path().join("test.torrent");
        std::fs::write(&file, torrent.metainfo(&[tracker.http()])).unwrap();
        Self {
            torrent,
            tracker,
            file,
            folder,
        }
    }

    /// Creates an empty folder for a client.
    fn place(&self, name: &str) -> PathBuf {
        place(&self.folder, name)
    }

    /// Creates a folder for a client that contains all data.
    fn full_place(&self, name: &str) -> PathBuf {
        full_place(&self.folder, name, &self.torrent)
    }

    /// Waits until a client with all data has announced.
    fn wait_for_seed(&self) {
        self.tracker.wait_for("a seed", START, |said| {
            said.left == 0 && said.event != "stopped"
        });
    }

    /// Waits until a client with missing data has announced.
    fn wait_for_leech(&self) {
        self.tracker.wait_for("a leech", START, |said| {
            said.left > 0 && said.event != "stopped"
        });
    }

    /// Our program, to be given more arguments. It uses only the given trackers and peers.
    fn aqueduct(&self, subcommand: &str) -> Command {
        let mut command = self.open_aqueduct(subcommand);
        command.arg("--no-lsd");
        command
    }

    /// Our program, accepting every peer on loopback. Its state is in the test's folder, so that
    /// runs do not share state.
    fn open_aqueduct(&self, subcommand: &str) -> Command {
        let mut command = Command::new(programs::aqueduct());
        command
            .arg(subcommand)
            .args(["--port", "0", "--bind", "127.0.0.1", "--no-dht"])
            .env("XDG_STATE_HOME", self.place("state"));
        command
    }

    /// Our program downloads `source`, and all data are verified.
    fn get(&self, source: &str) {
        self.get_with(source, &[]);
    }

    fn get_with(&self, source: &str, more: &[&str]) {
        let place = self.place("aqueduct");
        let mut get = Program::start(
            self.aqueduct("get")
                .arg(source)
                .arg("-o")
                .arg(&place)
                .args(more),
        );
        let ended = get.wait_within(DOWNLOAD);
        assert!(
            ended.is_some_and(|status| status.success()),
            "{ended:?}{}\nannounces: {:#?}",
            get.told(),
            self.tracker.announces()
        );
        self.torrent
            .verify(&place)
            .unwrap_or_else(|wrong| panic!("{wrong}{}", get.told()));
    }

    /// Starts our program as a seed and waits for its announce.
    fn seed(&self) -> Program {
        let place = self.full_place("aqueduct");
        let seed = Program::start(self.aqueduct("seed").arg(&self.file).arg(&place));
        self.wait_for_seed();
        seed
    }

    fn source(&self) -> &str {
        self.file
            .to_str()
            .expect("the path of a temporary folder is text")
    }
}
