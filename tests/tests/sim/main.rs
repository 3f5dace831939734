//! Simulated swarms. Everything follows from the seeds, which a failing world prints; `AQUEDUCT_SIM_TRACE=1` shows every output.

mod disk;
mod life;
mod peers;
mod swarm;
mod trouble;

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

/// One file in so many pieces of so many KiB, the last one odd.
fn torrent(pieces: u64, kib: u64) -> Arc<Computed> {
    let size = pieces * kib * KIB - 333;
    Arc::new(Recipe::single("simulated.bin", pieces + kib, size, u32::try_from(kib * KIB).unwrap()).build())
}
