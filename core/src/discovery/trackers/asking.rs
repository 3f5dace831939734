//! Sending announces to trackers, when the limits on requests and the budgets permit.

use super::announce::{AnnounceEvent, Ask};
use super::http::{announce_url, scrape_url};
use super::io::QueryId;
use super::machine::Trackers;
use super::member::Phase;
use super::question::{Destination, Question, Wait};
use super::status::TrackerError;
use super::tracker::Tracker;
use crate::discovery::swarm::Key;
use crate::discovery::url::{Scheme, Url};
use crate::types::Instant;

impl Trackers {
    /// Asks one more tracker. If a budget delays it, its time is scheduled and the next one is
    /// asked instead.
    pub(super) fn advance(&mut self, now: Instant, key: Key) {
        while let Some(index) = self
            .schedule
            .active(key)
            .and_then(|member| member.candidate(now))
        {
            if self.begin(now, key, index) {
                return;
            }
        }
    }

    /// As `advance`, unless a tracker has returned peers.
    pub(super) fn advance_unless_served(&mut self, now: Instant, key: Key) {
        if self
            .schedule
            .get(key)
            .is_some_and(|member| !member.is_served())
        {
            self.advance(now, key);
        }
    }

    /// Announces to a tracker as soon as that is permitted. Returns whether the announce is in
    /// progress or queued; otherwise it is delayed until a budget permits it.
    pub(super) fn begin(&mut self, now: Instant, key: Key, index: usize) -> bool {
        let admitted = self.requests.queue().admits(key.owner);
        if !self
            .schedule
            .tracker(key, index)
            .is_some_and(Tracker::is_free)
        {
            return false;
        }
        self.schedule.begin(key, index, !admitted);
        if admitted {
            return self.announce(now, key, index);
        }
        self.requests.queue().wait(key, index);
        true
    }

    /// Starts a queued announce, if there is room. Returns whether there was one.
    pub(super) fn admit(&mut self, now: Instant) -> bool {
        let Some((key, index)) = self.requests.queue().pop_waiting() else {
            return false;
        };
        if self
            .schedule
            .tracker_mut(key, index)
            .is_some_and(|tracker| std::mem::take(&mut tracker.waiting))
        {
            self.announce(now, key, index);
        }
        true
    }

    /// Starts an announce for which there is room. Returns whether it was sent; otherwise it is
    /// delayed until a budget permits it.
    fn announce(&mut self, now: Instant, key: Key, index: usize) -> bool {
        let Some((member, tracker)) = self
            .schedule
            .get(key)
            .and_then(|member| Some((member, member.trackers.get(index)?)))
        else {
            return false;
        };
        let (announce, lookup) = (
            member.announce(key, index, &self.config),
            tracker.needs_lookup(),
        );
        let Some(url) = tracker.url.clone() else {
            return false;
        };
        let afforded = self
            .allowance
            .take_announce(now, key, &url, lookup, announce.event);
        if let Err(at) = afforded {
            self.schedule.plan(key, index, at);
            return false;
        }
        let full_url = announce_url(&url, &announce, tracker.tracker_id.as_deref());
        let wait = match announce.event {
            _ if member.phase == Phase::Leaving => Wait::Farewell,
            AnnounceEvent::Started => Wait::First,
            _ => Wait::Again,
        };
        let destination = destination(tracker, &url, full_url);
        if let Some(tracker) = self.schedule.tracker_mut(key, index) {
            tracker.announced.port = announce.port;
        }
        let ask = Ask::Announce(announce);
        self.ask(now, key, index, (ask, destination, wait));
        true
    }

    pub(super) fn begin_scrape(&mut self, now: Instant, key: Key, index: usize) {
        let Some(tracker) = self.schedule.tracker(key, index) else {
            return;
        };
        let Some(url) = tracker.url.clone() else {
            return;
        };
        let lookup = tracker.needs_lookup();
        let afforded = self.requests.queue().admits(key.owner)
            && (!lookup
                || self
                    .allowance
                    .take_lookup(now, key.owner, &url.host)
                    .is_ok());
        if !afforded {
            let error = "too much is asked already; try again later".to_owned();
            return self.finish_scrape(key, index, Err(TrackerError::Refused(error)));
        }
        let full_url = match url.scheme {
            Scheme::Udp => Ok(String::new()),
            Scheme::Http | Scheme::Https => scrape_url(&url, &key.info_hash),
        };
        match full_url {
            Ok(full_url) => {
                let destination = destination(tracker, &url, full_url);
                let ask = Ask::Scrape(key.info_hash);
                self.ask(now, key, index, (ask, destination, Wait::Farewell));
            }
            Err(error) => self.finish_scrape(key, index, Err(error)),
        }
    }

    /// Sends a request. It replaces a request of the previous announce in the other address family.
    fn ask(
        &mut self,
        now: Instant,
        key: Key,
        index: usize,
        (ask, destination, wait): (Ask, Destination, Wait),
    ) {
        let late = self
            .schedule
            .tracker(key, index)
            .and_then(|tracker| tracker.other_family_query);
        if let Some(late) = late {
            self.cancel(late);
        }
        let question = Question {
            key,
            tracker: index,
            ask,
            destination,
            wait,
            other_family: None,
        };
        let id = self.requests.open(now, question, &mut self.outputs);
        if let Some(tracker) = self.schedule.tracker_mut(key, index) {
            tracker.query = Some(id);
        }
        self.push_status(key, index, false);
    }

    /// Cancels a request whose answer is no longer needed.
    pub(super) fn cancel(&mut self, id: QueryId) {
        if let Some(query) = self.requests.cancel(id, &mut self.outputs) {
            self.schedule.release(&query);
            self.push_status(query.key, query.tracker, false);
        }
    }
}

/// Where to send a request; `full_url` is the HTTP URL with all arguments.
fn destination(tracker: &Tracker, url: &Url, full_url: String) -> Destination {
    let path = url.path_and_query.clone();
    match url.scheme {
        Scheme::Http | Scheme::Https => Destination::Http {
            url: full_url,
            family: None,
        },
        Scheme::Udp if tracker.addrs.is_empty() => Destination::Name {
            host: url.host.to_string(),
            port: url.port,
            path,
        },
        Scheme::Udp => Destination::Addrs {
            addrs: tracker.addrs.clone(),
            path,
        },
    }
}
