//! One member of one swarm: its tiers of trackers (BEP 12) and what each of them knows of us.

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

/// What the member is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not started, or stopped and every farewell said.
    Idle,
    /// Wants peers.
    Active,
    /// Says its farewells.
    Leaving,
}

/// One member of one swarm.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) phase: Phase,
    /// To be forgotten once it has left.
    pub(super) removed: bool,
    pub(super) amounts: Amounts,
    /// What was transferred before the `started` of this run: trackers are told what came since.
    before: Amounts,
    /// [`crate::DiscoverRequest::Completed`] came.
    pub(super) completed: bool,
    /// As the torrent has them, tier by tier.
    pub(super) trackers: Vec<Tracker>,
    /// In the order in which they are asked.
    order: Vec<usize>,
    peer_id: PeerId,
    port: u16,
    /// `key` of announces.
    announce_key: u32,
}

impl Member {
    /// Shuffles each tier (BEP 12).
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

    /// A new run: all trackers hear of it anew.
    pub(super) fn start(&mut self, now: Instant) {
        self.phase = Phase::Active;
        self.before = self.amounts;
        self.trackers
            .iter_mut()
            .for_each(|tracker| tracker.renew(now));
    }

    /// Whether a download has come to its end: all is there, not merely what was wanted of it.
    pub(super) fn is_completed(&self) -> bool {
        self.completed && self.amounts.left == Some(0)
    }

    /// What the next announce to a tracker is for. Who leaves says first what the tracker does not
    /// know yet.
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

    /// Whether a tracker has named peers and is kept: no other needs to be asked.
    pub(super) fn is_served(&self) -> bool {
        self.trackers
            .iter()
            .any(|tracker| tracker.is_useful() && tracker.next.is_some() && tracker.query.is_none())
    }

    /// Whether a tracker that comes before this one is kept.
    pub(super) fn is_spare(&self, index: usize) -> bool {
        let kept =
            |other: &Tracker| other.is_useful() && (other.next.is_some() || other.query.is_some());
        self.order
            .iter()
            .take_while(|other| **other != index)
            .any(|other| kept(&self.trackers[*other]))
    }

    /// Trackers after this one that are to be asked and need not be.
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

    /// The next tracker to try when those asked so far do not suffice (BEP 12: the rest of a tier
    /// before the next tier).
    pub(super) fn candidate(&self, now: Instant) -> Option<usize> {
        self.order
            .iter()
            .copied()
            .find(|index| self.trackers[*index].is_candidate(now))
    }

    /// BEP 12: the tracker that answers is the first of its tier from now on. Says which others of
    /// the tier failed; they are asked again only when this one fails, too.
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

    /// Notes an answer; gives its peers back. `complete`: the tracker was told that nothing is
    /// missing. `earliest`: when it may be asked again without an event.
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

    /// Notes what a tracker answered in its other address family: `new` peers that it had not named
    /// in the first.
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
            // Whoever has both families may be counted in both: the sum would be too many.
            *seeders = answer.seeders.max(*seeders);
            *leechers = answer.leechers.max(*leechers);
            *peers += new;
        }
    }

    /// Notes what a scrape was answered.
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

    /// Notes a failure; says the how manieth in a row it is, or nothing if it is the last.
    pub(super) fn record_failure(&mut self, index: usize, error: TrackerError) -> Option<u32> {
        let tracker = self.trackers.get_mut(index)?;
        tracker.failures = tracker.failures.saturating_add(1);
        tracker.retired = matches!(error, TrackerError::Never(_));
        tracker.state = TrackerState::Failed(error);
        // Its name may lead elsewhere by now.
        tracker.addrs.clear();
        (!tracker.retired).then_some(tracker.failures)
    }

    /// Trackers that were asked and that nobody means to ask again, and when they may be.
    pub(super) fn resting(&self) -> Vec<(usize, Instant)> {
        let trackers = self.trackers.iter().enumerate();
        trackers
            .filter(|(_, tracker)| tracker.is_resting())
            .map(|(index, tracker)| (index, tracker.earliest))
            .collect()
    }

    /// Whether anything is asked of a tracker, or waits to be.
    pub(super) fn is_busy(&self) -> bool {
        self.trackers.iter().any(Tracker::is_busy)
    }

    /// Whether an answer is to be expected soon, or room for a request. `prompt`: whether a request
    /// is not slow.
    pub(super) fn is_being_answered(&self, prompt: impl Fn(QueryId) -> bool) -> bool {
        self.trackers
            .iter()
            .any(|tracker| tracker.waiting || tracker.query.is_some_and(&prompt))
    }

    /// Announces and scrapes under way, by tracker.
    pub(super) fn queries(&self) -> Vec<(usize, QueryId)> {
        let trackers = self.trackers.iter().enumerate();
        trackers
            .filter_map(|(index, tracker)| Some((index, tracker.query?)))
            .collect()
    }

    /// The same, and those in other address families.
    pub(super) fn all_queries(&self) -> Vec<QueryId> {
        let queries = |tracker: &Tracker| [tracker.query, tracker.other_family_query];
        self.trackers.iter().flat_map(queries).flatten().collect()
    }

    /// Trackers that nothing is asked of.
    pub(super) fn free(&self) -> Vec<usize> {
        self.indices(Tracker::is_free)
    }

    /// Trackers that can never be asked.
    pub(super) fn unusable(&self) -> Vec<usize> {
        self.indices(|tracker| tracker.url.is_none())
    }

    /// Trackers that are to hear at once that the download is complete.
    pub(super) fn owed_completed(&self) -> Vec<usize> {
        if self.phase != Phase::Active || !self.is_completed() {
            return Vec::new();
        }
        self.indices(|tracker| {
            tracker.knows_us() && tracker.query.is_none() && !tracker.announced.completed
        })
    }

    /// Trackers that count us among their peers, or are just hearing of us.
    pub(super) fn aware(&self, hears_of_us: impl Fn(QueryId) -> bool) -> Vec<usize> {
        self.indices(|tracker| tracker.knows_us() || tracker.query.is_some_and(&hears_of_us))
    }

    /// When trackers that answer may be asked for more peers.
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
