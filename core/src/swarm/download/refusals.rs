//! Pieces of which a peer rejected a block (BEP 6). They are requested again after a pause, to
//! avoid a loop.

use std::time::Duration;

use crate::types::{Instant, Piece, SortedMap};

/// The first pause. A first reject is often temporary: the queue was full, or a choke crossed the
/// request.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The maximum pause. It doubles with each further reject of the piece.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Refusals(SortedMap<Piece, Refusal>);

#[derive(Debug)]
struct Refusal {
    until: Instant,
    pause: Duration,
}

impl Refusals {
    /// Records a reject. Rejects of requests that were in flight at the same time count once.
    pub(crate) fn add(&mut self, now: Instant, piece: Piece) {
        let refusal = self.0.get_or_insert_with(piece, || Refusal {
            until: now,
            pause: FIRST_PAUSE / 2,
        });
        if refusal.until <= now {
            refusal.pause = (refusal.pause * 2).min(LONGEST_PAUSE);
            refusal.until = now + refusal.pause;
        }
    }

    /// Whether other peers should be asked for the piece first.
    pub(crate) fn hold(&self, now: Instant, piece: Piece) -> bool {
        self.0
            .get(&piece)
            .is_some_and(|refusal| refusal.until > now)
    }

    /// Removes a piece of which the peer sent a block.
    pub(crate) fn lift(&mut self, piece: Piece) {
        self.0.remove(&piece);
    }

    /// Removes all pieces, because the peer unchoked us.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Lengths;

    #[test]
    fn a_piece_is_asked_for_again_after_half_a_second_and_then_ever_later() {
        let piece = Lengths::new(1, 1).unwrap().piece(0).unwrap();
        let mut refusals = Refusals::default();
        let mut now = Instant::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..7 {
            refusals.add(now, piece);
            refusals.add(now, piece);
            let start = now;
            while refusals.hold(now, piece) {
                now = now + Duration::from_millis(100);
            }
            pauses.push(now.since(start).as_millis());
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        refusals.lift(piece);
        refusals.add(now, piece);
        assert!(!refusals.hold(now + FIRST_PAUSE, piece));
    }
}
