//! The pieces in progress of one torrent.

use std::ops::Range;

use bytes::Bytes;

use super::in_progress::{Arrival, PieceInProgress};
use super::source::Source;
use crate::io::Rope;
use crate::types::{Block, Instant, PeerIdentity, Piece, SortedMap, SortedSet};

/// The pieces in progress. With small pieces there are thousands, most of which only wait for blocks
/// that are requested already, so those with free blocks are listed: whoever searches for a block to
/// request looks at them alone.
#[derive(Debug, Default)]
pub(super) struct PiecesInProgress {
    /// In boxes, since thousands of them move when one is inserted before them.
    pieces: SortedMap<Piece, Box<PieceInProgress>>,
    /// Those with blocks that have not arrived and are not requested.
    with_free: SortedSet<Piece>,
}

impl PiecesInProgress {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn contains(&self, piece: Piece) -> bool {
        self.pieces.contains_key(&piece)
    }

    pub(super) fn insert(&mut self, piece: Piece, progress: PieceInProgress) {
        self.pieces.insert(piece, Box::new(progress));
        self.update(piece);
    }

    /// Removes a piece whose blocks have all arrived. Returns it with the sender of each block.
    pub(super) fn take_complete(
        &mut self,
        piece: Piece,
    ) -> Option<(Rope, Vec<Option<PeerIdentity>>)> {
        let progress = self.pieces.remove(&piece);
        self.update(piece);
        progress.map(|progress| progress.into_piece())
    }

    /// Removes all pieces. Returns each with the number of bytes received for it.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = (Piece, u64)> + use<> {
        self.with_free.clear();
        let pieces = std::mem::take(&mut self.pieces).into_iter();
        pieces.map(|(piece, progress)| (piece, progress.received()))
    }

    /// Removes and returns the pieces of which nothing has arrived and nothing is requested.
    pub(super) fn take_untouched(&mut self) -> Vec<Piece> {
        let removed = self
            .pieces
            .extract_keys_if(|_, progress| progress.is_untouched());
        removed.iter().for_each(|piece| self.update(*piece));
        removed
    }

    /// Whether a piece is assigned to this source.
    pub(super) fn owns(&self, source: Source, piece: Piece) -> bool {
        let progress = self.pieces.get(&piece);
        progress.is_some_and(|progress| progress.owner == Some(source))
    }

    /// Releases a source's ownership of pieces.
    pub(super) fn release_ownership(&mut self, source: Source) {
        let owned = self
            .pieces
            .values_mut()
            .filter(|progress| progress.owner == Some(source));
        owned.for_each(|progress| progress.owner = None);
    }

    /// Whether a piece has a free block.
    pub(super) fn is_free(&self, piece: Piece) -> bool {
        self.with_free.contains(&piece)
    }

    /// Whether only one peer may download a piece.
    pub(super) fn is_alone(&self, piece: Piece) -> bool {
        self.pieces
            .get(&piece)
            .is_some_and(|progress| progress.alone)
    }

    /// Whether any piece has a free block.
    pub(super) fn has_free(&self) -> bool {
        !self.with_free.is_empty()
    }

    /// The pieces with free blocks, in order.
    pub(super) fn with_free(&self) -> impl Iterator<Item = (Piece, &PieceInProgress)> {
        let pieces = self.with_free.iter();
        pieces.filter_map(|piece| Some((*piece, &**self.pieces.get(piece)?)))
    }

    /// Takes a free block of a piece for a source, which should send it by `due`, and which owns the
    /// piece from now on if no other does. `None` if there is none, or another source downloads the
    /// piece alone.
    pub(super) fn take_free(&mut self, piece: Piece, source: Source, due: Instant) -> Option<u32> {
        let progress = self.pieces.get_mut(&piece)?;
        if progress.is_closed_to(source) {
            return None;
        }
        let number = progress.take_free(due)?;
        progress.owner.get_or_insert(source);
        self.update(piece);
        Some(number)
    }

    /// All pieces, to request blocks that are requested already.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Piece, &mut PieceInProgress)> {
        self.range_mut(0..u32::MAX)
    }

    /// As [`PiecesInProgress::iter_mut`], of the pieces whose indices are in this range, in order.
    pub(super) fn range_mut(
        &mut self,
        range: Range<u32>,
    ) -> impl Iterator<Item = (Piece, &mut PieceInProgress)> {
        let start = range.start;
        self.pieces
            .iter_mut_from(move |piece| piece.get() < start)
            .take_while(move |(piece, _)| range.contains(&piece.get()))
            .map(|(piece, progress)| (*piece, &mut **progress))
    }

    /// Releases a block that a peer will not send.
    pub(super) fn give_back(&mut self, block: Block) {
        if let Some(progress) = self.pieces.get_mut(&block.piece()) {
            progress.give_back(block.number());
            self.update(block.piece());
        }
    }

    /// Stores a block that arrived. `asked`: whether the peer still counted as one of its
    /// requesters. Returns the effect, and whether its piece is complete now. `None` if the piece is
    /// not in progress, or only another source may download it.
    pub(super) fn arrived(
        &mut self,
        (block, data): (Block, Bytes),
        (source, from): (Source, PeerIdentity),
        asked: bool,
    ) -> Option<(Arrival, bool)> {
        let progress = self.pieces.get_mut(&block.piece())?;
        if progress.is_closed_to(source) {
            // It was requested before, and would hide who lies.
            if asked {
                self.give_back(block);
            }
            return None;
        }
        let free = progress.free();
        let arrival = progress.arrived(block.number(), data, from, asked);
        let outcome = (arrival, progress.missing() == 0);
        // Most blocks were requested, and change nothing here.
        if progress.free() != free {
            self.update(block.piece());
        }
        Some(outcome)
    }

    fn update(&mut self, piece: Piece) {
        if self.pieces.get(&piece).is_some_and(|p| p.free() > 0) {
            self.with_free.insert(piece);
        } else {
            self.with_free.remove(&piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{ConnId, Lengths, PeerId};

    const OURS: Source = Source::Peer(ConnId::dialled(0));
    const THEIRS: Source = Source::Peer(ConnId::dialled(1));

    /// A thousand pieces of one block, all of them in progress.
    fn thousand() -> (Vec<Block>, PiecesInProgress) {
        let lengths = Lengths::new(1000 * 16_384, 16_384).unwrap();
        let mut pieces = PiecesInProgress::default();
        let blocks = lengths.iter().map(|piece| {
            pieces.insert(piece, PieceInProgress::new(1, OURS, false));
            lengths.nth_block(piece, 0).unwrap()
        });
        (blocks.collect(), pieces)
    }

    #[test]
    fn only_pieces_with_free_blocks_are_searched_however_many_are_in_progress() {
        let (blocks, mut pieces) = thousand();
        assert_eq!(pieces.with_free().count(), 1000);
        for block in &blocks {
            let taken = pieces.take_free(block.piece(), THEIRS, Instant::ZERO);
            assert_eq!(taken, Some(0));
        }
        assert!(!pieces.has_free());
        assert_eq!(pieces.with_free().count(), 0);
        pieces.give_back(blocks[7]);
        let free: Vec<_> = pieces.with_free().map(|(piece, _)| piece).collect();
        assert_eq!(free, [blocks[7].piece()]);
    }

    #[test]
    fn a_piece_is_not_searched_after_its_free_block_arrived_or_it_was_taken() {
        let (blocks, mut pieces) = thousand();
        let from = PeerIdentity {
            addr: ([127, 0, 0, 1], 1).into(),
            peer_id: PeerId([1; 20]),
        };
        let arrived = pieces.arrived((blocks[0], Bytes::from_static(b"a")), (OURS, from), false);
        assert_eq!(arrived, Some((Arrival::Taken { others: 0 }, true)));
        assert_eq!(pieces.with_free().count(), 999);
        assert!(pieces.take_complete(blocks[0].piece()).is_some());
        assert!(pieces.take_complete(blocks[1].piece()).is_some());
        assert_eq!(pieces.with_free().count(), 998);
        assert_eq!(pieces.take_all().map(|(_, bytes)| bytes).sum::<u64>(), 0);
        assert!(!pieces.has_free());
    }

    #[test]
    fn a_piece_belongs_to_whoever_takes_its_first_block_after_it_was_released() {
        let (blocks, mut pieces) = thousand();
        let piece = blocks[0].piece();
        assert!(pieces.owns(OURS, piece));
        pieces.release_ownership(OURS);
        pieces.take_free(piece, THEIRS, Instant::ZERO);
        assert!(pieces.owns(THEIRS, piece));
    }
}
