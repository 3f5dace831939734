//! Messages about peers' pieces, and received blocks (BEP 3, 6, 54).

use bytes::Bytes;

use super::Download;
use super::in_progress::Arrival;
use crate::context::{Context, Verdict, misbehaved};
use crate::io::CloseReason;
use crate::swarm::peers::{EarlyHave, Peer, Peers, Progress};
use crate::swarm::storage::Pieces;
use crate::types::{Bitfield, Block, ConnId, Piece};
use crate::wire::{Message, RawBlock};

/// The consequence of a message about pieces, which the torrent carries out.
pub(crate) enum FollowUp {
    Nothing,
    /// The peer has new pieces: request more from it, or disconnect if neither side needs anything.
    Has,
    /// Request more from this peer, since it can send what another one will not.
    Fill(ConnId),
    /// Blocks became free: request more from all peers.
    FillAll,
    /// A block arrived; this piece is complete with it, if given.
    Block(Option<Piece>),
}

impl Download {
    /// Handles a message about pieces. Those that only set a flag make no progress, since they can be
    /// repeated without end.
    pub(crate) fn handle_message(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        (conn, message): (ConnId, Message),
    ) -> Result<(FollowUp, Progress), CloseReason> {
        let news = match message {
            Message::Piece { index, begin, data } => {
                let block = (conn, (index, begin), data);
                let complete = self.handle_block(cx, pieces, peers, block)?;
                return Ok((FollowUp::Block(complete), Progress::Made));
            }
            Message::Reject(raw) => {
                return Ok(self.handle_reject(cx, pieces, peers, (conn, raw)));
            }
            Message::Choke => {
                let freed = self.handle_choke(cx, peers, conn);
                let follow_up = if freed {
                    FollowUp::FillAll
                } else {
                    FollowUp::Nothing
                };
                return Ok((follow_up, Progress::None));
            }
            Message::Have(index) => {
                let is_new = self.handle_have(cx, pieces, peers, (conn, index))?;
                return Ok(if is_new {
                    (FollowUp::Has, Progress::Made)
                } else {
                    (FollowUp::Nothing, Progress::None)
                });
            }
            Message::AllowedFast(index) => self.handle_allowed_fast(pieces, conn, index)?,
            Message::Bitfield(bytes) => {
                self.handle_bitfield(cx, pieces, peers, (conn, &bytes))?;
                true
            }
            Message::HaveAll => {
                note_first_have(peers, conn)?;
                let all = Bitfield::all(pieces.lengths.pieces());
                self.handle_have_set(cx, pieces, peers, (conn, all));
                true
            }
            Message::HaveNone => {
                note_first_have(peers, conn)?;
                false
            }
            Message::Unchoke => {
                self.handle_unchoke(cx, peers, conn);
                true
            }
            _ => false,
        };
        let follow_up = if news {
            FollowUp::Has
        } else {
            FollowUp::Nothing
        };
        Ok((follow_up, Progress::None))
    }

    /// Handles a complete set of a peer's pieces.
    fn handle_have_set(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        (conn, have): (ConnId, Bitfield),
    ) {
        let (Some(known), Some(peer)) = (self.peers.get_mut(&conn), peers.get_mut(conn)) else {
            return;
        };
        known.counted_as_seed = have.is_all();
        if !known.counted_as_seed {
            pieces
                .pieces_in(&have)
                .for_each(|piece| self.picker.gained(piece));
        }
        peer.have = have;
        self.count_useful(pieces, conn, peer);
        self.update_interest(cx, conn, peer);
    }

    /// Handles a bitfield. BEP 3 permits one, as the first message. Some clients (aria2) send
    /// another one later; its additional pieces are treated like `have` messages.
    fn handle_bitfield(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        (conn, bytes): (ConnId, &[u8]),
    ) -> Verdict {
        let Some(peer) = peers.get_mut(conn) else {
            return Ok(());
        };
        let have = read_bitfield(bytes, pieces)?;
        if peer.note_have() {
            self.handle_have_set(cx, pieces, peers, (conn, have));
        } else {
            self.gain(cx, pieces, peers, conn, pieces.pieces_in(&have));
        }
        Ok(())
    }

    /// Handles a `have`. Returns whether the piece was new.
    fn handle_have(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        (conn, index): (ConnId, u32),
    ) -> Result<bool, CloseReason> {
        let Some(peer) = peers.get_mut(conn) else {
            return Ok(false);
        };
        peer.note_have();
        let piece = named(pieces, index, "it has a piece that the torrent lacks")?;
        let news = !peer.have.has(piece);
        if news {
            self.gain(cx, pieces, peers, conn, [piece]);
        }
        Ok(news)
    }

    /// Processes what a peer announced before the torrent's size was known.
    pub(crate) fn handle_early_have(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        (conn, early): (ConnId, EarlyHave),
    ) -> Verdict {
        let count = pieces.lengths.pieces();
        let mut have = match &early.bitfield {
            Some(bytes) => read_bitfield(bytes, pieces)?,
            None if early.all => Bitfield::all(count),
            None => Bitfield::none(count),
        };
        for piece in early
            .indices
            .iter()
            .filter_map(|&index| pieces.lengths.piece(index))
        {
            have.set(piece);
        }
        self.handle_have_set(cx, pieces, peers, (conn, have));
        Ok(())
    }

    /// Counts pieces that a peer did not have before.
    fn gain(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        conn: ConnId,
        gained: impl IntoIterator<Item = Piece>,
    ) {
        let (Some(known), Some(peer)) = (self.peers.get_mut(&conn), peers.get_mut(conn)) else {
            return;
        };
        for piece in gained {
            if peer.have.set(piece) {
                self.picker.gained(piece);
                known.useful += u32::from(pieces.lacks(piece));
                known.pickable += u32::from(self.picker.is_open(piece));
            }
        }
        self.update_interest(cx, conn, peer);
    }

    /// BEP 54: handles the loss of a peer's piece. Its pending blocks are requested elsewhere.
    /// Returns whether there were any. Progress is made once per piece of the torrent: a peer could
    /// lose and gain one without end.
    pub(crate) fn handle_dont_have(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        (conn, index): (ConnId, u32),
    ) -> Result<(bool, Progress), CloseReason> {
        let (Some(known), Some(peer)) = (self.peers.get_mut(&conn), peers.get_mut(conn)) else {
            return Ok((false, Progress::None));
        };
        let piece = named(pieces, index, "it lost a piece that the torrent lacks")?;
        if std::mem::take(&mut known.counted_as_seed) {
            pieces
                .lengths
                .iter()
                .for_each(|piece| self.picker.gained(piece));
        }
        if !peer.have.clear(piece) {
            return Ok((false, Progress::None));
        }
        self.picker.lost(piece);
        known.useful = known.useful.saturating_sub(u32::from(pieces.lacks(piece)));
        let open = u32::from(self.picker.is_open(piece));
        known.pickable = known.pickable.saturating_sub(open);
        let progress = known.count_loss(pieces.lengths.pieces());
        self.update_interest(cx, conn, peer);
        let fetches = self.fetches(conn, piece);
        if fetches {
            self.release_piece(cx, conn, piece);
        }
        Ok((fetches, progress))
    }

    /// Handles `choke`. BEP 6: with the fast extension every pending request is still answered, by
    /// a block or a reject. Not all clients that announce the extension do so, so nothing waits for
    /// that. Returns whether blocks became free.
    fn handle_choke(&mut self, cx: &Context, peers: &mut Peers, conn: ConnId) -> bool {
        let Some(peer) = peers.get_mut(conn).filter(|peer| !peer.peer_choking) else {
            return false;
        };
        peer.peer_choking = true;
        if peer.fast {
            return self.doubt_requests(conn);
        }
        let owed = self
            .peers
            .get(&conn)
            .is_some_and(|known| known.in_flight() > 0);
        self.release_requests(conn, Some(cx.config().max_requests_out));
        owed
    }

    /// Handles `unchoke`.
    fn handle_unchoke(&mut self, cx: &Context, peers: &mut Peers, conn: ConnId) {
        let (Some(known), Some(peer)) = (self.peers.get_mut(&conn), peers.get_mut(conn)) else {
            return;
        };
        peer.peer_choking = false;
        known.refusals.clear();
        known.last_block_at = cx.now;
        known.pipeline.restart();
        known.release_late(cx.config().max_requests_out);
    }

    /// Handles `allowed fast` (BEP 6). Returns whether the piece was new.
    fn handle_allowed_fast(
        &mut self,
        pieces: &Pieces,
        conn: ConnId,
        index: u32,
    ) -> Result<bool, CloseReason> {
        let Some(known) = self.peers.get_mut(&conn) else {
            return Ok(false);
        };
        let piece = named(pieces, index, "it allows a piece that the torrent lacks")?;
        Ok(known.allow_fast(piece))
    }

    /// Handles a rejected request (BEP 6). The peer is asked for the piece again only after a
    /// pause, to avoid a loop. Another peer that can be asked for the block immediately is.
    fn handle_reject(
        &mut self,
        cx: &Context,
        pieces: &Pieces,
        peers: &Peers,
        (conn, raw): (ConnId, RawBlock),
    ) -> (FollowUp, Progress) {
        let (Some(known), Some(peer)) = (self.peers.get_mut(&conn), peers.get(conn)) else {
            return (FollowUp::Nothing, Progress::None);
        };
        let block = pieces.lengths.block(raw.index, raw.begin, raw.length);
        if block.is_some_and(|block| known.take_released(block)) {
            // The answer to a cancel. The block may have been requested again since.
            return (FollowUp::Nothing, Progress::Made);
        }
        let taken = block.and_then(|block| Some((block, known.take_request(block)?)));
        let Some((block, request)) = taken else {
            return (FollowUp::Nothing, Progress::None);
        };
        let piece = block.piece();
        known.allowed_fast.remove(&piece);
        if !peer.peer_choking {
            known.refusals.add(cx.now, piece);
            known.pipeline.on_reject();
        }
        self.picker.give_back(request);
        self.release_ownership(conn);
        let (known, picker) = (&self.peers, &mut self.picker);
        let mut idle = |conn: &ConnId, peer: &Peer| {
            known.get(conn).is_some_and(|known| {
                known.may_ask(cx.now, peer, piece)
                    && known.in_flight() < picker.window(cx, pieces, peer, known)
            })
        };
        let mut others = peers
            .iter()
            .filter(|(other, peer)| !request.late && idle(other, peer));
        let follow_up = others
            .next()
            .map_or(FollowUp::Nothing, |(other, _)| FollowUp::Fill(other));
        (follow_up, Progress::Made)
    }

    /// Handles a block of data; this is the hot path. Returns its piece if that is complete now.
    fn handle_block(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        peers: &mut Peers,
        (conn, at, data): (ConnId, (u32, u32), Bytes),
    ) -> Result<Option<Piece>, CloseReason> {
        let (Some(known), Some(peer)) = (self.peers.get_mut(&conn), peers.get(conn)) else {
            return Ok(None);
        };
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let bytes = u64::from(length);
        let Some(block) = pieces.lengths.block(at.0, at.1, length) else {
            return misbehaved("it sent a block that the torrent lacks");
        };
        let Some(was_late) = known.handle_block(block, cx.now) else {
            self.totals.wasted += bytes;
            return match known.count_unsolicited(bytes) {
                true => misbehaved("it sent blocks that nobody asked for"),
                false => Ok(None),
            };
        };
        known.count(cx.now, bytes);
        self.totals.downloaded += bytes;
        self.totals.rate.add(cx.now, bytes);
        match self
            .picker
            .handle_block((block, data), (conn, peer.identity()), was_late)
        {
            None | Some((Arrival::Duplicate, _)) => self.totals.wasted += bytes,
            Some((Arrival::Taken { others }, complete)) => {
                if others > 0 {
                    self.cancel_elsewhere(cx, peers, block);
                }
                return Ok(complete.then_some(block.piece()));
            }
        }
        Ok(None)
    }

    /// Cancels requests for this block at other peers.
    fn cancel_elsewhere(&mut self, cx: &mut Context, peers: &mut Peers, block: Block) {
        let bound = cx.config().max_requests_out;
        for (conn, known) in &mut self.peers {
            if !known.take_requests_of(block).is_empty() {
                known.release(block, bound);
                let peer = peers.get_mut(*conn);
                peer.into_iter()
                    .for_each(|p| p.send(cx, *conn, Message::Cancel(block.into())));
            }
        }
    }
}

/// Parses a bitfield, or reports a protocol violation.
fn read_bitfield(bytes: &[u8], pieces: &Pieces) -> Result<Bitfield, CloseReason> {
    Bitfield::from_wire(bytes, pieces.lengths.pieces())
        .map_err(|_| CloseReason::Misbehaved("its bitfield does not fit the torrent"))
}

/// Checks a piece index, or reports the protocol violation `fault`.
fn named(pieces: &Pieces, index: u32, fault: &'static str) -> Result<Piece, CloseReason> {
    let piece = pieces.lengths.piece(index);
    piece.ok_or(CloseReason::Misbehaved(fault))
}

fn note_first_have(peers: &mut Peers, conn: ConnId) -> Verdict {
    let peer = peers.get_mut(conn);
    peer.map_or(Ok(()), |peer| peer.note_first_have())
}
