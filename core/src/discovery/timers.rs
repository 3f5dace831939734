//! Deadlines: each has a reason, and each reason at most one deadline.

use std::collections::{BTreeMap, BTreeSet};

use super::io::{Key, QueryId, Reason};
use crate::types::Instant;

/// What is to be done when a deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wake {
    /// Ask this tracker (by its index in the torrent).
    Announce(Key, usize),
    /// Wait no longer for this one alone.
    Patience(QueryId),
    /// Send the datagram again.
    Retransmit(QueryId),
    /// Leave without an answer.
    Farewell(QueryId),
}

impl Wake {
    const fn reason(self) -> Reason {
        match self {
            Self::Announce(..) => Reason::Announce,
            Self::Patience(_) => Reason::Patience,
            Self::Retransmit(_) => Reason::Retransmit,
            Self::Farewell(_) => Reason::Farewell,
        }
    }
}

/// All deadlines.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, Wake)>,
    by_wake: BTreeMap<Wake, Instant>,
}

impl Timers {
    /// Sets or moves a deadline.
    pub(super) fn set(&mut self, wake: Wake, at: Instant) {
        self.clear(wake);
        self.by_wake.insert(wake, at);
        self.by_time.insert((at, wake));
    }

    pub(super) fn clear(&mut self, wake: Wake) {
        if let Some(at) = self.by_wake.remove(&wake) {
            self.by_time.remove(&(at, wake));
        }
    }

    pub(super) fn next(&self) -> Option<(Instant, Reason)> {
        self.by_time.first().map(|(at, wake)| (*at, wake.reason()))
    }

    /// Takes out one deadline that has come.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Wake> {
        let (_, wake) = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.clear(wake);
        Some(wake)
    }
}
