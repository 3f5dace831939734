//! Selects the next block of the pieces that are awaited. Unlike other pieces, an awaited one is
//! requested from all peers at once, in the order in which it will be needed: a piece from a single
//! slow peer takes long, and a player waits for the first one.

use super::in_progress::PieceInProgress;
use super::order::Place;
use super::peer::PeerDownload;
use super::piece_picker::{Opened, PiecePicker, Search, take_duplicate};
use super::source::Source;
use crate::context::Context;
use crate::swarm::storage::Pieces;
use crate::types::{Bitfield, Block, Piece};

/// The bytes at the beginning of an awaited range, and at least its first two pieces, of which blocks
/// are also requested from faster peers. What follows is needed later, and a block that comes twice
/// takes the time of another one.
const NEAR: u64 = 1 << 20;

impl PiecePicker {
    /// Whether a piece is in a range that is awaited.
    pub(super) fn awaits(&self, piece: Piece) -> bool {
        self.order.awaits(piece)
    }

    /// A piece that an awaited range needs next and that is not requested yet.
    pub(super) fn next_awaited(&self, pieces: &Pieces) -> Option<Piece> {
        let needed = |piece: &Piece| pieces.lacks(*piece) && !pieces.storing().has(*piece);
        self.order.awaited().iter().find_map(|range| {
            let mut range = range
                .clone()
                .filter_map(|index| pieces.lengths.piece(index));
            let next = range.find(needed);
            next.filter(|piece| self.is_open(*piece) || self.in_progress.is_free(*piece))
        })
    }

    /// Whether pieces that are awaited, and that a peer has, are not requested from anybody yet.
    pub(super) fn has_open_awaited(&mut self, pieces: &Pieces, have: &Bitfield) -> bool {
        let open = self.order.first_awaited(&pieces.lengths, &self.open, have);
        open.is_some()
    }

    /// A block of the first awaited piece that lacks any: one that is not requested yet or, if the piece
    /// is needed soon, one that is requested from a clearly slower peer.
    pub(super) fn of_awaited(
        &mut self,
        cx: &mut Context,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &mut PeerDownload,
        opened: &mut Opened,
    ) -> Option<Block> {
        if self.order.awaited().is_empty() {
            return None;
        }
        let open = self
            .order
            .first_awaited(&pieces.lengths, &self.open, &search.peer.have)
            .filter(|piece| known.may_ask(search.now, search.peer, *piece))
            .and_then(|piece| self.order.place(piece));
        let begun = self.awaited_in_progress(search, known);
        let next = open.into_iter().chain(begun).min();
        if let Some(block) = self.duplicate_of_awaited(pieces, search, known, next) {
            return Some(block);
        }
        if next.is_some() && next == open {
            let block = self.of_new(cx, pieces, search, known, opened);
            if block.is_some() {
                return block;
            }
        }
        // Also if there is no memory for another piece.
        let (_, piece) = begun?;
        self.join(pieces, search, known, piece)
    }

    /// The first awaited piece in progress with free blocks for this peer.
    fn awaited_in_progress(&self, search: &Search<'_>, known: &PeerDownload) -> Option<Place> {
        let ours = Source::Peer(search.conn);
        let fits = |piece: Piece, progress: &PieceInProgress| {
            !progress.is_closed_to(ours) && known.may_ask(search.now, search.peer, piece)
        };
        let with_free = self.in_progress.with_free();
        let places = with_free.filter_map(|(piece, progress)| {
            let place = self.order.place(piece)?;
            fits(piece, progress).then_some(place)
        });
        places.min()
    }

    /// A block that is needed soon and requested from a clearly slower peer: of the first awaited
    /// piece in progress that has one and comes before `next`.
    fn duplicate_of_awaited(
        &mut self,
        pieces: &Pieces,
        search: &Search<'_>,
        known: &PeerDownload,
        next: Option<Place>,
    ) -> Option<Block> {
        // A peer of unknown speed gets one.
        if !known.pipeline.is_known() && known.in_flight() > 0 {
            return None;
        }
        let lengths = &pieces.lengths;
        let near = NEAR / u64::from(lengths.piece_length());
        let near = u32::try_from(near).unwrap_or(u32::MAX).max(1);
        for (at, range) in self.order.awaited().iter().enumerate() {
            let end = range.start.saturating_add(near).saturating_add(1);
            let needed = range.start..end.min(range.end);
            for (piece, progress) in self.in_progress.range_mut(needed) {
                if next.is_some_and(|next| next <= (at, piece)) {
                    return None;
                }
                let block = take_duplicate(lengths, search, known, (piece, progress));
                if block.is_some() {
                    return block;
                }
            }
        }
        None
    }
}
