//! A TCP sender with unlimited data. Only its window is modelled, which is what affects other
//! traffic. Segments are acknowledged one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use aqueduct_core::Instant;

/// How the window grows when nothing is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// By a segment per round trip; a loss halves it (RFC 5681).
    Reno,
    /// By a cubic function of the time since the last loss, which takes off 30 % (RFC 9438).
    Cubic,
}

/// The sender.
#[derive(Debug)]
pub struct Tcp {
    growth: Growth,
    /// In segments.
    window: f64,
    threshold: f64,
    /// The window at the last loss, and when that was.
    peak: f64,
    epoch: Instant,
    next: u64,
    /// Segments in flight: number and time of sending.
    flight: BTreeMap<u64, Instant>,
    lost: Vec<u64>,
    /// Losses of lower segments belong to one event.
    recovery: u64,
    delivered: u64,
    heard: Instant,
    round_trip: Duration,
    has_timer: bool,
}

impl Tcp {
    /// The size of a segment with headers, in bytes.
    pub const SEGMENT: usize = 1500;
    const TIMEOUT: Duration = Duration::from_secs(1);

    /// A new sender.
    #[must_use]
    pub fn new(growth: Growth) -> Self {
        Self {
            growth,
            window: 10.0,
            threshold: f64::MAX,
            peak: 0.0,
            epoch: Instant::ZERO,
            next: 0,
            flight: BTreeMap::new(),
            lost: Vec::new(),
            recovery: 0,
            delivered: 0,
            heard: Instant::ZERO,
            round_trip: Duration::from_millis(100),
            has_timer: false,
        }
    }

    /// The number of delivered bytes.
    #[must_use]
    pub const fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The next segment that the window permits.
    pub fn poll_segment(&mut self, now: Instant) -> Option<u64> {
        if self.flight.len() as f64 >= self.window.max(1.0) {
            return None;
        }
        let number = self.lost.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        if self.flight.is_empty() {
            self.heard = now;
        }
        self.flight.insert(number, now);
        Some(number)
    }

    /// When [`Tcp::handle_timeout`] must be called, if that has changed.
    pub fn take_timer(&mut self) -> Option<Instant> {
        let was_set = std::mem::replace(&mut self.has_timer, true);
        (!was_set).then(|| self.heard + self.timeout())
    }

    /// Handles the acknowledgement of a segment.
    pub fn handle_ack(&mut self, now: Instant, number: u64) {
        self.heard = now;
        let Some(sent) = self.flight.remove(&number) else {
            return;
        };
        self.delivered += Self::SEGMENT as u64;
        self.round_trip = (self.round_trip * 7 + now.since(sent)) / 8;
        self.grow(now);
        // Three later segments have arrived; this line never reorders.
        let late = self.flight.range(..number.saturating_sub(2));
        let lost: Vec<u64> = late
            .filter(|(_, at)| **at < sent)
            .map(|(number, _)| *number)
            .collect();
        for number in lost {
            self.flight.remove(&number);
            self.lost.push(number);
            self.handle_loss(now, number);
        }
    }

    /// Restarts if nothing was acknowledged for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.has_timer = false;
        if now.since(self.heard) < self.timeout() {
            return;
        }
        self.heard = now;
        self.lost
            .extend(std::mem::take(&mut self.flight).into_keys());
        self.threshold = (self.window / 2.0).max(2.0);
        self.peak = self.window;
        self.window = 1.0;
        self.epoch = now;
        self.recovery = self.next;
    }

    fn timeout(&self) -> Duration {
        Self::TIMEOUT.max(self.round_trip * 2)
    }

    fn handle_loss(&mut self, now: Instant, number: u64) {
        if number <= self.recovery {
            return;
        }
        self.recovery = self.next;
        self.peak = self.window;
        self.epoch = now;
        self.window *= match self.growth {
            Growth::Reno => 0.5,
            Growth::Cubic => 0.7,
        };
        self.window = self.window.max(2.0);
        self.threshold = self.window;
    }

    fn grow(&mut self, now: Instant) {
        if self.window < self.threshold {
            self.window += 1.0;
            return;
        }
        let reno = self.window + 1.0 / self.window;
        self.window = match self.growth {
            Growth::Reno => reno,
            Growth::Cubic => {
                let turn = (self.peak * 0.3 / 0.4).cbrt();
                let passed = (now.since(self.epoch) + self.round_trip).as_secs_f64();
                let aim = 0.4 * (passed - turn).powi(3) + self.peak;
                let step = (aim - self.window) / self.window;
                reno.max(self.window + step.clamp(0.0, 0.5))
            }
        };
    }
}
