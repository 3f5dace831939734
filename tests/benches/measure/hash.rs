//! `verify` and `create` compared with the speed of SHA-1, measured in the same run.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::Result;
use aqueduct_tests::process::cpu;
use sha1::{Digest, Sha1};

use crate::clients;
use crate::measured::{self, Measured};
use crate::payload::Payload;
use crate::process;

const PIECE: usize = 1 << 20;

/// Prints the upper bound, then one row per program.
pub(crate) fn measure(size: NonZeroU32, runs: u32) -> Result<()> {
    let payload = Payload::create(size, "http://tracker.invalid/announce")?;
    let threads = thread::available_parallelism()?;
    measured::head(&format!("Hash {size} MiB in pieces of 1 MiB"));
    for _ in 0..runs {
        limit(1, size.get());
        let limit = limit(threads.get(), size.get());
        for (name, mut command) in commands(&payload)? {
            let measured = process::measure(&mut command)?;
            let ratio = measured.wall.as_secs_f64() / limit.wall.as_secs_f64();
            measured::row(
                name,
                size.get(),
                &measured,
                &format!("{ratio:.2} times the limit"),
            );
        }
        std::fs::remove_file(payload.folder().join("again.torrent"))?;
    }
    Ok(())
}

fn commands(payload: &Payload) -> Result<[(&'static str, Command); 4]> {
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
    Ok([
        ("aqueduct verify", verify),
        ("libtorrent check", check),
        ("aqueduct create", create),
        ("libtorrent create", make),
    ])
}

/// SHA-1 over as much memory as the payload has, on `threads` threads, without files.
fn limit(threads: usize, size: u32) -> Measured {
    let pieces = usize::try_from(size).unwrap_or(usize::MAX) / threads;
    let start = Instant::now();
    let before = cpu(std::process::id());
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(|| hash_pieces(pieces)))));
    let measured = Measured {
        wall: start.elapsed(),
        cpu: cpu(std::process::id()) - before,
        peak: 0,
    };
    measured::row(
        &format!("SHA-1 alone, {threads} threads"),
        size,
        &measured,
        "the limit",
    );
    measured
}

fn hash_pieces(pieces: usize) {
    let piece = vec![0x5a_u8; PIECE];
    for _ in 0..pieces {
        black_box(Sha1::digest(black_box(&piece)));
    }
}
