//! Downloading: which blocks to ask of whom, and what comes of them.

mod blame;
mod in_progress;
mod order;
mod peer;
mod piece_picker;
mod pipeline;
mod rarest_first;
mod receive;
mod refusals;
mod request;
mod source;

use std::collections::BTreeMap;

pub(crate) use self::peer::PeerDownload;
use self::piece_picker::PiecePicker;
pub(crate) use self::receive::FollowUp;
use crate::context::Context;
use crate::io::{PriorityRange, Rope};
use crate::net::Rate;
use crate::swarm::peers::{Peer, Peers};
use crate::swarm::storage::Pieces;
use crate::types::{ConnId, Instant, Lengths, PeerIdentity, Piece};
use crate::wire::Message;

/// Payload of one torrent.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Bytes received, all runs.
    pub(crate) downloaded: u64,
    /// Bytes thrown away.
    pub(crate) wasted: u64,
    /// Bytes per second.
    pub(crate) rate: Rate,
}

/// What is being fetched of one torrent, and from whom.
#[derive(Debug)]
pub(crate) struct Download {
    picker: PiecePicker,
    peers: BTreeMap<ConnId, PeerDownload>,
    pub(crate) totals: Totals,
}

impl Download {
    /// Nothing is known of any piece, and no peer is there.
    pub(crate) fn new(lengths: Lengths) -> Self {
        Self {
            picker: PiecePicker::new(lengths),
            peers: BTreeMap::new(),
            totals: Totals::default(),
        }
    }

    /// What comes first.
    pub(crate) fn prioritise(&mut self, lengths: &Lengths, ranges: &[PriorityRange]) {
        self.picker.prioritise(lengths, ranges);
    }

    /// A peer is there. It is known to have nothing.
    pub(crate) fn add_peer(&mut self, now: Instant, conn: ConnId) {
        self.peers.insert(conn, PeerDownload::new(now));
    }

    /// A peer left: what it was asked for may be asked of others.
    pub(crate) fn remove_peer(&mut self, pieces: &Pieces, conn: ConnId, peer: &Peer) {
        self.release_requests(conn, None);
        let counted = self
            .peers
            .remove(&conn)
            .filter(|known| !known.counted_as_seed);
        if counted.is_some() {
            pieces
                .pieces_in(&peer.have)
                .for_each(|piece| self.picker.lost(piece));
        }
    }

    /// What is known of one peer.
    pub(crate) fn peer(&self, conn: ConnId) -> Option<&PeerDownload> {
        self.peers.get(&conn)
    }

    /// A round of choking is over.
    pub(crate) fn end_round(&mut self) {
        self.peers.values_mut().for_each(PeerDownload::end_round);
    }

    /// What is wanted or had changed as a whole: picker and counts are brought in line.
    pub(crate) fn recount(&mut self, cx: &mut Context, pieces: &Pieces, peers: &mut Peers) {
        self.picker.recount(cx, pieces);
        for (conn, peer) in peers.iter_mut() {
            self.count_useful(pieces, conn, peer);
            self.update_interest(cx, conn, peer);
        }
    }

    /// A piece is had by us now: peers that have it are of less use.
    pub(crate) fn handle_had(&mut self, cx: &mut Context, peers: &mut Peers, piece: Piece) {
        for (conn, peer) in peers.iter_mut().filter(|(_, peer)| peer.have.has(piece)) {
            let Some(known) = self.peers.get_mut(&conn) else {
                continue;
            };
            known.useful = known.useful.saturating_sub(1);
            self.update_interest(cx, conn, peer);
        }
    }

    /// Says that we are interested, or no longer, when that changes (BEP 3).
    fn update_interest(&self, cx: &mut Context, conn: ConnId, peer: &mut Peer) {
        let interested = !cx.paused && self.peer(conn).is_some_and(|known| known.useful > 0);
        if std::mem::replace(&mut peer.am_interested, interested) != interested {
            let message = if interested {
                Message::Interested
            } else {
                Message::NotInterested
            };
            peer.send(cx, conn, message);
        }
    }

    fn count_useful(&mut self, pieces: &Pieces, conn: ConnId, peer: &Peer) {
        let Some(known) = self.peers.get_mut(&conn) else {
            return;
        };
        (known.useful, known.pickable) = (0, 0);
        for piece in pieces.pieces_in(&peer.have) {
            known.useful += u32::from(pieces.lacks(piece));
            known.pickable += u32::from(self.picker.is_open(piece));
        }
    }

    /// A piece that is not had after all goes back to the picker.
    pub(crate) fn reopen(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &Peers,
        piece: Piece,
    ) {
        if !self.picker.reopen(cx, pieces, piece) {
            return;
        }
        for (conn, _) in peers.iter().filter(|(_, peer)| peer.have.has(piece)) {
            self.peers
                .get_mut(&conn)
                .into_iter()
                .for_each(|known| known.pickable += 1);
        }
    }

    /// Whether a piece is being fetched.
    pub(crate) fn is_in_progress(&self, piece: Piece) -> bool {
        self.picker.is_in_progress(piece)
    }

    /// A piece left the picker: it can no longer be opened.
    fn handle_closed(&mut self, peers: &Peers, piece: Piece) {
        for (conn, _) in peers.iter().filter(|(_, peer)| peer.have.has(piece)) {
            if let Some(known) = self.peers.get_mut(&conn) {
                known.pickable = known.pickable.saturating_sub(1);
            }
        }
    }

    /// All blocks of a piece are there: the piece and, block by block, who sent it.
    pub(crate) fn take_complete(
        &mut self,
        piece: Piece,
    ) -> Option<(Rope, Vec<Option<PeerIdentity>>)> {
        self.picker.take_complete(piece)
    }

    /// A piece matched its hash. Returns who sent a wrong block of it before.
    pub(crate) fn handle_verified(&mut self, piece: Piece, data: &Rope) -> Vec<PeerIdentity> {
        self.picker.handle_verified(piece, data)
    }

    /// A piece did not match its hash. Returns the peer to blame, if there is only one that can be.
    pub(crate) fn handle_corrupt(
        &mut self,
        piece: Piece,
        data: &Rope,
        from: &[Option<PeerIdentity>],
    ) -> Option<PeerIdentity> {
        self.picker.handle_corrupt(piece, data, from)
    }

    /// Forgets the pieces in progress and frees their memory.
    pub(crate) fn drop_in_progress(&mut self, cx: &mut Context, pieces: &Pieces) {
        self.totals.wasted += self.picker.drop_in_progress(cx, pieces);
    }
}
