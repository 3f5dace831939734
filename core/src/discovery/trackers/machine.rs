//! The state machine that asks trackers: the calls of its user, and their immediate effects.

use std::collections::VecDeque;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::allowance::Allowance;
use super::announce::AnnounceEvent;
use super::config::Config;
use super::io::{Input, Output, QueryId, Reason};
use super::member::{Member, Phase};
use super::peer_names::PeerNames;
use super::requests::{Event, Requests};
use super::schedule::Schedule;
use super::status::{TrackerError, TrackerStatus};
use crate::discovery::swarm::{AddError, Amounts, Key, Swarm};
use crate::io::DiscoverRequest;
use crate::types::Instant;

/// Asks trackers for peers, for any number of torrents.
///
/// Trackers are asked in the order of BEP 12, tier by tier, until one returns peers; that one is
/// kept. Dead trackers cause little delay: the next one is also asked when one fails or returns no
/// peers, and the next two when one is silent for [`Config::patience`]. Later, others are asked
/// when the kept one fails, or when [`DiscoverRequest::More`] arrives and no tracker may be asked
/// again yet. A tracker whose name has addresses of both families receives announces in both (BEP
/// 7), and still counts as one tracker.
#[derive(Debug)]
pub struct Trackers {
    pub(super) config: Config,
    /// When which tracker is asked.
    pub(super) schedule: Schedule,
    /// Requests in progress.
    pub(super) requests: Requests,
    /// The budgets.
    pub(super) allowance: Allowance,
    pub(super) names: PeerNames,
    pub(super) outputs: VecDeque<Output>,
}

impl Trackers {
    /// Creates a state machine without torrents.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha8Rng::from_seed(seed);
        Self {
            requests: Requests::new(&config, ChaCha8Rng::from_rng(&mut rng)),
            schedule: Schedule::new(rng),
            allowance: Allowance::new(config.lookups, config.min_interval_floor),
            names: PeerNames::default(),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Adds a torrent. No request is sent before [`DiscoverRequest::Start`]. If the key is still
    /// telling its trackers that it leaves, that is cancelled.
    ///
    /// # Errors
    /// The key exists already.
    pub fn add(&mut self, now: Instant, key: Key, swarm: Swarm) -> Result<(), AddError> {
        if self.schedule.present(key).is_some() {
            return Err(AddError::Duplicate(key.info_hash));
        }
        self.cancel_all(key, &[]);
        self.schedule.insert(key, swarm, &self.config);
        self.turn(now);
        Ok(())
    }

    /// Handles a request of the engine. Unknown keys are ignored.
    pub fn request(&mut self, now: Instant, key: Key, request: DiscoverRequest) {
        let Some(member) = self.schedule.present(key) else {
            return;
        };
        match (request, member.phase) {
            (DiscoverRequest::Start, Phase::Idle | Phase::Leaving) => self.start(now, key),
            (DiscoverRequest::More, Phase::Active) => self.more(now, key),
            (DiscoverRequest::Completed, _) => self.complete(now, key),
            (DiscoverRequest::Stop, Phase::Active) => self.stop(now, key),
            (DiscoverRequest::Start, Phase::Active)
            | (DiscoverRequest::More | DiscoverRequest::Stop, Phase::Idle | Phase::Leaving) => {}
        }
        self.turn(now);
    }

    /// Asks the trackers of a torrent for their counts of seeds and leeches (BEP 48), without
    /// joining the swarm. Only before [`DiscoverRequest::Start`], since announces return the same
    /// counts. The answers are stored in [`TrackerStatus::state`]. A tracker that is silent for
    /// [`Config::farewell`], or for which there is no room among the requests, counts as failed.
    pub fn scrape(&mut self, now: Instant, key: Key) {
        let idle = self
            .schedule
            .present(key)
            .filter(|member| member.phase == Phase::Idle);
        for index in idle.map(Member::free).unwrap_or_default() {
            self.begin_scrape(now, key, index);
        }
        self.turn(now);
    }

    /// Updates the amounts for a torrent's next announce. This is cheap and sends nothing.
    pub fn update(&mut self, key: Key, amounts: Amounts) {
        if let Some(member) = self.schedule.get_mut(key) {
            member.amounts = amounts;
        }
    }

    /// Changes the port at which peers reach us for a torrent. Trackers that list us are told as
    /// soon as their minimum interval permits.
    pub fn set_port(&mut self, now: Instant, key: Key, port: u16) {
        if let Some(member) = self.schedule.get_mut(key) {
            member.set_port(port);
        }
        if self.schedule.active(key).is_some() {
            self.schedule.hasten(now, key);
        }
        self.turn(now);
    }

    /// Asks again what failed during an outage of the network, or hangs since: as at the start, one
    /// tracker after the other. Trackers that answered are told our present address, as soon as
    /// their minimum interval permits. Refusals stay.
    pub fn handle_network_return(&mut self, now: Instant) {
        for key in self.schedule.active_keys() {
            let member = self.schedule.get(key);
            for id in member.map(Member::all_queries).unwrap_or_default() {
                self.cancel(id);
            }
            self.schedule.forgive(now, key);
            if !self.schedule.hasten(now, key) {
                self.advance(now, key);
            }
        }
        self.turn(now);
    }

    /// Removes a torrent. Trackers that list us are told; [`Output::Left`] follows when that is
    /// complete.
    pub fn remove(&mut self, now: Instant, key: Key) {
        let present = self.schedule.get_mut(key);
        let Some(member) = present.filter(|member| !member.removed) else {
            return;
        };
        member.removed = true;
        match member.phase {
            Phase::Active => self.stop(now, key),
            Phase::Leaving => self.settle(key),
            Phase::Idle => {
                self.cancel_all(key, &[]);
                self.settle(key);
            }
        }
        self.turn(now);
    }

    /// Whether no torrent is left, including those that are still telling their trackers.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.schedule.is_empty()
    }

    /// Processes an input. Results that were not requested are ignored.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Timeout => {}
            Input::HttpResponse { id, result } => {
                self.requests.handle_http(id, result, &mut self.outputs);
            }
            Input::Resolved { id, result } if self.names.is_open(id) => {
                let peers = self.names.handle_resolved(id, result);
                self.outputs.extend(peers);
            }
            Input::Resolved { id, result } => {
                self.requests
                    .handle_resolved(now, id, result, &mut self.outputs);
            }
            Input::ByName { id } => self.requests.handle_by_name(now, id, &mut self.outputs),
            Input::UdpPacket { from, bytes } => {
                self.requests
                    .handle_packet(now, from, &bytes, &mut self.outputs);
            }
            Input::UdpFailed { to, message } => {
                self.requests
                    .handle_unreachable(now, &to, &message, &mut self.outputs);
            }
        }
        self.turn(now);
    }

    /// Returns the next output, in order; `None` if there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The time by which [`Trackers::handle`] must be called with [`Input::Timeout`], and the
    /// reason.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let announce = self
            .schedule
            .poll_timeout()
            .map(|at| (at, Reason::Announce));
        announce
            .into_iter()
            .chain(self.requests.poll_timeout())
            .min()
    }

    /// Whether the result of a request is still needed.
    #[must_use]
    pub fn is_open(&self, id: QueryId) -> bool {
        self.requests.is_open(id) || self.names.is_open(id)
    }

    /// The trackers of a torrent, tier by tier, in the torrent's order.
    #[must_use]
    pub fn tracker_status(&self, key: Key) -> Vec<TrackerStatus> {
        self.schedule
            .get(key)
            .map(Member::statuses)
            .unwrap_or_default()
    }

    /// Handles everything that is due.
    fn turn(&mut self, now: Instant) {
        loop {
            while let Some(event) = self.requests.poll_event() {
                self.handle_event(now, event);
            }
            if !self.handle_due(now) && !self.admit(now) {
                return;
            }
        }
    }

    /// Handles the first thing that is due. Returns whether there was one.
    fn handle_due(&mut self, now: Instant) -> bool {
        let request = self.requests.poll_timeout().map(|(at, _)| at);
        let announce_first = self
            .schedule
            .poll_timeout()
            .is_some_and(|at| request.is_none_or(|request| at <= request));
        if !announce_first {
            return self.requests.handle_timeout(now, &mut self.outputs);
        }
        let due = self.schedule.take_due(now);
        if let Some((key, index)) = due {
            self.begin(now, key, index);
        }
        due.is_some()
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Over {
                query,
                result,
                other_family,
            } => self.finish(now, query, result, other_family),
            Event::Resolved {
                key,
                tracker,
                addrs,
            } => {
                if let Some(tracker) = self.schedule.tracker_mut(key, tracker) {
                    tracker.addrs = addrs;
                }
            }
            // Two more each time, so that the number of pending requests grows the longer there is
            // no answer.
            Event::Slow(key) => {
                self.advance_unless_served(now, key);
                self.advance_unless_served(now, key);
            }
            Event::Silent(key, tracker) => self.push_status(key, tracker, true),
            Event::GivenUp(query) => {
                self.schedule.release(&query);
                let (key, index) = (query.key, query.tracker);
                self.push_status(key, index, false);
                if query.event.is_none() {
                    let error = TrackerError::Timeout(self.config.farewell);
                    self.finish_scrape(key, index, Err(error));
                }
                self.settle(key);
            }
        }
    }

    // Requests of the engine.

    fn start(&mut self, now: Instant, key: Key) {
        self.cancel_all(key, &[]);
        let Some(member) = self.schedule.get_mut(key) else {
            return;
        };
        member.start(now);
        for index in member.unusable() {
            self.push_status(key, index, true);
        }
        self.advance(now, key);
    }

    fn more(&mut self, now: Instant, key: Key) {
        let due = self.schedule.hasten(now, key);
        let prompt = |id| self.requests.is_prompt(id);
        let busy = self
            .schedule
            .get(key)
            .is_some_and(|member| member.is_being_answered(prompt));
        if !busy && !due {
            self.advance(now, key);
        }
    }

    fn complete(&mut self, now: Instant, key: Key) {
        let Some(member) = self.schedule.get_mut(key) else {
            return;
        };
        member.completed = true;
        for index in member.owed_completed() {
            self.begin(now, key, index);
        }
    }

    fn stop(&mut self, now: Instant, key: Key) {
        let pending = self.announces_to_finish(key);
        for (_, id) in &pending {
            self.requests.wait_before_leaving(now, *id);
        }
        let parting = self.cancel_all(key, &pending);
        let Some(member) = self.schedule.get_mut(key) else {
            return;
        };
        member.phase = Phase::Leaving;
        for index in parting {
            self.begin(now, key, index);
        }
        self.settle(key);
    }

    /// Announces in progress that must be answered before a `stopped` may follow, since a tracker
    /// would otherwise receive `completed` twice or never.
    fn announces_to_finish(&self, key: Key) -> Vec<(usize, QueryId)> {
        let completed = self
            .schedule
            .get(key)
            .filter(|member| member.is_completed());
        let mut queries = completed.map(Member::queries).unwrap_or_default();
        let events = [AnnounceEvent::Started, AnnounceEvent::Completed];
        queries.retain(|(_, id)| self.requests.is_telling(*id, &events));
        queries
    }

    /// Cancels everything in progress or scheduled for a torrent, except `stays`. Returns the other
    /// trackers that list us.
    fn cancel_all(&mut self, key: Key, stays: &[(usize, QueryId)]) -> Vec<usize> {
        self.names.forget(key, &mut self.outputs);
        let Some(member) = self.schedule.get(key) else {
            return Vec::new();
        };
        let hears_of_us = |id| self.requests.is_telling(id, &[AnnounceEvent::Started]);
        let mut parting = member.aware(hears_of_us);
        parting.retain(|index| stays.iter().all(|(other, _)| other != index));
        let mut open = member.all_queries();
        open.retain(|id| stays.iter().all(|(_, other)| other != id));
        for index in 0..member.trackers.len() {
            if self.schedule.rest(key, index) {
                self.requests.queue().forget_waiting(key, index);
            }
        }
        for id in open {
            self.cancel(id);
        }
        parting
    }

    /// Makes a torrent idle, or removes it, once it has nothing more to send.
    pub(super) fn settle(&mut self, key: Key) {
        let quiet = self
            .schedule
            .get_mut(key)
            .filter(|member| member.phase != Phase::Active && !member.is_busy());
        let Some(member) = quiet else { return };
        member.phase = Phase::Idle;
        if member.removed {
            self.schedule.remove(key);
            self.outputs.push_back(Output::Left(key));
        }
    }

    /// Reports the status of a tracker. `ended`: an announce has ended.
    pub(super) fn push_status(&mut self, key: Key, index: usize, ended: bool) {
        if let Some(tracker) = self.schedule.tracker(key, index) {
            let status = tracker.status();
            self.outputs.push_back(Output::Status {
                key,
                index,
                status,
                ended,
            });
        }
    }
}
