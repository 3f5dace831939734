//! The arguments of every call to a part of a swarm: the time, and the state that torrents share.

mod shared;
mod unasked;

pub(crate) use self::shared::{Pending, Shared};
use crate::config::Config;
use crate::io::{CloseReason, DiscoverRequest, Event, Op, Output};
use crate::types::{ConnId, Instant, TorrentId};
use crate::wire::Message;

/// The result of a peer's message: `Ok`, or the reason to close the connection.
pub(crate) type Verdict = Result<(), CloseReason>;

/// The verdict on a peer that violated a rule.
pub(crate) fn misbehaved(what: &'static str) -> Verdict {
    Err(CloseReason::Misbehaved(what))
}

/// The time, the torrent, and the shared state of the engine's torrents.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) shared: &'a mut Shared,
    pub(crate) torrent: TorrentId,
    /// Whether the user paused the torrent.
    pub(crate) paused: bool,
    pub(crate) now: Instant,
}

impl Context<'_> {
    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }

    pub(crate) fn send(&mut self, conn: ConnId, message: Message) {
        self.shared.outbox.push(Output::Send { conn, message });
    }

    pub(crate) fn close(&mut self, conn: ConnId, reason: CloseReason) {
        self.shared.outbox.push(Output::Close { conn, reason });
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.shared.outbox.push(Output::Event(event));
    }

    pub(crate) fn discover(&mut self, request: DiscoverRequest) {
        self.shared.outbox.push(Output::Discover {
            torrent: self.torrent,
            request,
        });
    }

    pub(crate) fn request(&mut self, op: Op, pending: Pending) {
        self.shared.outbox.request(self.torrent, op, pending);
    }

    /// Records that the torrent could use more memory than is available.
    pub(crate) fn starve(&mut self) {
        self.shared.starved.insert(self.torrent);
    }
}
