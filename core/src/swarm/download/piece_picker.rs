//! Selects the next block to request from a peer, from the pieces in progress and from those that
//! can be opened.

use std::collections::BTreeMap;

use super::blame::Blame;
use super::in_progress::{Arrival, PieceInProgress};
use super::order::FetchOrder;
use super::peer::{PeerDownload, SentRequest};
use super::rarest_first::RarestFirst;
use super::source::Source;
use crate::context::Context;
use crate::io::{PriorityRange, Rope};
use crate::swarm::peers::Peer;
use crate::swarm::storage::Pieces;
use crate::types::{Block, ConnId, Instant, Lengths, PeerIdentity, Piece};

/// The maximum number of peers from which a block is requested in the endgame.
const ENDGAME_REQUESTERS: u8 = 3;
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
    open: RarestFirst,
    in_progress: BTreeMap<Piece, PieceInProgress>,
    blame: Blame,
    order: FetchOrder,
}

impl PiecePicker {
    pub(super) fn new(lengths: Lengths) -> Self {
        Self {
            open: RarestFirst::new(lengths),
            in_progress: BTreeMap::new(),
            blame: Blame::default(),
            order: FetchOrder::default(),
        }
    }

    /// Sets the ranges that are downloaded first.
    pub(super) fn prioritise(&mut self, lengths: &Lengths, ranges: &[PriorityRange]) {
        self.order.set(lengths, ranges);
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
        self.in_progress.contains_key(&piece)
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
        let busy = pieces.storing().has(piece) || self.in_progress.contains_key(&piece);
        pieces.lacks(piece) && !busy
    }

    /// Stores a block. Returns the effect, and whether its piece is complete now. `None` if the
    /// piece is not in progress.
    pub(super) fn handle_block(
        &mut self,
        (block, data): (Block, bytes::Bytes),
        from: PeerIdentity,
        was_late: bool,
    ) -> Option<(Arrival, bool)> {
        let progress = self.in_progress.get_mut(&block.piece())?;
        let arrival = progress.arrived(block.number(), data, from, !was_late);
        Some((arrival, progress.missing() == 0))
    }

    /// Whether a piece in progress is assigned to this peer.
    pub(super) fn owns(&self, conn: ConnId, piece: Piece) -> bool {
        let progress = self.in_progress.get(&piece);
        progress.is_some_and(|progress| progress.owner == Some(Source::Peer(conn)))
    }

    /// Releases the block of a request that will not be answered, unless other peers have been
    /// asked for it.
    pub(super) fn give_back(&mut self, request: SentRequest) {
        let progress = self.in_progress.get_mut(&request.block.piece());
        if let Some(progress) = progress.filter(|_| !request.late) {
            progress.give_back(request.block.number());
        }
    }

    /// Releases a peer's ownership of a piece.
    pub(super) fn release_ownership(&mut self, conn: ConnId) {
        let owned = self
            .in_progress
            .values_mut()
            .filter(|p| p.owner == Some(Source::Peer(conn)));
        owned.for_each(|progress| progress.owner = None);
    }

    /// Removes a piece whose blocks have all arrived. Returns it with the sender of each block.
    pub(super) fn take_complete(
        &mut self,
        piece: Piece,
    ) -> Option<(Rope, Vec<Option<PeerIdentity>>)> {
        self.in_progress
            .remove(&piece)
            .map(PieceInProgress::into_piece)
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
        for (piece, progress) in std::mem::take(&mut self.in_progress) {
            cx.shared
                .memory
                .release(u64::from(pieces.lengths.size(piece)));
            dropped += progress.received();
        }
        dropped
    }

    /// The next block to request from this peer, in this order: from its own piece, from an
    /// abandoned one, from a new one, from another peer's piece, from blocks requested from others.
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
        self.of_current(pieces, search, known)
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
        let number = self.in_progress.get_mut(&piece)?.take_free(search.due)?;
        pieces.lengths.nth_block(piece, number)
    }

    /// Joins a piece in progress, and takes it over if no peer owns it.
    fn of_in_progress(
        &mut self,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &mut PeerDownload,
        may: impl Fn(&PieceInProgress) -> bool,
    ) -> Option<Block> {
        let fits = |piece: Piece, p: &PieceInProgress| {
            p.free() > 0 && may(p) && known.may_ask(search.now, search.peer, piece)
        };
        let mut fitting = self
            .in_progress
            .iter_mut()
            .filter(|(piece, p)| fits(**piece, p));
        let (&piece, progress) = fitting.next()?;
        let number = progress.take_free(search.due)?;
        progress.owner.get_or_insert(Source::Peer(search.conn));
        known.current = Some(piece);
        pieces.lengths.nth_block(piece, number)
    }

    fn of_new(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &mut PeerDownload,
        opened: &mut Opened,
    ) -> Option<Block> {
        loop {
            let limit = cx.config().max_unwritten;
            let memory = &mut cx.shared.memory;
            if !memory.has_room(u64::from(pieces.lengths.piece_length()), limit) {
                // Skip the search, which is the most expensive part of filling a pipeline.
                return None;
            }
            let piece = self.pick(pieces, search.peer, known, &opened.pieces)?;
            if !memory.reserve(u64::from(pieces.lengths.size(piece)), limit) {
                return None;
            }
            self.open.close(piece);
            opened.pieces.push(piece);
            let mut progress = self.begin(pieces, piece, search.conn);
            let number = progress.take_free(search.due);
            self.in_progress.insert(piece, progress);
            match number {
                Some(number) => {
                    known.current = Some(piece);
                    return pieces.lengths.nth_block(piece, number);
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
        if known.in_flight() >= depth || self.open.open_count() > 0 {
            return None;
        }
        let (lengths, due) = (pieces.lengths, search.due);
        let may = |piece: Piece, p: &PieceInProgress| {
            !p.alone && known.may_ask(search.now, search.peer, piece)
        };
        let mut fitting = self
            .in_progress
            .iter_mut()
            .filter(|(piece, p)| may(**piece, p));
        fitting.find_map(|(&piece, progress)| {
            let unasked = |number| {
                let asked = |block| {
                    known
                        .requests()
                        .iter()
                        .any(|request| request.block == block)
                };
                lengths
                    .nth_block(piece, number)
                    .is_some_and(|block| !asked(block))
            };
            let number = progress.take_shared(search.now, due, ENDGAME_REQUESTERS, unasked)?;
            lengths.nth_block(piece, number)
        })
    }
}
