//! SHA-1 in memory, of one piece and of two at a time, beside OpenSSL; then `verify` and `create`
//! compared with that speed and with other programs, measured in the same run.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aqueduct_core::Rope;
use aqueduct_native::hash;
use aqueduct_tests::process::cpu;
use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::clients;
use crate::measured::{self, Measured};
use crate::payload::Payload;
use crate::process;

const PIECE: usize = 1 << 20;
/// The rival of `create` and `verify`.
const MKTORRENT: &str = "mktorrent";

/// Prints the speed of SHA-1 alone, then one row per program.
pub(crate) fn measure(size: NonZeroU32, runs: u32) -> Result<()> {
    let payload = Payload::create(size, "http://tracker.invalid/announce")?;
    let threads = thread::available_parallelism()?.get();
    measured::head(&format!("Hash {size} MiB in pieces of 1 MiB"));
    for _ in 0..runs {
        let limit = in_memory(threads, size.get())?;
        let mut rival: Option<Measured> = None;
        for (name, mut command) in commands(&payload, threads)? {
            let measured = process::measure(&mut command)?;
            let times = |than: &Measured| measured.wall.as_secs_f64() / than.wall.as_secs_f64();
            let mut note = format!("{:.2} times the limit", times(&limit));
            if name == MKTORRENT {
                rival = Some(measured);
            } else if let Some(rival) = &rival {
                note += &format!(", {:.2} times {MKTORRENT}'s time", times(rival));
            }
            measured::row(name, size.get(), &measured, &note);
        }
        for made in ["again.torrent", "mktorrent.torrent"] {
            // The program that makes it may not be installed.
            std::fs::remove_file(payload.folder().join(made)).ok();
        }
    }
    Ok(())
}

fn commands(payload: &Payload, threads: usize) -> Result<Vec<(&'static str, Command)>> {
    let again = payload.folder().join("again.torrent");
    let mut verify = Command::new(clients::aqueduct()?);
    verify
        .arg("verify")
        .arg(payload.torrent())
        .arg(payload.file());
    let mut create = Command::new(clients::aqueduct()?);
    create
        .arg("create")
        .arg(payload.file())
        .arg("-o")
        .arg(&again)
        .args(["--piece-length", "1M", "--force"]);
    let mut check = clients::libtorrent("check");
    check.arg(payload.torrent()).arg(payload.folder());
    let mut make = clients::libtorrent("create");
    make.arg(payload.file()).arg(PIECE.to_string());
    let mut mktorrent = Command::new(MKTORRENT);
    mktorrent
        .args(["--piece-length", "20", "--threads", &threads.to_string()])
        .arg("--output")
        .arg(payload.folder().join("mktorrent.torrent"))
        .arg(payload.file());
    let mut commands = vec![
        (MKTORRENT, mktorrent),
        ("aqueduct verify", verify),
        ("libtorrent check", check),
        ("aqueduct create", create),
        ("libtorrent create", make),
    ];
    // Only this measurement needs it.
    if Command::new(MKTORRENT).arg("-h").output().is_err() {
        commands.remove(0);
    }
    Ok(commands)
}

/// Prints the speed of SHA-1 without files. Returns the fastest way on all cores.
fn in_memory(threads: usize, size: u32) -> Result<Measured> {
    if let Some(speed) = openssl()? {
        let wall = Duration::from_secs_f64(f64::from(size) * PIECE as f64 / speed);
        let measured = Measured {
            wall,
            cpu: wall,
            peak: 0,
        };
        measured::row("OpenSSL, 1 thread", size, &measured, "");
    }
    let one = vec![0x5a_u8; PIECE];
    let alone = |pieces| {
        for _ in 0..pieces {
            black_box(Sha1::digest(black_box(&one)));
        }
    };
    row("One piece, 1 thread", 1, size, "", &alone);
    let two = [0x5a, 0xa5].map(|byte| Rope(vec![Bytes::from(vec![byte; PIECE])]));
    let paired = |pieces| {
        let [a, b] = &two;
        for _ in 0..pieces / 2 {
            black_box(hash::digest_pair(black_box(a), black_box(b)));
        }
    };
    row("Two pieces, 1 thread", 1, size, "", &paired);
    let name = format!("Two pieces, {threads} threads");
    Ok(row(&name, threads, size, "the limit", &paired))
}

/// Hashes `size` MiB on some threads; `work` hashes as many pieces as it is told.
fn row(
    name: &str,
    threads: usize,
    size: u32,
    note: &str,
    work: &(impl Fn(usize) + Sync),
) -> Measured {
    let pieces = usize::try_from(size).unwrap_or(usize::MAX) / threads;
    let start = Instant::now();
    let before = cpu(std::process::id());
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(|| work(pieces)))));
    let measured = Measured {
        wall: start.elapsed(),
        cpu: cpu(std::process::id()) - before,
        peak: 0,
    };
    measured::row(name, size, &measured, note);
    measured
}

/// The bytes per second that OpenSSL digests in pieces of the same length; `None` if it is not
/// installed.
fn openssl() -> Result<Option<f64>> {
    let mut speed = Command::new("openssl");
    speed
        .args(["speed", "-mr", "-seconds", "1", "-bytes"])
        .arg(PIECE.to_string())
        .args(["-evp", "sha1"]);
    let Ok(output) = speed.output() else {
        return Ok(None);
    };
    // A line for programs: "+F:22:sha1:1290000000.00".
    let output = String::from_utf8(output.stdout)?;
    let line = output.lines().find(|line| line.starts_with("+F:"));
    let figure = line.and_then(|line| line.rsplit(':').next());
    Ok(Some(figure.context("openssl printed no figure")?.parse()?))
}
