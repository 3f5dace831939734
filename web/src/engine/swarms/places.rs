//! Slots with the bridge: a session may be in a limited number of swarms, and may join a limited
//! number per minute. A torrent without a slot waits. Downloads precede seeds; among equals the one
//! that has waited longest comes first.

use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::tunnel::JoinRefusal;
use aqueduct_core::types::{TorrentId, sort};

/// The number of slots until the bridge reports its limit: the default of bridges, so that nothing
/// waits for the welcome.
const EXPECTED: usize = 32;
/// A torrent without a peer for this long gives up its slot if others wait.
const YIELD_AFTER: Duration = Duration::from_secs(300);
/// The interval at which slots are assigned again while a torrent waits, in addition to assignments
/// after changes.
const REASSIGN_EVERY: Duration = Duration::from_secs(15);
/// The delay after a refusal that does not contain one.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// The minimum time between two joins, once the bridge has refused one as too fast.
const LEAST_SPACING: Duration = Duration::from_millis(250);

/// Whether a torrent is in its swarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Membership {
    /// It should not be in its swarm.
    #[default]
    Outside,
    /// It has waited for a slot since this time.
    Waiting(Instant),
    /// It joined its swarm at this time, with this number in the current session.
    Joined(u32, Instant),
}

impl Membership {
    /// The number of its join in the current session.
    pub(super) const fn join(self) -> Option<u32> {
        match self {
            Self::Joined(join, _) => Some(join),
            Self::Outside | Self::Waiting(_) => None,
        }
    }

    /// Records that the session has ended. Torrents that had a slot come first in the next one.
    pub(super) fn end_session(&mut self) {
        if let Self::Joined(..) = self {
            *self = Self::Waiting(Instant::ZERO);
        }
    }
}

/// The number of slots, and when the next one may be taken.
pub(super) struct Places {
    limit: usize,
    /// The time before which no swarm may be joined.
    next_join: Instant,
    spacing: Duration,
    assign_at: Option<Instant>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            limit: EXPECTED,
            next_join: Instant::ZERO,
            spacing: Duration::ZERO,
            assign_at: None,
        }
    }
}

impl Places {
    /// Records a change that may give a torrent a slot.
    pub(super) fn assign_soon(&mut self, now: Instant) {
        self.assign_at = Some(self.assign_at.map_or(now, |at| at.min(now)));
    }

    /// When slots must be assigned again.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.assign_at
    }

    /// Whether they must be assigned now; if so, not again before [`Places::assigned`] or
    /// [`Places::assign_soon`].
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.assign_at.is_some_and(|at| at <= now);
        if due {
            self.assign_at = None;
        }
        due
    }

    /// The torrents that should have a slot, the most urgent first.
    pub(super) fn choose(&self, mut claims: Vec<Claim>, now: Instant) -> Vec<Claim> {
        sort::sort_by_key(&mut claims, |claim| claim.rank(now));
        claims.truncate(self.limit);
        claims
    }

    /// Whether a swarm may be joined now; if so, the join is counted.
    pub(super) fn take_join(&mut self, now: Instant) -> bool {
        let may = self.next_join <= now;
        if may {
            self.next_join = now + self.spacing;
        }
        may
    }

    /// Records an assignment after which torrents wait; `crowded`: some of them for lack of slots.
    pub(super) fn assigned(&mut self, now: Instant, crowded: bool) {
        let spaced = (self.next_join > now).then_some(self.next_join);
        let later = crowded.then_some(now + REASSIGN_EVERY);
        self.assign_at = spaced.into_iter().chain(later).min();
    }

    /// Starts a new session without joins.
    pub(super) fn start_session(&mut self, now: Instant) {
        (self.next_join, self.spacing) = (now, Duration::ZERO);
        self.assign_soon(now);
    }

    /// Sets the number of slots that the bridge grants.
    pub(super) fn set_limit(&mut self, now: Instant, limit: u16) {
        self.limit = limit.into();
        self.assign_soon(now);
    }

    /// Records that the bridge refused a join while `taken` others exist.
    pub(super) fn refused(&mut self, now: Instant, refusal: JoinRefusal, taken: usize) {
        let wait = match refusal {
            JoinRefusal::TooFast { retry_after } => {
                self.spacing = self.spacing.max(retry_after).max(LEAST_SPACING);
                retry_after
            }
            JoinRefusal::NoPlace if taken > 0 => {
                self.limit = self.limit.min(taken);
                Duration::ZERO
            }
            JoinRefusal::NoPlace | JoinRefusal::Duplicate | JoinRefusal::Draining => RETRY_AFTER,
        };
        self.next_join = self.next_join.max(now + wait);
        self.assign_soon(now);
    }

    /// Whether all slots are in use if this many are taken.
    pub(super) const fn are_full(&self, taken: usize) -> bool {
        taken >= self.limit
    }
}

/// The properties that determine which torrent has a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) torrent: TorrentId,
    pub(super) membership: Membership,
    /// Whether nothing is to be downloaded: all wanted data are complete, or the torrent has failed.
    pub(super) complete: bool,
    /// Whether it has a peer.
    pub(super) has_peers: bool,
}

impl Claim {
    /// The rank; smaller is more urgent.
    fn rank(&self, now: Instant) -> (bool, u8, Instant, TorrentId) {
        let (turn, since) = match self.membership {
            Membership::Joined(_, since) if !self.has_peers && now.since(since) >= YIELD_AFTER => {
                (2, since)
            }
            Membership::Joined(_, since) => (0, since),
            Membership::Waiting(since) => (1, since),
            Membership::Outside => (3, now),
        };
        (self.complete, turn, since, self.torrent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000_000);

    fn claim(id: u32, membership: Membership, complete: bool, has_peers: bool) -> Claim {
        Claim {
            torrent: TorrentId(id),
            membership,
            complete,
            has_peers,
        }
    }

    fn ids(claims: &[Claim], limit: usize) -> Vec<u32> {
        let places = Places {
            limit,
            ..Places::default()
        };
        places
            .choose(claims.to_vec(), NOW)
            .iter()
            .map(|claim| claim.torrent.0)
            .collect()
    }

    fn before(seconds: u64) -> Instant {
        Instant::from_micros(1_000_000_000 - seconds * 1_000_000)
    }

    #[test]
    fn a_download_that_waits_takes_the_place_of_a_seed_and_of_no_download() {
        let claims = [
            claim(1, Membership::Joined(1, before(900)), true, true),
            claim(2, Membership::Joined(2, before(900)), false, true),
            claim(3, Membership::Waiting(before(1)), false, false),
            claim(4, Membership::Waiting(before(800)), true, false),
        ];
        assert_eq!(ids(&claims, 2), [2, 3]);
        assert_eq!(ids(&claims, 1), [2]);
        assert_eq!(ids(&claims, 3), [2, 3, 1]);
    }

    #[test]
    fn the_torrent_that_waits_longest_comes_first_and_one_that_finds_no_peer_makes_room() {
        let claims = [
            claim(1, Membership::Joined(1, before(301)), false, false),
            claim(2, Membership::Joined(2, before(299)), false, false),
            claim(3, Membership::Joined(3, before(900)), false, true),
            claim(4, Membership::Waiting(before(10)), false, false),
            claim(5, Membership::Waiting(before(20)), false, false),
        ];
        assert_eq!(ids(&claims, 3), [3, 2, 5]);
        assert_eq!(ids(&claims, 5), [3, 2, 5, 4, 1]);
    }

    #[test]
    fn joins_that_came_too_fast_go_on_one_by_one_when_the_bridge_says() {
        let mut places = Places::default();
        let retry_after = Duration::from_secs(2);
        places.refused(NOW, JoinRefusal::TooFast { retry_after }, 5);
        assert_eq!(places.limit, EXPECTED);
        assert!(!places.take_join(NOW), "not before the bridge said");
        assert!(places.take_join(NOW + retry_after) && !places.take_join(NOW + retry_after));
        assert!(places.take_join(NOW + retry_after * 2));
        places.start_session(NOW);
        assert!(places.take_join(NOW) && places.take_join(NOW));
    }

    #[test]
    fn a_bridge_with_fewer_places_than_expected_is_believed() {
        let mut places = Places::default();
        places.refused(NOW, JoinRefusal::NoPlace, 5);
        assert_eq!((places.next_join, places.limit), (NOW, 5));
        places.set_limit(NOW, 7);
        assert_eq!(places.limit, 7);
        places.refused(NOW, JoinRefusal::NoPlace, 0);
        assert_eq!((places.next_join, places.limit), (NOW + RETRY_AFTER, 7));
    }

    #[test]
    fn places_are_assigned_anew_when_something_changes_or_while_there_are_too_few() {
        let mut places = Places::default();
        assert!(!places.take_due(NOW));
        places.assign_soon(NOW);
        assert!(places.take_due(NOW) && !places.take_due(NOW));
        places.assigned(NOW, false);
        assert_eq!(places.due(), None);
        places.assigned(NOW, true);
        assert_eq!(places.due(), Some(NOW + REASSIGN_EVERY));
    }
}
