//! Simulated swarms. The seeds, which a failing world prints, determine everything.
//! `AQUEDUCT_SIM_TRACE=1` prints every output. `AQUEDUCT_SIM_SEEDS=1035` or `=1..100000` replaces
//! the seeds of tests that use many.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and so do its helpers"
)]

mod bad_peers;
mod dht;
mod discovery;
mod disk;
mod extensions;
mod holepunching;
mod interruptions;
mod random_faults;
mod seeking;
mod swarm;
mod throughput;
mod utp;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_tests::torrent::{Computed, Recipe};

const KIB: u64 = 1024;

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A torrent with one file, in this many pieces of this many KiB; the last piece is shorter.
fn torrent(pieces: u64, kib: u64) -> Arc<Computed> {
    let size = pieces * kib * KIB - 333;
    Arc::new(
        Recipe::single(
            "simulated.bin",
            pieces + kib,
            size,
            u32::try_from(kib * KIB).unwrap(),
        )
        .build(),
    )
}

/// The seeds of a test with many worlds: its own, or those in the environment.
fn seeds(own: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("AQUEDUCT_SIM_SEEDS") else {
        return own;
    };
    let number = |part: &str| {
        part.parse::<u64>()
            .expect("AQUEDUCT_SIM_SEEDS is a number or a range like 1..100")
    };
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    }
}
