//! Access lines: how long bytes take from one host to another.

use std::time::Duration;

use aqueduct_core::Instant;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A host's line to the network.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Bytes per second away from the host; `None`: no limit.
    pub up: Option<u64>,
    /// Bytes per second to the host; `None`: no limit.
    pub down: Option<u64>,
    /// From the host to the middle of the network; a path has both ends' latencies.
    pub latency: Duration,
    /// Share of segments lost. As under TCP nothing is missing in the end: what was lost arrives a
    /// retransmission later, and what follows waits.
    pub loss: f64,
}

impl Access {
    /// No limits, 5 ms.
    pub const FAST: Self = Self {
        up: None,
        down: None,
        latency: Duration::from_millis(5),
        loss: 0.0,
    };

    /// Both directions at the same rate.
    #[must_use]
    pub const fn symmetric(bytes_per_second: u64, latency: Duration) -> Self {
        Self {
            up: Some(bytes_per_second),
            down: Some(bytes_per_second),
            latency,
            loss: 0.0,
        }
    }

    /// The same with losses.
    #[must_use]
    pub const fn lossy(mut self, loss: f64) -> Self {
        self.loss = loss;
        self
    }
}

/// A line in use: when it will have sent and received all that was given to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) access: Access,
    up_free: Instant,
    down_free: Instant,
}

impl Line {
    pub(super) fn new(access: Access) -> Self {
        Self {
            access,
            up_free: Instant::ZERO,
            down_free: Instant::ZERO,
        }
    }

    /// Nothing leaves or arrives before `until`; nothing is lost.
    pub(super) fn cut(&mut self, until: Instant) {
        self.up_free = self.up_free.max(until);
        self.down_free = self.down_free.max(until);
    }

    /// When the last of `bytes`, given to the line now, has left.
    pub(super) fn departs(&mut self, now: Instant, bytes: u64) -> Instant {
        self.up_free = self.up_free.max(now) + transfer(bytes, self.access.up);
        self.up_free
    }

    /// When the last of `bytes`, at the line's far end since `since`, is here.
    pub(super) fn arrives(&mut self, since: Instant, bytes: u64) -> Instant {
        self.down_free = self.down_free.max(since) + transfer(bytes, self.access.down);
        self.down_free
    }
}

/// Time on the path between two lines, with the delay of a loss if there was one.
pub(super) fn path(a: &Access, b: &Access, rng: &mut ChaCha8Rng) -> Duration {
    let way = a.latency + b.latency;
    let loss = 1.0 - (1.0 - a.loss) * (1.0 - b.loss);
    let lost = loss > 0.0 && rng.random_bool(loss);
    if lost {
        way + way + Duration::from_millis(200)
    } else {
        way
    }
}

fn transfer(bytes: u64, rate: Option<u64>) -> Duration {
    rate.map_or(Duration::ZERO, |rate| {
        Duration::from_micros(bytes * 1_000_000 / rate.max(1))
    })
}
