//! The queueing delay of the path, from one-way delays (RFC 6817, section 3.4).
//!
//! The two clocks are not synchronised, so a one-way delay has no meaning by itself. Its excess
//! over the lowest one of the last minutes is the time that datagrams wait in queues. A jump of the
//! other clock would look like a queue; the round trip, which depends on our clock alone, is the
//! upper bound.

use std::time::Duration;

use crate::types::Instant;

const MINUTE: Duration = Duration::from_secs(60);
/// Minutes over which the lowest delay is kept (RFC 6817: `BASE_HISTORY`).
const MINUTES: usize = 10;
/// The number of samples of which the lowest is the current delay (RFC 6817: `CURRENT_FILTER`), so
/// that a single late datagram does not count as a queue.
const FILTER: usize = 4;

/// The lowest of the samples of each of the last minutes. Samples are compared as on a circle.
#[derive(Debug)]
struct Base {
    minutes: [Option<u32>; MINUTES],
    /// When the first of `minutes` began.
    since: Instant,
}

impl Base {
    const fn new(now: Instant) -> Self {
        Self {
            minutes: [None; MINUTES],
            since: now,
        }
    }

    /// Takes a sample and returns how far it is above the lowest.
    fn excess(&mut self, now: Instant, sample: u32) -> u32 {
        let passed = now.since(self.since).as_secs() / MINUTE.as_secs();
        for _ in 0..passed.min(MINUTES as u64) {
            self.minutes.rotate_right(1);
            self.minutes[0] = None;
        }
        self.since = self.since + MINUTE * u32::try_from(passed).unwrap_or(u32::MAX);
        self.minutes[0] = Some(self.minutes[0].map_or(sample, |low| lower(low, sample)));
        let lowest = self.minutes.into_iter().flatten().reduce(lower);
        sample.wrapping_sub(lowest.unwrap_or(sample))
    }
}

/// The lower of two samples that are less than half the circle apart.
const fn lower(a: u32, b: u32) -> u32 {
    if b.wrapping_sub(a) <= u32::MAX / 2 {
        a
    } else {
        b
    }
}

/// The measurement of one direction.
#[derive(Debug)]
pub(super) struct QueueingDelay {
    one_way: Base,
    round_trip: Base,
    /// The bound from the last round trip, in microseconds.
    bound: u32,
    recent: [u32; FILTER],
    samples: usize,
}

impl QueueingDelay {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            one_way: Base::new(now),
            round_trip: Base::new(now),
            bound: u32::MAX,
            recent: [u32::MAX; FILTER],
            samples: 0,
        }
    }

    /// Takes the round-trip time of a packet that was sent once.
    pub(super) fn sample_round_trip(&mut self, now: Instant, round_trip: Duration) {
        let micros = u32::try_from(round_trip.as_micros()).unwrap_or(u32::MAX / 4);
        self.bound = self.round_trip.excess(now, micros.min(u32::MAX / 4));
    }

    /// Takes a one-way delay as the other side measured it, in microseconds.
    pub(super) fn sample_one_way(&mut self, now: Instant, one_way: u32) {
        let excess = self.one_way.excess(now, one_way).min(self.bound);
        self.recent[self.samples % FILTER] = excess;
        self.samples += 1;
    }

    /// The current queueing delay; `None` before the first sample.
    pub(super) fn get(&self) -> Option<Duration> {
        let lowest = self.recent.iter().min().filter(|_| self.samples > 0)?;
        Some(Duration::from_micros(u64::from(*lowest)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(secs)
    }

    /// The delay after enough samples that are alike.
    fn settled(delay: &mut QueueingDelay, now: Instant, one_way: u32, round_trip: u64) -> u64 {
        for _ in 0..FILTER {
            delay.sample_round_trip(now, Duration::from_millis(round_trip));
            delay.sample_one_way(now, one_way);
        }
        u64::try_from(delay.get().unwrap().as_millis()).unwrap()
    }

    #[test]
    fn the_delay_is_the_excess_over_the_lowest_wherever_the_other_clock_stands() {
        for offset in [0_u32, 5, u32::MAX - 20_000, u32::MAX / 2] {
            let mut delay = QueueingDelay::new(at(0));
            assert_eq!(delay.get(), None);
            let sample = |millis: u32| offset.wrapping_add(millis * 1000);
            assert_eq!(settled(&mut delay, at(0), sample(30), 60), 0);
            assert_eq!(settled(&mut delay, at(1), sample(80), 110), 50);
            assert_eq!(settled(&mut delay, at(2), sample(10), 40), 0);
            assert_eq!(settled(&mut delay, at(3), sample(80), 110), 70);
        }
    }

    #[test]
    fn a_jump_of_the_other_clock_is_no_queue() {
        let mut delay = QueueingDelay::new(at(0));
        settled(&mut delay, at(0), 30_000, 60);
        assert_eq!(settled(&mut delay, at(1), 3_030_000, 60), 0);
        assert_eq!(settled(&mut delay, at(2), 3_030_000, 75), 15);
    }

    #[test]
    fn one_late_datagram_is_no_queue() {
        let mut delay = QueueingDelay::new(at(0));
        settled(&mut delay, at(0), 30_000, 60);
        delay.sample_round_trip(at(0), Duration::from_millis(260));
        delay.sample_one_way(at(0), 230_000);
        assert_eq!(delay.get(), Some(Duration::ZERO));
    }

    #[test]
    fn a_path_that_became_longer_is_believed_after_ten_minutes() {
        let mut delay = QueueingDelay::new(at(0));
        settled(&mut delay, at(0), 30_000, 60);
        assert_eq!(settled(&mut delay, at(9 * 60), 90_000, 120), 60);
        assert_eq!(settled(&mut delay, at(11 * 60), 90_000, 120), 0);
    }

    proptest! {
        #[test]
        fn the_delay_never_exceeds_the_excess_of_the_round_trip(samples: Vec<(u16, u32, u16)>) {
            let mut delay = QueueingDelay::new(at(0));
            let (mut now, mut lowest) = (at(0), u16::MAX);
            for (pause, one_way, round_trip) in samples {
                now = now + Duration::from_millis(pause.into());
                lowest = lowest.min(round_trip);
                delay.sample_round_trip(now, Duration::from_millis(round_trip.into()));
                delay.sample_one_way(now, one_way);
                prop_assert!(delay.get().unwrap() <= Duration::from_millis((round_trip - lowest).into()));
            }
        }
    }
}
