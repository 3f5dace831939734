//! Deadlines, at most one per reason.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::Instant;

/// All deadlines of a state machine, identified by `W`.
#[derive(Debug)]
pub(super) struct Timers<W> {
    by_time: BTreeSet<(Instant, W)>,
    by_wake: BTreeMap<W, Instant>,
}

impl<W> Default for Timers<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W> Timers<W> {
    pub(super) const fn new() -> Self {
        Self {
            by_time: BTreeSet::new(),
            by_wake: BTreeMap::new(),
        }
    }
}

impl<W: Copy + Ord> Timers<W> {
    /// Sets or moves a deadline.
    pub(super) fn set(&mut self, wake: W, at: Instant) {
        self.clear(wake);
        self.by_wake.insert(wake, at);
        self.by_time.insert((at, wake));
    }

    pub(super) fn clear(&mut self, wake: W) {
        if let Some(at) = self.by_wake.remove(&wake) {
            self.by_time.remove(&(at, wake));
        }
    }

    pub(super) fn next(&self) -> Option<(Instant, W)> {
        self.by_time.first().copied()
    }

    /// When this deadline is due.
    pub(super) fn at(&self, wake: W) -> Option<Instant> {
        self.by_wake.get(&wake).copied()
    }

    /// Removes one deadline that has passed.
    pub(super) fn pop(&mut self, now: Instant) -> Option<W> {
        let (_, wake) = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.clear(wake);
        Some(wake)
    }
}
