//! Selects the next block to request from a peer, from the pieces in progress and from those that
//! can be opened.

use super::blame::Blame;
use super::in_progress::{Arrival, PieceInProgress};
use super::order::FetchOrder;
use super::peer::{PeerDownload, SentRequest};
use super::pieces_in_progress::PiecesInProgress;
use super::rarest_first::RarestFirst;
use super::source::Source;
use crate::context::{Context, Shared};
use crate::io::{PriorityRange, Rope};
use crate::swarm::peers::Peer;
use crate::swarm::storage::Pieces;
use crate::types::{Block, ConnId, Instant, Lengths, PeerIdentity, Piece};

/// The maximum number of peers from which a block is requested at a time.
const MAX_REQUESTERS: u8 = 3;
/// The maximum number of requests to a peer in the endgame, since duplicate blocks waste bandwidth.
/// A peer of unknown speed gets one.
const ENDGAME_DEPTH: usize = 32;

/// Pieces that were opened while filling one pipeline.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) pieces: Vec<Piece>,
    /// Those of them that consist of padding only, so that nothing is requested.
    pub(super) complete: Vec<Piece>,
}

/// The peer for which a block is searched, and when it should send the block.
pub(super) struct Search<'a> {
    pub(super) conn: ConnId,
    pub(super) peer: &'a Peer,
    pub(super) now: Instant,
    pub(super) due: Instant,
}

/// The pieces of a torrent that are still needed.
#[derive(Debug)]
pub(super) struct PiecePicker {
    /// Pieces that are wanted, and neither complete nor in progress.
    pub(super) open: RarestFirst,
    pub(super) in_progress: PiecesInProgress,
    blame: Blame,
    pub(super) order: FetchOrder,
}

impl PiecePicker {
    pub(super) fn new(lengths: Lengths) -> Self {
        Self {
            open: RarestFirst::new(lengths),
            in_progress: PiecesInProgress::default(),
            blame: Blame::default(),
            order: FetchOrder::default(),
        }
    }

    /// Sets the ranges that are downloaded first.
    pub(super) fn prioritise(&mut self, now: Instant, lengths: &Lengths, ranges: &[PriorityRange]) {
        self.order.set(now, lengths, ranges);
    }

    /// Stops pieces of which nothing has arrived and nothing is requested, and releases their memory.
    /// They have yet to be opened again.
    pub(super) fn stop_untouched(&mut self, cx: &mut Context, pieces: &Pieces) -> Vec<Piece> {
        let stopped = self.in_progress.take_untouched();
        for piece in &stopped {
            let reserved = u64::from(pieces.lengths.size(*piece));
            cx.shared.memory.release(reserved);
        }
        stopped
    }

    /// Records that one more peer has the piece.
    pub(super) fn gained(&mut self, piece: Piece) {
        self.open.gained(piece);
    }

    /// Records that one peer fewer has the piece.
    pub(super) fn lost(&mut self, piece: Piece) {
        self.open.lost(piece);
    }

    /// Whether the piece is wanted, and neither complete nor in progress.
    pub(super) fn is_open(&self, piece: Piece) -> bool {
        self.open.is_open(piece)
    }

    /// Whether the piece is in progress.
    pub(super) fn is_in_progress(&self, piece: Piece) -> bool {
        self.in_progress.contains(piece)
    }

    /// Updates all pieces after a general change of wanted or complete pieces.
    pub(super) fn recount(&mut self, cx: &mut Context, pieces: &Pieces) {
        self.order.handle_opened();
        for piece in pieces.lengths.iter() {
            if self.should_be_open(pieces, piece) {
                self.open.open(piece, &mut cx.shared.rng);
            } else {
                self.open.close(piece);
            }
        }
    }

    /// Opens a piece again that could not be completed. Returns whether it is open.
    pub(super) fn reopen(&mut self, cx: &mut Context, pieces: &Pieces, piece: Piece) -> bool {
        let opens = self.should_be_open(pieces, piece);
        if opens {
            self.open.open(piece, &mut cx.shared.rng);
            self.order.handle_opened();
        }
        opens
    }

    fn should_be_open(&self, pieces: &Pieces, piece: Piece) -> bool {
        let busy = pieces.storing().has(piece) || self.in_progress.contains(piece);
        pieces.lacks(piece) && !busy
    }

    /// Stores a block. Returns the effect, and whether its piece is complete now. `None` if the
    /// piece is not in progress, or only another peer may download it.
    pub(super) fn handle_block(
        &mut self,
        (block, data): (Block, bytes::Bytes),
        (conn, from): (ConnId, PeerIdentity),
        was_late: bool,
    ) -> Option<(Arrival, bool)> {
        let source = Source::Peer(conn);
        self.in_progress
            .arrived((block, data), (source, from), !was_late)
    }

    /// Whether a piece in progress is assigned to this peer, which alone may download it.
    pub(super) fn owns_alone(&self, conn: ConnId, piece: Piece) -> bool {
        self.owns(conn, piece) && self.in_progress.is_alone(piece)
    }

    /// Whether a piece in progress is assigned to this peer.
    pub(super) fn owns(&self, conn: ConnId, piece: Piece) -> bool {
        self.in_progress.owns(Source::Peer(conn), piece)
    }

    /// Releases the block of a request that will not be answered, unless other peers have been
    /// asked for it.
    pub(super) fn give_back(&mut self, request: SentRequest) {
        if !request.late {
            self.in_progress.give_back(request.block);
        }
    }

    /// Releases a peer's ownership of a piece.
    pub(super) fn release_ownership(&mut self, conn: ConnId) {
        self.in_progress.release_ownership(Source::Peer(conn));
    }

    /// Removes a piece whose blocks have all arrived. Returns it with the sender of each block.
    pub(super) fn take_complete(
        &mut self,
        piece: Piece,
    ) -> Option<(Rope, Vec<Option<PeerIdentity>>)> {
        self.in_progress.take_complete(piece)
    }

    /// Handles a piece that matched its hash. Returns peers that had sent wrong blocks of it.
    pub(super) fn handle_verified(&mut self, piece: Piece, data: &Rope) -> Vec<PeerIdentity> {
        self.blame.passed(piece, data)
    }

    /// Handles a piece that did not match its hash. Returns the offender, if only one peer can be
    /// it.
    pub(super) fn handle_corrupt(
        &mut self,
        piece: Piece,
        data: &Rope,
        from: &[Option<PeerIdentity>],
    ) -> Option<PeerIdentity> {
        self.blame.failed(piece, data, from)
    }

    /// Drops the pieces in progress and releases their memory. Returns the number of bytes received
    /// for them.
    pub(super) fn drop_in_progress(&mut self, cx: &mut Context, pieces: &Pieces) -> u64 {
        let mut dropped = 0;
        for (piece, received) in self.in_progress.take_all() {
            let reserved = u64::from(pieces.lengths.size(piece));
            cx.shared.memory.release(reserved);
            dropped += received;
        }
        dropped
    }

    /// Whether nothing can be requested from any peer before memory becomes free. With many peers,
    /// searching for a block for each of them again and again would take most of the time.
    pub(super) fn waits_for_memory(&self, cx: &Context, pieces: &Pieces) -> bool {
        self.lacks_memory(cx.shared, pieces) && !self.in_progress.has_free()
    }

    /// Whether pieces are needed for which there is no memory.
    pub(super) fn lacks_memory(&self, shared: &Shared, pieces: &Pieces) -> bool {
        !self.is_endgame() && !self.has_room(shared, pieces)
    }

    /// Whether there is memory for another piece.
    pub(super) fn has_room(&self, shared: &Shared, pieces: &Pieces) -> bool {
        let length = u64::from(pieces.lengths.piece_length());
        shared.memory.has_room(length, self.limit(shared, pieces))
    }

    /// The memory of all torrents that this one may fill. One without any piece in memory may exceed
    /// what the others may not, since large pieces of slow peers can fill it for a long time.
    fn limit(&self, shared: &Shared, pieces: &Pieces) -> u64 {
        let limit = shared.config.max_unwritten;
        if self.in_progress.is_empty() && pieces.storing().is_none() {
            limit.saturating_mul(2)
        } else {
            limit
        }
    }

    /// Whether all pieces are in progress.
    fn is_endgame(&self) -> bool {
        self.open.open_count() == 0
    }

    /// The next block to request from this peer, in this order: from an awaited piece, from its own
    /// one, from an abandoned one, from a new one, from another peer's piece, from blocks requested
    /// from others.
    pub(super) fn next_block(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &mut PeerDownload,
        opened: &mut Opened,
    ) -> Option<Block> {
        if search.peer.peer_choking && known.allowed_fast.is_empty() {
            return None;
        }
        let ours = Source::Peer(search.conn);
        let left = |p: &PieceInProgress| p.owner.is_none_or(|owner| owner == ours);
        self.of_awaited(cx, pieces, search, known, opened)
            .or_else(|| self.of_current(pieces, search, known))
            .or_else(|| self.of_in_progress(pieces, search, known, left))
            .or_else(|| self.of_new(cx, pieces, search, known, opened))
            .or_else(|| self.of_in_progress(pieces, search, known, |p| !p.alone))
            .or_else(|| self.of_requested(pieces, search, known))
    }

    fn of_current(
        &mut self,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &PeerDownload,
    ) -> Option<Block> {
        let piece = known
            .current
            .filter(|piece| known.may_ask(search.now, search.peer, *piece))?;
        self.take_free(pieces, search, piece)
    }

    /// Joins a piece in progress, and takes it over if no peer owns it.
    fn of_in_progress(
        &mut self,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &mut PeerDownload,
        may: impl Fn(&PieceInProgress) -> bool,
    ) -> Option<Block> {
        let (piece, _) = self.in_progress.with_free().find(|(piece, progress)| {
            may(progress) && known.may_ask(search.now, search.peer, *piece)
        })?;
        self.join(pieces, search, known, piece)
    }

    /// Continues with a piece in progress.
    pub(super) fn join(
        &mut self,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &mut PeerDownload,
        piece: Piece,
    ) -> Option<Block> {
        known.current = Some(piece);
        self.take_free(pieces, search, piece)
    }

    fn take_free(&mut self, pieces: &Pieces, search: &Search<'_>, piece: Piece) -> Option<Block> {
        let source = Source::Peer(search.conn);
        let number = self.in_progress.take_free(piece, source, search.due)?;
        pieces.lengths.nth_block(piece, number)
    }

    pub(super) fn of_new(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &mut PeerDownload,
        opened: &mut Opened,
    ) -> Option<Block> {
        loop {
            if !self.has_room(cx.shared, pieces) {
                // Skip the search, which is the most expensive part of filling a pipeline.
                return None;
            }
            let limit = self.limit(cx.shared, pieces);
            let piece = self.pick(pieces, search.peer, known, &opened.pieces)?;
            let size = u64::from(pieces.lengths.size(piece));
            if !cx.shared.memory.reserve(size, limit) {
                return None;
            }
            self.open.close(piece);
            opened.pieces.push(piece);
            let progress = self.begin(pieces, piece, search.conn);
            self.in_progress.insert(piece, progress);
            match self.take_free(pieces, search, piece) {
                Some(block) => {
                    known.current = Some(piece);
                    return Some(block);
                }
                None => opened.complete.push(piece),
            }
        }
    }

    /// A new piece in progress for one peer. Its padding is filled in already (BEP 47).
    fn begin(&self, pieces: &Pieces, piece: Piece, owner: ConnId) -> PieceInProgress {
        let (blocks, alone) = (pieces.lengths.blocks(piece), self.blame.suspects(piece));
        let mut progress = PieceInProgress::new(blocks, Source::Peer(owner), alone);
        for (number, zeros) in pieces.padding.blocks_of(piece) {
            progress.fill(number, zeros);
        }
        progress
    }

    /// The piece to open for a peer. `opened`: pieces that this search opened already, which are
    /// not yet subtracted from the peer's count.
    fn pick(
        &mut self,
        pieces: &Pieces,
        peer: &Peer,
        known: &PeerDownload,
        opened: &[Piece],
    ) -> Option<Piece> {
        if peer.peer_choking {
            // Allowed-fast pieces are anywhere in the torrent, so they are ignored while a range is
            // to be downloaded first.
            let allowed = known.allowed_fast.iter().filter(|_| self.order.is_empty());
            return allowed
                .copied()
                .find(|&p| peer.have.has(p) && self.open.is_open(p));
        }
        let just_opened = opened.iter().filter(|piece| peer.have.has(**piece)).count();
        let just_opened = u32::try_from(just_opened).unwrap_or(u32::MAX);
        let hits = known
            .pickable
            .checked_sub(just_opened)
            .filter(|hits| *hits > 0)?;
        let first = self.order.first(&pieces.lengths, &self.open, &peer.have);
        first.or_else(|| self.open.rarest(&peer.have, hits))
    }

    /// Endgame: requests a late block also from a faster peer, so that the last blocks do not wait
    /// for the slowest peer.
    fn of_requested(
        &mut self,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &PeerDownload,
    ) -> Option<Block> {
        let depth = if known.pipeline.is_known() {
            ENDGAME_DEPTH
        } else {
            1
        };
        if known.in_flight() >= depth || !self.is_endgame() {
            return None;
        }
        let lengths = pieces.lengths;
        let mut all = self.in_progress.iter_mut();
        all.find_map(|(piece, progress)| take_duplicate(&lengths, search, known, (piece, progress)))
    }
}

/// Takes a block of a piece that is requested from a clearly slower peer.
pub(super) fn take_duplicate(
    lengths: &Lengths,
    search: &Search<'_>,
    known: &PeerDownload,
    (piece, progress): (Piece, &mut PieceInProgress),
) -> Option<Block> {
    if progress.alone || !known.may_ask(search.now, search.peer, piece) {
        return None;
    }
    let asked = |block| {
        let mut requests = known.requests().iter();
        requests.any(|request| request.block == block)
    };
    let may = |number| {
        let block = lengths.nth_block(piece, number);
        block.is_some_and(|block| !asked(block))
    };
    let number = progress.take_shared(search.now, search.due, MAX_REQUESTERS, may)?;
    lengths.nth_block(piece, number)
}
