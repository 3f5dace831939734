//! Measured rates, in integers so that results are the same on every machine.

use crate::types::Instant;

const SLOT: u64 = 500_000;
const SLOTS: usize = 8;

/// Bytes per second over the last four seconds, in slots of half a second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rate {
    slots: [u64; SLOTS],
    /// The number of the current slot, counted from the driver's start.
    current: u64,
    /// The number of the slot of the first byte; `None` before.
    first: Option<u64>,
}

impl Rate {
    /// Records bytes.
    pub(crate) fn add(&mut self, now: Instant, bytes: u64) {
        self.advance(now);
        self.first.get_or_insert(self.current);
        self.slots[slot(self.current)] += bytes;
    }

    /// The rate in bytes per second. The current slot is used only if there is no other.
    pub(crate) fn get(&self, now: Instant) -> u64 {
        let mut seen = self.clone();
        seen.advance(now);
        let Some(first) = seen.first else { return 0 };
        let full = (seen.current - first).min(SLOTS as u64 - 1);
        if full == 0 {
            return seen.slots[slot(seen.current)] * 1_000_000 / SLOT;
        }
        let sum: u64 = (1..=full)
            .map(|back| seen.slots[slot(seen.current - back)])
            .sum();
        sum * 1_000_000 / (full * SLOT)
    }

    fn advance(&mut self, now: Instant) {
        let number = now.as_micros() / SLOT;
        let stale = number.saturating_sub(self.current).min(SLOTS as u64);
        for ahead in 1..=stale {
            self.slots[slot(self.current + ahead)] = 0;
        }
        if stale == SLOTS as u64 {
            self.slots = [0; SLOTS];
        }
        self.current = self.current.max(number);
    }
}

fn slot(number: u64) -> usize {
    usize::try_from(number % SLOTS as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Instant {
        Instant::from_micros(ms * 1000)
    }

    #[test]
    fn a_steady_stream_has_its_rate() {
        let mut rate = Rate::default();
        for ms in (0..10_000).step_by(10) {
            rate.add(at(ms), 1000);
        }
        assert_eq!(rate.get(at(10_000)), 100_000);
        assert_eq!(rate.get(at(12_000)), 100_000 * 3 / 7);
        assert_eq!(rate.get(at(60_000)), 0);
    }
}
