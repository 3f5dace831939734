//! Requests to trackers in progress: over HTTP, or over UDP after resolving the tracker's name.
//!
//! This part handles queries, datagrams and deadlines. Its [`Event`]s report the results, whose
//! meaning for a torrent is decided elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;

use super::announce::{AnnounceEvent, Answer, Ask};
use super::config::Config;
use super::endpoint::Endpoint;
use super::exchange::{Step, UdpClient};
use super::http::{parse_answer, parse_scrape};
use super::io::{Fetched, Output, QueryId, Reason, Request, ResolveFor};
use super::queries::{Queries, Query, Stage};
use super::question::{Destination, Question, Wait};
use super::status::TrackerError;
use super::wake::Wake;
use crate::discovery::dht::Family;
use crate::discovery::swarm::Key;
use crate::discovery::timers::Timers;
use crate::types::Instant;

/// What became of a request.
#[derive(Debug)]
pub(super) enum Event {
    /// It has ended.
    Over {
        query: Query,
        result: Result<Answer, TrackerError>,
        /// The other address family in which the tracker can be asked.
        other_family: Option<Family>,
    },
    /// The name of a UDP tracker was resolved.
    Resolved {
        key: Key,
        tracker: usize,
        addrs: Vec<SocketAddr>,
    },
    /// A tracker is slow: others may be asked as well.
    Slow(Key),
    /// A tracker has been silent for long, and no longer delays others.
    Silent(Key, usize),
    /// It was cancelled after its timeout.
    GivenUp(Query),
}

/// The configured timeouts.
#[derive(Clone, Copy, Debug)]
struct Waits {
    patience: Duration,
    silence: Duration,
    farewell: Duration,
    other_family: Duration,
    unanswered_place: Option<Duration>,
}

/// All requests in progress, and those that wait for others to end.
#[derive(Debug)]
pub(super) struct Requests {
    queries: Queries,
    udp: UdpClient,
    timers: Timers<Wake>,
    waits: Waits,
    rng: ChaCha8Rng,
    events: VecDeque<Event>,
    /// Requests that failed before their tracker counted as slow, if failures must look like
    /// silence ([`Config::unanswered_place`]): the next tracker is asked at the time at which it
    /// would be for a silent one.
    failed: BTreeMap<QueryId, Key>,
}

impl Requests {
    /// No requests. `rng` provides transaction ids.
    pub(super) fn new(config: &Config, rng: ChaCha8Rng) -> Self {
        Self {
            queries: Queries::new(
                config.max_queries,
                config.max_queries_per_owner,
                config.unanswered_place.is_some(),
            ),
            udp: UdpClient::default(),
            timers: Timers::default(),
            waits: Waits {
                patience: config.patience,
                silence: config.silence,
                farewell: config.farewell,
                other_family: config.other_family,
                unanswered_place: config.unanswered_place,
            },
            rng,
            events: VecDeque::new(),
            failed: BTreeMap::new(),
        }
    }

    /// Returns the next event, in order; `None` if there is none.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next deadline.
    pub(super) fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        self.timers.next().map(|(at, wake)| (at, wake.reason()))
    }

    /// Whether a request is in progress.
    pub(super) fn is_open(&self, id: QueryId) -> bool {
        self.queries.get(id).is_some()
    }

    /// A query id that was never used.
    pub(super) const fn fresh_id(&mut self) -> QueryId {
        self.queries.fresh_id()
    }

    /// The queue of waiting requests.
    pub(super) const fn queue(&mut self) -> &mut Queries {
        &mut self.queries
    }

    /// Sends a request. The answer arrives as an [`Event`].
    pub(super) fn open(
        &mut self,
        now: Instant,
        question: Question,
        outputs: &mut VecDeque<Output>,
    ) -> QueryId {
        let Question {
            key,
            tracker,
            ask,
            destination,
            wait,
            other_family,
        } = question;
        let query = Query {
            complete: ask.is_complete(),
            other_family,
            ..Query::new(key, tracker, ask.event(), Stage::Http)
        };
        let id = self.queries.open(query);
        self.set_deadline(now, id, wait);
        let owner = key.owner;
        self.bound_unanswered(now, id, owner, outputs);
        match destination {
            Destination::Http { url, family } => {
                let get = Request::HttpGet {
                    id,
                    owner,
                    url,
                    family,
                };
                outputs.push_back(Output::Net(get));
            }
            Destination::Name { host, port, path } => {
                let by_name = Endpoint::Name {
                    host: host.clone(),
                    port,
                };
                let stage = Stage::Lookup { ask, path, by_name };
                self.set_stage(id, stage);
                let what = ResolveFor::Tracker;
                outputs.push_back(Output::Net(Request::Resolve {
                    id,
                    owner,
                    what,
                    host,
                    port,
                }));
            }
            Destination::Addrs { addrs, path } => {
                let endpoints = addrs.into_iter().map(Endpoint::from).collect();
                self.exchange(now, id, endpoints, ask, &path, outputs);
            }
        }
        id
    }

    /// Sets the time at which a new request frees its slot, and cancels the owner's oldest one if
    /// too many are in progress.
    fn bound_unanswered(
        &mut self,
        now: Instant,
        id: QueryId,
        owner: u64,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(place) = self.waits.unanswered_place else {
            return;
        };
        self.timers.set(Wake::Place(id), now + place);
        if let Some(oldest) = self.queries.surplus(owner) {
            self.cancel_network(oldest, outputs);
            self.end(oldest, Err(TrackerError::Timeout(place)), None);
        }
    }

    fn set_deadline(&mut self, now: Instant, id: QueryId, wait: Wait) {
        let (wake, wait) = match wait {
            Wait::First => (Wake::SlowTracker(id), self.waits.patience),
            Wait::Again => (Wake::SlowTracker(id), self.waits.silence),
            Wait::Farewell => (Wake::Farewell(id), self.waits.farewell),
            Wait::OtherFamily => (Wake::Farewell(id), self.waits.other_family),
        };
        self.timers.set(wake, now + wait);
    }

    /// Limits the wait for an answer in progress to the timeout for leaving.
    pub(super) fn wait_before_leaving(&mut self, now: Instant, id: QueryId) {
        self.timers.clear(Wake::SlowTracker(id));
        self.set_deadline(now, id, Wait::Farewell);
    }

    /// Cancels a request whose answer is no longer needed.
    pub(super) fn cancel(&mut self, id: QueryId, outputs: &mut VecDeque<Output>) -> Option<Query> {
        self.cancel_network(id, outputs);
        self.close(id)
    }

    fn cancel_network(&self, id: QueryId, outputs: &mut VecDeque<Output>) {
        let stage = self.queries.get(id).map(|query| &query.stage);
        if matches!(stage, Some(Stage::Http | Stage::Lookup { .. })) {
            outputs.push_back(Output::Net(Request::Cancel(id)));
        }
    }

    /// Whether a request with one of these events is in progress.
    pub(super) fn is_telling(&self, id: QueryId, events: &[AnnounceEvent]) -> bool {
        let query = self.queries.get(id).filter(|_| self.queries.is_counted(id));
        query.is_some_and(|query| {
            let sent = match query.stage {
                Stage::Http => true,
                Stage::Lookup { .. } => false,
                Stage::Udp(_) => self.udp.has_announced(id),
            };
            sent && query.event.is_some_and(|event| events.contains(&event))
        })
    }

    /// Whether the request is in progress and its tracker is not slow.
    pub(super) fn is_prompt(&self, id: QueryId) -> bool {
        self.queries.get(id).is_some_and(|query| !query.overdue)
    }

    /// Handles the result of an HTTP request.
    pub(super) fn handle_http(
        &mut self,
        id: QueryId,
        result: Result<Fetched, TrackerError>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some(query) = self
            .queries
            .get(id)
            .filter(|query| matches!(query.stage, Stage::Http))
        else {
            return;
        };
        let (key, event) = (query.key, query.event);
        let from = result
            .as_ref()
            .ok()
            .map(|answer| (answer.from, answer.dual));
        let read = |Fetched { body, .. }: Fetched| match event {
            Some(_) => parse_answer(&body),
            None => parse_scrape(&body, &key.info_hash),
        };
        let answer = result.and_then(read);
        if let (Some((by, _)), Some(ip)) = (from, external_ip(&answer)) {
            outputs.push_back(Output::ExternalIp { key, ip, by });
        }
        let other_family = from.and_then(|(ip, dual)| dual.then_some(Family::of_ip(ip).other()));
        self.end(id, answer, other_family);
    }

    /// Handles the result of resolving a UDP tracker's name.
    pub(super) fn handle_resolved(
        &mut self,
        now: Instant,
        id: QueryId,
        result: Result<Vec<SocketAddr>, TrackerError>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some((ask, path, _)) = self.queries.take_lookup(id) else {
            return;
        };
        match result {
            Ok(addrs) => {
                if let Some(query) = self.queries.get(id) {
                    self.events.push_back(Event::Resolved {
                        key: query.key,
                        tracker: query.tracker,
                        addrs: addrs.clone(),
                    });
                }
                let endpoints = addrs.into_iter().map(Endpoint::from).collect();
                self.exchange(now, id, endpoints, ask, &path, outputs);
            }
            Err(error) => self.end(id, Err(error), None),
        }
    }

    /// Handles a UDP tracker's name that only a proxy resolves.
    pub(super) fn handle_by_name(
        &mut self,
        now: Instant,
        id: QueryId,
        outputs: &mut VecDeque<Output>,
    ) {
        if let Some((ask, path, by_name)) = self.queries.take_lookup(id) {
            self.exchange(now, id, vec![by_name], ask, &path, outputs);
        }
    }

    /// Handles a datagram, which must match a pending request to its sender.
    pub(super) fn handle_packet(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &Bytes,
        outputs: &mut VecDeque<Output>,
    ) {
        match self.udp.receive(now, from, bytes, &mut self.rng) {
            Some((id, Step::Over(result))) => {
                let query = self.queries.get(id);
                let other_family = query.and_then(|query| query.stage.other_family(from));
                self.end(id, result, other_family);
            }
            Some((id, step)) => self.step(id, step, outputs),
            None => {}
        }
    }

    /// Handles a datagram that could not be sent.
    pub(super) fn handle_unreachable(
        &mut self,
        now: Instant,
        to: &Endpoint,
        message: &str,
        outputs: &mut VecDeque<Output>,
    ) {
        let steps = self.udp.unreachable(now, to, message, &mut self.rng);
        for (id, step) in steps {
            self.step(id, step, outputs);
        }
    }

    /// Handles one deadline that is due. Returns whether there was one.
    pub(super) fn handle_timeout(&mut self, now: Instant, outputs: &mut VecDeque<Output>) -> bool {
        match self.timers.pop(now) {
            None => return false,
            Some(Wake::SlowTracker(id)) => self.note_slow(now, id),
            Some(Wake::Retransmit(id)) => {
                if let Some(step) = self.udp.time_out(now, id, &mut self.rng) {
                    self.step(id, step, outputs);
                }
            }
            Some(Wake::Farewell(id)) => {
                let given_up = self.cancel(id, outputs).map(Event::GivenUp);
                self.events.extend(given_up);
            }
            Some(Wake::Place(id)) => self.queries.free_place(id),
        }
        true
    }

    /// Records that a tracker is silent. The first time others may be asked as well. From the
    /// second time on, a UDP exchange no longer counts against the limits, since it costs almost
    /// nothing.
    fn note_slow(&mut self, now: Instant, id: QueryId) {
        if let Some(key) = self.failed.remove(&id) {
            return self.events.push_back(Event::Slow(key));
        }
        let Some(query) = self.queries.get_mut(id) else {
            return;
        };
        let (key, tracker) = (query.key, query.tracker);
        let again = std::mem::replace(&mut query.overdue, true);
        let (udp, http) = (
            matches!(query.stage, Stage::Udp(_)),
            matches!(query.stage, Stage::Http),
        );
        if again && udp {
            self.queries.discount(id);
            self.events.push_back(Event::Silent(key, tracker));
            return;
        }
        if !http {
            let rest = self.waits.silence.saturating_sub(self.waits.patience);
            self.timers.set(Wake::SlowTracker(id), now + rest);
        }
        if !again {
            self.events.push_back(Event::Slow(key));
        }
    }

    fn exchange(
        &mut self,
        now: Instant,
        id: QueryId,
        endpoints: Vec<Endpoint>,
        ask: Ask,
        path: &str,
        outputs: &mut VecDeque<Output>,
    ) {
        self.set_stage(id, Stage::Udp(endpoints.clone()));
        let step = self.udp.start(now, id, endpoints, ask, path, &mut self.rng);
        self.step(id, step, outputs);
    }

    fn set_stage(&mut self, id: QueryId, stage: Stage) {
        if let Some(query) = self.queries.get_mut(id) {
            query.stage = stage;
        }
    }

    fn step(&mut self, id: QueryId, step: Step, outputs: &mut VecDeque<Output>) {
        match step {
            Step::Send {
                to,
                bytes,
                deadline,
            } => {
                self.timers.set(Wake::Retransmit(id), deadline);
                let query = self.queries.get(id);
                let send = query.map(|query| Request::UdpSend {
                    id,
                    owner: query.key.owner,
                    to,
                    bytes,
                });
                outputs.extend(send.map(Output::Net));
            }
            Step::Over(result) => self.end(id, result, None),
        }
    }

    fn end(
        &mut self,
        id: QueryId,
        result: Result<Answer, TrackerError>,
        other_family: Option<Family>,
    ) {
        let patience = self.timers.at(Wake::SlowTracker(id));
        let query = self.close(id);
        if result.is_ok() {
            self.timers.clear(Wake::Place(id));
            self.queries.free_place(id);
        } else if let (Some(query), Some(at), Some(_)) =
            (&query, patience, self.waits.unanswered_place)
            && !query.overdue
        {
            self.timers.set(Wake::SlowTracker(id), at);
            self.failed.insert(id, query.key);
        }
        let over = query.map(|query| Event::Over {
            query,
            result,
            other_family,
        });
        self.events.extend(over);
    }

    fn close(&mut self, id: QueryId) -> Option<Query> {
        let query = self.queries.close(id)?;
        for wake in Wake::all(id) {
            self.timers.clear(wake);
        }
        self.udp.cancel(id);
        Some(query)
    }
}

fn external_ip(answer: &Result<Answer, TrackerError>) -> Option<IpAddr> {
    answer.as_ref().ok()?.external_ip
}

#[cfg(test)]
mod tests;
