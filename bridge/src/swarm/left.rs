//! What a session keeps of the swarms that it has left. A tab leaves when its user pauses a torrent,
//! and joins again to resume it; trackers must not be asked again so soon, and those of a private
//! torrent are the only source of its peers.

use std::collections::VecDeque;

use aqueduct_core::types::InfoHashV1;
use tokio::time::Instant;

use crate::swarm::candidates::Remembered;

/// A swarm that was left.
#[derive(Debug)]
pub(crate) struct LeftSwarm {
    pub(crate) info_hash: InfoHashV1,
    /// Its peers, without other tabs, which are found again at once.
    pub(crate) peers: Vec<Remembered>,
    /// Whether one of its trackers has returned this bridge as a peer.
    pub(crate) tracker_names_bridge: bool,
}

/// The swarms that a session left a short time ago, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct LeftSwarms {
    swarms: VecDeque<(Instant, LeftSwarm)>,
}

impl LeftSwarms {
    /// Keeps a swarm until `until`, which is never earlier than that of the one before.
    pub(crate) fn add(&mut self, swarm: LeftSwarm, until: Instant) {
        self.swarms.push_back((until, swarm));
    }

    /// Returns what is kept of a swarm, and forgets it.
    pub(crate) fn take(&mut self, info_hash: InfoHashV1) -> Option<LeftSwarm> {
        let of_hash = |(_, swarm): &(Instant, LeftSwarm)| swarm.info_hash == info_hash;
        let place = self.swarms.iter().position(of_hash)?;
        self.swarms.remove(place).map(|(_, swarm)| swarm)
    }

    /// Forgets the oldest swarms beyond this number.
    pub(crate) fn limit_to(&mut self, number: usize) {
        self.swarms
            .drain(..self.swarms.len().saturating_sub(number));
    }

    /// When [`LeftSwarms::expire`] will forget something.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        self.swarms.front().map(|(until, _)| *until)
    }

    /// Forgets the swarms whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.swarms.retain(|(until, _)| *until > now);
    }

    /// The number of addresses in all of them.
    pub(crate) fn peers(&self) -> usize {
        self.swarms.iter().map(|(_, swarm)| swarm.peers.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn left(number: u8) -> LeftSwarm {
        LeftSwarm {
            info_hash: InfoHashV1([number; 20]),
            peers: Vec::new(),
            tracker_names_bridge: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_swarm_is_kept_once_for_its_time_and_while_there_is_room() {
        let now = Instant::now();
        let mut swarms = LeftSwarms::default();
        for number in 1..=4 {
            let until = now + Duration::from_secs(number.into());
            swarms.add(left(number), until);
        }
        swarms.limit_to(3);
        assert!(swarms.take(left(1).info_hash).is_none(), "no room");
        assert_eq!(swarms.next_end(), Some(now + Duration::from_secs(2)));
        swarms.expire(now + Duration::from_secs(2));
        assert!(swarms.take(left(2).info_hash).is_none(), "too old");
        assert!(swarms.take(left(3).info_hash).is_some());
        assert!(swarms.take(left(3).info_hash).is_none(), "taken already");
        assert!(swarms.take(left(4).info_hash).is_some());
        assert_eq!(swarms.next_end(), None);
    }
}
