//! Which block a peer is asked for next: the pieces in progress, and those that could be opened.

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

/// In the endgame a block is asked of so many peers at a time.
const ENDGAME_REQUESTERS: u8 = 3;
/// In the endgame a peer is asked for so many blocks at a time: what is asked twice is paid for
/// twice. A peer that has yet to show how fast it is gets one.
const ENDGAME_DEPTH: usize = 32;

/// Pieces that one filling of a pipeline opened.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) pieces: Vec<Piece>,
    /// Of these, those that are all padding: nothing of them is asked for.
    pub(super) complete: Vec<Piece>,
}

/// For whom a block is looked for, and when that peer should have sent it.
pub(super) struct Search<'a> {
    pub(super) conn: ConnId,
    pub(super) peer: &'a Peer,
    pub(super) now: Instant,
    pub(super) due: Instant,
}

/// The pieces of a torrent that are still to come.
#[derive(Debug)]
pub(super) struct PiecePicker {
    /// Pieces that are wanted, and neither had nor in progress.
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

    /// What comes first.
    pub(super) fn prioritise(&mut self, lengths: &Lengths, ranges: &[PriorityRange]) {
        self.order.set(lengths, ranges);
    }

    /// One more peer has the piece.
    pub(super) fn gained(&mut self, piece: Piece) {
        self.open.gained(piece);
    }

    /// One peer fewer has the piece.
    pub(super) fn lost(&mut self, piece: Piece) {
        self.open.lost(piece);
    }

    /// Whether the piece is wanted, and neither had nor in progress.
    pub(super) fn is_open(&self, piece: Piece) -> bool {
        self.open.is_open(piece)
    }

    /// Whether the piece is being fetched.
    pub(super) fn is_in_progress(&self, piece: Piece) -> bool {
        self.in_progress.contains_key(&piece)
    }

    /// What is wanted or had changed as a whole.
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

    /// A piece that is not had after all is open again. Returns whether it is.
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

    /// A block came. Returns what became of it, and whether its piece is complete now. `None`: the
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

    /// Whether a piece in progress is this peer's to fetch.
    pub(super) fn owns(&self, conn: ConnId, piece: Piece) -> bool {
        let progress = self.in_progress.get(&piece);
        progress.is_some_and(|progress| progress.owner == Some(Source::Peer(conn)))
    }

    /// One request of ours will not be answered: the block is free, unless others are asked for it.
    pub(super) fn give_back(&mut self, request: SentRequest) {
        let progress = self.in_progress.get_mut(&request.block.piece());
        if let Some(progress) = progress.filter(|_| !request.late) {
            progress.give_back(request.block.number());
        }
    }

    /// A peer no longer fetches a piece of its own.
    pub(super) fn release_ownership(&mut self, conn: ConnId) {
        let owned = self
            .in_progress
            .values_mut()
            .filter(|p| p.owner == Some(Source::Peer(conn)));
        owned.for_each(|progress| progress.owner = None);
    }

    /// All blocks of a piece are there: the piece and, block by block, who sent it.
    pub(super) fn take_complete(
        &mut self,
        piece: Piece,
    ) -> Option<(Rope, Vec<Option<PeerIdentity>>)> {
        self.in_progress
            .remove(&piece)
            .map(PieceInProgress::into_piece)
    }

    /// A piece matched its hash. Returns who sent a wrong block of it before.
    pub(super) fn handle_verified(&mut self, piece: Piece, data: &Rope) -> Vec<PeerIdentity> {
        self.blame.passed(piece, data)
    }

    /// A piece did not match its hash. Returns the peer to blame, if there is only one that can be.
    pub(super) fn handle_corrupt(
        &mut self,
        piece: Piece,
        data: &Rope,
        from: &[Option<PeerIdentity>],
    ) -> Option<PeerIdentity> {
        self.blame.failed(piece, data, from)
    }

    /// Forgets the pieces in progress and frees their memory. Returns the bytes that had come.
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

    /// The block to ask this peer for, in this order: of the piece it fetches, of one that was
    /// left, of a new one, of another peer's, of what others are asked for.
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

    /// Joins a piece in progress, and takes it over if no peer fetches it.
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
                // Not even worth the search, which is the longest part of filling a pipeline.
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

    /// A piece to fetch, for one peer. Padding is in it already (BEP 47).
    fn begin(&self, pieces: &Pieces, piece: Piece, owner: ConnId) -> PieceInProgress {
        let (blocks, alone) = (pieces.lengths.blocks(piece), self.blame.suspects(piece));
        let mut progress = PieceInProgress::new(blocks, Source::Peer(owner), alone);
        for (number, zeros) in pieces.padding.blocks_of(piece) {
            progress.fill(number, zeros);
        }
        progress
    }

    /// The piece to open for a peer. `opened`: pieces that this very search opened, which are not
    /// yet taken off the peer's count.
    fn pick(
        &mut self,
        pieces: &Pieces,
        peer: &Peer,
        known: &PeerDownload,
        opened: &[Piece],
    ) -> Option<Piece> {
        if peer.peer_choking {
            // What a choking peer allows lies anywhere: of no use while a beginning is wanted
            // first.
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

    /// Endgame: what is slow to come is asked of a faster peer, too, so that the last blocks do
    /// not wait for the slowest.
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
