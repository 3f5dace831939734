//! One tracker of one member: what it is, what came of asking it, and when it may be asked again.

use std::net::SocketAddr;

use super::io::QueryId;
use super::status::{TrackerError, TrackerState, TrackerStatus};
use crate::discovery::url::{Host, Url};
use crate::types::Instant;

/// One tracker of one member.
#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) tier: usize,
    text: String,
    /// `None`: cannot be asked; `state` says why.
    pub(super) url: Option<Url>,
    pub(super) state: TrackerState,
    pub(super) warning: Option<String>,
    pub(super) query: Option<QueryId>,
    /// The same announce in its other address family, once it answered in one (BEP 7).
    pub(super) other_family_query: Option<QueryId>,
    /// Waits for room among the queries.
    pub(super) waiting: bool,
    /// When it will be asked.
    pub(super) next: Option<Instant>,
    /// When it may be asked without an event.
    pub(super) earliest: Instant,
    /// Since the last success.
    pub(super) failures: u32,
    /// It does not want to be asked again (BEP 31).
    pub(super) retired: bool,
    pub(super) announced: Announced,
    pub(super) tracker_id: Option<Vec<u8>>,
    /// What its name was resolved to, as long as it answers.
    pub(super) addrs: Vec<SocketAddr>,
}

/// Which events reached a tracker in this run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announced {
    pub(super) started: bool,
    pub(super) completed: bool,
}

impl Tracker {
    pub(super) fn new(tier: usize, text: String) -> Self {
        let (url, state) = match Url::parse(&text) {
            Ok(url) => (Some(url), TrackerState::Idle),
            Err(error) => (None, TrackerState::Failed(error.into())),
        };
        Self::with(tier, text, url, state)
    }

    /// Stands for `more` trackers, of which this is the first, that are beyond the limit.
    pub(super) fn beyond(tier: usize, text: String, limit: usize, more: usize) -> Self {
        let error = TrackerError::TooMany { limit, more };
        Self::with(tier, text, None, TrackerState::Failed(error))
    }

    fn with(tier: usize, text: String, url: Option<Url>, state: TrackerState) -> Self {
        Self {
            tier,
            text,
            url,
            state,
            warning: None,
            query: None,
            other_family_query: None,
            waiting: false,
            next: None,
            earliest: Instant::ZERO,
            failures: 0,
            retired: false,
            announced: Announced::default(),
            tracker_id: None,
            addrs: Vec::new(),
        }
    }

    /// Whether it may be asked and nothing is planned for it.
    pub(super) fn is_candidate(&self, now: Instant) -> bool {
        self.is_free() && self.next.is_none() && !self.retired && self.earliest <= now
    }

    /// Whether it named peers when it answered last.
    pub(super) const fn is_useful(&self) -> bool {
        matches!(self.state, TrackerState::Ok { peers: 1.., .. })
    }

    /// Whether nothing is asked of it, or about to be.
    pub(super) const fn is_free(&self) -> bool {
        self.url.is_some() && self.query.is_none() && !self.waiting
    }

    /// Whether a query of it is under way or waits for room.
    pub(super) const fn is_busy(&self) -> bool {
        self.query.is_some() || self.other_family_query.is_some() || self.waiting
    }

    /// Whether it was asked in this run and nothing is planned for it.
    pub(super) const fn is_resting(&self) -> bool {
        (self.failures > 0 || self.announced.started)
            && self.next.is_none()
            && self.is_free()
            && !self.retired
    }

    /// When it may be asked if more peers are wanted; `None`: it does not answer, or is being
    /// asked.
    pub(super) fn soonest(&self, now: Instant) -> Option<Instant> {
        let answering = matches!(self.state, TrackerState::Ok { .. }) && self.query.is_none();
        self.next
            .filter(|_| answering)
            .map(|next| next.min(self.earliest.max(now)))
    }

    /// Whether it counts us among its peers, and is likely to hear that we leave.
    pub(super) const fn knows_us(&self) -> bool {
        self.announced.started && matches!(self.state, TrackerState::Ok { .. })
    }

    /// Whether its name must be looked up before it can be asked.
    pub(super) fn needs_lookup(&self) -> bool {
        let named = self
            .url
            .as_ref()
            .is_some_and(|url| matches!(url.host, Host::Name(_)));
        named && self.addrs.is_empty()
    }

    /// A new run: nothing of the last one counts.
    pub(super) const fn renew(&mut self, now: Instant) {
        self.announced = Announced {
            started: false,
            completed: false,
        };
        (self.failures, self.earliest, self.retired) = (0, now, false);
    }

    pub(super) fn status(&self) -> TrackerStatus {
        TrackerStatus {
            tier: self.tier,
            url: self.text.clone(),
            state: self.state.clone(),
            asking: self.query.is_some(),
            next: self.next,
            warning: self.warning.clone(),
        }
    }
}
