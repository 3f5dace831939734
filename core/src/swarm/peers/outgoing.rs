//! The send queue of a peer, and the times of the last messages.

use crate::net::Rate;
use crate::types::Instant;

/// The minimum number of wire bytes that may be queued, even for the slowest peer.
const LEAST_UNSENT: u64 = 64 * 1024;
/// The multiple of [`crate::Config::max_unsent`] at which a peer that keeps requesting is
/// disconnected.
const UNREAD: u64 = 2;
/// The number of idle ticks after which a keep-alive is sent, well within the two minutes of BEP 3.
const KEEP_ALIVE_TICKS: u32 = 90;

/// The driver's queue for one peer, and the activity in both directions.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// The number of wire bytes in the driver's queue.
    unsent: u64,
    /// The rate at which wire bytes leave the queue.
    drained: Rate,
    heard_at: Instant,
    sent_since_tick: bool,
    quiet_ticks: u32,
}

impl Outgoing {
    pub(crate) fn new(now: Instant) -> Self {
        let drained = Rate::default();
        Self {
            unsent: 0,
            drained,
            heard_at: now,
            sent_since_tick: true,
            quiet_ticks: 0,
        }
    }

    /// The number of wire bytes in the driver's queue.
    pub(crate) fn unsent(&self) -> u64 {
        self.unsent
    }

    pub(crate) fn queue(&mut self, bytes: u64) {
        self.unsent += bytes;
        self.sent_since_tick = true;
    }

    /// Records bytes that left the driver's queue for the socket.
    pub(crate) fn handle_sent(&mut self, now: Instant, bytes: u64) {
        self.unsent = self.unsent.saturating_sub(bytes);
        self.drained.add(now, bytes);
    }

    pub(crate) fn handle_message(&mut self, now: Instant) {
        self.heard_at = now;
    }

    pub(crate) fn is_silent(&self, now: Instant, timeout: std::time::Duration) -> bool {
        now.since(self.heard_at) >= timeout
    }

    /// Whether the queue is so long that a peer which keeps requesting must be disconnected. Blocks
    /// wait until the queue has room, but short answers cannot wait, and would fill memory if the
    /// peer never reads.
    pub(crate) fn is_overfull(&self, max_unsent: u64) -> bool {
        self.unsent > max_unsent.saturating_mul(UNREAD)
    }

    /// Whether more should be queued, with `reading` bytes already being read for the peer. A queue
    /// of one second at the peer's rate keeps its socket busy; a longer one only delays other
    /// messages and makes cancels ineffective.
    pub(crate) fn has_room(&self, now: Instant, reading: u64, max_unsent: u64) -> bool {
        let bound = self
            .drained
            .get(now)
            .clamp(LEAST_UNSENT, max_unsent.max(LEAST_UNSENT));
        self.unsent + reading < bound
    }

    /// Called once per tick. Returns whether a keep-alive is due.
    pub(crate) fn tick(&mut self) -> bool {
        let sent = std::mem::take(&mut self.sent_since_tick);
        self.quiet_ticks = if sent { 0 } else { self.quiet_ticks + 1 };
        self.quiet_ticks >= KEEP_ALIVE_TICKS
    }
}
