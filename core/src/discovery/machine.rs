//! The machine: which tracker is asked when, and what follows from its answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::budget::{LookupBudget, Recent};
use super::config::Config;
use super::dht::Family;
use super::io::{AddError, Amounts, Fetched, Input, Key, Output, QueryId, Reason, Swarm};
use super::queries::{Queries, Query, Stage};
use super::status::{TrackerError, TrackerStatus};
use super::timers::{Timers, Wake};
use super::torrent::{Phase, Torrent, Tracker};
use super::tracker::http::{announce_url, parse_answer, parse_scrape, scrape_url};
use super::tracker::{AnnounceEvent, Answer, Ask, Step, UdpClient};
use super::url::{Host, Scheme, Url};
use crate::io::DiscoverRequest;
use crate::types::{Instant, PeerSource};

/// Finds peers for any number of torrents.
///
/// Trackers are asked as BEP 12 says: tier by tier, one at a time, until one answers. The next one is asked as well when one fails, keeps silent for
/// [`Config::patience`], knows no peers, or when [`DiscoverRequest::More`] comes and nobody may be asked again yet.
/// A tracker whose name has addresses of both families is told in both (BEP 7), and is one tracker all the same.
#[derive(Debug)]
pub struct Discovery {
    pub(super) config: Config,
    rng: ChaCha8Rng,
    pub(super) torrents: BTreeMap<Key, Torrent>,
    pub(super) queries: Queries,
    udp: UdpClient,
    pub(super) timers: Timers<Wake>,
    lookups: LookupBudget,
    recent: Recent,
    pub(super) outputs: VecDeque<Output>,
}

impl Discovery {
    /// A machine without torrents.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            rng: ChaCha8Rng::from_seed(seed),
            torrents: BTreeMap::new(),
            queries: Queries::new(config.max_queries, config.max_queries_per_owner),
            udp: UdpClient::default(),
            timers: Timers::default(),
            lookups: LookupBudget::new(config.lookups),
            recent: Recent::new(config.min_interval_floor),
            outputs: VecDeque::new(),
            config,
        }
    }

    /// Takes a torrent in. Nobody is asked before [`DiscoverRequest::Start`]. If the key is still saying its farewells, they are cut short.
    ///
    /// # Errors
    /// The key is there already.
    pub fn add(&mut self, now: Instant, key: Key, swarm: Swarm) -> Result<(), AddError> {
        if self.torrents.get(&key).is_some_and(|torrent| !torrent.removed) {
            return Err(AddError::Duplicate(key.info_hash));
        }
        self.silence(key);
        self.torrents.insert(key, Torrent::new(swarm, &self.config, &mut self.rng));
        self.turn(now);
        Ok(())
    }

    /// Carries out a wish of the engine. Unknown keys are ignored.
    pub fn request(&mut self, now: Instant, key: Key, request: DiscoverRequest) {
        let Some(torrent) = self.torrents.get(&key).filter(|torrent| !torrent.removed) else { return };
        match (request, torrent.phase) {
            (DiscoverRequest::Start, Phase::Idle | Phase::Leaving) => self.start(now, key),
            (DiscoverRequest::More, Phase::Active) => self.more(now, key),
            (DiscoverRequest::Completed, _) => self.complete(now, key),
            (DiscoverRequest::Stop, Phase::Active) => self.stop(now, key),
            (DiscoverRequest::Start, Phase::Active) | (DiscoverRequest::More | DiscoverRequest::Stop, Phase::Idle | Phase::Leaving) => {}
        }
        self.turn(now);
    }

    /// Asks the trackers of a torrent how many seeds and leeches they know (BEP 48), without becoming one of them. Only before
    /// [`DiscoverRequest::Start`]: announces tell the same. The answers land in [`TrackerStatus::state`]; who is silent for
    /// [`Config::farewell`], or has no room among the queries, has failed.
    pub fn scrape(&mut self, now: Instant, key: Key) {
        let Some(torrent) = self.torrents.get(&key).filter(|torrent| !torrent.removed && torrent.phase == Phase::Idle) else { return };
        let free: Vec<usize> = torrent.trackers.iter().enumerate().filter(|(_, tracker)| tracker.is_free()).map(|(index, _)| index).collect();
        free.into_iter().for_each(|index| self.begin_scrape(now, key, index));
        self.turn(now);
    }

    /// How far a torrent is, for its next announce. Cheap; announces nothing.
    pub fn update(&mut self, key: Key, amounts: Amounts) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.amounts = amounts;
        }
    }

    /// Forgets a torrent. Trackers that know of us are told; [`Output::Left`] follows when that is over.
    pub fn remove(&mut self, now: Instant, key: Key) {
        let Some(torrent) = self.torrents.get_mut(&key).filter(|torrent| !torrent.removed) else { return };
        torrent.removed = true;
        match torrent.phase {
            Phase::Active => self.stop(now, key),
            Phase::Leaving => self.settle(key),
            Phase::Idle => {
                self.silence(key);
                self.settle(key);
            }
        }
        self.turn(now);
    }

    /// Whether no torrent is left, nor a farewell under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.torrents.is_empty()
    }

    /// Takes in what happened. Answers to what was not asked are ignored.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Timeout => {}
            Input::HttpResponse { id, result } => self.answered(now, id, result),
            Input::Resolved { id, result } => self.resolved(now, id, result),
            Input::UdpPacket { from, bytes } => {
                let step = self.udp.receive(now, from, &bytes, &mut self.rng);
                step.into_iter().for_each(|(id, step)| self.heard(now, id, from, step));
            }
            Input::UdpFailed { to, message } => {
                let steps = self.udp.unreachable(now, to, &message, &mut self.rng);
                steps.into_iter().for_each(|(id, step)| self.step(now, id, step));
            }
        }
        self.turn(now);
    }

    /// The next thing to do, in order, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Discovery::handle`] with [`Input::Timeout`] at the latest, and what for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        self.timers.next().map(|(at, wake)| (at, wake.reason()))
    }

    /// The trackers of a torrent, tier by tier, as the torrent has them.
    #[must_use]
    pub fn tracker_status(&self, key: Key) -> Vec<TrackerStatus> {
        self.torrents.get(&key).map(Torrent::statuses).unwrap_or_default()
    }

    /// Does what is due.
    fn turn(&mut self, now: Instant) {
        while let Some(wake) = self.timers.pop(now) {
            self.fire(now, wake);
        }
        self.admit(now);
    }

    // Wishes.

    fn start(&mut self, now: Instant, key: Key) {
        self.silence(key);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.phase = Phase::Active;
        torrent.trackers.iter_mut().for_each(|tracker| tracker.renew(now));
        self.advance(now, key);
    }

    fn more(&mut self, now: Instant, key: Key) {
        let Some(torrent) = self.torrents.get(&key) else { return };
        let soonest = |(index, tracker): (usize, &Tracker)| tracker.soonest(now).map(|at| (index, at));
        let sooner: Vec<(usize, Instant)> = torrent.trackers.iter().enumerate().filter_map(soonest).collect();
        let busy = torrent.trackers.iter().any(|tracker| tracker.waiting || tracker.query.is_some_and(|id| self.queries.is_counted(id)));
        for (index, at) in &sooner {
            self.schedule(key, *index, *at);
        }
        if !busy && sooner.iter().all(|(_, at)| *at > now) {
            self.advance(now, key);
        }
    }

    fn complete(&mut self, now: Instant, key: Key) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.completed = true;
        let due = |tracker: &Tracker| tracker.knows_us() && tracker.query.is_none() && !tracker.told.completed;
        let due: Vec<usize> = torrent.trackers.iter().enumerate().filter(|(_, tracker)| due(tracker)).map(|(index, _)| index).collect();
        if torrent.phase == Phase::Active {
            due.into_iter().for_each(|index| self.begin(now, key, index));
        }
    }

    fn stop(&mut self, now: Instant, key: Key) {
        let parting = self.silence(key);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        torrent.phase = Phase::Leaving;
        parting.into_iter().for_each(|index| self.begin(now, key, index));
        self.settle(key);
    }

    /// Ends whatever is under way or planned for a torrent; says which trackers count us among their peers.
    fn silence(&mut self, key: Key) -> Vec<usize> {
        let Some(torrent) = self.torrents.get_mut(&key) else { return Vec::new() };
        let mut parting = Vec::new();
        let mut open = Vec::new();
        for (index, tracker) in torrent.trackers.iter_mut().enumerate() {
            let query = tracker.query.filter(|id| self.queries.is_counted(*id)).and_then(|id| self.queries.get(id));
            let introducing = query.is_some_and(|query| query.event == Some(AnnounceEvent::Started) && !matches!(query.stage, Stage::Lookup(_)));
            if tracker.knows_us() || introducing {
                parting.push(index);
            }
            open.extend(tracker.query.into_iter().chain(tracker.second));
            (tracker.waiting, tracker.next) = (false, None);
            self.timers.clear(Wake::Announce(key, index));
        }
        open.into_iter().for_each(|id| self.cancel(id));
        parting
    }

    fn cancel(&mut self, id: QueryId) {
        let Some(query) = self.close(id) else { return };
        if matches!(query.stage, Stage::Http | Stage::Lookup(_)) {
            self.outputs.push_back(Output::Cancel(id));
        }
        self.tell_status(query.key, query.tracker);
    }

    /// A torrent that has nothing more to say to anybody is idle, or forgotten.
    pub(super) fn settle(&mut self, key: Key) {
        let Some(torrent) = self.torrents.get_mut(&key).filter(|torrent| torrent.phase != Phase::Active && !torrent.is_busy()) else { return };
        torrent.phase = Phase::Idle;
        if torrent.removed {
            self.torrents.remove(&key);
            self.outputs.push_back(Output::Left(key));
        }
    }

    // Announces.

    /// Asks one tracker more.
    fn advance(&mut self, now: Instant, key: Key) {
        let torrent = self.torrents.get(&key).filter(|torrent| torrent.phase == Phase::Active);
        if let Some(index) = torrent.and_then(|torrent| torrent.candidate(now)) {
            self.begin(now, key, index);
        }
    }

    fn schedule(&mut self, key: Key, index: usize, at: Instant) {
        if let Some(tracker) = self.tracker(key, index) {
            tracker.next = Some(at);
            self.timers.set(Wake::Announce(key, index), at);
        }
    }

    fn begin(&mut self, now: Instant, key: Key, index: usize) {
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let announce = torrent.announce(key, index, &self.config);
        let Some(tracker) = torrent.trackers.get_mut(index).filter(|tracker| tracker.query.is_none() && !tracker.waiting) else { return };
        let Some(url) = tracker.url.clone() else { return };
        tracker.next = None;
        let lookup = matches!(url.host, Host::Name(_)) && tracker.addrs.is_empty();
        self.timers.clear(Wake::Announce(key, index));
        if self.queries.is_full(key.owner) {
            tracker.waiting = true;
            self.queries.wait(key, index);
        } else if let Err(at) = self.afford(now, key, &url, lookup, announce.event) {
            self.schedule(key, index, at);
        } else {
            self.ask(now, key, index, &url, Ask::Announce(announce));
        }
    }

    fn begin_scrape(&mut self, now: Instant, key: Key, index: usize) {
        let Some(tracker) = self.tracker(key, index) else { return };
        let Some(url) = tracker.url.clone() else { return };
        let lookup = matches!(url.host, Host::Name(_)) && tracker.addrs.is_empty();
        let afforded = !self.queries.is_full(key.owner) && (!lookup || self.lookups.take(key.owner, now).is_ok());
        if afforded {
            self.ask(now, key, index, &url, Ask::Scrape(key.info_hash));
        } else {
            self.scraped(key, index, Err(TrackerError::Refused("too much is asked already; try again later".to_owned())));
        }
    }

    /// Asks the budgets. Farewells are free: there is one for each `started` at most.
    fn afford(&mut self, now: Instant, key: Key, url: &Url, lookup: bool, event: AnnounceEvent) -> Result<(), Instant> {
        if event == AnnounceEvent::Stopped {
            return Ok(());
        }
        let name = (key, url.to_string());
        self.recent.check(&name, now)?;
        if lookup {
            self.lookups.take(key.owner, now)?;
        }
        self.recent.note(name, now);
        Ok(())
    }

    fn ask(&mut self, now: Instant, key: Key, index: usize, url: &Url, ask: Ask) {
        self.tracker(key, index).and_then(|tracker| tracker.second).into_iter().for_each(|late| self.cancel(late));
        let Some(tracker) = self.torrents.get_mut(&key).and_then(|torrent| torrent.trackers.get_mut(index)) else { return };
        let (event, addrs, tracker_id) = (ask.event(), tracker.addrs.clone(), tracker.tracker_id.clone());
        let stage = match url.scheme {
            Scheme::Http | Scheme::Https => Stage::Http,
            Scheme::Udp if addrs.is_empty() => Stage::Lookup(ask.clone()),
            Scheme::Udp => Stage::Udp,
        };
        let id = self.queries.open(Query { key, tracker: index, event, stage, second: None });
        tracker.query = Some(id);
        let (wake, wait) = match event {
            Some(AnnounceEvent::Stopped) | None => (Wake::Farewell(id), self.config.farewell),
            Some(_) => (Wake::Patience(id), self.config.patience),
        };
        self.timers.set(wake, now + wait);
        self.tell_status(key, index);
        match url.scheme {
            Scheme::Http | Scheme::Https => match ask_url(url, &ask, tracker_id.as_deref()) {
                Ok(url) => self.outputs.push_back(Output::HttpGet { id, url, family: None }),
                Err(error) => self.finish(now, id, Err(error), None),
            },
            Scheme::Udp if addrs.is_empty() => self.outputs.push_back(Output::Resolve { id, host: url.host.to_string(), port: url.port }),
            Scheme::Udp => self.exchange(now, id, addrs, ask, &url.path_and_query),
        }
    }

    pub(super) fn exchange(&mut self, now: Instant, id: QueryId, addrs: Vec<SocketAddr>, ask: Ask, path: &str) {
        let step = self.udp.start(now, id, addrs, ask, path, &mut self.rng);
        self.step(now, id, step);
    }

    fn step(&mut self, now: Instant, id: QueryId, step: Step) {
        match step {
            Step::Send { to, bytes, deadline } => {
                self.timers.set(Wake::Retransmit(id), deadline);
                self.outputs.push_back(Output::UdpSend { to, bytes });
            }
            Step::Over(result) => self.finish(now, id, result, None),
        }
    }

    /// A datagram was an answer.
    fn heard(&mut self, now: Instant, id: QueryId, from: SocketAddr, step: Step) {
        match step {
            Step::Over(result) => {
                let other = self.other_family(id, from);
                self.finish(now, id, result, other);
            }
            step @ Step::Send { .. } => self.step(now, id, step),
        }
    }

    fn fire(&mut self, now: Instant, wake: Wake) {
        match wake {
            Wake::Announce(key, index) => self.begin(now, key, index),
            Wake::Patience(id) => self.lose_patience(now, id),
            Wake::Retransmit(id) => {
                let step = self.udp.time_out(now, id, &mut self.rng);
                step.into_iter().for_each(|step| self.step(now, id, step));
            }
            Wake::Farewell(id) => self.give_up(id),
        }
    }

    fn give_up(&mut self, id: QueryId) {
        let Some(query) = self.queries.get(id) else { return };
        let (key, index, event) = (query.key, query.tracker, query.event);
        self.cancel(id);
        if event.is_none() {
            self.scraped(key, index, Err(TrackerError::Timeout(self.config.farewell)));
        }
        self.settle(key);
    }

    fn lose_patience(&mut self, now: Instant, id: QueryId) {
        let Some(query) = self.queries.get(id) else { return };
        let key = query.key;
        if matches!(query.stage, Stage::Udp) {
            self.queries.discount(id);
        }
        self.advance(now, key);
    }

    /// Goes on with those that wait, as long as there is room.
    fn admit(&mut self, now: Instant) {
        while let Some((key, index)) = self.queries.pop_waiting() {
            if self.tracker(key, index).is_some_and(|tracker| std::mem::take(&mut tracker.waiting)) {
                self.begin(now, key, index);
            }
        }
    }

    // Answers.

    fn answered(&mut self, now: Instant, id: QueryId, result: Result<Fetched, TrackerError>) {
        let Some(query) = self.queries.get(id).filter(|query| matches!(query.stage, Stage::Http)) else { return };
        let (key, event) = (query.key, query.event);
        let from = result.as_ref().ok().map(|fetched| (fetched.from, fetched.dual));
        let read = |Fetched { body, .. }: Fetched| if event.is_some() { parse_answer(&body) } else { parse_scrape(&body, &key.info_hash) };
        let answer = result.and_then(read);
        if let (Some((by, _)), Ok(Answer { external_ip: Some(ip), .. })) = (from, &answer) {
            self.outputs.push_back(Output::ExternalIp { key, ip: *ip, by });
        }
        self.finish(now, id, answer, from.and_then(|(ip, dual)| dual.then_some(Family::of_ip(ip).other())));
    }

    fn resolved(&mut self, now: Instant, id: QueryId, result: Result<Vec<SocketAddr>, TrackerError>) {
        let Some(query) = self.queries.get_mut(id) else { return };
        let Stage::Lookup(ask) = std::mem::replace(&mut query.stage, Stage::Udp) else { return };
        let (key, index) = (query.key, query.tracker);
        match result {
            Ok(addrs) => {
                let Some(tracker) = self.tracker(key, index) else { return };
                tracker.addrs.clone_from(&addrs);
                let path = tracker.url.as_ref().map(|url| url.path_and_query.clone()).unwrap_or_default();
                self.exchange(now, id, addrs, ask, &path);
            }
            Err(error) => self.finish(now, id, Err(error), None),
        }
    }

    fn close(&mut self, id: QueryId) -> Option<Query> {
        let query = self.queries.close(id)?;
        [Wake::Patience(id), Wake::Retransmit(id), Wake::Farewell(id)].into_iter().for_each(|wake| self.timers.clear(wake));
        self.udp.cancel(id);
        if let Some(tracker) = self.tracker(query.key, query.tracker) {
            let place = if query.second.is_some() { &mut tracker.second } else { &mut tracker.query };
            *place = None;
        }
        Some(query)
    }

    /// `other`: the address family in which the tracker can be asked, too.
    fn finish(&mut self, now: Instant, id: QueryId, result: Result<Answer, TrackerError>, other: Option<Family>) {
        let Some(query) = self.close(id) else { return };
        let (key, index) = (query.key, query.tracker);
        if query.second.is_some() {
            return self.finish_second(query, result);
        }
        if let (Some(event), Ok(answer), Some(family)) = (query.event, &result, other) {
            self.ask_second(now, key, index, event, family, answer.peers.iter().copied().collect());
        }
        match (query.event, result) {
            (Some(AnnounceEvent::Stopped), _) => self.settle(key),
            (Some(event), Ok(answer)) => self.succeed(now, key, index, event, answer),
            (Some(_), Err(error)) => self.fail(now, key, index, error),
            (None, result) => return self.scraped(key, index, result),
        }
        self.tell_status(key, index);
    }

    fn scraped(&mut self, key: Key, index: usize, result: Result<Answer, TrackerError>) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.record_scrape(index, result);
        }
        self.tell_status(key, index);
    }

    fn succeed(&mut self, now: Instant, key: Key, index: usize, event: AnnounceEvent, answer: Answer) {
        let (interval, min_interval) = self.intervals(&answer);
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let peers = torrent.record(index, event, answer, now + min_interval);
        let at = if torrent.event(index) == AnnounceEvent::Completed { now } else { now + interval };
        let resting = torrent.promote(index);
        self.schedule(key, index, at);
        resting.into_iter().for_each(|other| self.rest(key, other));
        if peers.is_empty() {
            self.advance(now, key);
        } else {
            self.outputs.push_back(Output::Peers { key, source: PeerSource::Tracker, addrs: peers });
        }
    }

    /// Takes back the next attempt at a failing tracker as long as another one of its tier answers.
    fn rest(&mut self, key: Key, index: usize) {
        if let Some(tracker) = self.tracker(key, index) {
            tracker.next = None;
            self.timers.clear(Wake::Announce(key, index));
        }
    }

    fn intervals(&self, answer: &Answer) -> (Duration, Duration) {
        let (least, most) = self.config.interval_bounds;
        let floor = self.config.min_interval_floor;
        let min_interval = answer.min_interval.unwrap_or(self.config.min_interval).clamp(floor, most.max(floor));
        let interval = answer.interval.unwrap_or(self.config.interval).clamp(least, most);
        (interval.max(min_interval), min_interval)
    }

    fn fail(&mut self, now: Instant, key: Key, index: usize, error: TrackerError) {
        let wanted = if let TrackerError::Later { wait, .. } = error { wait.min(self.config.max_retry) } else { Duration::ZERO };
        let Some(torrent) = self.torrents.get_mut(&key) else { return };
        let failures = torrent.record_failure(index, error);
        let resting = torrent.resting();
        if let Some(failures) = failures {
            let at = now + self.backoff(failures).max(wanted);
            self.tracker(key, index).into_iter().for_each(|tracker| tracker.earliest = at);
            self.schedule(key, index, at);
        }
        resting.into_iter().filter(|(other, _)| *other != index).for_each(|(other, at)| self.schedule(key, other, at.max(now)));
        self.advance(now, key);
    }

    /// 50 to 100 % of the doubled wait, so that those who lost a tracker together do not come back together.
    fn backoff(&mut self, failures: u32) -> Duration {
        let doubled = self.config.backoff.saturating_mul(1 << (failures - 1).min(16)).min(self.config.max_backoff);
        doubled.mul_f64(0.5 + f64::from(self.rng.next_u32()) / f64::from(u32::MAX) / 2.0)
    }

    pub(super) fn tracker(&mut self, key: Key, index: usize) -> Option<&mut Tracker> {
        self.torrents.get_mut(&key)?.trackers.get_mut(index)
    }

    pub(super) fn tell_status(&mut self, key: Key, index: usize) {
        if let Some(status) = self.tracker(key, index).map(|tracker| tracker.status()) {
            self.outputs.push_back(Output::Status { key, index, status });
        }
    }
}

fn ask_url(url: &Url, ask: &Ask, tracker_id: Option<&[u8]>) -> Result<String, TrackerError> {
    match ask {
        Ask::Announce(announce) => Ok(announce_url(url, announce, tracker_id)),
        Ask::Scrape(info_hash) => scrape_url(url, info_hash),
    }
}
