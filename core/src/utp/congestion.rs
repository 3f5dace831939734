//! The congestion window: LEDBAT (RFC 6817) with slow start and the gain of BEP 29.
//!
//! Below the target delay the window grows, the slower the nearer the target is. Above it the
//! window shrinks in proportion to the excess, faster than in RFC 6817: a concurrent TCP connection
//! fills the queue, and has the line to itself within a few round trips. Loss halves the window, as
//! in TCP.
//!
//! Two things lower the target, for a minute each. A loss shows the maximum length of the queue; if
//! that is below the target, the target alone would never limit us. And a queue that stays while
//! our window shrinks is caused by other traffic, and our lowest delay may have been measured in
//! it.

use std::time::Duration;

use crate::types::Instant;

/// Bytes by which the window grows per round trip with an empty queue (BEP 29's clients).
const GAIN: u64 = 3000;
/// Packets of a new connection's window.
const INITIAL_PACKETS: u64 = 10;
/// The number of packets that may be in flight whatever the delay.
const MIN_PACKETS: u64 = 2;
/// The minimum of the target, unless it is configured lower; lower delays are noise.
const MIN_TARGET: Duration = Duration::from_millis(25);
/// The number of round trips over which the window is observed.
const SPAN: u32 = 8;
/// How long a lower target applies.
const LOWERED: Duration = Duration::from_secs(60);
/// The window in units of bytes / 1024: growth per acknowledgement is a fraction of a byte when the
/// window is large.
const SCALE: u64 = 1 << 10;
/// The maximum window; the send buffer is smaller.
const MAX: u64 = 64 << 20;

/// An acknowledgement, as far as it concerns the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Acknowledged {
    pub(super) now: Instant,
    /// Bytes that are newly acknowledged.
    pub(super) bytes: u64,
    /// Bytes in flight before.
    pub(super) in_flight: u64,
    /// The queueing delay, if it is known.
    pub(super) delay: Option<Duration>,
    /// The smoothed round-trip time.
    pub(super) round_trip: Duration,
}

/// Some round trips, over which the window is watched.
#[derive(Clone, Copy, Debug)]
struct Span {
    since: Instant,
    /// The window at its start, scaled.
    window: u64,
    lowest_delay: Duration,
}

/// The window of one connection.
#[derive(Debug)]
pub(super) struct Congestion {
    /// The configured target.
    max_target: Duration,
    target: Duration,
    /// Until when it is lower than configured.
    lowered: Option<Instant>,
    /// The highest delay since the last loss.
    highest: Duration,
    span: Span,
    /// Payload of a full packet, in bytes.
    packet: u64,
    /// Scaled by [`SCALE`].
    window: u64,
    /// The end of the lower target.
    threshold: u64,
    /// Losses of packets that were sent before do not count again.
    decreased: Option<Instant>,
    /// The state before the last loss.
    before: Option<Before>,
}

/// What a loss changes.
#[derive(Clone, Copy, Debug)]
struct Before {
    window: u64,
    threshold: u64,
    target: Duration,
    lowered: Option<Instant>,
    highest: Duration,
}

impl Congestion {
    pub(super) fn new(target: Duration, packet: u64, now: Instant) -> Self {
        let target = target.max(Duration::from_millis(1));
        let span = Span {
            since: now,
            window: 0,
            lowest_delay: Duration::ZERO,
        };
        Self {
            max_target: target,
            target,
            lowered: None,
            highest: Duration::ZERO,
            span,
            packet,
            window: INITIAL_PACKETS * packet * SCALE,
            threshold: MAX,
            decreased: None,
            before: None,
        }
    }

    /// Bytes that may be in flight.
    pub(super) const fn window(&self) -> u64 {
        self.window / SCALE
    }

    /// Full packets have another size from now on.
    pub(super) const fn set_packet(&mut self, packet: u64) {
        self.packet = packet;
    }

    pub(super) fn handle_acknowledged(&mut self, acked: Acknowledged) {
        let delay = acked.delay.unwrap_or_default();
        self.highest = self.highest.max(delay);
        if self.lowered.is_some_and(|until| until <= acked.now) {
            (self.target, self.lowered) = (self.max_target, None);
        }
        if let Some(excess) = delay.checked_sub(self.target) {
            self.shrink(acked, excess);
        } else if self.is_used(acked.in_flight) {
            self.grow(acked, delay);
        }
        self.window = self.window.clamp(self.least(), MAX * SCALE);
        self.watch(acked, delay);
    }

    /// Detects other traffic on the line: our window shrinks, and the queue stays.
    fn watch(&mut self, acked: Acknowledged, delay: Duration) {
        self.span.lowest_delay = self.span.lowest_delay.min(delay);
        if acked.now.since(self.span.since) < acked.round_trip * SPAN {
            return;
        }
        let shrank = self.window * 16 <= self.span.window * 15 || self.window <= self.least();
        if shrank && self.span.lowest_delay >= self.target * 3 / 4 {
            self.lower_target(acked.now, Duration::ZERO);
        }
        self.span = Span {
            since: acked.now,
            window: self.window,
            lowest_delay: delay,
        };
    }

    /// The smallest window that delay alone leads to, scaled.
    const fn least(&self) -> u64 {
        self.packet * MIN_PACKETS * SCALE
    }

    fn lower_target(&mut self, now: Instant, target: Duration) {
        let lowest = MIN_TARGET.min(self.max_target);
        self.target = target.clamp(lowest, self.max_target);
        self.lowered = Some(now + LOWERED);
    }

    /// Handles the loss of a packet that was sent at `sent`.
    pub(super) fn handle_loss(&mut self, now: Instant, sent: Instant) {
        if self.decreased.is_some_and(|decreased| sent <= decreased) {
            return;
        }
        self.decreased = Some(now);
        self.before = Some(Before {
            window: self.window,
            threshold: self.threshold,
            target: self.target,
            lowered: self.lowered,
            highest: self.highest,
        });
        self.window = (self.window / 2).max(self.least());
        self.threshold = self.window();
        self.lower_target(now, self.highest / 4);
        self.highest = Duration::ZERO;
    }

    /// Restores the window and the target, since an apparently lost packet had only been reordered.
    pub(super) fn handle_spurious_loss(&mut self) {
        if let Some(before) = self.before.take() {
            self.window = self.window.max(before.window);
            self.threshold = self.threshold.max(before.threshold);
            (self.target, self.lowered) = (before.target, before.lowered);
            self.highest = self.highest.max(before.highest);
        }
    }

    /// Handles a timeout: restarts with one packet, and slow start up to half of the previous
    /// window.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.window > self.packet * SCALE {
            self.threshold = (self.window() / 2).max(self.packet * MIN_PACKETS);
        }
        self.decreased = Some(now);
        self.before = None;
        self.window = self.packet * SCALE;
    }

    /// Handles a pause that was longer than the timeout: the state of the path is outdated, and
    /// sending a whole window at once would overload it.
    pub(super) fn handle_idle(&mut self) {
        let initial = INITIAL_PACKETS * self.packet;
        if self.window() > initial {
            self.threshold = self.window();
            self.window = initial * SCALE;
        }
    }

    fn in_slow_start(&self) -> bool {
        self.window() < self.threshold
    }

    /// A window that the application does not fill says nothing about the path (RFC 6817).
    fn is_used(&self, in_flight: u64) -> bool {
        let window = if self.in_slow_start() {
            self.window() / 2
        } else {
            self.window()
        };
        in_flight + 2 * self.packet >= window
    }

    fn grow(&mut self, acked: Acknowledged, delay: Duration) {
        if self.in_slow_start() {
            if delay < self.target / 2 {
                self.window += acked.bytes * SCALE;
                return;
            }
            self.threshold = self.window();
        }
        let room = micros(self.target - delay);
        let gain = GAIN * SCALE * room / micros(self.target);
        self.window += gain * acked.bytes / self.window().max(1);
    }

    /// Reduces the window by half of what is queued above the target within a round trip: the
    /// effect is visible one round trip later, and a larger reduction would oscillate.
    fn shrink(&mut self, acked: Acknowledged, excess: Duration) {
        self.threshold = self.threshold.min(self.window());
        let excess = micros(excess).min(micros(acked.round_trip));
        let share = acked.bytes * SCALE * excess / (2 * micros(acked.round_trip).max(1));
        self.window = self.window.saturating_sub(share);
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    const PACKET: u64 = 1400;
    const TARGET: Duration = Duration::from_millis(100);
    const ROUND_TRIP: Duration = Duration::from_millis(50);

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// A full window is acknowledged, packet by packet, at this delay.
    fn round_trip(congestion: &mut Congestion, delay: u64) {
        let window = congestion.window();
        for _ in 0..window / PACKET {
            congestion.handle_acknowledged(Acknowledged {
                now: at(0),
                bytes: PACKET,
                in_flight: congestion.window(),
                delay: Some(Duration::from_millis(delay)),
                round_trip: ROUND_TRIP + Duration::from_millis(delay),
            });
        }
    }

    fn grown() -> Congestion {
        let mut congestion = Congestion::new(TARGET, PACKET, at(0));
        (0..5).for_each(|_| round_trip(&mut congestion, 0));
        congestion
    }

    #[test]
    fn the_window_doubles_per_round_trip_until_half_of_the_target_delay_is_seen() {
        let mut congestion = grown();
        assert_eq!(congestion.window(), 10 * 32 * PACKET);
        round_trip(&mut congestion, 50);
        let window = congestion.window();
        assert!(window < 10 * 33 * PACKET + PACKET, "{window}");
        round_trip(&mut congestion, 0);
        assert!(
            congestion.window() <= window + GAIN,
            "slow start is over: {}",
            congestion.window()
        );
    }

    #[test]
    fn the_window_grows_by_the_gain_with_an_empty_queue_and_rests_at_the_target() {
        let mut congestion = grown();
        round_trip(&mut congestion, 99);
        let window = congestion.window();
        round_trip(&mut congestion, 0);
        let grown = congestion.window() - window;
        assert!((GAIN - 300..=GAIN).contains(&grown), "{grown}");
        let window = congestion.window();
        round_trip(&mut congestion, 100);
        assert_eq!(congestion.window(), window);
    }

    #[test]
    fn a_queue_that_somebody_else_fills_takes_the_window_to_two_packets() {
        let mut congestion = grown();
        (0..40).for_each(|_| round_trip(&mut congestion, 300));
        assert_eq!(congestion.window(), 2 * PACKET);
    }

    #[test]
    fn the_losses_of_one_round_trip_halve_the_window_once() {
        let mut congestion = grown();
        let window = congestion.window();
        congestion.handle_loss(at(100), at(50));
        congestion.handle_loss(at(101), at(60));
        congestion.handle_loss(at(102), at(100));
        assert_eq!(congestion.window(), window / 2);
        congestion.handle_loss(at(200), at(150));
        assert_eq!(congestion.window(), window / 4);
    }

    #[test]
    fn a_loss_that_was_none_gives_the_window_back() {
        let mut congestion = grown();
        let window = congestion.window();
        congestion.handle_loss(at(100), at(50));
        congestion.handle_spurious_loss();
        assert_eq!((congestion.window(), congestion.target), (window, TARGET));
        congestion.handle_loss(at(200), at(150));
        congestion.handle_timeout(at(300));
        congestion.handle_spurious_loss();
        assert_eq!(congestion.window(), PACKET);
    }

    #[test]
    fn a_queue_that_stays_while_the_window_shrinks_lowers_the_target_for_a_minute() {
        let mut congestion = grown();
        let acknowledge = |congestion: &mut Congestion, millis, delay| {
            congestion.handle_acknowledged(Acknowledged {
                now: at(millis),
                bytes: 100 * PACKET,
                in_flight: PACKET,
                delay: Some(Duration::from_millis(delay)),
                round_trip: ROUND_TRIP,
            });
        };
        for millis in (0..2000).step_by(50) {
            acknowledge(&mut congestion, millis, 130);
        }
        assert_eq!(congestion.target, MIN_TARGET);
        acknowledge(&mut congestion, 62_000, 0);
        assert_eq!(congestion.target, TARGET);
    }

    #[test]
    fn a_queue_that_is_shorter_than_the_target_lowers_it_after_a_loss() {
        let mut congestion = grown();
        (0..3).for_each(|_| round_trip(&mut congestion, 80));
        congestion.handle_loss(at(0), at(0));
        assert_eq!(congestion.target, MIN_TARGET);
        round_trip(&mut congestion, 240);
        congestion.handle_loss(at(2), at(1));
        assert_eq!(congestion.target, Duration::from_millis(60));
        round_trip(&mut congestion, 800);
        congestion.handle_loss(at(4), at(3));
        assert_eq!(congestion.target, TARGET);
    }

    #[test]
    fn after_a_timeout_one_packet_begins_again_and_doubles_up_to_half_of_the_old_window() {
        let mut congestion = grown();
        let window = congestion.window();
        congestion.handle_timeout(at(0));
        assert_eq!(congestion.window(), PACKET);
        congestion.handle_timeout(at(1000));
        (0..30).for_each(|_| round_trip(&mut congestion, 0));
        let grown = congestion.window();
        assert!((window / 2..window).contains(&grown), "{grown} of {window}");
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut congestion = grown();
        let window = congestion.window();
        congestion.handle_acknowledged(Acknowledged {
            now: at(0),
            bytes: PACKET,
            in_flight: PACKET,
            delay: Some(Duration::ZERO),
            round_trip: ROUND_TRIP,
        });
        assert_eq!(congestion.window(), window);
        congestion.handle_idle();
        assert_eq!(congestion.window(), 10 * PACKET);
    }

    proptest! {
        #[test]
        fn the_window_stays_within_its_bounds(events: Vec<(u8, u16, u32, u16)>) {
            let mut congestion = Congestion::new(TARGET, PACKET, at(0));
            for (n, (what, millis, bytes, delay)) in events.into_iter().enumerate() {
                match what % 7 {
                    3 => congestion.handle_spurious_loss(),
                    0 => congestion.handle_loss(at(n as u64), at(u64::from(millis))),
                    1 => congestion.handle_timeout(at(n as u64)),
                    2 => congestion.handle_idle(),
                    _ => congestion.handle_acknowledged(Acknowledged {
                        now: at(n as u64),
                        bytes: bytes.into(),
                        in_flight: u64::from(bytes) * 2,
                        delay: Some(Duration::from_micros(u64::from(delay) * 10)),
                        round_trip: Duration::from_millis(millis.into()),
                    }),
                }
                prop_assert!((PACKET..=MAX).contains(&congestion.window()));
            }
        }
    }
}
