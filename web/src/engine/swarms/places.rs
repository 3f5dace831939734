//! Places in the bridge: a session may be in so many swarms at a time, and may enter so many anew a
//! minute. Who has no place waits for one and takes it as soon as there is one: downloads before
//! seeds, and whoever waits longest first.

use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::tunnel::JoinRefusal;
use aqueduct_core::types::TorrentId;

use crate::browser::clock::now;
use crate::engine::driver::Driver;
use crate::message::Waiting;

/// Places until a bridge says how many it has: as many as a bridge has by default, so that nobody
/// waits for its greeting.
const EXPECTED: usize = 32;
/// Whoever has no peer for so long lets others try their luck, if any wait.
const YIELD_AFTER: Duration = Duration::from_secs(300);
/// While anybody waits, places are looked through so often, and at once when something changes.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// After a refusal that does not say when to try again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Least time between two joins, once a bridge said that they come too fast.
const LEAST_SPACING: Duration = Duration::from_millis(250);

/// How a torrent stands with the bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Seat {
    /// It does not want to be in its swarm.
    #[default]
    Out,
    /// It has been waiting for a place since then.
    Waiting(Instant),
    /// It is in its swarm, under this name in the present session, since then.
    In(u32, Instant),
}

impl Seat {
    /// Its name in the present session with the bridge.
    pub(crate) const fn join(self) -> Option<u32> {
        match self {
            Self::In(join, _) => Some(join),
            Self::Out | Self::Waiting(_) => None,
        }
    }

    /// It had a place, and the session is over: those who had one come first in the next.
    pub(crate) fn lose(&mut self) {
        if let Self::In(..) = self {
            *self = Self::Waiting(Instant::ZERO);
        }
    }
}

/// How many places there are, and when the next one may be taken.
pub(crate) struct Places {
    limit: usize,
    /// No join before this time.
    next: Instant,
    spacing: Duration,
    look_at: Option<Instant>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            limit: EXPECTED,
            next: Instant::ZERO,
            spacing: Duration::ZERO,
            look_at: None,
        }
    }
}

impl Places {
    /// Something changed that may give somebody a place.
    pub(crate) fn look_soon(&mut self, now: Instant) {
        self.look_at = Some(self.look_at.map_or(now, |at| at.min(now)));
    }

    /// When places are to be looked through.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.look_at
    }

    /// A new session, which knows nothing of earlier joins.
    pub(crate) fn connected(&mut self, now: Instant) {
        (self.next, self.spacing) = (now, Duration::ZERO);
        self.look_soon(now);
    }

    /// The bridge says how many places it has.
    pub(crate) fn granted(&mut self, now: Instant, joins: u16) {
        self.limit = joins.into();
        self.look_soon(now);
    }

    fn joined(&mut self, now: Instant) {
        self.next = now + self.spacing;
    }

    /// A join was refused while so many others stand.
    fn refused(&mut self, now: Instant, refusal: JoinRefusal, taken: usize) {
        let wait = match refusal {
            JoinRefusal::TooFast { retry_after } => {
                self.spacing = self.spacing.max(retry_after).max(LEAST_SPACING);
                retry_after
            }
            JoinRefusal::NoPlace if taken > 0 => {
                self.limit = self.limit.min(taken);
                Duration::ZERO
            }
            JoinRefusal::NoPlace | JoinRefusal::Duplicate | JoinRefusal::Draining => {
                TRY_AGAIN_AFTER
            }
        };
        self.next = self.next.max(now + wait);
        self.look_soon(now);
    }
}

/// What decides who has a place.
#[derive(Clone, Copy, Debug)]
struct Claim {
    torrent: TorrentId,
    seat: Seat,
    /// It lacks nothing that is wanted.
    complete: bool,
    /// It has a peer.
    has_peers: bool,
}

impl Claim {
    /// The smaller, the sooner it has a place.
    fn rank(&self, now: Instant) -> (bool, u8, Instant, TorrentId) {
        let (turn, since) = match self.seat {
            Seat::In(_, since) if !self.has_peers && now.since(since) >= YIELD_AFTER => (2, since),
            Seat::In(_, since) => (0, since),
            Seat::Waiting(since) => (1, since),
            Seat::Out => (3, now),
        };
        (self.complete, turn, since, self.torrent)
    }
}

/// Who is to have one of so many places, the most urgent first.
fn chosen(mut claims: Vec<Claim>, limit: usize, now: Instant) -> Vec<Claim> {
    claims.sort_by_key(|claim| claim.rank(now));
    claims.truncate(limit);
    claims
}

impl Driver {
    /// Gives places to those who are to have one, and takes them from others who must make room.
    pub(crate) fn look_after_places(&mut self, now: Instant) {
        if self.places.due().is_none_or(|due| due > now) {
            return;
        }
        self.places.look_at = None;
        if self.line.tunnel().is_none() {
            return;
        }
        let claims = self.claims();
        let chosen = chosen(claims.clone(), self.places.limit, now);
        let is_chosen = |torrent: TorrentId| chosen.iter().any(|claim| claim.torrent == torrent);
        for claim in claims
            .iter()
            .filter(|claim| claim.seat.join().is_some() && !is_chosen(claim.torrent))
        {
            self.leave(claim.torrent, Seat::Waiting(now));
        }
        for claim in chosen.iter().filter(|claim| claim.seat.join().is_none()) {
            if self.places.next > now {
                break;
            }
            self.join(claim.torrent);
            self.places.joined(now);
        }
        self.places.look_at = self.next_look(now, chosen.len() < claims.len());
    }

    /// Nothing to look for while nobody waits.
    fn next_look(&self, now: Instant, crowded: bool) -> Option<Instant> {
        let waiting = self
            .items
            .values()
            .any(|item| matches!(item.seat, Seat::Waiting(_)));
        let paced = (self.places.next > now).then_some(self.places.next);
        let later = if crowded {
            Some(now + LOOK_EVERY)
        } else {
            None
        };
        paced.into_iter().chain(later).min().filter(|_| waiting)
    }

    fn claims(&self) -> Vec<Claim> {
        let wishing = self.items.values().filter(|item| item.seat != Seat::Out);
        let claim = |item: &crate::engine::torrent::Item| Claim {
            torrent: item.id,
            seat: item.seat,
            complete: item.info.is_some() && self.outstanding(item.id) == 0,
            has_peers: self
                .engine
                .snapshot_of(item.id)
                .is_some_and(|s| s.peers > 0),
        };
        wishing.map(claim).collect()
    }

    fn places_taken(&self) -> usize {
        self.items
            .values()
            .filter(|item| item.seat.join().is_some())
            .count()
    }

    /// The bridge did not take a join; the torrent waits on.
    pub(crate) fn join_refused(&mut self, join: u32, refusal: JoinRefusal) {
        let now = now();
        self.with_join(join, |item| item.seat = Seat::Waiting(Instant::ZERO));
        let taken = self.places_taken();
        self.places.refused(now, refusal, taken);
    }

    /// What those wait for who wait.
    pub(crate) fn waiting(&mut self) -> Option<Waiting> {
        self.line.tunnel()?;
        let taken = self.places_taken();
        let full = taken >= self.places.limit;
        Some(if full {
            Waiting::InUse(u32::try_from(taken).unwrap_or(u32::MAX))
        } else {
            Waiting::TooFast
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000_000);

    fn claim(id: u32, seat: Seat, complete: bool, has_peers: bool) -> Claim {
        Claim {
            torrent: TorrentId(id),
            seat,
            complete,
            has_peers,
        }
    }

    fn ids(claims: &[Claim], limit: usize) -> Vec<u32> {
        chosen(claims.to_vec(), limit, NOW)
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
            claim(1, Seat::In(1, before(900)), true, true),
            claim(2, Seat::In(2, before(900)), false, true),
            claim(3, Seat::Waiting(before(1)), false, false),
            claim(4, Seat::Waiting(before(800)), true, false),
        ];
        assert_eq!(ids(&claims, 2), [2, 3]);
        assert_eq!(ids(&claims, 1), [2]);
        assert_eq!(ids(&claims, 3), [2, 3, 1]);
    }

    #[test]
    fn whoever_waits_longest_comes_first_and_one_that_finds_nobody_lets_it_in() {
        let claims = [
            claim(1, Seat::In(1, before(301)), false, false),
            claim(2, Seat::In(2, before(299)), false, false),
            claim(3, Seat::In(3, before(900)), false, true),
            claim(4, Seat::Waiting(before(10)), false, false),
            claim(5, Seat::Waiting(before(20)), false, false),
        ];
        assert_eq!(ids(&claims, 3), [3, 2, 5]);
        assert_eq!(ids(&claims, 5), [3, 2, 5, 4, 1]);
    }

    #[test]
    fn joins_that_came_too_fast_go_on_one_by_one_when_the_bridge_says() {
        let mut places = Places::default();
        let retry_after = Duration::from_secs(2);
        places.refused(NOW, JoinRefusal::TooFast { retry_after }, 5);
        assert_eq!((places.next, places.limit), (NOW + retry_after, EXPECTED));
        places.joined(places.next);
        assert_eq!(places.next, NOW + retry_after * 2);
        places.connected(NOW);
        places.joined(NOW);
        assert_eq!(places.next, NOW);
    }

    #[test]
    fn a_bridge_with_fewer_places_than_expected_is_believed() {
        let mut places = Places::default();
        places.refused(NOW, JoinRefusal::NoPlace, 5);
        assert_eq!((places.next, places.limit), (NOW, 5));
        places.granted(NOW, 7);
        assert_eq!(places.limit, 7);
        places.refused(NOW, JoinRefusal::NoPlace, 0);
        assert_eq!((places.next, places.limit), (NOW + TRY_AGAIN_AFTER, 7));
    }
}
