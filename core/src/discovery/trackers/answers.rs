//! The handling of trackers' answers and failures.

use super::announce::{AnnounceEvent, Answer};
use super::io::Output;
use super::machine::Trackers;
use super::member::Phase;
use super::queries::Query;
use super::status::TrackerError;
use crate::discovery::dht::Family;
use crate::discovery::swarm::Key;
use crate::types::{Instant, PeerSource};

impl Trackers {
    /// Handles the end of a request. `other_family` is the other family in which the tracker can be
    /// asked.
    pub(super) fn finish(
        &mut self,
        now: Instant,
        query: Query,
        result: Result<Answer, TrackerError>,
        other_family: Option<Family>,
    ) {
        self.schedule.release(&query);
        let (key, index) = (query.key, query.tracker);
        if query.other_family.is_some() {
            return self.finish_other_family(query, result);
        }
        let Some(event) = query.event else {
            return self.finish_scrape(key, index, result);
        };
        let leaving = self
            .schedule
            .get(key)
            .is_some_and(|member| member.phase == Phase::Leaving);
        let family = other_family.filter(|_| !leaving || event == AnnounceEvent::Stopped);
        if let (Ok(answer), Some(family)) = (&result, family) {
            let known = answer.peers.iter().copied().collect();
            self.ask_other_family(now, (key, index), event, family, known);
        }
        match result {
            result if leaving => self.take_leave(now, &query, event, result),
            Ok(answer) => self.succeed(now, &query, event, answer),
            Err(error) => self.fail(now, key, index, error),
        }
        self.push_status(key, index, event != AnnounceEvent::Stopped);
    }

    /// Continues to leave a tracker that received `event`: sends the next event, up to `stopped`.
    fn take_leave(
        &mut self,
        now: Instant,
        query: &Query,
        event: AnnounceEvent,
        result: Result<Answer, TrackerError>,
    ) {
        let (key, index) = (query.key, query.tracker);
        let heard = result.is_ok();
        if let (Some(member), Ok(answer)) = (self.schedule.get_mut(key), result) {
            member.record(index, event, query.complete, answer, now);
        }
        // It may have received this although its answer was lost; it is not sent twice.
        if let Some(tracker) = self.schedule.tracker_mut(key, index) {
            tracker.announced.completed |= event == AnnounceEvent::Completed;
        }
        match event {
            AnnounceEvent::Started | AnnounceEvent::None if heard => {
                self.begin(now, key, index);
            }
            AnnounceEvent::Completed => {
                self.begin(now, key, index);
            }
            AnnounceEvent::Started | AnnounceEvent::None | AnnounceEvent::Stopped => {
                self.settle(key);
            }
        }
    }

    pub(super) fn finish_scrape(
        &mut self,
        key: Key,
        index: usize,
        result: Result<Answer, TrackerError>,
    ) {
        if let Some(member) = self.schedule.get_mut(key) {
            member.record_scrape(index, result);
        }
        self.push_status(key, index, false);
    }

    fn succeed(&mut self, now: Instant, query: &Query, event: AnnounceEvent, mut answer: Answer) {
        let key = query.key;
        let names = std::mem::take(&mut answer.names);
        let answered = self
            .schedule
            .handle_answer(now, query, event, answer, &self.config);
        let Some(answered) = answered else { return };
        for index in answered.withdrawn {
            self.requests.queue().forget_waiting(key, index);
        }
        if !answered.peers.is_empty() {
            self.outputs.push_back(Output::Peers {
                key,
                source: PeerSource::Tracker,
                addrs: answered.peers,
            });
        } else if names.is_empty() {
            self.advance_unless_served(now, key);
        }
        let fresh_id = || self.requests.fresh_id();
        let lookups = self
            .names
            .look_up(now, key, names, &mut self.allowance, fresh_id);
        self.outputs.extend(lookups);
    }

    fn fail(&mut self, now: Instant, key: Key, index: usize, error: TrackerError) {
        if let TrackerError::Busy(wait) = error {
            // It was not asked, because it receives too many requests from others.
            let tracker = self.schedule.tracker(key, index);
            if let Some(url) = tracker.and_then(|tracker| tracker.url.as_ref()) {
                self.allowance.give_back(key, url);
            }
            self.schedule.plan(key, index, now + wait);
        } else {
            self.schedule
                .handle_failure(now, key, index, error, &self.config);
        }
        // Otherwise the next one is asked at the time at which it would be if this one were silent.
        if self.config.unanswered_place.is_none() {
            self.advance_unless_served(now, key);
        }
    }
}
