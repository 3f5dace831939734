//! Access lines and network paths: how long bytes take from one host to another.

use std::time::Duration;

use aqueduct_core::Instant;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A host's line to the network.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Upload rate in bytes per second; `None`: unlimited.
    pub up: Option<u64>,
    /// Download rate in bytes per second; `None`: unlimited.
    pub down: Option<u64>,
    /// The latency from the host to the middle of the network. A path has the latencies of both
    /// ends.
    pub latency: Duration,
    /// The share of segments that are lost. As with TCP, lost data arrive one retransmission later
    /// and delay what follows.
    pub loss: f64,
}

impl Access {
    /// Unlimited rates, 5 ms latency.
    pub const FAST: Self = Self {
        up: None,
        down: None,
        latency: Duration::from_millis(5),
        loss: 0.0,
    };

    /// The same rate in both directions.
    #[must_use]
    pub const fn symmetric(bytes_per_second: u64, latency: Duration) -> Self {
        Self {
            up: Some(bytes_per_second),
            down: Some(bytes_per_second),
            latency,
            loss: 0.0,
        }
    }

    /// Adds losses.
    #[must_use]
    pub const fn lossy(mut self, loss: f64) -> Self {
        self.loss = loss;
        self
    }
}

/// The state of a line: when it will have sent and received everything that is queued.
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

    /// Blocks both directions until `until`. Nothing is lost.
    pub(super) fn cut(&mut self, until: Instant) {
        self.up_free = self.up_free.max(until);
        self.down_free = self.down_free.max(until);
    }

    /// When the last of `bytes`, queued now, has left the host.
    pub(super) fn departs(&mut self, now: Instant, bytes: u64) -> Instant {
        self.up_free = self.up_free.max(now) + transfer(bytes, self.access.up);
        self.up_free
    }

    /// When the last of `bytes`, available at the line's far side since `since`, has arrived.
    pub(super) fn arrives(&mut self, since: Instant, bytes: u64) -> Instant {
        self.down_free = self.down_free.max(since) + transfer(bytes, self.access.down);
        self.down_free
    }
}

/// The time that the path between two lines takes, including the delay of a loss, if one occurs.
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
