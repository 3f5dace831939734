//! The event queue.

use std::collections::BTreeMap;
use std::time::Duration;

use aqueduct_core::Instant;

/// Events in order of time. Events of the same time keep the order in which they were scheduled.
#[derive(Debug)]
pub(super) struct Agenda<E> {
    now: Instant,
    planned: u64,
    events: BTreeMap<(Instant, u64), E>,
}

impl<E> Agenda<E> {
    pub(super) fn new() -> Self {
        Self {
            now: Instant::ZERO,
            planned: 0,
            events: BTreeMap::new(),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Schedules an event. One in the past is due immediately.
    pub(super) fn at(&mut self, when: Instant, event: E) {
        self.planned += 1;
        self.events
            .insert((when.max(self.now), self.planned), event);
    }

    pub(super) fn after(&mut self, span: Duration, event: E) {
        self.at(self.now + span, event);
    }

    /// Removes the next event that is not later than `limit`, and advances the time to it.
    pub(super) fn next(&mut self, limit: Instant) -> Option<E> {
        let entry = self
            .events
            .first_entry()
            .filter(|entry| entry.key().0 <= limit)?;
        self.now = entry.key().0;
        Some(entry.remove())
    }

    /// Advances the time without an event.
    pub(super) fn rest(&mut self, until: Instant) {
        self.now = self.now.max(until);
    }
}
