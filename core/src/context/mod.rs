//! The arguments of every call to a part of a swarm: the time, and the state that torrents share.

mod rate_limit;
mod shared;
mod unasked;

use std::time::Duration;

pub(crate) use self::shared::{Pending, Shared};
use crate::config::Config;
use crate::io::{CloseReason, DiscoverRequest, Event, Op, Output};
use crate::types::{ConnId, Instant, TorrentId};
use crate::wire::Message;

/// The result of a peer's message: `Ok`, or the reason to close the connection.
pub(crate) type Verdict = Result<(), CloseReason>;

/// The result of a message by which a peer violated a rule.
pub(crate) fn misbehaved<T>(what: &'static str) -> Result<T, CloseReason> {
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

    /// Sets the torrent's own rate limits in bytes per second; `None`: no limit.
    pub(crate) fn set_limits(&mut self, download: Option<u64>, upload: Option<u64>) {
        let (now, torrent) = (self.now, self.torrent);
        self.shared.download_limit.set_own(now, torrent, download);
        self.shared.upload_limit.set_own(now, torrent, upload);
    }

    /// Whether the rate limits permit the torrent to request a block.
    pub(crate) fn may_download(&mut self) -> bool {
        self.shared.download_limit.ready(self.now, self.torrent)
    }

    /// Counts a requested block. Returns whether there is a limit.
    pub(crate) fn spend_download(&mut self, bytes: u32) -> bool {
        let limit = &mut self.shared.download_limit;
        limit.spend(self.torrent, bytes.into());
        limit.of(self.torrent).is_some()
    }

    /// Whether the rate limits permit the torrent to read blocks for a peer.
    pub(crate) fn may_upload(&mut self) -> bool {
        self.shared.upload_limit.ready(self.now, self.torrent)
    }

    /// The number of bytes that the limit permits within this time.
    pub(crate) fn upload_within(&self, span: Duration) -> u32 {
        let limit = self.shared.upload_limit.of(self.torrent);
        let micros = span.as_micros();
        let bytes = limit.map_or(u128::MAX, |limit| u128::from(limit) * micros / 1_000_000);
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Counts blocks that are read for a peer.
    pub(crate) fn spend_upload(&mut self, bytes: u32) {
        self.shared.upload_limit.spend(self.torrent, bytes.into());
    }

    /// Records that the torrent could use more memory than is available.
    pub(crate) fn starve(&mut self) {
        self.shared.starved.insert(self.torrent);
    }
}
