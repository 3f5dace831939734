//! Downloading: which blocks to request from which peers, and handling what they send.

mod awaited;
mod blame;
mod in_progress;
mod order;
mod peer;
mod pick_awaited;
mod piece_picker;
mod pieces_in_progress;
mod pipeline;
mod rarest_first;
mod receive;
mod refusals;
mod request;
mod source;

pub(crate) use self::awaited::awaits_data;
pub(crate) use self::peer::PeerDownload;
use self::piece_picker::PiecePicker;
pub(crate) use self::receive::FollowUp;
use crate::context::{Context, Shared};
use crate::io::Rope;
use crate::net::{KeyedLimiter, Rate};
use crate::swarm::peers::{Peer, Peers};
use crate::swarm::storage::Pieces;
use crate::types::{ConnId, Instant, Lengths, PeerIdentity, Piece, SortedMap};
use crate::wire::Message;

/// Payload counters of one torrent.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    /// Bytes received in all runs.
    pub(crate) downloaded: u64,
    /// Bytes discarded.
    pub(crate) wasted: u64,
    /// Bytes per second.
    pub(crate) rate: Rate,
}

/// The download state of one torrent.
#[derive(Debug)]
pub(crate) struct Download {
    picker: PiecePicker,
    peers: SortedMap<ConnId, PeerDownload>,
    pub(crate) totals: Totals,
    /// Requests of each peer that are cancelled for awaited data.
    cancels: KeyedLimiter<ConnId>,
    /// The peer of the last request that a rate limit applied to. It is asked last when that permits
    /// more.
    pub(crate) newest: Option<ConnId>,
}

impl Download {
    /// The initial state: no piece is known, and there are no peers.
    pub(crate) fn new(lengths: Lengths) -> Self {
        Self {
            picker: PiecePicker::new(lengths),
            peers: SortedMap::new(),
            totals: Totals::default(),
            cancels: awaited::limit_on_cancels(),
            newest: None,
        }
    }

    /// Whether pieces are needed for which there is no memory.
    pub(crate) fn lacks_memory(&self, shared: &Shared, pieces: &Pieces) -> bool {
        self.picker.lacks_memory(shared, pieces)
    }

    /// Adds a peer, which has no pieces yet.
    pub(crate) fn add_peer(&mut self, now: Instant, conn: ConnId) {
        self.peers.insert(conn, PeerDownload::new(now));
    }

    /// Removes a peer. Its requested blocks may be requested from others.
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

    /// The state of one peer.
    pub(crate) fn peer(&self, conn: ConnId) -> Option<&PeerDownload> {
        self.peers.get(&conn)
    }

    /// Ends a choking round.
    pub(crate) fn end_round(&mut self) {
        self.peers.values_mut().for_each(PeerDownload::end_round);
    }

    /// Updates picker and counters after a general change of wanted or complete pieces.
    pub(crate) fn recount(&mut self, cx: &mut Context, pieces: &Pieces, peers: &mut Peers) {
        self.picker.recount(cx, pieces);
        for (conn, peer) in peers.iter_mut() {
            self.count_useful(pieces, conn, peer);
            self.update_interest(cx, conn, peer);
        }
    }

    /// Records that a piece is complete, which makes peers that have it less useful.
    pub(crate) fn handle_had(&mut self, cx: &mut Context, peers: &mut Peers, piece: Piece) {
        for (conn, peer) in peers.iter_mut().filter(|(_, peer)| peer.have.has(piece)) {
            let Some(known) = self.peers.get_mut(&conn) else {
                continue;
            };
            known.useful = known.useful.saturating_sub(1);
            self.update_interest(cx, conn, peer);
        }
    }

    /// Sends `interested` or `not interested` if that changed (BEP 3).
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

    /// Returns a piece that could not be completed to the picker.
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

    /// Whether a piece is in progress.
    pub(crate) fn is_in_progress(&self, piece: Piece) -> bool {
        self.picker.is_in_progress(piece)
    }

    /// Records that a piece left the picker and cannot be opened any more.
    fn handle_closed(&mut self, peers: &Peers, piece: Piece) {
        for (conn, _) in peers.iter().filter(|(_, peer)| peer.have.has(piece)) {
            if let Some(known) = self.peers.get_mut(&conn) {
                known.pickable = known.pickable.saturating_sub(1);
            }
        }
    }

    /// Removes a piece whose blocks have all arrived. Returns it with the sender of each block.
    pub(crate) fn take_complete(
        &mut self,
        piece: Piece,
    ) -> Option<(Rope, Vec<Option<PeerIdentity>>)> {
        self.picker.take_complete(piece)
    }

    /// Handles a piece that matched its hash. Returns peers that had sent wrong blocks of it.
    pub(crate) fn handle_verified(&mut self, piece: Piece, data: &Rope) -> Vec<PeerIdentity> {
        self.picker.handle_verified(piece, data)
    }

    /// Handles a piece that did not match its hash. Returns the offender, if only one peer can be
    /// it.
    pub(crate) fn handle_corrupt(
        &mut self,
        piece: Piece,
        data: &Rope,
        from: &[Option<PeerIdentity>],
    ) -> Option<PeerIdentity> {
        self.picker.handle_corrupt(piece, data, from)
    }

    /// Drops the pieces in progress and releases their memory.
    pub(crate) fn drop_in_progress(&mut self, cx: &mut Context, pieces: &Pieces) {
        self.totals.wasted += self.picker.drop_in_progress(cx, pieces);
    }
}
