//! A member of a swarm: its tiers of trackers (BEP 12), and the state of each.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::announce::{Announce, AnnounceEvent, Answer};
use super::config::Config;
use super::io::QueryId;
use super::status::{TrackerError, TrackerState, TrackerStatus};
use super::tracker::{Announced, Tracker};
use crate::discovery::swarm::{Amounts, Key, Swarm};
use crate::types::{Instant, PeerId};

/// The state of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not started, or stopped and all trackers were told.
    Idle,
    /// Wants peers.
    Active,
    /// Is telling its trackers that it leaves.
    Leaving,
}

/// A member of a swarm.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) phase: Phase,
    /// Whether it is removed once it has left.
    pub(super) removed: bool,
    pub(super) amounts: Amounts,
    /// The amounts before the `started` of this run; announces contain the difference.
    before: Amounts,
    /// Whether [`crate::DiscoverRequest::Completed`] arrived.
    pub(super) completed: bool,
    /// The trackers in the torrent's order, tier by tier.
    pub(super) trackers: Vec<Tracker>,
    /// The order in which they are asked.
    order: Vec<usize>,
    peer_id: PeerId,
    port: u16,
    /// The `key` of announces.
    announce_key: u32,
}

impl Member {
    /// Creates a member. Each tier is shuffled (BEP 12).
    pub(super) fn new(swarm: Swarm, config: &Config, rng: &mut ChaCha8Rng) -> Self {
        let mut seen = BTreeSet::new();
        let tiers = swarm.trackers.into_iter().enumerate();
        let urls = tiers.flat_map(|(tier, urls)| urls.into_iter().map(move |url| (tier, url)));
        let mut distinct = urls.filter(|(_, url)| seen.insert(url.clone()));
        let mut trackers: Vec<Tracker> = distinct
            .by_ref()
            .take(config.max_trackers)
            .map(|(tier, url)| Tracker::new(tier, url))
            .collect();
        trackers.extend(distinct.next().map(|(tier, url)| {
            Tracker::beyond(tier, url, config.max_trackers, 1 + distinct.count())
        }));
        let mut order: Vec<usize> = (0..trackers.len()).collect();
        order.sort_by_cached_key(|index| (trackers[*index].tier, rng.next_u64()));
        Self {
            phase: Phase::Idle,
            removed: false,
            amounts: swarm.amounts,
            before: swarm.amounts,
            completed: false,
            trackers,
            order,
            peer_id: swarm.peer_id,
            port: swarm.port,
            announce_key: rng.next_u32(),
        }
    }

    /// Starts a new run: all trackers receive `started` again.
    pub(super) fn start(&mut self, now: Instant) {
        self.phase = Phase::Active;
        self.before = self.amounts;
        self.trackers
            .iter_mut()
            .for_each(|tracker| tracker.renew(now));
    }

    /// Changes the port in announces.
    pub(super) const fn set_port(&mut self, port: u16) {
        self.port = port;
    }

    /// Whether a tracker was told another port than the present one.
    pub(super) fn owes_port(&self, index: usize) -> bool {
        self.trackers
            .get(index)
            .is_some_and(|tracker| tracker.announced.port != self.port)
    }

    /// Whether the download is complete: all data, not only the wanted ones.
    pub(super) fn is_completed(&self) -> bool {
        self.completed && self.amounts.left == Some(0)
    }

    /// The event of the next announce to a tracker. A leaving member first sends the events that
    /// the tracker has not received.
    pub(super) fn event(&self, index: usize) -> AnnounceEvent {
        let announced = self
            .trackers
            .get(index)
            .map_or_else(Announced::default, |tracker| tracker.announced);
        match self.phase {
            Phase::Active | Phase::Idle if !announced.started => AnnounceEvent::Started,
            _ if self.is_completed() && !announced.completed => AnnounceEvent::Completed,
            Phase::Leaving => AnnounceEvent::Stopped,
            Phase::Active | Phase::Idle => AnnounceEvent::None,
        }
    }

    /// The next announce to a tracker.
    pub(super) fn announce(&self, key: Key, index: usize, config: &Config) -> Announce {
        let event = self.event(index);
        let num_want = if event == AnnounceEvent::Stopped {
            0
        } else {
            config.num_want
        };
        let Self {
            peer_id,
            port,
            amounts,
            before,
            announce_key,
            ..
        } = *self;
        let (uploaded, downloaded) = (
            amounts.uploaded.saturating_sub(before.uploaded),
            amounts.downloaded.saturating_sub(before.downloaded),
        );
        let amounts = Amounts {
            uploaded,
            downloaded,
            ..amounts
        };
        Announce {
            info_hash: key.info_hash,
            peer_id,
            port,
            amounts,
            event,
            key: announce_key,
            num_want,
        }
    }

    /// Whether a tracker has returned peers and is kept, so that no other need be asked.
    pub(super) fn is_served(&self) -> bool {
        self.trackers
            .iter()
            .any(|tracker| tracker.is_useful() && tracker.next.is_some() && tracker.query.is_none())
    }

    /// Whether a tracker that precedes this one is kept.
    pub(super) fn is_spare(&self, index: usize) -> bool {
        let kept =
            |other: &Tracker| other.is_useful() && (other.next.is_some() || other.query.is_some());
        self.order
            .iter()
            .take_while(|other| **other != index)
            .any(|other| kept(&self.trackers[*other]))
    }

    /// Trackers after this one that are scheduled but need not be asked.
    pub(super) fn spares(&self, index: usize) -> Vec<usize> {
        let planned = |tracker: &Tracker| {
            tracker.query.is_none() && (tracker.next.is_some() || tracker.waiting)
        };
        let owes = |other: usize| {
            self.trackers[other].knows_us() && self.event(other) == AnnounceEvent::Completed
        };
        let after = self
            .order
            .iter()
            .copied()
            .skip_while(|other| *other != index)
            .skip(1);
        after
            .filter(|other| planned(&self.trackers[*other]) && !owes(*other))
            .collect()
    }

    /// The next tracker to try if those asked so far are not sufficient (BEP 12: the rest of a tier
    /// before the next tier).
    pub(super) fn candidate(&self, now: Instant) -> Option<usize> {
        self.order
            .iter()
            .copied()
            .find(|index| self.trackers[*index].is_candidate(now))
    }

    /// BEP 12: moves a tracker that answered to the front of its tier. Returns the failed ones of
    /// the tier, which are asked again only if this one fails.
    pub(super) fn promote(&mut self, index: usize) -> Vec<usize> {
        let tier = self.trackers[index].tier;
        self.order.retain(|other| *other != index);
        let place = self
            .order
            .iter()
            .take_while(|other| self.trackers[**other].tier < tier)
            .count();
        self.order.insert(place, index);
        let failing =
            |(_, tracker): &(usize, &Tracker)| tracker.tier == tier && tracker.failures > 0;
        self.trackers
            .iter()
            .enumerate()
            .filter(failing)
            .map(|(other, _)| other)
            .collect()
    }

    /// Records an answer and returns its peers. `complete`: the announce said that no data are
    /// missing. `earliest`: when the tracker may be asked again without an event.
    pub(super) fn record(
        &mut self,
        index: usize,
        event: AnnounceEvent,
        complete: bool,
        answer: Answer,
        earliest: Instant,
    ) -> Vec<SocketAddr> {
        let complete_from_the_start = event == AnnounceEvent::Started && complete;
        let Some(tracker) = self.trackers.get_mut(index) else {
            return Vec::new();
        };
        tracker.announced.started = true;
        tracker.announced.completed |= event == AnnounceEvent::Completed || complete_from_the_start;
        tracker.state = TrackerState::Ok {
            seeders: answer.seeders,
            leechers: answer.leechers,
            peers: answer.peers.len(),
        };
        tracker.tracker_id = answer.tracker_id.or_else(|| tracker.tracker_id.take());
        (tracker.failures, tracker.earliest, tracker.warning) = (0, earliest, answer.warning);
        answer.peers
    }

    /// Records an answer from the tracker's other address family, with `new` peers that the first
    /// answer did not contain.
    pub(super) fn record_other_family(&mut self, index: usize, answer: &Answer, new: usize) {
        let Some(tracker) = self.trackers.get_mut(index) else {
            return;
        };
        if let TrackerState::Ok {
            seeders,
            leechers,
            peers,
        } = &mut tracker.state
        {
            // A peer with both families may be counted in both, so the sum would be too high.
            *seeders = answer.seeders.max(*seeders);
            *leechers = answer.leechers.max(*leechers);
            *peers += new;
        }
    }

    /// Records the result of a scrape.
    pub(super) fn record_scrape(&mut self, index: usize, result: Result<Answer, TrackerError>) {
        let Some(tracker) = self.trackers.get_mut(index) else {
            return;
        };
        tracker.state = match result {
            Ok(Answer {
                seeders, leechers, ..
            }) => TrackerState::Ok {
                seeders,
                leechers,
                peers: 0,
            },
            Err(error) => TrackerState::Failed(error),
        };
    }

    /// Records a failure. Returns the number of consecutive failures; `None` if the tracker must
    /// not be asked again.
    pub(super) fn record_failure(&mut self, index: usize, error: TrackerError) -> Option<u32> {
        let tracker = self.trackers.get_mut(index)?;
        tracker.failures = tracker.failures.saturating_add(1);
        tracker.retired = matches!(error, TrackerError::Never(_));
        tracker.state = TrackerState::Failed(error);
        // Its name may resolve to other addresses by now.
        tracker.addrs.clear();
        (!tracker.retired).then_some(tracker.failures)
    }

    /// Forgets failures that are not refusals. Returns their trackers.
    pub(super) fn forgive(&mut self, now: Instant) -> Vec<usize> {
        let trackers = self.trackers.iter_mut().enumerate();
        trackers
            .filter_map(|(index, tracker)| tracker.forgive(now).then_some(index))
            .collect()
    }

    /// Trackers that were asked and are not scheduled again, with the time at which they may be
    /// asked.
    pub(super) fn resting(&self) -> Vec<(usize, Instant)> {
        let trackers = self.trackers.iter().enumerate();
        trackers
            .filter(|(_, tracker)| tracker.is_resting())
            .map(|(index, tracker)| (index, tracker.earliest))
            .collect()
    }

    /// Whether any request to a tracker is in progress or queued.
    pub(super) fn is_busy(&self) -> bool {
        self.trackers.iter().any(Tracker::is_busy)
    }

    /// Whether an answer is expected soon, or a request is queued. `prompt` returns whether a
    /// request is not slow.
    pub(super) fn is_being_answered(&self, prompt: impl Fn(QueryId) -> bool) -> bool {
        self.trackers
            .iter()
            .any(|tracker| tracker.waiting || tracker.query.is_some_and(&prompt))
    }

    /// Announces and scrapes in progress, by tracker.
    pub(super) fn queries(&self) -> Vec<(usize, QueryId)> {
        let trackers = self.trackers.iter().enumerate();
        trackers
            .filter_map(|(index, tracker)| Some((index, tracker.query?)))
            .collect()
    }

    /// All requests in progress, including those in other address families.
    pub(super) fn all_queries(&self) -> Vec<QueryId> {
        let queries = |tracker: &Tracker| [tracker.query, tracker.other_family_query];
        self.trackers.iter().flat_map(queries).flatten().collect()
    }

    /// Trackers without a request.
    pub(super) fn free(&self) -> Vec<usize> {
        self.indices(Tracker::is_free)
    }

    /// Trackers that can never be asked.
    pub(super) fn unusable(&self) -> Vec<usize> {
        self.indices(|tracker| tracker.url.is_none())
    }

    /// Trackers that must immediately receive `completed`.
    pub(super) fn owed_completed(&self) -> Vec<usize> {
        if self.phase != Phase::Active || !self.is_completed() {
            return Vec::new();
        }
        self.indices(|tracker| {
            tracker.knows_us() && tracker.query.is_none() && !tracker.announced.completed
        })
    }

    /// Trackers that list us, or that are receiving their first announce.
    pub(super) fn aware(&self, hears_of_us: impl Fn(QueryId) -> bool) -> Vec<usize> {
        self.indices(|tracker| tracker.knows_us() || tracker.query.is_some_and(&hears_of_us))
    }

    /// When responsive trackers may be asked for more peers.
    pub(super) fn soonest(&self, now: Instant) -> Vec<(usize, Instant)> {
        let trackers = self.trackers.iter().enumerate();
        trackers
            .filter_map(|(index, tracker)| Some((index, tracker.soonest(now)?)))
            .collect()
    }

    fn indices(&self, wanted: impl Fn(&Tracker) -> bool) -> Vec<usize> {
        let trackers = self.trackers.iter().enumerate();
        trackers
            .filter(|(_, tracker)| wanted(tracker))
            .map(|(index, _)| index)
            .collect()
    }

    pub(super) fn statuses(&self) -> Vec<TrackerStatus> {
        self.trackers.iter().map(Tracker::status).collect()
    }
}
