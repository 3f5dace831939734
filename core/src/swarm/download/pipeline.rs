//! How many requests a peer should have in flight: enough that it never waits for us, not so many
//! that its blocks grow stale in a queue.

use std::time::Duration;

use crate::types::{BLOCK_SIZE, Instant};

/// Requests in flight before anything is known.
const START: usize = 8;
/// Never fewer: one on its way, one being served.
const LEAST: usize = 2;
/// Requests cover so much time beyond the peer's latency: what a stalled scheduler or a lost packet
/// may cost without a pause.
const MARGIN: Duration = Duration::from_millis(750);
/// What a block is expected to take as long as nothing is known.
const UNKNOWN_WAIT: Duration = Duration::from_secs(5);
/// A peer that has been quiet for so long, and for so many times what a block should have taken,
/// may have dropped what it was asked for.
const QUIET: Duration = Duration::from_secs(2);
const QUIET_WAITS: u32 = 2;
/// The same for a block that others overtook: that is a much surer sign.
const OVERTAKEN: Duration = Duration::from_millis(500);
const OVERTAKEN_WAITS: u32 = 2;
/// The rate is looked at so often.
const EPOCH: Duration = Duration::from_millis(250);

/// The window of one peer. It starts like TCP, one more with every block, until the rate stops
/// growing; then it follows rate times latency.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    depth: usize,
    starting: bool,
    /// It fell silent: one block at a time, until one comes.
    probing: bool,
    /// Bytes since `since`.
    bytes: u64,
    since: Option<Instant>,
    /// Bytes per second in the last epoch, and the best of recent ones.
    best: u64,
    /// Least time seen from request to block, in microseconds.
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
    /// Requests that should be in flight, at most `limit`.
    pub(crate) fn depth(&self, limit: usize) -> usize {
        self.depth.min(limit)
    }

    /// Whether it has been seen how fast the peer is.
    pub(crate) fn is_known(&self) -> bool {
        self.best > 0
    }

    /// How long a block will take that is asked for behind so many others.
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

    /// Silence of a peer that owes so many blocks after which they are asked elsewhere, if that can
    /// be told from what came before.
    pub(crate) fn patience(&self, in_flight: usize) -> Option<Duration> {
        Some(QUIET + self.expected(in_flight)? * QUIET_WAITS)
    }

    /// The same for a block that was overtaken by others.
    pub(crate) fn patience_overtaken(&self, in_flight: usize) -> Option<Duration> {
        Some(OVERTAKEN + self.expected(in_flight)? * OVERTAKEN_WAITS)
    }

    /// As [`Pipeline::wait`]; as long as only the first blocks came, each may take as long as they
    /// did.
    fn expected(&self, in_flight: usize) -> Option<Duration> {
        match self.latency {
            _ if self.is_known() => Some(self.wait(in_flight)),
            u64::MAX => None,
            latency => Some(Duration::from_micros(
                latency.saturating_mul(in_flight as u64 + 1),
            )),
        }
    }

    /// A block came `waited` after it was asked for.
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

    /// It stopped sending: ask for one block at a time until it does again.
    pub(crate) fn on_snub(&mut self) {
        *self = Self {
            depth: 1,
            starting: false,
            probing: true,
            ..Self::default()
        };
    }

    /// It rejected a request: perhaps its queue is shorter than ours.
    pub(crate) fn on_reject(&mut self) {
        self.depth = (self.depth / 2).max(1);
        self.starting = false;
    }

    /// It unchoked us or began to answer again.
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
        // The best of recent epochs, fading by an eighth each, so that one slow epoch does not
        // shrink the window that a fast path needs.
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

    /// A path of `rate` blocks a second and a latency; returns the window after so many seconds and
    /// the blocks received.
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
