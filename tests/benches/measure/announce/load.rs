//! What is asked: a sequence of announces that is the same for every server.

use anyhow::Result;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// Swarms that are announced.
pub(super) const SWARMS: u32 = 2000;
/// Ports, and so peers, of one address in one swarm.
const PORTS: u32 = 400;

/// One announce.
pub(super) struct Announce {
    pub(super) info_hash: [u8; 20],
    pub(super) port: u16,
    pub(super) left: u64,
}

/// The sequence.
pub(super) struct Load(ChaCha8Rng);

impl Load {
    pub(super) fn new() -> Self {
        Self(ChaCha8Rng::from_seed([1; 32]))
    }

    /// The next one. Some swarms are asked for far more often than others, and a third of the peers
    /// are seeds.
    pub(super) fn next(&mut self) -> Announce {
        let (one, other) = (self.0.next_u32() % SWARMS, self.0.next_u32() % SWARMS);
        let port = 10_000 + u16::try_from(self.0.next_u32() % PORTS).unwrap_or(0);
        Announce {
            info_hash: info_hash(one.min(other)),
            port,
            left: u64::from(port % 3),
        }
    }
}

/// The name of a swarm: as random as real ones, the same in every run.
pub(super) fn info_hash(number: u32) -> [u8; 20] {
    let mut hash = [0; 20];
    ChaCha8Rng::seed_from_u64(number.into()).fill_bytes(&mut hash);
    hash
}

/// Runs this thread on any processor but one, if there is another.
pub(super) fn keep_off(processor: usize) -> Result<()> {
    let mut set = sched_getaffinity(None::<Pid>)?;
    set.unset(processor);
    if set != CpuSet::new() {
        sched_setaffinity(None::<Pid>, &set)?;
    }
    Ok(())
}
