//! Uploading: which peers to unchoke, and what to read and send for them.

mod allowed_fast;
mod choker;
mod choking;
mod peer;
mod serve;

use self::choker::Choker;
pub(crate) use self::choker::Contribution;
use self::peer::PeerUpload;
use crate::net::Rate;
use crate::types::{ConnId, Instant, SortedMap};

/// The upload state of one torrent.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    choker: Choker,
    peers: SortedMap<ConnId, PeerUpload>,
    /// Payload bytes uploaded in all runs.
    uploaded: u64,
    rate: Rate,
    /// The peer that was served last. It comes last when a rate limit permits more.
    newest: Option<ConnId>,
}

impl Upload {
    /// The peer that was served last.
    pub(crate) const fn newest(&self) -> Option<ConnId> {
        self.newest
    }

    /// Payload bytes uploaded in all runs.
    pub(crate) fn uploaded(&self) -> u64 {
        self.uploaded
    }

    /// Sets the amount uploaded in earlier runs.
    pub(crate) fn restore(&mut self, uploaded: u64) {
        self.uploaded = uploaded;
    }

    /// The upload rate in payload bytes per second.
    pub(crate) fn rate(&self, now: Instant) -> u64 {
        self.rate.get(now)
    }

    /// Removes a peer.
    pub(crate) fn remove_peer(&mut self, conn: ConnId) {
        self.peers.remove(&conn);
        self.choker.left(conn);
    }

    /// The upload rate to one peer in payload bytes per second.
    pub(crate) fn rate_of(&self, conn: ConnId, now: Instant) -> u64 {
        self.peers.get(&conn).map_or(0, |known| known.rate.get(now))
    }

    /// The number of blocks that one peer waits for.
    pub(crate) fn waiting(&self, conn: ConnId) -> usize {
        self.peers.get(&conn).map_or(0, PeerUpload::waiting)
    }
}
