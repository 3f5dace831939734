//! A swarm of six different clients, of which no two pairs have the same settings. Each has a sixth
//! of the data.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use aqueduct_tests::clients::{Observed, observed_client};
use aqueduct_tests::namespace;
use aqueduct_tests::programs::{self, Program, START};
use aqueduct_tests::torrent::{Computed, Recipe};
use aqueduct_tests::tracker::{Options, ReturnedPeers, Tracker};
use tempfile::TempDir;

const PIECE: u32 = 32 * 1024;
const PART: u64 = 4 * PIECE as u64;
const LIMIT: Duration = Duration::from_secs(90);

/// The clients besides ours: name, encryption, and what else is set.
const OTHERS: [(&str, &str, &[&str]); 5] = [
    ("libtorrent", "require", &["--no-tcp"]),
    ("transmission", "require", &[]),
    ("aria2", "allow", &[]),
    ("rtorrent", "off", &[]),
    ("qbittorrent", "allow", &["--no-utp"]),
];

#[test]
fn a_swarm_of_six_different_clients_with_mixed_settings_completes() {
    const NAME: &str =
        "matrix::six_clients::a_swarm_of_six_different_clients_with_mixed_settings_completes";
    let addresses: Vec<IpAddr> = (0..6).map(|number| addr(number).ip()).collect();
    if namespace::ran_inside(NAME, &addresses, LIMIT * 2) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    let files: Vec<String> = (0..6).map(|number| format!("part {number}")).collect();
    let files: Vec<(&str, u64)> = files.iter().map(|name| (name.as_str(), PART)).collect();
    let torrent = Recipe::folder("six clients", 6, &files, PIECE).build();
    let tracker = Tracker::with(Options {
        knows: ReturnedPeers::Only((0..6).map(addr).collect()),
        ..Options::default()
    });
    let file = root.join(format!("{}.torrent", torrent.hex()));
    fs::write(&file, torrent.metainfo(&[tracker.http()])).unwrap();

    let mut programs: Vec<Program> = OTHERS
        .iter()
        .zip(1..)
        .map(|((client, encryption, more), number)| {
            let observed = Observed {
                client,
                state: &root.join(format!("state {number}")),
                listen: addr(number),
                encryption,
                folder: &part(root, &torrent, number),
                torrents: std::slice::from_ref(&file),
            };
            observed_client(&observed, more)
        })
        .collect();
    for program in &mut programs {
        program.wait_for_line("\"ready\"", START);
    }
    programs.push(ours(root, &torrent, &file));
    let start = Instant::now();
    let mut incomplete: BTreeSet<usize> = (0..6).collect();
    while !incomplete.is_empty() {
        sleep(Duration::from_millis(200));
        incomplete.retain(|number| torrent.verify(&place(root, *number)).is_err());
        if start.elapsed() > LIMIT {
            programs
                .iter()
                .for_each(|program| println!("{}", program.told()));
            panic!("after {LIMIT:?} these lack something: {incomplete:?}");
        }
    }
}

fn addr(number: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(11, 0, 1, number + 1), 6881))
}

fn place(root: &Path, number: usize) -> PathBuf {
    root.join(format!("data {number}"))
}

/// Writes a client's part below its folder, and returns the folder.
fn part(root: &Path, torrent: &Computed, number: u8) -> PathBuf {
    let place = place(root, number.into());
    let (path, offset, size) = torrent.files().nth(number.into()).unwrap();
    let path = place.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, torrent.slice(offset, size)).unwrap();
    place
}

fn ours(root: &Path, torrent: &Computed, file: &Path) -> Program {
    let mut command = Command::new(programs::aqueduct());
    command
        .args([
            "get",
            "--seed",
            "-vv",
            "--no-dht",
            "--no-lsd",
            "--no-port-mapping",
            "--port",
        ])
        .args([
            &addr(0).port().to_string(),
            "--bind",
            &addr(0).ip().to_string(),
        ])
        .arg("-o")
        .arg(part(root, torrent, 0))
        .arg(file)
        .env("XDG_STATE_HOME", root.join("state 0"));
    Program::start(&mut command)
}
