//! The machine: which tracker is asked when, and what follows from its answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::announce::{AnnounceEvent, Ask};
use super::config::Config;
use super::exchange::{Step, UdpClient};
use super::http::{announce_url, scrape_url};
use super::io::{AddError, Amounts, Input, Key, Output, QueryId, Reason, ResolveFor, Swarm};
use super::member::{Phase, Torrent, Tracker};
use super::peer_names::PeerNames;
use super::queries::{Queries, Query, Stage};
use super::status::{TrackerError, TrackerStatus};
use super::wake::Wake;
use crate::discovery::budget::{LookupBudget, Recent};
use crate::discovery::timers::Timers;
use crate::discovery::url::{Host, Scheme, Url};
use crate::io::DiscoverRequest;
use crate::types::Instant;

/// Finds peers for any number of torrents.
///
/// Trackers are asked in the order of BEP 12, tier by tier, until one names peers: that one is
/// kept. Nobody waits for the dead: the next one is asked as well when one fails or knows no peers,
/// the next two when one keeps silent for [`Config::patience`]. Later, others are asked when the
/// kept one fails, or when [`DiscoverRequest::More`] comes and nobody may be asked again yet. A
/// tracker whose name has addresses of both families is told in both (BEP 7), and is one tracker
/// all the same.
#[derive(Debug)]
pub struct Discovery {
    pub(super) config: Config,
    pub(super) rng: ChaCha8Rng,
    pub(super) torrents: BTreeMap<Key, Torrent>,
    pub(super) queries: Queries,
    pub(super) udp: UdpClient,
    pub(super) timers: Timers<Wake>,
    pub(super) lookups: LookupBudget,
    pub(super) names: PeerNames,
    pub(super) recent: Recent,
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
            names: PeerNames::default(),
            recent: Recent::new(config.min_interval_floor),
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
        if self
            .torrents
            .get(&key)
            .is_some_and(|torrent| !torrent.removed)
        {
            return Err(AddError::Duplicate(key.info_hash));
        }
        self.silence(key, &[]);
        self.torrents
            .insert(key, Torrent::new(swarm, &self.config, &mut self.rng));
        self.turn(now);
        Ok(())
    }

    /// Carries out a wish of the engine. Unknown keys are ignored.
    pub fn request(&mut self, now: Instant, key: Key, request: DiscoverRequest) {
        let Some(torrent) = self.torrents.get(&key).filter(|torrent| !torrent.removed) else {
            return;
        };
        match (request, torrent.phase) {
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
    /// becoming one of them. Only before
    /// [`DiscoverRequest::Start`]: announces tell the same. The answers land in [`TrackerStatus::state`]; who is silent for
    /// [`Config::farewell`], or has no room among the queries, has failed.
    pub fn scrape(&mut self, now: Instant, key: Key) {
        let Some(torrent) = self
            .torrents
            .get(&key)
            .filter(|torrent| !torrent.removed && torrent.phase == Phase::Idle)
        else {
            return;
        };
        let free: Vec<usize> = torrent
            .trackers
            .iter()
            .enumerate()
            .filter(|(_, tracker)| tracker.is_free())
            .map(|(index, _)| index)
            .collect();
        free.into_iter()
            .for_each(|index| self.begin_scrape(now, key, index));
        self.turn(now);
    }

    /// How far a torrent is, for its next announce. Cheap; announces nothing.
    pub fn update(&mut self, key: Key, amounts: Amounts) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.amounts = amounts;
        }
    }

    /// Forgets a torrent. Trackers that know of us are told; [`Output::Left`] follows when that is
    /// over.
    pub fn remove(&mut self, now: Instant, key: Key) {
        let Some(torrent) = self
            .torrents
            .get_mut(&key)
            .filter(|torrent| !torrent.removed)
        else {
            return;
        };
        torrent.removed = true;
        match torrent.phase {
            Phase::Active => self.stop(now, key),
            Phase::Leaving => self.settle(key),
            Phase::Idle => {
                self.silence(key, &[]);
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
            Input::Resolved { id, result } if self.names.is_open(id) => self.found_peer(id, result),
            Input::Resolved { id, result } => self.resolved(now, id, result),
            Input::UdpPacket { from, bytes } => {
                let step = self.udp.receive(now, from, &bytes, &mut self.rng);
                step.into_iter()
                    .for_each(|(id, step)| self.heard(now, id, from, step));
            }
            Input::UdpFailed { to, message } => {
                let steps = self.udp.unreachable(now, to, &message, &mut self.rng);
                steps
                    .into_iter()
                    .for_each(|(id, step)| self.step(now, id, step));
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

    /// Whose question this is, as long as its answer is of use: drivers bound what one owner asks
    /// for.
    #[must_use]
    pub fn owner(&self, id: QueryId) -> Option<u64> {
        self.queries
            .get(id)
            .map(|query| query.key.owner)
            .or_else(|| self.names.owner(id))
    }

    /// The trackers of a torrent, tier by tier, as the torrent has them.
    #[must_use]
    pub fn tracker_status(&self, key: Key) -> Vec<TrackerStatus> {
        self.torrents
            .get(&key)
            .map(Torrent::statuses)
            .unwrap_or_default()
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
        self.silence(key, &[]);
        let Some(torrent) = self.torrents.get_mut(&key) else {
            return;
        };
        torrent.start(now);
        let unusable = torrent
            .trackers
            .iter()
            .enumerate()
            .filter(|(_, tracker)| tracker.url.is_none());
        let unusable: Vec<usize> = unusable.map(|(index, _)| index).collect();
        unusable
            .into_iter()
            .for_each(|index| self.tell(key, index, true));
        self.advance(now, key);
    }

    fn more(&mut self, now: Instant, key: Key) {
        let Some(torrent) = self.torrents.get(&key) else {
            return;
        };
        let soonest =
            |(index, tracker): (usize, &Tracker)| tracker.soonest(now).map(|at| (index, at));
        let sooner: Vec<(usize, Instant)> = torrent
            .trackers
            .iter()
            .enumerate()
            .filter_map(soonest)
            .collect();
        let soon = |id: QueryId| self.queries.get(id).is_some_and(|query| !query.overdue);
        let busy = torrent
            .trackers
            .iter()
            .any(|tracker| tracker.waiting || tracker.query.is_some_and(soon));
        for (index, at) in &sooner {
            self.schedule(key, *index, *at);
        }
        if !busy && sooner.iter().all(|(_, at)| *at > now) {
            self.advance(now, key);
        }
    }

    fn complete(&mut self, now: Instant, key: Key) {
        let Some(torrent) = self.torrents.get_mut(&key) else {
            return;
        };
        torrent.completed = true;
        let due = |tracker: &Tracker| {
            tracker.knows_us() && tracker.query.is_none() && !tracker.told.completed
        };
        let due: Vec<usize> = torrent
            .trackers
            .iter()
            .enumerate()
            .filter(|(_, tracker)| due(tracker))
            .map(|(index, _)| index)
            .collect();
        if torrent.phase == Phase::Active && torrent.is_completed() {
            due.into_iter()
                .for_each(|index| self.begin(now, key, index));
        }
    }

    fn stop(&mut self, now: Instant, key: Key) {
        let heard_out = self.to_be_heard_out(key);
        for (_, id) in &heard_out {
            self.timers.clear(Wake::Patience(*id));
            self.timers
                .set(Wake::Farewell(*id), now + self.config.farewell);
        }
        let parting = self.silence(key, &heard_out);
        let Some(torrent) = self.torrents.get_mut(&key) else {
            return;
        };
        torrent.phase = Phase::Leaving;
        parting
            .into_iter()
            .for_each(|index| self.begin(now, key, index));
        self.settle(key);
    }

    /// Announces under way that must be answered before a `stopped` may follow, or a tracker would
    /// hear of a completed download twice or never.
    fn to_be_heard_out(&self, key: Key) -> Vec<(usize, QueryId)> {
        let Some(torrent) = self
            .torrents
            .get(&key)
            .filter(|torrent| torrent.is_completed())
        else {
            return Vec::new();
        };
        let under_way = torrent
            .trackers
            .iter()
            .enumerate()
            .filter_map(|(index, tracker)| Some((index, tracker.query?)));
        under_way
            .filter(|(_, id)| {
                self.is_telling(*id, &[AnnounceEvent::Started, AnnounceEvent::Completed])
            })
            .collect()
    }

    /// Whether a tracker may be hearing one of these events just now.
    fn is_telling(&self, id: QueryId, events: &[AnnounceEvent]) -> bool {
        let query = self.queries.get(id).filter(|_| self.queries.is_counted(id));
        query.is_some_and(|query| {
            let sent = match query.stage {
                Stage::Http => true,
                Stage::Lookup(_) => false,
                Stage::Udp => self.udp.has_announced(id),
            };
            sent && query.event.is_some_and(|event| events.contains(&event))
        })
    }

    /// Ends whatever is under way or planned for a torrent, but for what `stays`; says which other
    /// trackers count us among their peers.
    fn silence(&mut self, key: Key, stays: &[(usize, QueryId)]) -> Vec<usize> {
        self.forget_names(key);
        let Some(torrent) = self.torrents.get(&key) else {
            return Vec::new();
        };
        let introducing = |tracker: &Tracker| {
            tracker
                .query
                .is_some_and(|id| self.is_telling(id, &[AnnounceEvent::Started]))
        };
        let is_parting = |index: usize, tracker: &Tracker| {
            stays.iter().all(|(other, _)| *other != index)
                && (tracker.knows_us() || introducing(tracker))
        };
        let trackers = torrent.trackers.iter().enumerate();
        let parting: Vec<usize> = trackers
            .filter(|(index, tracker)| is_parting(*index, tracker))
            .map(|(index, _)| index)
            .collect();
        let under_way = torrent
            .trackers
            .iter()
            .flat_map(|tracker| tracker.query.into_iter().chain(tracker.second));
        let open: Vec<QueryId> = under_way
            .filter(|id| stays.iter().all(|(_, other)| other != id))
            .collect();
        (0..torrent.trackers.len()).for_each(|index| self.rest(key, index));
        open.into_iter().for_each(|id| self.cancel(id));
        parting
    }

    pub(super) fn cancel(&mut self, id: QueryId) {
        let Some(query) = self.close(id) else { return };
        if matches!(query.stage, Stage::Http | Stage::Lookup(_)) {
            self.outputs.push_back(Output::Cancel(id));
        }
        self.tell_status(query.key, query.tracker);
    }

    /// A torrent that has nothing more to say to anybody is idle, or forgotten.
    pub(super) fn settle(&mut self, key: Key) {
        let Some(torrent) = self
            .torrents
            .get_mut(&key)
            .filter(|torrent| torrent.phase != Phase::Active && !torrent.is_busy())
        else {
            return;
        };
        torrent.phase = Phase::Idle;
        if torrent.removed {
            self.torrents.remove(&key);
            self.outputs.push_back(Output::Left(key));
        }
    }

    // Announces.

    /// Asks one tracker more. One that a budget holds back gets its time, and the next one is asked
    /// instead.
    fn advance(&mut self, now: Instant, key: Key) {
        let next = |machine: &Self| {
            machine
                .torrents
                .get(&key)
                .filter(|torrent| torrent.phase == Phase::Active)?
                .candidate(now)
        };
        while let Some(index) = next(self) {
            if self.try_begin(now, key, index) {
                return;
            }
        }
    }

    /// The same, unless there is one that names peers.
    pub(super) fn go_on(&mut self, now: Instant, key: Key) {
        if self
            .torrents
            .get(&key)
            .is_some_and(|torrent| !torrent.is_served())
        {
            self.advance(now, key);
        }
    }

    pub(super) fn schedule(&mut self, key: Key, index: usize, at: Instant) {
        if let Some(tracker) = self.tracker(key, index) {
            tracker.next = Some(at);
            self.timers.set(Wake::Announce(key, index), at);
        }
    }

    /// Announces to a tracker as soon as that is allowed.
    pub(super) fn begin(&mut self, now: Instant, key: Key, index: usize) {
        self.try_begin(now, key, index);
    }

    /// The same. Returns whether it is under way, or waits for others to be over; if not, it is put
    /// off until a budget allows it.
    fn try_begin(&mut self, now: Instant, key: Key, index: usize) -> bool {
        let admitted = self.queries.admits(key.owner);
        let Some(tracker) = self.tracker(key, index).filter(|tracker| tracker.is_free()) else {
            return false;
        };
        (tracker.next, tracker.waiting) = (None, !admitted);
        self.timers.clear(Wake::Announce(key, index));
        if admitted {
            return self.proceed(now, key, index);
        }
        self.queries.wait(key, index);
        true
    }

    /// There is room to ask a tracker. Returns whether it is asked; if not, it is put off until a
    /// budget allows it.
    fn proceed(&mut self, now: Instant, key: Key, index: usize) -> bool {
        let Some(torrent) = self.torrents.get(&key) else {
            return false;
        };
        let announce = torrent.announce(key, index, &self.config);
        let Some(tracker) = torrent.trackers.get(index) else {
            return false;
        };
        let Some(url) = tracker.url.clone() else {
            return false;
        };
        let lookup = matches!(url.host, Host::Name(_)) && tracker.addrs.is_empty();
        if let Err(at) = self.afford(now, key, &url, lookup, announce.event) {
            self.schedule(key, index, at);
            return false;
        }
        self.ask(now, key, index, &url, Ask::Announce(announce));
        true
    }

    fn begin_scrape(&mut self, now: Instant, key: Key, index: usize) {
        let Some(tracker) = self.tracker(key, index) else {
            return;
        };
        let Some(url) = tracker.url.clone() else {
            return;
        };
        let lookup = matches!(url.host, Host::Name(_)) && tracker.addrs.is_empty();
        let afforded = self.queries.admits(key.owner)
            && (!lookup || self.lookups.take(key.owner, &url.host, now).is_ok());
        if afforded {
            self.ask(now, key, index, &url, Ask::Scrape(key.info_hash));
        } else {
            self.scraped(
                key,
                index,
                Err(TrackerError::Refused(
                    "too much is asked already; try again later".to_owned(),
                )),
            );
        }
    }

    /// Asks the budgets. What tells of the end is free: there is one `completed` and one `stopped`
    /// for each `started` at most.
    fn afford(
        &mut self,
        now: Instant,
        key: Key,
        url: &Url,
        lookup: bool,
        event: AnnounceEvent,
    ) -> Result<(), Instant> {
        if matches!(event, AnnounceEvent::Stopped | AnnounceEvent::Completed) {
            return Ok(());
        }
        let name = (key, url.to_string());
        self.recent.check(&name, now)?;
        if lookup {
            self.lookups.take(key.owner, &url.host, now)?;
        }
        self.recent.note(name, now);
        Ok(())
    }

    fn ask(&mut self, now: Instant, key: Key, index: usize, url: &Url, ask: Ask) {
        self.tracker(key, index)
            .and_then(|tracker| tracker.second)
            .into_iter()
            .for_each(|late| self.cancel(late));
        let Some(torrent) = self.torrents.get_mut(&key) else {
            return;
        };
        let leaving = torrent.phase == Phase::Leaving;
        let Some(tracker) = torrent.trackers.get_mut(index) else {
            return;
        };
        let (event, addrs, tracker_id) = (
            ask.event(),
            tracker.addrs.clone(),
            tracker.tracker_id.clone(),
        );
        let stage = match url.scheme {
            Scheme::Http | Scheme::Https => Stage::Http,
            Scheme::Udp if addrs.is_empty() => Stage::Lookup(ask.clone()),
            Scheme::Udp => Stage::Udp,
        };
        let id = self.queries.open(Query {
            complete: ask.is_complete(),
            ..Query::new(key, index, event, stage)
        });
        tracker.query = Some(id);
        let (wake, wait) = match event {
            Some(AnnounceEvent::Started) if !leaving => (Wake::Patience(id), self.config.patience),
            Some(_) if !leaving => (Wake::Patience(id), self.config.silence),
            _ => (Wake::Farewell(id), self.config.farewell),
        };
        self.timers.set(wake, now + wait);
        self.tell_status(key, index);
        match url.scheme {
            Scheme::Http | Scheme::Https => match ask_url(url, &ask, tracker_id.as_deref()) {
                Ok(url) => self.outputs.push_back(Output::HttpGet {
                    id,
                    url,
                    family: None,
                }),
                Err(error) => self.finish(now, id, Err(error), None),
            },
            Scheme::Udp if addrs.is_empty() => {
                let (host, port) = (url.host.to_string(), url.port);
                self.outputs.push_back(Output::Resolve {
                    id,
                    what: ResolveFor::Tracker,
                    host,
                    port,
                });
            }
            Scheme::Udp => self.exchange(now, id, addrs, ask, &url.path_and_query),
        }
    }

    pub(super) fn exchange(
        &mut self,
        now: Instant,
        id: QueryId,
        addrs: Vec<SocketAddr>,
        ask: Ask,
        path: &str,
    ) {
        let step = self.udp.start(now, id, addrs, ask, path, &mut self.rng);
        self.step(now, id, step);
    }

    fn step(&mut self, now: Instant, id: QueryId, step: Step) {
        match step {
            Step::Send {
                to,
                bytes,
                deadline,
            } => {
                self.timers.set(Wake::Retransmit(id), deadline);
                self.outputs.push_back(Output::UdpSend { id, to, bytes });
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
        let Some(query) = self.queries.get(id) else {
            return;
        };
        let (key, index, event) = (query.key, query.tracker, query.event);
        self.cancel(id);
        if event.is_none() {
            self.scraped(key, index, Err(TrackerError::Timeout(self.config.farewell)));
        }
        self.settle(key);
    }

    /// A tracker is silent. The first time the next two are asked as well, so that the longer
    /// nobody answers the more are asked at a time; from the second time on, an exchange over UDP
    /// no longer keeps others waiting for room.
    fn lose_patience(&mut self, now: Instant, id: QueryId) {
        let Some(query) = self.queries.get_mut(id) else {
            return;
        };
        let (key, index) = (query.key, query.tracker);
        let (again, udp) = (
            std::mem::replace(&mut query.overdue, true),
            matches!(query.stage, Stage::Udp),
        );
        if again && udp {
            self.queries.discount(id);
            return self.tell(key, index, true);
        }
        if !matches!(query.stage, Stage::Http) {
            self.timers.set(
                Wake::Patience(id),
                now + self.config.silence.saturating_sub(self.config.patience),
            );
        }
        if !again {
            self.go_on(now, key);
            self.go_on(now, key);
        }
    }

    /// Goes on with those that wait, as long as there is room.
    fn admit(&mut self, now: Instant) {
        while let Some((key, index)) = self.queries.pop_waiting() {
            if self
                .tracker(key, index)
                .is_some_and(|tracker| std::mem::take(&mut tracker.waiting))
            {
                self.proceed(now, key, index);
            }
        }
    }

    pub(super) fn tracker(&mut self, key: Key, index: usize) -> Option<&mut Tracker> {
        self.torrents.get_mut(&key)?.trackers.get_mut(index)
    }

    pub(super) fn tell_status(&mut self, key: Key, index: usize) {
        self.tell(key, index, false);
    }

    /// `ended`: an announce is over.
    pub(super) fn tell(&mut self, key: Key, index: usize, ended: bool) {
        if let Some(status) = self.tracker(key, index).map(|tracker| tracker.status()) {
            self.outputs.push_back(Output::Status {
                key,
                index,
                status,
                ended,
            });
        }
    }
}

fn ask_url(url: &Url, ask: &Ask, tracker_id: Option<&[u8]>) -> Result<String, TrackerError> {
    match ask {
        Ask::Announce(announce) => Ok(announce_url(url, announce, tracker_id)),
        Ask::Scrape(info_hash) => scrape_url(url, info_hash),
    }
}
