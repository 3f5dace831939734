//! The schedule: when each tracker of each member is asked next, and how answers and failures
//! change that.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::announce::{AnnounceEvent, Answer};
use super::config::Config;
use super::member::{Member, Phase};
use super::queries::Query;
use super::status::TrackerError;
use super::tracker::Tracker;
use crate::discovery::swarm::{Key, Swarm};
use crate::discovery::timers::Timers;
use crate::types::Instant;

/// All members and their scheduled announces.
#[derive(Debug)]
pub(super) struct Schedule {
    members: BTreeMap<Key, Member>,
    due: Timers<(Key, usize)>,
    rng: ChaCha8Rng,
}

/// The effects of an answer.
#[derive(Debug)]
pub(super) struct Answered {
    /// The peers that the tracker returned.
    pub(super) peers: Vec<SocketAddr>,
    /// Trackers that waited for a slot and need not be asked any more.
    pub(super) withdrawn: Vec<usize>,
}

impl Schedule {
    /// No members. `rng` shuffles tiers and spreads retries.
    pub(super) const fn new(rng: ChaCha8Rng) -> Self {
        Self {
            members: BTreeMap::new(),
            due: Timers::new(),
            rng,
        }
    }

    /// Adds a member, replacing one with the same key.
    pub(super) fn insert(&mut self, key: Key, swarm: Swarm, config: &Config) {
        let member = Member::new(swarm, config, &mut self.rng);
        self.members.insert(key, member);
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.members.remove(&key);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn get(&self, key: Key) -> Option<&Member> {
        self.members.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Member> {
        self.members.get_mut(&key)
    }

    /// A member that was not removed.
    pub(super) fn present(&self, key: Key) -> Option<&Member> {
        self.get(key).filter(|member| !member.removed)
    }

    /// A member that wants peers.
    pub(super) fn active(&self, key: Key) -> Option<&Member> {
        self.get(key).filter(|member| member.phase == Phase::Active)
    }

    /// All members that want peers.
    pub(super) fn active_keys(&self) -> Vec<Key> {
        let members = self.members.iter();
        members
            .filter(|(_, member)| member.phase == Phase::Active)
            .map(|(key, _)| *key)
            .collect()
    }

    /// Forgets failures that are not refusals, so that their trackers may be asked now.
    pub(super) fn forgive(&mut self, now: Instant, key: Key) {
        let forgiven = self.get_mut(key).map(|member| member.forgive(now));
        for index in forgiven.unwrap_or_default() {
            self.due.clear((key, index));
        }
    }

    pub(super) fn tracker(&self, key: Key, index: usize) -> Option<&Tracker> {
        self.get(key)?.trackers.get(index)
    }

    pub(super) fn tracker_mut(&mut self, key: Key, index: usize) -> Option<&mut Tracker> {
        self.get_mut(key)?.trackers.get_mut(index)
    }

    /// The time of the next announce.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.next().map(|(at, _)| at)
    }

    /// Removes one announce that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(Key, usize)> {
        self.due.pop(now)
    }

    /// Schedules the next announce to a tracker.
    pub(super) fn plan(&mut self, key: Key, index: usize, at: Instant) {
        if let Some(tracker) = self.tracker_mut(key, index) {
            tracker.next = Some(at);
            self.due.set((key, index), at);
        }
    }

    /// Records that an announce starts or is queued, so that it is no longer scheduled.
    pub(super) fn begin(&mut self, key: Key, index: usize, waiting: bool) {
        self.due.clear((key, index));
        if let Some(tracker) = self.tracker_mut(key, index) {
            (tracker.next, tracker.waiting) = (None, waiting);
        }
    }

    /// Cancels the next announce to a tracker. Returns whether it was queued.
    pub(super) fn rest(&mut self, key: Key, index: usize) -> bool {
        self.due.clear((key, index));
        let Some(tracker) = self.tracker_mut(key, index) else {
            return false;
        };
        tracker.next = None;
        std::mem::take(&mut tracker.waiting)
    }

    /// Records that a request has ended: its tracker may be asked again.
    pub(super) fn release(&mut self, query: &Query) {
        let Some(tracker) = self.tracker_mut(query.key, query.tracker) else {
            return;
        };
        if query.other_family.is_some() {
            tracker.other_family_query = None;
        } else {
            tracker.query = None;
        }
    }

    fn rest_all(&mut self, key: Key, indices: Vec<usize>) -> Vec<usize> {
        let mut indices = indices;
        indices.retain(|index| self.rest(key, *index));
        indices
    }

    /// Moves announces to the earliest permitted time, since more peers are wanted. Returns whether
    /// one of them is due.
    pub(super) fn hasten(&mut self, now: Instant, key: Key) -> bool {
        let soonest = self.get(key).map(|member| member.soonest(now));
        let soonest = soonest.unwrap_or_default();
        for (index, at) in &soonest {
            self.plan(key, *index, *at);
        }
        soonest.iter().any(|(_, at)| *at <= now)
    }

    /// Handles an answer. BEP 12's order determines the tracker that is kept: of trackers that were
    /// asked in parallel and returned peers, the first one receives further announces, and those
    /// after it are asked when it fails or more peers are wanted.
    pub(super) fn handle_answer(
        &mut self,
        now: Instant,
        query: &Query,
        event: AnnounceEvent,
        answer: Answer,
        config: &Config,
    ) -> Option<Answered> {
        let (key, index) = (query.key, query.tracker);
        let (interval, min_interval) = intervals(&answer, config);
        let member = self.get_mut(key)?;
        let earliest = now + min_interval;
        let peers = member.record(index, event, query.complete, answer, earliest);
        let owes_completed = member.event(index) == AnnounceEvent::Completed;
        let owes_port = member.owes_port(index);
        let useful = !peers.is_empty();
        if !owes_completed && useful && member.is_spare(index) {
            let withdrawn = self.rest_all(key, vec![index]);
            return Some(Answered { peers, withdrawn });
        }
        let mut resting = member.promote(index);
        if useful {
            resting.extend(member.spares(index));
        }
        let next = match (owes_completed, owes_port) {
            (true, _) => now,
            (false, true) => earliest,
            (false, false) => now + interval,
        };
        self.plan(key, index, next);
        let withdrawn = self.rest_all(key, resting);
        Some(Answered { peers, withdrawn })
    }

    /// Handles a failure: the tracker is asked again later, unless one that precedes it is kept. If
    /// none is kept, resting trackers are asked again as soon as permitted.
    pub(super) fn handle_failure(
        &mut self,
        now: Instant,
        key: Key,
        index: usize,
        error: TrackerError,
        config: &Config,
    ) {
        let wanted = if let TrackerError::Later { wait, .. } = error {
            wait.min(config.max_retry)
        } else {
            Duration::ZERO
        };
        let Some(member) = self.get_mut(key) else {
            return;
        };
        let failures = member.record_failure(index, error);
        let spare = member.is_spare(index);
        let resting = if member.is_served() {
            Vec::new()
        } else {
            member.resting()
        };
        if let Some(failures) = failures {
            let at = now + self.backoff(failures, config).max(wanted);
            if let Some(tracker) = self.tracker_mut(key, index) {
                tracker.earliest = at;
            }
            if !spare {
                self.plan(key, index, at);
            }
        }
        for (other, at) in resting {
            if other != index && at > now {
                self.plan(key, other, at);
            }
        }
    }

    /// 50 to 100 % of the doubled delay, so that clients which lost a tracker at the same time do
    /// not retry at the same time.
    fn backoff(&mut self, failures: u32, config: &Config) -> Duration {
        let doubled = config
            .backoff
            .saturating_mul(1 << (failures - 1).min(16))
            .min(config.max_backoff);
        doubled.mul_f64(0.5 + f64::from(self.rng.next_u32()) / f64::from(u32::MAX) / 2.0)
    }
}

/// The regular interval before the next announce, and the minimum one.
fn intervals(answer: &Answer, config: &Config) -> (Duration, Duration) {
    let (least, most) = config.interval_bounds;
    let floor = config.min_interval_floor;
    // Zero means that the tracker has no preference.
    let given = |span: Option<Duration>| span.filter(|span| !span.is_zero());
    let min_interval = given(answer.min_interval)
        .unwrap_or(config.min_interval)
        .clamp(floor, most.max(floor));
    let interval = given(answer.interval)
        .unwrap_or(config.interval)
        .clamp(least, most);
    (interval.max(min_interval), min_interval)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::discovery::Amounts;
    use crate::discovery::trackers::queries::Stage;
    use crate::types::{InfoHashV1, PeerId};

    const KEY: Key = Key {
        info_hash: InfoHashV1([1; 20]),
        owner: 0,
    };
    const START: AnnounceEvent = AnnounceEvent::Started;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    /// An active member with a tracker in each of three tiers.
    fn schedule(config: &Config) -> Schedule {
        let mut schedule = Schedule::new(ChaCha8Rng::from_seed([1; 32]));
        let trackers = ["http://a/", "http://b/", "http://c/"].map(|url| vec![url.to_owned()]);
        let swarm = Swarm {
            trackers: trackers.to_vec(),
            peer_id: PeerId([2; 20]),
            port: 1,
            amounts: Amounts::default(),
            private: false,
        };
        schedule.insert(KEY, swarm, config);
        schedule.get_mut(KEY).unwrap().start(at(0));
        schedule
    }

    fn answer(schedule: &mut Schedule, index: usize, peers: usize, config: &Config) -> Answered {
        let query = Query::new(KEY, index, Some(START), Stage::Http);
        let peers = (0..peers).map(|n| ([1, 2, 3, 4], 1 + u16::try_from(n).unwrap()).into());
        let answer = Answer {
            peers: peers.collect(),
            ..Answer::default()
        };
        schedule
            .handle_answer(at(0), &query, START, answer, config)
            .unwrap()
    }

    #[test]
    fn the_first_in_order_that_names_peers_is_kept_and_later_ones_rest() {
        let config = Config::default();
        let mut schedule = schedule(&config);
        assert_eq!(answer(&mut schedule, 1, 3, &config).peers.len(), 3);
        assert!(schedule.tracker(KEY, 1).unwrap().next.is_some());
        answer(&mut schedule, 2, 3, &config);
        assert_eq!(schedule.tracker(KEY, 2).unwrap().next, None);
        answer(&mut schedule, 0, 1, &config);
        assert!(schedule.tracker(KEY, 0).unwrap().next.is_some());
        assert_eq!(schedule.tracker(KEY, 1).unwrap().next, None);
    }

    #[test]
    fn who_waits_for_room_is_withdrawn_once_another_one_names_peers() {
        let config = Config::default();
        let mut schedule = schedule(&config);
        schedule.begin(KEY, 2, true);
        let answered = answer(&mut schedule, 0, 1, &config);
        assert_eq!(answered.withdrawn, [2]);
        assert!(!schedule.tracker(KEY, 2).unwrap().waiting);
    }

    #[test]
    fn a_kept_tracker_that_fails_is_retried_and_brings_back_those_that_rest() {
        let config = Config::default();
        let mut schedule = schedule(&config);
        answer(&mut schedule, 0, 1, &config);
        answer(&mut schedule, 1, 1, &config);
        schedule.handle_failure(at(5), KEY, 0, TrackerError::Html, &config);
        let next = |index| schedule.tracker(KEY, index).unwrap().next.unwrap();
        assert!(next(0) >= at(20) && next(0) <= at(35));
        assert_eq!(next(1), at(60), "the least interval of its answer is over");
    }

    #[test]
    fn more_peers_are_asked_for_when_the_least_interval_is_over() {
        let config = Config::default();
        let mut schedule = schedule(&config);
        answer(&mut schedule, 0, 1, &config);
        assert!(!schedule.hasten(at(10), KEY));
        assert_eq!(schedule.poll_timeout(), Some(at(60)));
        assert!(schedule.hasten(at(61), KEY));
        assert_eq!(schedule.take_due(at(61)), Some((KEY, 0)));
    }
}
