//! The order of downloading.

use std::ops::Range;

use super::rarest_first::RarestFirst;
use crate::io::PriorityRange;
use crate::types::{Bitfield, Instant, Lengths, Piece, sort};

/// The place of a piece in the order of downloading: the index of its range, and the piece.
pub(super) type Place = (usize, Piece);

/// Ranges of pieces that are downloaded before all others, each from its start; the range with the
/// nearest deadline comes first. All other pieces are downloaded rarest first (BEP 3).
#[derive(Debug, Default)]
pub(super) struct FetchOrder {
    ranges: Vec<Range<u32>>,
    /// The number of ranges, from the first on, that are awaited.
    awaited: usize,
    /// The index of a range, and of a piece in it; no piece before that is open.
    cursor: Option<(usize, u32)>,
}

impl FetchOrder {
    /// Replaces the ranges. A byte range covers every piece that it touches.
    pub(super) fn set(&mut self, now: Instant, lengths: &Lengths, ranges: &[PriorityRange]) {
        let mut sorted = ranges.to_vec();
        // Stable, so that ranges with the same deadline keep their order.
        sort::sort_by_key(&mut sorted, |range| range.deadline);
        let (awaited, others) = sorted.split_at(sorted.partition_point(|r| r.deadline <= now));
        let pieces = |range| pieces_of(lengths, range);
        self.ranges = awaited.iter().filter_map(pieces).collect();
        self.awaited = self.ranges.len();
        self.ranges.extend(others.iter().filter_map(pieces));
        self.cursor = None;
    }

    /// The pieces of the awaited ranges.
    pub(super) fn awaited(&self) -> &[Range<u32>] {
        self.ranges.get(..self.awaited).unwrap_or_default()
    }

    /// Whether a piece is in an awaited range.
    pub(super) fn awaits(&self, piece: Piece) -> bool {
        self.place(piece).is_some()
    }

    /// The place of a piece in the order of the awaited ranges; `None` if it is in none of them.
    pub(super) fn place(&self, piece: Piece) -> Option<Place> {
        let index = piece.get();
        let range = self
            .awaited()
            .iter()
            .position(|range| range.contains(&index))?;
        Some((range, piece))
    }

    /// Whether there are no ranges.
    pub(super) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Restarts the search after a piece was opened again.
    pub(super) fn handle_opened(&mut self) {
        self.cursor = None;
    }

    /// The first open piece of the ranges that a peer has.
    pub(super) fn first(
        &mut self,
        lengths: &Lengths,
        picker: &RarestFirst,
        have: &Bitfield,
    ) -> Option<Piece> {
        self.first_before(self.ranges.len(), lengths, picker, have)
    }

    /// As [`FetchOrder::first`], of the awaited ranges.
    pub(super) fn first_awaited(
        &mut self,
        lengths: &Lengths,
        picker: &RarestFirst,
        have: &Bitfield,
    ) -> Option<Piece> {
        self.first_before(self.awaited, lengths, picker, have)
    }

    /// The first open piece that a peer has of the ranges with a lower index than `end`.
    fn first_before(
        &mut self,
        end: usize,
        lengths: &Lengths,
        picker: &RarestFirst,
        have: &Bitfield,
    ) -> Option<Piece> {
        let open = |index: u32| lengths.piece(index).filter(|piece| picker.is_open(*piece));
        let mut first_open = None;
        let found = self
            .after_cursor()
            .take_while(|(range, _)| *range < end)
            .find_map(|(range, index)| {
                let piece = open(index)?;
                first_open.get_or_insert((range, index));
                have.has(piece).then_some(piece)
            });
        self.cursor = self.cursor.max(first_open.or(Some((end, 0))));
        found
    }

    /// Ranges and pieces in order, starting at the cursor.
    fn after_cursor(&self) -> impl Iterator<Item = (usize, u32)> {
        let (first, start) = self.cursor.unwrap_or_default();
        let ranges = self.ranges.iter().enumerate().skip(first);
        ranges.flat_map(move |(at, range)| {
            let start = if at == first {
                range.start.max(start)
            } else {
                range.start
            };
            (start..range.end).map(move |index| (at, index))
        })
    }
}

fn pieces_of(lengths: &Lengths, range: &PriorityRange) -> Option<Range<u32>> {
    let end = range.end.min(lengths.total());
    let mut touched = lengths.pieces_of(range.start, end.checked_sub(range.start)?);
    let first = touched.next()?.get();
    Some(first..touched.last().map_or(first, Piece::get) + 1)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn range(start: u64, end: u64, deadline: u64) -> PriorityRange {
        PriorityRange {
            start,
            end,
            deadline: Instant::from_micros(deadline),
        }
    }

    /// Ten pieces of ten bytes, all of them open.
    fn open() -> (Lengths, RarestFirst, ChaCha8Rng) {
        let lengths = Lengths::new(100, 10).unwrap();
        let (mut picker, mut rng) = (RarestFirst::new(lengths), ChaCha8Rng::seed_from_u64(1));
        lengths
            .iter()
            .for_each(|piece| picker.open(piece, &mut rng));
        (lengths, picker, rng)
    }

    #[test]
    fn the_range_with_the_nearest_deadline_is_fetched_from_its_beginning_on() {
        let (lengths, mut picker, _) = open();
        let mut order = FetchOrder::default();
        order.set(
            Instant::ZERO,
            &lengths,
            &[range(55, 75, 9), range(20, 41, 3), PriorityRange::ALL],
        );
        let all = Bitfield::all(10);
        let taken = std::iter::from_fn(|| {
            let piece = order.first(&lengths, &picker, &all)?;
            picker.close(piece);
            Some(piece.get())
        });
        assert_eq!(taken.collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7, 0, 1, 8, 9]);
    }

    #[test]
    fn a_peer_gets_what_it_has_and_a_piece_that_is_opened_again_comes_first() {
        let (lengths, mut picker, mut rng) = open();
        let mut order = FetchOrder::default();
        order.set(Instant::ZERO, &lengths, &[PriorityRange::ALL]);
        let [zero, one, five] = [0, 1, 5].map(|index| lengths.piece(index).unwrap());
        let mut have = Bitfield::none(10);
        have.set(five);
        assert_eq!(order.first(&lengths, &picker, &have), Some(five));
        assert_eq!(
            order.first(&lengths, &picker, &Bitfield::all(10)),
            Some(zero)
        );
        picker.close(zero);
        assert_eq!(
            order.first(&lengths, &picker, &Bitfield::all(10)),
            Some(one)
        );
        picker.open(zero, &mut rng);
        order.handle_opened();
        assert_eq!(
            order.first(&lengths, &picker, &Bitfield::all(10)),
            Some(zero)
        );
    }

    #[test]
    fn ranges_beyond_the_end_and_empty_ones_cover_nothing() {
        let (lengths, picker, _) = open();
        let mut order = FetchOrder::default();
        order.set(
            Instant::ZERO,
            &lengths,
            &[range(100, 200, 0), range(30, 30, 0), range(40, 30, 0)],
        );
        assert!(order.is_empty());
        assert_eq!(order.first(&lengths, &picker, &Bitfield::all(10)), None);
    }

    #[test]
    fn ranges_whose_deadline_has_passed_are_awaited_and_come_before_the_others() {
        let (lengths, picker, _) = open();
        let mut order = FetchOrder::default();
        order.set(
            Instant::from_micros(5),
            &lengths,
            &[PriorityRange::ALL, range(70, 90, 5), range(0, 20, 6)],
        );
        let awaited = lengths.iter().filter(|piece| order.awaits(*piece));
        assert_eq!(awaited.map(Piece::get).collect::<Vec<_>>(), [7, 8]);
        let mut have = Bitfield::all(10);
        let seven = lengths.piece(7);
        assert_eq!(order.first_awaited(&lengths, &picker, &have), seven);
        have.clear(lengths.piece(7).unwrap());
        have.clear(lengths.piece(8).unwrap());
        assert_eq!(order.first_awaited(&lengths, &picker, &have), None);
        assert_eq!(order.first(&lengths, &picker, &have), lengths.piece(0));
        let all = Bitfield::all(10);
        assert_eq!(
            order.first(&lengths, &picker, &all),
            seven,
            "it is still open"
        );
    }
}
