//! Downloading a magnet's metadata from peers (BEP 9).
//!
//! Several peers are asked at the same time, each for a complete copy. Copies are small, so this is
//! cheap, and a bad peer can only spoil its own copy: a copy that does not match the info-hash
//! identifies the peer that sent it, and the other copies are not affected.

mod copy;

use std::time::Duration;

use bytes::Bytes;

use self::copy::Copy;
use crate::context::{Context, Verdict, misbehaved};
use crate::extensions::Extension;
use crate::extensions::metadata::MetadataMessage;
use crate::swarm::peers::Peers;
use crate::types::{ConnId, SortedMap, SortedSet};

/// The maximum number of copies that are downloaded at the same time.
const COPIES: usize = 4;
/// The time after which a stalled copy is replaced by that of another peer.
const STALL: Duration = Duration::from_secs(5);

/// Copies of the metadata in progress.
#[derive(Debug, Default)]
pub(crate) struct MetadataFetch {
    copies: SortedMap<ConnId, Copy>,
    /// Peers whose copy failed.
    tried: SortedSet<ConnId>,
}

impl MetadataFetch {
    /// Keeps some copies in progress.
    pub(crate) fn fill(&mut self, cx: &mut Context, peers: &mut Peers) {
        while let Some((conn, size)) = self.next_source(peers) {
            self.tried.insert(conn);
            self.copies
                .extend(Copy::new(size, cx.now).map(|copy| (conn, copy)));
            self.request(cx, peers, conn);
        }
    }

    /// A peer that offers metadata and has not been asked, if there is room for another copy.
    fn next_source(&self, peers: &Peers) -> Option<(ConnId, u32)> {
        let untried = peers.iter().filter(|(conn, _)| !self.tried.contains(conn));
        let mut offers = untried.filter_map(|(c, p)| Some((c, p.extensions.metadata_size()?)));
        offers.next().filter(|_| self.copies.len() < COPIES)
    }

    /// Called once per tick: replaces stalled copies. When all peers have been tried, they are
    /// tried again.
    pub(crate) fn tick(&mut self, cx: &mut Context, peers: &mut Peers) {
        self.copies.retain(|_, copy| cx.now.since(copy.at) < STALL);
        if self.copies.is_empty() && self.next_source(peers).is_none() {
            self.tried.clear();
        }
        self.fill(cx, peers);
    }

    /// Removes a peer.
    pub(crate) fn remove_peer(&mut self, conn: ConnId) {
        self.copies.remove(&conn);
        self.tried.remove(&conn);
    }

    /// Drops the copy of a peer that rejected a request.
    pub(crate) fn handle_rejected(&mut self, conn: ConnId) {
        self.copies.remove(&conn);
    }

    /// Whether blocks of this peer are expected.
    pub(crate) fn expects(&self, conn: ConnId) -> bool {
        self.copies.contains_key(&conn)
    }

    /// Stores a block. Returns the complete copy if it was the last one.
    pub(crate) fn handle_block(
        &mut self,
        cx: &mut Context,
        peers: &mut Peers,
        conn: ConnId,
        (block, data): (u32, Bytes),
    ) -> Result<Option<Bytes>, crate::io::CloseReason> {
        let Some(copy) = self.copies.get_mut(&conn) else {
            return Ok(None);
        };
        if !copy.arrived(cx.now, block, data) {
            return unasked().map(|()| None);
        }
        let whole = copy.whole();
        match whole {
            Some(_) => drop(self.copies.remove(&conn)),
            None => self.request(cx, peers, conn),
        }
        Ok(whole)
    }

    fn request(&mut self, cx: &mut Context, peers: &mut Peers, conn: ConnId) {
        let (Some(copy), Some(peer)) = (self.copies.get_mut(&conn), peers.get_mut(conn)) else {
            return;
        };
        while let Some(block) = copy.next_request() {
            let payload = MetadataMessage::Request(block).encode(0);
            if let Some(message) = peer.extensions.message(Extension::Metadata, payload) {
                peer.send(cx, conn, message);
            }
        }
    }
}

fn unasked() -> Verdict {
    misbehaved("a metadata block that was not asked for, or of the wrong length")
}
