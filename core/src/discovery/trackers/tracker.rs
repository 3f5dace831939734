//! A tracker of a member: its URL, the result of the last request, and when it may be asked again.

use std::net::SocketAddr;

use super::io::QueryId;
use super::status::{TrackerError, TrackerState, TrackerStatus};
use crate::discovery::url::{Host, Url};
use crate::types::Instant;

/// A tracker of a member.
#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) tier: usize,
    text: String,
    /// `None` if it cannot be asked; `state` contains the reason.
    pub(super) url: Option<Url>,
    pub(super) state: TrackerState,
    pub(super) warning: Option<String>,
    pub(super) query: Option<QueryId>,
    /// The repeated announce in its other address family (BEP 7), if it is in progress.
    pub(super) other_family_query: Option<QueryId>,
    /// Whether an announce is queued.
    pub(super) waiting: bool,
    /// The time of the next announce, if scheduled.
    pub(super) next: Option<Instant>,
    /// When it may be asked without an event.
    pub(super) earliest: Instant,
    /// The number of failures since the last success.
    pub(super) failures: u32,
    /// Whether it refused permanently (BEP 31).
    pub(super) retired: bool,
    pub(super) announced: Announced,
    pub(super) tracker_id: Option<Vec<u8>>,
    /// The addresses that its name was resolved to, while it answers.
    pub(super) addrs: Vec<SocketAddr>,
}

/// What a tracker was told in this run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announced {
    pub(super) started: bool,
    pub(super) completed: bool,
    /// The port in the last announce; 0: there was none.
    pub(super) port: u16,
}

impl Tracker {
    pub(super) fn new(tier: usize, text: String) -> Self {
        let (url, state) = match Url::parse(&text) {
            Ok(url) => (Some(url), TrackerState::Idle),
            Err(error) => (None, TrackerState::Failed(error.into())),
        };
        Self::with(tier, text, url, state)
    }

    /// A placeholder for `more` trackers beyond the limit, of which this is the first.
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

    /// Whether it may be asked and is not scheduled.
    pub(super) fn is_candidate(&self, now: Instant) -> bool {
        self.is_free() && self.next.is_none() && !self.retired && self.earliest <= now
    }

    /// Whether its last answer contained peers.
    pub(super) const fn is_useful(&self) -> bool {
        matches!(self.state, TrackerState::Ok { peers: 1.., .. })
    }

    /// Whether it has no request in progress or scheduled.
    pub(super) const fn is_free(&self) -> bool {
        self.url.is_some() && self.query.is_none() && !self.waiting
    }

    /// Whether a request is in progress or queued.
    pub(super) const fn is_busy(&self) -> bool {
        self.query.is_some() || self.other_family_query.is_some() || self.waiting
    }

    /// Whether it was asked in this run and is not scheduled.
    pub(super) const fn is_resting(&self) -> bool {
        (self.failures > 0 || self.announced.started)
            && self.next.is_none()
            && self.is_free()
            && !self.retired
    }

    /// When it may be asked if more peers are wanted; `None` if it does not answer, or a request is
    /// in progress.
    pub(super) fn soonest(&self, now: Instant) -> Option<Instant> {
        let answering = matches!(self.state, TrackerState::Ok { .. }) && self.query.is_none();
        self.next
            .filter(|_| answering)
            .map(|next| next.min(self.earliest.max(now)))
    }

    /// Whether it lists us, and is likely to receive our `stopped`.
    pub(super) const fn knows_us(&self) -> bool {
        self.announced.started && matches!(self.state, TrackerState::Ok { .. })
    }

    /// Whether its name must be resolved before it can be asked.
    pub(super) fn needs_lookup(&self) -> bool {
        let named = self
            .url
            .as_ref()
            .is_some_and(|url| matches!(url.host, Host::Name(_)));
        named && self.addrs.is_empty()
    }

    /// Forgets its failures, unless it refused. Returns whether there were any.
    pub(super) fn forgive(&mut self, now: Instant) -> bool {
        let has_refused =
            matches!(&self.state, TrackerState::Failed(error) if error.own_words().is_some());
        let is_forgiven = self.failures > 0 && self.is_free() && !has_refused;
        if is_forgiven {
            (self.failures, self.earliest, self.next) = (0, now, None);
        }
        is_forgiven
    }

    /// Starts a new run without the state of the previous one.
    pub(super) const fn renew(&mut self, now: Instant) {
        self.announced = Announced {
            started: false,
            completed: false,
            port: 0,
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
