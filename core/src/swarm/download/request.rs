//! Assigns requests to peers: whole pieces to single peers while there are enough pieces, but awaited
//! pieces, and the remaining blocks at the end, to all peers.

use std::time::Duration;

use super::Download;
use super::peer::{PeerDownload, SentRequest};
use super::piece_picker::{Opened, PiecePicker, Search};
use crate::context::Context;
use crate::swarm::peers::{Peer, Peers};
use crate::swarm::storage::Pieces;
use crate::types::{Block, ConnId, Piece};
use crate::wire::Message;

/// The number of later requests that must have been answered before a request counts as dropped.
const OVERTAKEN: u32 = 4;

/// The maximum number of pending requests to a peer, by our configuration and its own.
fn request_limit(cx: &Context, peer: &Peer) -> usize {
    let ours = cx.config().max_requests_out;
    ours.min(peer.extensions.request_limit())
}

impl PiecePicker {
    /// The number of requests that should be in flight to a peer.
    pub(super) fn window(
        &mut self,
        cx: &Context,
        pieces: &Pieces,
        peer: &Peer,
        known: &PeerDownload,
    ) -> usize {
        let limit = request_limit(cx, peer);
        let connected = cx.shared.connections.connected;
        let share = cx.shared.memory.share(connected, cx.config().max_unwritten);
        let depth = if self.has_open_awaited(pieces, &peer.have) {
            known.pipeline.urgent_depth(limit)
        } else {
            known.pipeline.depth(limit)
        };
        depth.min(share)
    }
}

impl Download {
    /// Fills one peer's pipeline with requests. Returns pieces that are complete without any, since
    /// they consist of padding.
    pub(crate) fn fill(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        conn: ConnId,
    ) -> Vec<Piece> {
        if self.picker.waits_for_memory(cx, pieces) {
            cx.starve();
            return Vec::new();
        }
        // Removed during the search, which accesses all other peers.
        let Some(mut known) = self.peers.remove(&conn) else {
            return Vec::new();
        };
        let mut opened = Opened::default();
        if let Some(peer) = peers.get_mut(conn) {
            self.fill_peer(cx, pieces, (conn, peer, &mut known), &mut opened);
        }
        self.peers.insert(conn, known);
        opened
            .pieces
            .into_iter()
            .for_each(|piece| self.handle_closed(peers, piece));
        opened.complete
    }

    fn fill_peer(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        (conn, peer, known): (ConnId, &mut Peer, &mut PeerDownload),
        opened: &mut Opened,
    ) {
        let limit = request_limit(cx, peer);
        let depth = self.picker.window(cx, pieces, peer, known);
        let has_room = |known: &PeerDownload| {
            known.in_flight() < depth && known.requests().len() < limit.saturating_mul(2)
        };
        while has_room(known) && known.useful > 0 && cx.may_download() {
            let due = cx.now + known.pipeline.wait(known.in_flight());
            let search = Search {
                conn,
                peer,
                now: cx.now,
                due,
            };
            let Some(block) = self.picker.next_block(cx, pieces, &search, known, opened) else {
                if self.picker.lacks_memory(cx.shared, pieces) {
                    cx.starve();
                }
                break;
            };
            if cx.spend_download(block.length()) {
                self.newest = Some(conn);
            }
            known.add_request(block, cx.now);
            peer.send(cx, conn, Message::Request(block.into()));
        }
    }

    /// Releases all blocks requested from this peer. `released`: they are accepted if they still
    /// arrive, and at most this many are remembered.
    pub(super) fn release_requests(&mut self, conn: ConnId, released: Option<usize>) {
        let Some(known) = self.peers.get_mut(&conn) else {
            return;
        };
        let requests = known.take_requests();
        for request in &requests {
            released
                .into_iter()
                .for_each(|bound| known.release(request.block, bound));
        }
        requests
            .into_iter()
            .for_each(|request| self.picker.give_back(request));
        self.release_ownership(conn);
    }

    /// Releases the blocks requested from a peer that chokes us, which may still send them (BEP 6).
    /// Allowed-fast pieces stay requested. Returns whether blocks became free.
    pub(super) fn doubt_requests(&mut self, conn: ConnId) -> bool {
        let Some(known) = self.peers.get_mut(&conn) else {
            return false;
        };
        let allowed = std::mem::take(&mut known.allowed_fast);
        let late = known.mark_late(|request| !allowed.contains(&request.block.piece()));
        known.allowed_fast = allowed;
        let found = !late.is_empty();
        late.into_iter()
            .for_each(|request| self.picker.give_back(request));
        self.release_ownership(conn);
        found
    }

    /// Releases the blocks of one piece that were requested from this peer. They are accepted if
    /// they still arrive.
    pub(super) fn release_piece(&mut self, cx: &Context, conn: ConnId, piece: Piece) {
        let Some(known) = self.peers.get_mut(&conn) else {
            return;
        };
        let of_piece = known.requests().iter().map(|request| request.block);
        let blocks: Vec<Block> = of_piece.filter(|block| block.piece() == piece).collect();
        let mut requests = Vec::new();
        for block in blocks {
            requests.extend(known.take_request(block));
            known.release(block, cx.config().max_requests_out);
        }
        requests
            .into_iter()
            .for_each(|request| self.picker.give_back(request));
        self.release_ownership(conn);
    }

    /// Whether a piece in progress is assigned to this peer, or partly requested from it.
    pub(super) fn fetches(&self, conn: ConnId, piece: Piece) -> bool {
        let asked = |known: &PeerDownload| {
            known
                .requests()
                .iter()
                .any(|request| request.block.piece() == piece)
        };
        self.picker.owns(conn, piece) || self.peers.get(&conn).is_some_and(asked)
    }

    /// Requests blocks that this peer owes for too long elsewhere, or again from the same peer.
    pub(crate) fn expire_requests(&mut self, cx: &Context, conn: ConnId) {
        let Some(known) = self.peers.get_mut(&conn) else {
            return;
        };
        let timeout = cx.config().block_timeout;
        let patience = BlockTimeout::with(known, timeout);
        let (owes, quiet) = (known.in_flight() > 0, cx.now.since(known.last_block_at));
        let late = known.mark_late(|r| cx.now.since(r.at) >= patience.of(r, quiet));
        let silent = !late.is_empty() && quiet >= patience.silence;
        if silent {
            known.pipeline.on_snub();
        }
        known.snubbed |= owes && quiet >= timeout;
        // Whoever keeps a block of a piece back that no other peer may download would stop it.
        let alone = late.iter().map(|request| request.block.piece());
        let alone: Vec<Piece> = alone
            .filter(|piece| self.picker.owns_alone(conn, *piece))
            .collect();
        alone
            .iter()
            .for_each(|piece| known.refusals.add(cx.now, *piece));
        late.into_iter()
            .for_each(|request| self.picker.give_back(request));
        if silent || !alone.is_empty() {
            self.release_ownership(conn);
        }
    }

    /// Releases a peer's ownership of a piece.
    pub(super) fn release_ownership(&mut self, conn: ConnId) {
        self.peers
            .get_mut(&conn)
            .into_iter()
            .for_each(|known| known.current = None);
        self.picker.release_ownership(conn);
    }
}

/// How long to wait for a block of one peer.
struct BlockTimeout {
    /// If nothing arrives at all.
    silence: Duration,
    /// If later requests were answered earlier.
    overtaken: Duration,
    /// If other blocks arrive.
    longest: Duration,
}

impl BlockTimeout {
    /// `timeout` is [`crate::Config::block_timeout`], the maximum for a silent peer. A peer of
    /// known speed gets less.
    fn with(known: &PeerDownload, timeout: Duration) -> Self {
        let (pipeline, in_flight) = (&known.pipeline, known.in_flight());
        let bounded = |patience: Option<Duration>| patience.unwrap_or(timeout).min(timeout);
        Self {
            silence: bounded(pipeline.patience(in_flight)),
            overtaken: bounded(pipeline.patience_overtaken(in_flight)),
            longest: timeout * 3,
        }
    }

    fn of(&self, request: &SentRequest, quiet: Duration) -> Duration {
        if quiet >= self.silence {
            self.silence
        } else if request.overtaken >= OVERTAKEN {
            self.overtaken
        } else {
            self.longest
        }
    }
}
