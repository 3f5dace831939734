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
use aqueduct_tests::programs::{self, Program};
use aqueduct_tests::torrent::{Computed, Recipe};
use aqueduct_tests::tracker::{Options, ReturnedPeers, Tracker};
use tempfile::TempDir;

use super::table::MARK;

const PIECE: u32 = 32 * 1024;
const PART: u64 = 4 * PIECE as u64;
const LIMIT: Duration = Duration::from_secs(240);

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
    if namespace::ran_inside_showing(NAME, &addresses, LIMIT * 2, MARK) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let root = folder.path();
    let files: Vec<String> = (0..6).map(|number| format!("part {number}")).collect();
    let files: Vec<(&str, u64)> = files.iter().map(|name| (name.as_str(), PART)).collect();
    let torrent = Recipe::folder("six clients", 6, &files, PIECE).build();
    let tracker = Tracker::with(Options {
        knows: ReturnedPeers::Leechers((0..6).map(addr).collect()),
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
        program.wait_for_line("\"ready\"", LIMIT);
    }
    programs.push(ours(root, &torrent, &file));
    let start = Instant::now();
    let mut incomplete: BTreeSet<u8> = (0..6).collect();
    while !incomplete.is_empty() && start.elapsed() < LIMIT {
        sleep(Duration::from_millis(200));
        for number in incomplete.clone() {
            if torrent.verify(&place(root, number)).is_ok() {
                incomplete.remove(&number);
                let seconds = start.elapsed().as_secs_f64();
                println!("{MARK}{} is complete after {seconds:.0} s", name(number));
            }
        }
    }
    if incomplete.is_empty() {
        return;
    }
    for number in incomplete {
        let lacks: Vec<String> = (0..6)
            .zip(torrent.files())
            .filter(|(_, (path, offset, size))| {
                let path = place(root, number).join(path);
                torrent.verify_file(&path, *offset, *size).is_err()
            })
            .map(|(owner, _)| name(owner))
            .collect();
        println!(
            "{MARK}{} lacks the parts of {}",
            name(number),
            lacks.join(", ")
        );
    }
    for line in programs.iter().flat_map(Program::lines) {
        println!("{MARK}{line}");
    }
    panic!("not all are complete after {LIMIT:?}");
}

/// A client and its settings.
fn name(number: u8) -> String {
    let Some(other) = usize::from(number).checked_sub(1) else {
        return "Aqueduct (allow)".to_owned();
    };
    let (client, encryption, more) = OTHERS[other];
    format!("{client} ({})", [&[encryption], more].concat().join(" "))
}

fn addr(number: u8) -> SocketAddr {
    SocketAddr::from((
        Ipv4Addr::new(11, 0, 1, number + 1),
        6881 + u16::from(number),
    ))
}

fn place(root: &Path, number: u8) -> PathBuf {
    root.join(format!("data {number}"))
}

/// Writes a client's part below its folder, and returns the folder.
fn part(root: &Path, torrent: &Computed, number: u8) -> PathBuf {
    let place = place(root, number);
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
