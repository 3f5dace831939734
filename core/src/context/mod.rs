//! What a part of a swarm is given with every call: the time, and what torrents share.

mod shared;

pub(crate) use self::shared::{Pending, Shared};
use crate::config::Config;
use crate::io::{CloseReason, DiscoverRequest, Event, Op, Output};
use crate::types::{ConnId, Instant, TorrentId};
use crate::wire::Message;

/// What follows from a peer's message: all is well, or the connection must end.
pub(crate) type Verdict = Result<(), CloseReason>;

/// A verdict on a peer that broke a rule.
pub(crate) fn misbehaved(what: &'static str) -> Verdict {
    Err(CloseReason::Misbehaved(what))
}

/// The time, the torrent, and what the torrents of the engine share.
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

    /// Says that the torrent would use more memory, blocks or bandwidth than there are now.
    pub(crate) fn starve(&mut self) {
        self.shared.starved.insert(self.torrent);
    }
}
