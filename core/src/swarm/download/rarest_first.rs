//! Rarest first (BEP 3): selects the piece to open next.

use rand::{Rng, RngExt};

use crate::types::{Bitfield, Lengths, Piece};

const NOWHERE: u32 = u32::MAX;

/// The open pieces (wanted, not complete, not in progress), ordered by the number of peers that
/// have them, and randomly within equal numbers.
///
/// `order` is divided into buckets of equal availability. `starts[a]` is the first index of bucket
/// `a`, and the last entry is `order.len()`. A change of availability by one moves a piece across
/// one boundary with a swap. Seeds have every piece and therefore do not affect the order: they are
/// not counted.
#[derive(Debug)]
pub(crate) struct RarestFirst {
    lengths: Lengths,
    availability: Vec<u32>,
    order: Vec<u32>,
    place: Vec<u32>,
    starts: Vec<u32>,
}

impl RarestFirst {
    /// The initial state: no piece is open, and no peer has any.
    pub(crate) fn new(lengths: Lengths) -> Self {
        let n = lengths.pieces() as usize;
        Self {
            lengths,
            availability: vec![0; n],
            order: Vec::new(),
            place: vec![NOWHERE; n],
            starts: vec![0, 0],
        }
    }

    /// The number of open pieces.
    pub(crate) fn open_count(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn is_open(&self, piece: Piece) -> bool {
        self.place[piece.index()] != NOWHERE
    }

    /// The open pieces, rarest first.
    pub(crate) fn open_pieces(&self) -> impl Iterator<Item = Piece> + '_ {
        self.order.iter().filter_map(|&i| self.lengths.piece(i))
    }

    /// The open pieces that a counted peer has, rarest first. In a swarm without a seed most pieces
    /// may be nowhere, and a search that passes over all of them for each piece takes time that grows
    /// with the square of their number.
    fn available(&self) -> &[u32] {
        let nowhere = self.starts.get(1).map_or(0, |&start| start as usize);
        self.order.get(nowhere..).unwrap_or_default()
    }

    /// Opens a piece at a random position in its bucket. Idempotent.
    pub(crate) fn open(&mut self, piece: Piece, rng: &mut impl Rng) {
        if self.is_open(piece) {
            return;
        }
        let bucket = self.availability[piece.index()] as usize;
        self.grow(bucket);
        let mut at = self.order.len();
        self.order.push(piece.get());
        self.place[piece.index()] = index(at);
        let last = self.starts.len() - 1;
        self.starts[last] += 1;
        for b in (bucket + 1..last).rev() {
            at = self.swap(at, self.starts[b] as usize);
            self.starts[b] += 1;
        }
        let other = rng.random_range(self.starts[bucket]..=index(at));
        self.swap(at, other as usize);
    }

    /// Closes a piece that is in progress, complete or no longer wanted. Idempotent.
    pub(crate) fn close(&mut self, piece: Piece) {
        if !self.is_open(piece) {
            return;
        }
        let mut at = self.place[piece.index()] as usize;
        for b in self.availability[piece.index()] as usize..self.starts.len() - 1 {
            at = self.swap(at, self.starts[b + 1] as usize - 1);
            self.starts[b + 1] -= 1;
        }
        self.order.pop();
        self.place[piece.index()] = NOWHERE;
    }

    /// Records that one more peer has the piece.
    pub(crate) fn gained(&mut self, piece: Piece) {
        let a = self.availability[piece.index()] as usize;
        self.availability[piece.index()] += 1;
        if self.is_open(piece) {
            self.grow(a + 1);
            self.swap(
                self.place[piece.index()] as usize,
                self.starts[a + 1] as usize - 1,
            );
            self.starts[a + 1] -= 1;
        }
    }

    /// Records that one peer fewer has the piece.
    pub(crate) fn lost(&mut self, piece: Piece) {
        let a = self.availability[piece.index()] as usize;
        if a == 0 {
            return;
        }
        self.availability[piece.index()] -= 1;
        if self.is_open(piece) {
            self.swap(self.place[piece.index()] as usize, self.starts[a] as usize);
            self.starts[a] += 1;
        }
    }

    /// The rarest open piece in `have`. `hits` is the number of open pieces in `have`; it
    /// determines which of two search orders is shorter.
    pub(crate) fn rarest(&self, have: &Bitfield, hits: u32) -> Option<Piece> {
        if hits == 0 {
            return None;
        }
        if have.is_all() {
            return self.open_pieces().next();
        }
        let available = self.available();
        if u64::from(hits) * 64 >= available.len() as u64 {
            let mut pieces = available.iter().filter_map(|&i| self.lengths.piece(i));
            return pieces.find(|&p| have.has(p));
        }
        let open = have
            .ones()
            .filter_map(|i| self.lengths.piece(i))
            .filter(|&p| self.is_open(p));
        open.min_by_key(|p| self.place[p.index()])
    }

    /// Creates the bucket if it does not exist.
    fn grow(&mut self, bucket: usize) {
        let end = index(self.order.len());
        while self.starts.len() < bucket + 2 {
            self.starts.push(end);
        }
    }

    /// Swaps two positions. Returns the second one, which now holds the first piece.
    fn swap(&mut self, a: usize, b: usize) -> usize {
        self.order.swap(a, b);
        self.place[self.order[a] as usize] = index(a);
        self.place[self.order[b] as usize] = index(b);
        b
    }
}

/// Converts a position; there are at most `MAX_PIECES`.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NOWHERE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    const N: u32 = 40;

    #[derive(Clone, Debug)]
    enum Step {
        Open(u32),
        Close(u32),
        Gained(u32),
        Lost(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        (0..4u8, 0..N).prop_map(|(kind, i)| match kind {
            0 => Step::Open(i),
            1 => Step::Close(i),
            2 => Step::Gained(i),
            _ => Step::Lost(i),
        })
    }

    /// A simple model that recounts what the picker maintains by swaps.
    #[derive(Default)]
    struct Model {
        open: std::collections::BTreeSet<u32>,
        availability: std::collections::BTreeMap<u32, u32>,
    }

    impl Model {
        fn step(&mut self, step: &Step) {
            match *step {
                Step::Open(i) => drop(self.open.insert(i)),
                Step::Close(i) => drop(self.open.remove(&i)),
                Step::Gained(i) => *self.availability.entry(i).or_default() += 1,
                Step::Lost(i) => {
                    let a = self.availability.entry(i).or_default();
                    *a = a.saturating_sub(1);
                }
            }
        }
        fn of(&self, i: u32) -> u32 {
            self.availability.get(&i).copied().unwrap_or(0)
        }
    }

    proptest! {
        #[test]
        fn the_order_is_by_availability_after_any_history(steps in proptest::collection::vec(step(), 0..300), seed in any::<u64>(), has in any::<u64>()) {
            let lengths = Lengths::new(u64::from(N), 1).unwrap();
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (mut picker, mut model) = (RarestFirst::new(lengths), Model::default());
            for s in &steps {
                model.step(s);
                let piece = |i: u32| lengths.piece(i).unwrap();
                match *s {
                    Step::Open(i) => picker.open(piece(i), &mut rng),
                    Step::Close(i) => picker.close(piece(i)),
                    Step::Gained(i) => picker.gained(piece(i)),
                    Step::Lost(i) => picker.lost(piece(i)),
                }
            }
            let order: Vec<u32> = picker.open_pieces().map(Piece::get).collect();
            prop_assert!(order.is_sorted_by_key(|&i| model.of(i)));
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, model.open.iter().copied().collect::<Vec<_>>());

            let mut have = Bitfield::none(N);
            // What a peer has is counted.
            let has = |i: u32| has >> i & 1 == 1 && model.of(i) > 0;
            for i in (0..N).filter(|&i| has(i)) {
                have.set(lengths.piece(i).unwrap());
            }
            let hits = u32::try_from(order.iter().filter(|&&i| has(i)).count()).unwrap();
            let rarest = picker.rarest(&have, hits).map(|p| model.of(p.get()));
            prop_assert_eq!(rarest, order.iter().filter(|&&i| has(i)).map(|&i| model.of(i)).min());
        }
    }

    #[test]
    fn pieces_that_are_nowhere_are_not_searched() {
        let lengths = Lengths::new(60_000, 1).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut picker = RarestFirst::new(lengths);
        lengths.iter().for_each(|p| picker.open(p, &mut rng));
        let mut have = Bitfield::none(lengths.pieces());
        for piece in lengths.iter().take(1000) {
            have.set(piece);
            picker.gained(piece);
        }
        for left in (1..=1000).rev() {
            assert_eq!(picker.available().len(), left as usize);
            let piece = picker.rarest(&have, left).unwrap();
            assert!(have.has(piece));
            picker.close(piece);
        }
        assert_eq!(picker.rarest(&have, 0), None);
    }

    #[test]
    fn equally_rare_pieces_come_in_an_order_of_chance() {
        let lengths = Lengths::new(64, 1).unwrap();
        let order = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut picker = RarestFirst::new(lengths);
            lengths.iter().for_each(|p| picker.open(p, &mut rng));
            picker.open_pieces().map(Piece::get).collect::<Vec<_>>()
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
