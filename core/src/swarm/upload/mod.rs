//! Uploading: whom to unchoke, and what is read and sent for whom.

mod allowed_fast;
mod choker;
mod choking;
mod peer;
mod serve;

use std::collections::BTreeMap;

use self::choker::Choker;
pub(crate) use self::choker::Standing;
use self::peer::PeerUpload;
use crate::net::Rate;
use crate::types::{ConnId, Instant};

/// What is sent of one torrent, and to whom.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    choker: Choker,
    peers: BTreeMap<ConnId, PeerUpload>,
    /// Payload bytes sent, all runs.
    uploaded: u64,
    rate: Rate,
}

impl Upload {
    /// Payload bytes sent, all runs.
    pub(crate) fn uploaded(&self) -> u64 {
        self.uploaded
    }

    /// Takes over the count of earlier runs.
    pub(crate) fn restore(&mut self, uploaded: u64) {
        self.uploaded = uploaded;
    }

    /// Payload bytes per second.
    pub(crate) fn rate(&self, now: Instant) -> u64 {
        self.rate.get(now)
    }

    /// A peer left.
    pub(crate) fn remove_peer(&mut self, conn: ConnId) {
        self.peers.remove(&conn);
        self.choker.left(conn);
    }

    /// Payload bytes per second to one peer.
    pub(crate) fn rate_of(&self, conn: ConnId, now: Instant) -> u64 {
        self.peers.get(&conn).map_or(0, |known| known.rate.get(now))
    }

    /// Blocks that one peer waits for.
    pub(crate) fn waiting(&self, conn: ConnId) -> usize {
        self.peers.get(&conn).map_or(0, PeerUpload::waiting)
    }
}
