//! Who is in which swarm: what a tracker would answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::types::InfoHashV1;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::HostId;

/// A tracker's shortest interval, as the simulated one has it.
pub(super) const MIN_INTERVAL: Duration = Duration::from_secs(15);
/// Its regular interval.
pub(super) const INTERVAL: Duration = Duration::from_secs(120);
/// Most peers in an answer.
const NUMWANT: usize = 50;

/// All swarms.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    swarms: BTreeMap<InfoHashV1, BTreeSet<HostId>>,
}

impl Tracker {
    pub(super) fn leave(&mut self, swarm: InfoHashV1, host: HostId) {
        self.swarms.entry(swarm).or_default().remove(&host);
    }

    /// Lists the host and picks others for it.
    pub(super) fn announce(
        &mut self,
        swarm: InfoHashV1,
        host: HostId,
        rng: &mut ChaCha8Rng,
    ) -> Vec<HostId> {
        let members = self.swarms.entry(swarm).or_default();
        members.insert(host);
        let mut others = members
            .iter()
            .copied()
            .filter(|other| *other != host)
            .collect::<Vec<_>>();
        while others.len() > NUMWANT {
            others.swap_remove(rng.random_range(0..others.len()));
        }
        others
    }
}

/// When a host may announce again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announces {
    /// The torrent is active.
    pub(super) active: bool,
    /// One is planned for this time.
    pub(super) planned: Option<Instant>,
    /// The last one.
    pub(super) last: Option<Instant>,
}

impl Announces {
    /// When the next announce may be, if it is asked for now.
    pub(super) fn soonest(&self, now: Instant) -> Instant {
        self.last.map_or(now, |last| now.max(last + MIN_INTERVAL))
    }
}
