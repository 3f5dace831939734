//! The other address family of a tracker (BEP 7). A tracker that is reachable over both receives
//! announces in both, since half of a swarm would otherwise never learn of us.
//!
//! The first announce uses either family; the address that answered determines the family in which
//! it is repeated. Silence there is not a failure.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::announce::{Announce, AnnounceEvent, Answer, Ask};
use super::http::announce_url;
use super::io::Output;
use super::machine::Trackers;
use super::queries::Query;
use super::question::{Destination, Question, Wait};
use super::status::TrackerError;
use crate::discovery::dht::Family;
use crate::discovery::swarm::Key;
use crate::discovery::url::Scheme;
use crate::types::{Instant, PeerSource};

impl Trackers {
    /// Repeats an announce in the other family. The first one returned `known`.
    pub(super) fn ask_other_family(
        &mut self,
        now: Instant,
        (key, index): (Key, usize),
        event: AnnounceEvent,
        family: Family,
        known: BTreeSet<SocketAddr>,
    ) {
        let Some(member) = self.schedule.get(key) else {
            return;
        };
        // `completed` is counted by the tracker, so it is sent only once.
        let event = if event == AnnounceEvent::Completed {
            AnnounceEvent::None
        } else {
            event
        };
        let announce = Announce {
            event,
            ..member.announce(key, index, &self.config)
        };
        let Some(tracker) = member.trackers.get(index) else {
            return;
        };
        let Some(url) = &tracker.url else {
            return;
        };
        let destination = if url.scheme == Scheme::Udp {
            let addrs = tracker.addrs.iter().copied();
            let addrs: Vec<SocketAddr> = addrs.filter(|addr| Family::of(addr) == family).collect();
            let path = url.path_and_query.clone();
            Destination::Addrs { addrs, path }
        } else {
            Destination::Http {
                url: announce_url(url, &announce, tracker.tracker_id.as_deref()),
                family: Some(family),
            }
        };
        let wait = if event == AnnounceEvent::Stopped {
            Wait::Farewell
        } else {
            Wait::OtherFamily
        };
        let question = Question {
            key,
            tracker: index,
            ask: Ask::Announce(announce),
            destination,
            wait,
            other_family: Some(known),
        };
        let id = self.requests.open(now, question, &mut self.outputs);
        if let Some(tracker) = self.schedule.tracker_mut(key, index) {
            tracker.other_family_query = Some(id);
        }
    }

    /// Handles the end of the announce in the other family.
    pub(super) fn finish_other_family(
        &mut self,
        query: Query,
        result: Result<Answer, TrackerError>,
    ) {
        let (key, index) = (query.key, query.tracker);
        if query.event == Some(AnnounceEvent::Stopped) {
            return self.settle(key);
        }
        let Ok(mut answer) = result else { return };
        let known = query.other_family.unwrap_or_default();
        let mut addrs = std::mem::take(&mut answer.peers);
        addrs.retain(|addr| !known.contains(addr));
        if let Some(member) = self.schedule.get_mut(key) {
            member.record_other_family(index, &answer, addrs.len());
        }
        self.push_status(key, index, false);
        if !addrs.is_empty() {
            self.outputs.push_back(Output::Peers {
                key,
                source: PeerSource::Tracker,
                addrs,
            });
        }
    }
}
