//! What follows from a tracker's answer, or from its silence: who is kept, who is asked next, and
//! when.

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;

use super::announce::{AnnounceEvent, Answer};
use super::http::{parse_answer, parse_scrape};
use super::io::{Fetched, Key, Output, QueryId};
use super::machine::Discovery;
use super::member::Phase;
use super::queries::{Query, Stage};
use super::status::TrackerError;
use super::wake::Wake;
use crate::discovery::dht::Family;
use crate::types::{Instant, PeerSource};

impl Discovery {
    /// An answer over HTTP.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        id: QueryId,
        result: Result<Fetched, TrackerError>,
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
            .map(|fetched| (fetched.from, fetched.dual));
        let read = |Fetched { body, .. }: Fetched| {
            if event.is_some() {
                parse_answer(&body)
            } else {
                parse_scrape(&body, &key.info_hash)
            }
        };
        let answer = result.and_then(read);
        if let (
            Some((by, _)),
            Ok(Answer {
                external_ip: Some(ip),
                ..
            }),
        ) = (from, &answer)
        {
            self.outputs
                .push_back(Output::ExternalIp { key, ip: *ip, by });
        }
        self.finish(
            now,
            id,
            answer,
            from.and_then(|(ip, dual)| dual.then_some(Family::of_ip(ip).other())),
        );
    }

    /// A UDP tracker's name has addresses.
    pub(super) fn resolved(
        &mut self,
        now: Instant,
        id: QueryId,
        result: Result<Vec<SocketAddr>, TrackerError>,
    ) {
        let Some(query) = self.queries.get_mut(id) else {
            return;
        };
        let Stage::Lookup(ask) = std::mem::replace(&mut query.stage, Stage::Udp) else {
            return;
        };
        let (key, index) = (query.key, query.tracker);
        match result {
            Ok(addrs) => {
                let Some(tracker) = self.tracker(key, index) else {
                    return;
                };
                tracker.addrs.clone_from(&addrs);
                let path = tracker
                    .url
                    .as_ref()
                    .map(|url| url.path_and_query.clone())
                    .unwrap_or_default();
                self.exchange(now, id, addrs, ask, &path);
            }
            Err(error) => self.finish(now, id, Err(error), None),
        }
    }

    pub(super) fn close(&mut self, id: QueryId) -> Option<Query> {
        let query = self.queries.close(id)?;
        [Wake::Patience(id), Wake::Retransmit(id), Wake::Farewell(id)]
            .into_iter()
            .for_each(|wake| self.timers.clear(wake));
        self.udp.cancel(id);
        if let Some(tracker) = self.tracker(query.key, query.tracker) {
            let place = if query.second.is_some() {
                &mut tracker.second
            } else {
                &mut tracker.query
            };
            *place = None;
        }
        Some(query)
    }

    /// `other`: the address family in which the tracker can be asked, too.
    pub(super) fn finish(
        &mut self,
        now: Instant,
        id: QueryId,
        result: Result<Answer, TrackerError>,
        other: Option<Family>,
    ) {
        let Some(query) = self.close(id) else { return };
        let (key, index) = (query.key, query.tracker);
        if query.second.is_some() {
            return self.finish_second(query, result);
        }
        let Some(event) = query.event else {
            return self.scraped(key, index, result);
        };
        let leaving = self
            .torrents
            .get(&key)
            .is_some_and(|torrent| torrent.phase == Phase::Leaving);
        if let (Ok(answer), Some(family)) = (
            &result,
            other.filter(|_| !leaving || event == AnnounceEvent::Stopped),
        ) {
            self.ask_second(
                now,
                key,
                index,
                event,
                family,
                answer.peers.iter().copied().collect(),
            );
        }
        match result {
            result if leaving => self.take_leave(now, &query, event, result),
            Ok(answer) => self.succeed(now, &query, event, answer),
            Err(error) => self.fail(now, key, index, error),
        }
        self.tell(key, index, event != AnnounceEvent::Stopped);
    }

    /// A tracker that we leave heard `event`: on to the next that it is to hear, up to `stopped`.
    fn take_leave(
        &mut self,
        now: Instant,
        query: &Query,
        event: AnnounceEvent,
        result: Result<Answer, TrackerError>,
    ) {
        let (key, index) = (query.key, query.tracker);
        let heard = result.is_ok();
        if let (Some(torrent), Ok(answer)) = (self.torrents.get_mut(&key), result) {
            torrent.record(index, event, query.complete, answer, now);
        }
        // It may have heard this although its answer is lost: once is enough.
        self.tracker(key, index)
            .into_iter()
            .for_each(|tracker| tracker.told.completed |= event == AnnounceEvent::Completed);
        match event {
            AnnounceEvent::Started | AnnounceEvent::None if heard => self.begin(now, key, index),
            AnnounceEvent::Completed => self.begin(now, key, index),
            AnnounceEvent::Started | AnnounceEvent::None | AnnounceEvent::Stopped => {
                self.settle(key)
            }
        }
    }

    pub(super) fn scraped(&mut self, key: Key, index: usize, result: Result<Answer, TrackerError>) {
        if let Some(torrent) = self.torrents.get_mut(&key) {
            torrent.record_scrape(index, result);
        }
        self.tell_status(key, index);
    }

    /// BEP 12's order decides who is kept: of trackers that were asked side by side and named
    /// peers, the first one is announced to from then on, and those behind it are asked when it
    /// fails or more peers are wanted.
    fn succeed(&mut self, now: Instant, query: &Query, event: AnnounceEvent, mut answer: Answer) {
        let (key, index) = (query.key, query.tracker);
        let (interval, min_interval) = self.intervals(&answer);
        let names = std::mem::take(&mut answer.names);
        let Some(torrent) = self.torrents.get_mut(&key) else {
            return;
        };
        let peers = torrent.record(index, event, query.complete, answer, now + min_interval);
        let owes_completed = torrent.event(index) == AnnounceEvent::Completed;
        let useful = !peers.is_empty();
        if !owes_completed && useful && torrent.is_spare(index) {
            self.rest(key, index);
        } else {
            let mut resting = torrent.promote(index);
            resting.extend(useful.then(|| torrent.spares(index)).into_iter().flatten());
            self.schedule(
                key,
                index,
                if owes_completed { now } else { now + interval },
            );
            resting.into_iter().for_each(|other| self.rest(key, other));
        }
        if useful {
            self.outputs.push_back(Output::Peers {
                key,
                source: PeerSource::Tracker,
                addrs: peers,
            });
        } else if names.is_empty() {
            self.go_on(now, key);
        }
        self.look_up_peers(now, key, names);
    }

    /// Takes back the next announce to a tracker as long as another one, which comes before it,
    /// answers.
    pub(super) fn rest(&mut self, key: Key, index: usize) {
        self.timers.clear(Wake::Announce(key, index));
        let Some(tracker) = self.tracker(key, index) else {
            return;
        };
        tracker.next = None;
        if std::mem::take(&mut tracker.waiting) {
            self.queries.forget_waiting(key, index);
        }
    }

    fn intervals(&self, answer: &Answer) -> (Duration, Duration) {
        let (least, most) = self.config.interval_bounds;
        let floor = self.config.min_interval_floor;
        // Zero is no time, but a tracker that does not care.
        let said = |span: Option<Duration>| span.filter(|span| !span.is_zero());
        let min_interval = said(answer.min_interval)
            .unwrap_or(self.config.min_interval)
            .clamp(floor, most.max(floor));
        let interval = said(answer.interval)
            .unwrap_or(self.config.interval)
            .clamp(least, most);
        (interval.max(min_interval), min_interval)
    }

    fn fail(&mut self, now: Instant, key: Key, index: usize, error: TrackerError) {
        if let TrackerError::Busy(wait) = error {
            return self.put_off(now, key, index, wait);
        }
        let wanted = if let TrackerError::Later { wait, .. } = error {
            wait.min(self.config.max_retry)
        } else {
            Duration::ZERO
        };
        let Some(torrent) = self.torrents.get_mut(&key) else {
            return;
        };
        let failures = torrent.record_failure(index, error);
        let (spare, resting) = (
            torrent.is_spare(index),
            if torrent.is_served() {
                Vec::new()
            } else {
                torrent.resting()
            },
        );
        if let Some(failures) = failures {
            let at = now + self.backoff(failures).max(wanted);
            self.tracker(key, index)
                .into_iter()
                .for_each(|tracker| tracker.earliest = at);
            if !spare {
                self.schedule(key, index, at);
            }
        }
        let others = resting
            .into_iter()
            .filter(|(other, at)| *other != index && *at > now);
        others.for_each(|(other, at)| self.schedule(key, other, at));
        self.go_on(now, key);
    }

    /// It was not asked, because too many others ask it.
    fn put_off(&mut self, now: Instant, key: Key, index: usize, wait: Duration) {
        let Some(url) = self
            .tracker(key, index)
            .and_then(|tracker| tracker.url.clone())
        else {
            return;
        };
        self.recent.forget(&(key, url.to_string()));
        self.schedule(key, index, now + wait);
        self.go_on(now, key);
    }

    /// 50 to 100 % of the doubled wait, so that those who lost a tracker together do not come back
    /// together.
    fn backoff(&mut self, failures: u32) -> Duration {
        let doubled = self
            .config
            .backoff
            .saturating_mul(1 << (failures - 1).min(16))
            .min(self.config.max_backoff);
        doubled.mul_f64(0.5 + f64::from(self.rng.next_u32()) / f64::from(u32::MAX) / 2.0)
    }
}
