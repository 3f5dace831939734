//! The number of requests in flight to a peer: enough that the peer never waits for us, but not so
//! many that blocks wait in its queue for long.

use std::time::Duration;

use crate::types::{BLOCK_SIZE, Instant};

/// The initial number of requests in flight.
const START: usize = 8;
/// The minimum: one block in transit, and one being read.
const LEAST: usize = 2;
/// The time beyond the peer's latency that requests must cover. It bridges a scheduling delay or a
/// lost packet.
const MARGIN: Duration = Duration::from_millis(750);
/// The expected time for a block while nothing is known.
const UNKNOWN_WAIT: Duration = Duration::from_secs(5);
/// A peer that has sent nothing for this time, and for a multiple of the expected time of a block,
/// may have dropped its requests.
const QUIET: Duration = Duration::from_secs(2);
const QUIET_WAITS: u32 = 2;
/// The same for a block that others overtook, which is a much stronger sign.
const OVERTAKEN: Duration = Duration::from_millis(500);
const OVERTAKEN_WAITS: u32 = 2;
/// The interval at which the rate is evaluated.
const EPOCH: Duration = Duration::from_millis(250);

/// The request window of one peer. As in TCP slow start, it grows by one per block until the rate
/// stops growing; then it follows rate times latency.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    depth: usize,
    starting: bool,
    /// Whether the peer stopped sending, so that one block at a time is requested until one
    /// arrives.
    probing: bool,
    /// Bytes received since `since`.
    bytes: u64,
    since: Option<Instant>,
    /// Bytes per second: the rate of the last epoch, or the best of recent ones.
    best: u64,
    /// The minimum time from request to block, in microseconds.
    latency: u64,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            depth: START,
            starting: true,
            probing: false,
            bytes: 0,
            since: None,
            best: 0,
            latency: u64::MAX,
        }
    }
}

impl Pipeline {
    /// The number of requests that should be in flight, at most `limit`.
    pub(crate) fn depth(&self, limit: usize) -> usize {
        self.depth.min(limit)
    }

    /// Whether the speed of the peer is known.
    pub(crate) fn is_known(&self) -> bool {
        self.best > 0
    }

    /// The expected time for a block that is requested with this many others before it.
    pub(crate) fn wait(&self, in_flight: usize) -> Duration {
        if !self.is_known() {
            return UNKNOWN_WAIT;
        }
        let bytes = (in_flight as u64)
            .saturating_add(1)
            .saturating_mul(u64::from(BLOCK_SIZE));
        Duration::from_micros(
            self.latency
                .saturating_add(bytes.saturating_mul(1_000_000) / self.best),
        )
    }

    /// The time without data after which a peer's pending blocks are requested elsewhere, if
    /// earlier blocks allow an estimate.
    pub(crate) fn patience(&self, in_flight: usize) -> Option<Duration> {
        Some(QUIET + self.expected(in_flight)? * QUIET_WAITS)
    }

    /// As `patience`, for a block that was overtaken by others.
    pub(crate) fn patience_overtaken(&self, in_flight: usize) -> Option<Duration> {
        Some(OVERTAKEN + self.expected(in_flight)? * OVERTAKEN_WAITS)
    }

    /// As [`Pipeline::wait`]. While only the first blocks have arrived, each is expected to take as
    /// long as they did.
    fn expected(&self, in_flight: usize) -> Option<Duration> {
        match self.latency {
            _ if self.is_known() => Some(self.wait(in_flight)),
            u64::MAX => None,
            latency => Some(Duration::from_micros(
                latency.saturating_mul(in_flight as u64 + 1),
            )),
        }
    }

    /// Records a block that arrived `waited` after its request.
    pub(crate) fn on_block(&mut self, now: Instant, bytes: u64, waited: Duration) {
        if self.probing {
            self.restart();
        }
        self.latency = self
            .latency
            .min(u64::try_from(waited.as_micros()).unwrap_or(u64::MAX));
        let since = *self.since.get_or_insert(now);
        self.bytes += bytes;
        if self.starting {
            self.depth += 1;
        }
        let span = now.since(since);
        if span >= EPOCH {
            self.end_epoch(span);
            self.since = Some(now);
        }
    }

    /// Records that the peer stopped sending: one block at a time is requested until it resumes.
    pub(crate) fn on_snub(&mut self) {
        *self = Self {
            depth: 1,
            starting: false,
            probing: true,
            ..Self::default()
        };
    }

    /// Records a rejected request: the peer's queue may be shorter than our window.
    pub(crate) fn on_reject(&mut self) {
        self.depth = (self.depth / 2).max(1);
        self.starting = false;
    }

    /// Restarts after the peer unchoked us or began to answer again.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    fn end_epoch(&mut self, span: Duration) {
        let micros = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1);
        let rate = self.bytes.saturating_mul(1_000_000) / micros;
        self.bytes = 0;
        if self.starting && rate <= self.best + self.best / 8 {
            self.starting = false;
        }
        // The best rate of recent epochs, decreasing by an eighth per epoch, so that a single slow
        // epoch does not shrink the window that a fast path needs.
        self.best = rate.max(self.best - self.best / 8);
        if !self.starting {
            self.depth = self.target();
        }
    }

    fn target(&self) -> usize {
        let margin = u64::try_from(MARGIN.as_micros()).unwrap_or(u64::MAX);
        let cover = u128::from(self.latency.saturating_add(margin));
        let blocks = u128::from(self.best) * cover / 1_000_000 / u128::from(BLOCK_SIZE);
        usize::try_from(blocks)
            .unwrap_or(usize::MAX)
            .saturating_add(1)
            .max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a path with `rate` blocks per second and a latency. Returns the window after this
    /// many seconds, and the number of received blocks.
    fn run(rate: u64, latency_ms: u64, seconds: u64) -> (usize, u64) {
        let mut p = Pipeline::default();
        let (mut in_flight, mut received) = (std::collections::VecDeque::new(), 0);
        let mut line_free = 0u64;
        let mut now = 0u64;
        while now < seconds * 1_000_000 {
            while in_flight.len() < p.depth(5000) {
                line_free = line_free.max(now + latency_ms * 1000) + 1_000_000 / rate;
                in_flight.push_back((now, line_free));
            }
            let Some((asked, arrives)) = in_flight.pop_front() else {
                break;
            };
            now = now.max(arrives);
            received += 1;
            p.on_block(
                Instant(now),
                u64::from(BLOCK_SIZE),
                Duration::from_micros(now - asked),
            );
        }
        (p.depth(5000), received)
    }

    #[test]
    fn silence_is_measured_by_what_the_peer_has_shown() {
        let mut p = Pipeline::default();
        assert_eq!(p.patience(8), None, "nothing is known");
        p.on_block(Instant(0), 16_384, Duration::from_millis(10));
        assert_eq!(
            p.patience(7),
            Some(QUIET + Duration::from_millis(160)),
            "eight blocks like the first, twice"
        );
        (1..=20).for_each(|n| p.on_block(Instant(n * 1_000_000), 16_384, Duration::from_secs(8)));
        assert!(
            p.patience(7) > Some(Duration::from_secs(16)),
            "a block a second"
        );
        p.on_snub();
        assert_eq!(p.patience(1), None);
    }

    #[test]
    fn fast_and_far_paths_are_filled_and_slow_ones_are_not_flooded() {
        for (rate, latency) in [(6400, 1), (3200, 100), (640, 300), (64, 50)] {
            let (depth, received) = run(rate, latency, 10);
            assert!(
                received >= rate * 8,
                "{rate} blocks/s at {latency} ms: {received} in 10 s with a window of {depth}"
            );
        }
        let (depth, received) = run(2, 50, 30);
        assert!(depth <= 16 && received >= 55, "{depth} {received}");
    }
}
