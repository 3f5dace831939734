//! Our program on real disks: small ones, a read-only one, many files, and a process that is killed
//! repeatedly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aqueduct_tests::programs::{Program, START, aqueduct};
use aqueduct_tests::torrent::Recipe;
use serde_json::Value;

use super::{DOWNLOAD, Setup};

/// A file system in memory, unmounted when this is dropped. Mounting requires root.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf, mib: u64) -> Self {
        run(
            "mount",
            &[
                "-t",
                "tmpfs",
                "-o",
                &format!("size={mib}m"),
                "aqueduct-test",
                text(&at),
            ],
        );
        Self(at)
    }

    fn forbid_writing(&self) {
        run("mount", &["-o", "remount,ro", text(&self.0)]);
    }

    /// Uses up all remaining space, until the returned file is removed.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let zeros = vec![0; 1 << 20];
        let mut file = fs::File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
        filler
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount")
            .arg("--lazy")
            .arg(&self.0)
            .output()
            .ok();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?} needs root: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn value(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

/// Starts our program as a seed. Returns it and its address.
fn seed(setup: &Setup) -> (Program, String) {
    let full = setup.full_place("seed");
    let mut seed = Program::start(
        setup
            .aqueduct("seed")
            .arg(setup.source())
            .arg(full)
            .args(["--no-trackers", "--json"]),
    );
    let port = value(&seed.wait_for_line("\"listening\"", START))["port"].clone();
    (seed, format!("127.0.0.1:{port}"))
}

fn get(setup: &Setup, peer: &str, place: &Path, more: &[&str]) -> Program {
    let mut get = setup.aqueduct("get");
    Program::start(
        get.args([
            setup.source(),
            "--no-trackers",
            "--json",
            "--peer",
            peer,
            "-o",
        ])
        .arg(place)
        .args(more),
    )
}

#[test]
fn a_disk_that_is_too_small_is_reported_before_the_first_byte() {
    let setup = Setup::new(Recipe::single("large.bin", 60, 6 << 20, 64 * 1024));
    let disk = Disk::mount(setup.place("disk"), 4);
    let (_seed, peer) = seed(&setup);
    let mut get = get(&setup, &peer, &disk.0, &[]);
    assert_eq!(get.wait(DOWNLOAD).code(), Some(5), "{}", get.told());
    let told = get.told();
    assert!(
        told.contains("needs 6291456 bytes more, only 4194304 are free; free some space"),
        "{told}"
    );
    assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 0);
}

#[test]
fn a_full_disk_pauses_the_download_until_there_is_space() {
    let setup = Setup::new(Recipe::single("growing.bin", 61, 6 << 20, 64 * 1024));
    let disk = Disk::mount(setup.place("disk"), 8);
    let (_seed, peer) = seed(&setup);
    let mut get = get(&setup, &peer, &disk.0, &["--download-limit", "1M"]);
    // Too little space at the start is refused. Wait until this download has started.
    while value(&get.wait_for_line("\"phase\":\"downloading\"", START))["done"] == 0 {}
    let filler = disk.fill();
    let waiting = value(&get.wait_for_line("\"waiting\"", START));
    assert_eq!(waiting["class"], "storage");
    assert!(
        waiting["message"]
            .as_str()
            .unwrap()
            .contains("free some space"),
        "{waiting}"
    );
    fs::remove_file(filler).unwrap();
    get.wait_for_success(DOWNLOAD);
    assert_eq!(
        get.lines()
            .iter()
            .filter(|line| line.contains("\"waiting\""))
            .count(),
        1,
        "{}",
        get.told()
    );
    setup.torrent.verify(&disk.0).unwrap();
}

#[test]
fn a_read_only_disk_refuses_a_download_and_still_seeds() {
    let setup = Setup::new(Recipe::awkward(62));
    let disk = Disk::mount(setup.place("seed"), 64);
    let (mut first, peer) = seed(&setup);
    first.signal("INT");
    first.wait(START);
    disk.forbid_writing();
    let mut refused = get(&setup, &peer, &disk.0.join("below"), &[]);
    assert_eq!(refused.wait(START).code(), Some(5), "{}", refused.told());
    assert!(
        refused
            .told()
            .contains("choose a folder that you may write to with --output"),
        "{}",
        refused.told()
    );
    let mut serving = Program::start(
        setup
            .aqueduct("seed")
            .arg(setup.source())
            .arg(&disk.0)
            .args(["--no-trackers", "--json"]),
    );
    let port = value(&serving.wait_for_line("\"listening\"", START))["port"].clone();
    let place = setup.place("aqueduct");
    get(&setup, &format!("127.0.0.1:{port}"), &place, &[]).wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

#[test]
fn a_process_killed_thirty_times_never_records_a_wrong_piece_and_completes() {
    let setup = Setup::new(Recipe::single("killed.bin", 63, 24 << 20, 64 * 1024));
    let (_seed, peer) = seed(&setup);
    let place = setup.place("aqueduct");
    let mut had = 0;
    for kill in 0..30 {
        let mut get = get(&setup, &peer, &place, &["--download-limit", "1M"]);
        let have = value(&get.wait_for_line("\"checked\"", START))["have"]
            .as_u64()
            .unwrap();
        let right = right_pieces(&setup, &place);
        assert!(
            have <= right,
            "kill {kill}: {have} pieces were called had, {right} are right"
        );
        assert!(
            have >= had,
            "kill {kill}: {had} pieces were had before, {have} are now"
        );
        had = have;
        // A different delay for each kill, starting with none.
        get.wait_within(Duration::from_millis(37 * (kill * 7 % 30)));
        get.signal("KILL");
        get.wait(START);
    }
    assert!(had > 0, "nothing was kept over thirty runs");
    get(&setup, &peer, &place, &[]).wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}

/// The number of correct pieces on disk.
fn right_pieces(setup: &Setup, place: &Path) -> u64 {
    let Ok(bytes) = fs::read(place.join(setup.torrent.name())) else {
        return 0;
    };
    let length = setup.torrent.lengths().piece_length() as usize;
    let pieces = bytes.chunks(length).zip(setup.torrent.lengths().iter());
    pieces
        .filter(|(bytes, piece)| setup.torrent.piece(*piece) == *bytes)
        .count() as u64
}

#[test]
fn three_thousand_files_need_few_descriptors() {
    let names: Vec<String> = (0..3000)
        .map(|n| format!("folder {}/{n}", n % 40))
        .collect();
    let files: Vec<(&str, u64)> = names
        .iter()
        .zip(0..)
        .map(|(name, n)| (name.as_str(), n % 700))
        .collect();
    let setup = Setup::new(Recipe::folder("many", 64, &files, 16 * 1024));
    let (_seed, peer) = seed(&setup);
    let place = setup.place("aqueduct");
    let limited = "ulimit -n 400 && exec \"$@\"";
    let mut get = Command::new("sh");
    get.args([
        "-c",
        limited,
        "sh",
        text(&aqueduct()),
        "get",
        setup.source(),
        "--no-trackers",
        "--no-dht",
        "--no-lsd",
        "--port",
        "0",
    ]);
    get.args(["--bind", "127.0.0.1", "--json", "--peer", &peer, "-o"])
        .arg(&place)
        .env("XDG_STATE_HOME", setup.place("state"));
    Program::start(&mut get).wait_for_success(DOWNLOAD);
    setup.torrent.verify(&place).unwrap();
}
