//! What was sent to a peer, and when the two last heard of each other.

use crate::net::Rate;
use crate::types::Instant;

/// Wire bytes that may be queued for the slowest of peers.
const LEAST_UNSENT: u64 = 64 * 1024;
/// A peer that goes on asking and lets so many times [`crate::Config::max_unsent`] pile up is
/// disconnected.
const UNREAD: u64 = 2;
/// A keep-alive is sent after so many ticks of silence: well within the two minutes of BEP 3.
const KEEP_ALIVE_TICKS: u32 = 90;

/// The driver's queue for one peer, and the signs of life in both directions.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Wire bytes in the driver's queue.
    unsent: u64,
    /// Wire bytes that leave that queue.
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

    /// Wire bytes in the driver's queue.
    pub(crate) fn unsent(&self) -> u64 {
        self.unsent
    }

    pub(crate) fn queue(&mut self, bytes: u64) {
        self.unsent += bytes;
        self.sent_since_tick = true;
    }

    /// Bytes left the driver's queue for the socket.
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

    /// Blocks wait until the queue has room; short answers cannot wait. A peer that goes on asking
    /// and reads none of them would fill our memory.
    pub(crate) fn is_overfull(&self, max_unsent: u64) -> bool {
        self.unsent > max_unsent.saturating_mul(UNREAD)
    }

    /// Whether more should be queued, with `reading` bytes being read for it already. A queue of
    /// one second at the peer's rate keeps its socket busy; more would only delay what it cancels
    /// and all else that we send.
    pub(crate) fn has_room(&self, now: Instant, reading: u64, max_unsent: u64) -> bool {
        let bound = self
            .drained
            .get(now)
            .clamp(LEAST_UNSENT, max_unsent.max(LEAST_UNSENT));
        self.unsent + reading < bound
    }

    /// Called once per tick: whether a keep-alive is due.
    pub(crate) fn tick(&mut self) -> bool {
        let sent = std::mem::take(&mut self.sent_since_tick);
        self.quiet_ticks = if sent { 0 } else { self.quiet_ticks + 1 };
        self.quiet_ticks >= KEEP_ALIVE_TICKS
    }
}
