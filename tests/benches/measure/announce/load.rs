//! The load: a sequence of announces that is the same for every server.

use anyhow::Result;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// The number of swarms.
pub(super) const SWARMS: u32 = 2000;
/// The number of ports, and therefore of peers, per address and swarm.
const PORTS: u32 = 400;

/// An announce.
pub(super) struct Announce {
    pub(super) info_hash: [u8; 20],
    pub(super) port: u16,
    pub(super) left: u64,
}

/// The generator of the sequence.
pub(super) struct Load(ChaCha8Rng);

impl Load {
    pub(super) fn new() -> Self {
        Self(ChaCha8Rng::from_seed([1; 32]))
    }

    /// The next announce. Swarms are not equally popular, and a third of the peers are seeds.
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

/// The info-hash of a swarm: random, but the same in every run.
pub(super) fn info_hash(number: u32) -> [u8; 20] {
    let mut hash = [0; 20];
    ChaCha8Rng::seed_from_u64(number.into()).fill_bytes(&mut hash);
    hash
}

/// Restricts this thread to all processors but this one, if there are others.
pub(super) fn keep_off(processor: usize) -> Result<()> {
    let mut set = sched_getaffinity(None::<Pid>)?;
    set.unset(processor);
    if set != CpuSet::new() {
        sched_setaffinity(None::<Pid>, &set)?;
    }
    Ok(())
}
