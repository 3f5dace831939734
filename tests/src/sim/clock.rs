//! What happens next.

use std::collections::BTreeMap;
use std::time::Duration;

use aqueduct_core::Instant;

/// Events in the order of their time; those of the same time in the order in which they were
/// planned.
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

    /// Plans an event; one in the past happens at once.
    pub(super) fn at(&mut self, when: Instant, event: E) {
        self.planned += 1;
        self.events
            .insert((when.max(self.now), self.planned), event);
    }

    pub(super) fn after(&mut self, span: Duration, event: E) {
        self.at(self.now + span, event);
    }

    /// The next event not later than `limit`; time moves to it.
    pub(super) fn next(&mut self, limit: Instant) -> Option<E> {
        let entry = self
            .events
            .first_entry()
            .filter(|entry| entry.key().0 <= limit)?;
        self.now = entry.key().0;
        Some(entry.remove())
    }

    /// Lets time pass although nothing happens.
    pub(super) fn rest(&mut self, until: Instant) {
        self.now = self.now.max(until);
    }
}
