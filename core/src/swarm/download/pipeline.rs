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
/// The same while data are awaited: what is requested delays what will be awaited next, as after a
/// seek.
const URGENT_MARGIN: Duration = Duration::from_millis(250);
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
/// The number of epochs of which the best one determines the window, so that a few slow ones do not
/// shrink the window that a fast path needs.
const EPOCHS: usize = 4;

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
    /// The rates of the last epochs, in bytes per second.
    rates: [u64; EPOCHS],
    /// The number of ended epochs.
    epochs: usize,
    /// The best rate, which fades over several seconds.
    peak: u64,
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
            rates: [0; EPOCHS],
            epochs: 0,
            peak: 0,
            latency: u64::MAX,
        }
    }
}

impl Pipeline {
    /// The number of requests that should be in flight, at most `limit`.
    pub(crate) fn depth(&self, limit: usize) -> usize {
        self.depth.min(limit)
    }

    /// As [`Pipeline::depth`], while data are awaited.
    pub(crate) fn urgent_depth(&self, limit: usize) -> usize {
        let depth = self.depth(limit);
        // A window that is too short for a path whose latency grew has lowered the rate.
        let is_enough = self.best() >= self.peak / 4 * 3;
        if self.is_known() && is_enough {
            depth.min(self.target(URGENT_MARGIN))
        } else {
            depth
        }
    }

    /// The number of blocks that the peer sends within this time; 0 if its speed is unknown.
    pub(crate) fn blocks_within(&self, span: Duration) -> usize {
        let micros = u128::from(micros(span));
        let blocks = u128::from(self.best()) * micros / 1_000_000 / u128::from(BLOCK_SIZE);
        usize::try_from(blocks).unwrap_or(usize::MAX)
    }

    /// Whether the speed of the peer is known.
    pub(crate) fn is_known(&self) -> bool {
        self.best() > 0
    }

    /// The rate of the best of the last epochs, in bytes per second.
    fn best(&self) -> u64 {
        self.rates.iter().copied().max().unwrap_or_default()
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
                .saturating_add(bytes.saturating_mul(1_000_000) / self.best()),
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
        self.latency = self.latency.min(micros(waited));
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
        let rate = self.bytes.saturating_mul(1_000_000) / micros(span).max(1);
        self.bytes = 0;
        let before = self.best();
        if self.starting && rate <= before + before / 8 {
            self.starting = false;
            // The first epochs may have emptied a buffer, or used what a limit on the rate saved up.
            (self.rates, self.peak) = ([0; EPOCHS], 0);
        }
        self.rates[self.epochs % EPOCHS] = rate;
        self.epochs += 1;
        self.peak = rate.max(self.peak - self.peak / 64);
        if !self.starting {
            self.depth = self.target(MARGIN);
        }
    }

    /// The number of blocks that cover the latency and this time.
    fn target(&self, margin: Duration) -> usize {
        let latency = Duration::from_micros(self.latency);
        self.blocks_within(latency.saturating_add(margin))
            .saturating_add(1)
            .max(LEAST)
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
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

    /// Records blocks that arrive at this rate per second during a span, with a latency of 10 ms.
    fn receive(p: &mut Pipeline, from_ms: u64, to_ms: u64, rate: u64) {
        for n in 0..(to_ms - from_ms) * rate / 1000 {
            let now = Instant(from_ms * 1000 + n * 1_000_000 / rate);
            p.on_block(now, u64::from(BLOCK_SIZE), Duration::from_millis(10));
        }
    }

    #[test]
    fn what_a_limit_had_saved_up_does_not_widen_the_window() {
        let mut p = Pipeline::default();
        receive(&mut p, 0, 260, 1000);
        receive(&mut p, 260, 800, 100);
        let depth = p.depth(5000);
        assert!(
            (70..=110).contains(&depth),
            "0.76 s at 100 per second: {depth}"
        );
    }

    #[test]
    fn a_slow_epoch_does_not_shrink_the_window_but_a_slow_second_does() {
        let mut p = Pipeline::default();
        receive(&mut p, 0, 2000, 1000);
        let depth = p.depth(5000);
        receive(&mut p, 2000, 2500, 100);
        assert!(p.depth(5000) * 10 >= depth * 9, "{}", p.depth(5000));
        receive(&mut p, 2500, 3600, 100);
        assert!(p.depth(5000) <= 100, "{}", p.depth(5000));
    }

    #[test]
    fn while_data_are_awaited_the_window_covers_less_time() {
        let mut p = Pipeline::default();
        assert_eq!(p.urgent_depth(5000), START, "nothing is known");
        receive(&mut p, 0, 2000, 1000);
        let (usual, urgent) = (p.depth(5000), p.urgent_depth(5000));
        assert!((700..=800).contains(&usual), "{usual}");
        assert!((240..=290).contains(&urgent), "{urgent}");
        assert_eq!(p.urgent_depth(100), 100);
        assert!((95..=105).contains(&p.blocks_within(Duration::from_millis(100))));
    }
}
