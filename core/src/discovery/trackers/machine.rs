//! The machine that asks trackers: what its caller may tell it, and what follows from that at once.

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
/// Trackers are asked in the order of BEP 12, tier by tier, until one names peers: that one is
/// kept. Nobody waits for the dead: the next one is asked as well when one fails or knows no peers,
/// the next two when one keeps silent for [`Config::patience`]. Later, others are asked when the
/// kept one fails, or when [`DiscoverRequest::More`] comes and nobody may be asked again yet. A
/// tracker whose name has addresses of both families is told in both (BEP 7), and is one tracker
/// all the same.
#[derive(Debug)]
pub struct Trackers {
    pub(super) config: Config,
    /// Who is asked when.
    pub(super) schedule: Schedule,
    /// What is being asked.
    pub(super) requests: Requests,
    /// What may be asked.
    pub(super) allowance: Allowance,
    pub(super) names: PeerNames,
    pub(super) outputs: VecDeque<Output>,
}

impl Trackers {
    /// A machine without torrents.
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

    /// Takes a torrent in. Nobody is asked before [`DiscoverRequest::Start`]. If the key is still
    /// saying its farewells, they are cut short.
    ///
    /// # Errors
    /// The key is there already.
    pub fn add(&mut self, now: Instant, key: Key, swarm: Swarm) -> Result<(), AddError> {
        if self.schedule.present(key).is_some() {
            return Err(AddError::Duplicate(key.info_hash));
        }
        self.cancel_all(key, &[]);
        self.schedule.insert(key, swarm, &self.config);
        self.turn(now);
        Ok(())
    }

    /// Carries out a wish of the engine. Unknown keys are ignored.
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

    /// Asks the trackers of a torrent how many seeds and leeches they know (BEP 48), without
    /// becoming one of them. Only before [`DiscoverRequest::Start`]: announces tell the same. The
    /// answers land in [`TrackerStatus::state`]; a tracker that is silent for [`Config::farewell`],
    /// or finds no room among the requests, has failed.
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

    /// How far a torrent is, for its next announce. Cheap; announces nothing.
    pub fn update(&mut self, key: Key, amounts: Amounts) {
        if let Some(member) = self.schedule.get_mut(key) {
            member.amounts = amounts;
        }
    }

    /// Forgets a torrent. Trackers that know of us are told; [`Output::Left`] follows when that is
    /// over.
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

    /// Whether no torrent is left, nor a farewell under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.schedule.is_empty()
    }

    /// Takes in what happened. Answers to what was not asked are ignored.
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
            Input::UdpPacket { from, bytes } => {
                self.requests
                    .handle_packet(now, from, &bytes, &mut self.outputs);
            }
            Input::UdpFailed { to, message } => {
                self.requests
                    .handle_unreachable(now, to, &message, &mut self.outputs);
            }
        }
        self.turn(now);
    }

    /// The next thing to do, in order, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Trackers::handle`] with [`Input::Timeout`] at the latest, and what for.
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

    /// Whose question this is, as long as its answer is of use: drivers bound what one owner asks
    /// for.
    #[must_use]
    pub fn owner(&self, id: QueryId) -> Option<u64> {
        self.requests.owner(id).or_else(|| self.names.owner(id))
    }

    /// The trackers of a torrent, tier by tier, as the torrent has them.
    #[must_use]
    pub fn tracker_status(&self, key: Key) -> Vec<TrackerStatus> {
        self.schedule
            .get(key)
            .map(Member::statuses)
            .unwrap_or_default()
    }

    /// Does what is due, until nothing more is.
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

    /// Does the first thing that is due; returns whether there was one.
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
            // Two more each time, so that the longer nobody answers the more are asked at a time.
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

    // What the engine wants.

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

    /// Announces under way that must be answered before a `stopped` may follow, or a tracker would
    /// hear of a completed download twice or never.
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

    /// Ends whatever is under way or planned for a torrent, except what `stays`; says which other
    /// trackers count us among their peers.
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

    /// A torrent that has nothing more to say to anybody is idle, or forgotten.
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

    /// Tells what is known of a tracker. `ended`: an announce is over.
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
