//! The pieces that are read and hashed again while the torrent is active, because another program
//! may have changed them.
//!
//! A piece on this list is *doubted*. It still counts as complete, since most changes are harmless,
//! but it is not served, new peers are not told of it, and nothing is reported as finished while a
//! piece is in doubt. Requests for it wait.

use std::collections::VecDeque;

use crate::io::{OpError, Rechecked};
use crate::types::{Bitfield, Instant, Lengths, Piece, SortedSet};

/// The pieces to read and hash again.
#[derive(Debug)]
pub(crate) struct Recheck {
    /// May contain pieces that were read in the meantime; `listed` decides.
    todo: VecDeque<Piece>,
    listed: Bitfield,
    /// Pieces that peers wait for; they are read first.
    hurried: Bitfield,
    in_flight: SortedSet<Piece>,
    /// Pieces that turned out to be wrong, and are about to be removed.
    wrong: Bitfield,
    /// Pieces that turned out to be correct although they were not complete.
    found: Vec<Piece>,
    /// Those of the wrong pieces that could not be read.
    unreadable: Bitfield,
    /// Whether nothing is read until the torrent goes on after a failure.
    is_blocked: bool,
    outcome: Rechecked,
    /// Peers that connected after this time were not told of the doubted pieces.
    since: Option<Instant>,
}

impl Recheck {
    pub(crate) fn new(pieces: u32) -> Self {
        let none = Bitfield::none(pieces);
        Self {
            todo: VecDeque::new(),
            listed: none.clone(),
            hurried: none.clone(),
            in_flight: SortedSet::new(),
            wrong: none.clone(),
            found: Vec::new(),
            unreadable: none,
            is_blocked: false,
            outcome: Rechecked::default(),
            since: None,
        }
    }

    /// Whether no piece is to be read, and the results of all reads were applied.
    pub(crate) fn is_over(&self) -> bool {
        self.since.is_none()
    }

    /// Whether a piece may have changed.
    pub(crate) fn doubts(&self, piece: Piece) -> bool {
        !self.is_over()
            && (self.listed.has(piece) || self.in_flight.contains(&piece) || self.wrong.has(piece))
    }

    /// The number of pieces being read.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Peers that connected after this time were not told of the doubted pieces.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Lists a piece, even one that is being read, since that read may have preceded the change.
    pub(crate) fn list(&mut self, now: Instant, piece: Piece) {
        self.since.get_or_insert(now);
        self.wrong.clear(piece);
        self.unreadable.clear(piece);
        self.found.retain(|found| *found != piece);
        if self.listed.set(piece) {
            self.todo.push_back(piece);
        }
    }

    /// Moves a listed piece to the front, because a peer requested it.
    pub(crate) fn hurry(&mut self, piece: Piece) {
        if self.listed.has(piece) && self.hurried.set(piece) {
            self.todo.push_front(piece);
        }
    }

    pub(crate) fn next(&mut self) -> Option<Piece> {
        loop {
            let piece = self
                .todo
                .iter()
                .position(|piece| !self.in_flight.contains(piece))
                .and_then(|at| self.todo.remove(at))?;
            self.hurried.clear(piece);
            if self.listed.clear(piece) {
                self.in_flight.insert(piece);
                return Some(piece);
            }
        }
    }

    /// Ends a read. Returns whether its result counts.
    fn done(&mut self, piece: Piece) -> bool {
        self.in_flight.remove(&piece) && !self.listed.has(piece)
    }

    /// Handles a piece that was read. `good`: it is correct; `had`: it was complete. Returns
    /// whether it is unchanged.
    pub(crate) fn handle_read(&mut self, piece: Piece, good: bool, had: bool) -> bool {
        if !self.done(piece) {
            return false;
        }
        self.outcome.read += 1;
        match (good, had) {
            (true, false) => self.found.push(piece),
            (false, true) => {
                self.wrong.set(piece);
            }
            (true, true) | (false, false) => {}
        }
        good && had
    }

    /// Lists a piece again that could not be read. Nothing is read before [`Recheck::unblock`].
    pub(crate) fn postpone(&mut self, now: Instant, piece: Piece) {
        self.in_flight.remove(&piece);
        self.list(now, piece);
        self.is_blocked = true;
    }

    /// Gives up a piece that could not be read. `had`: it was complete.
    pub(crate) fn give_up(&mut self, piece: Piece, had: bool, error: &OpError) {
        if !self.done(piece) {
            return;
        }
        self.outcome.read += 1;
        if had {
            self.wrong.set(piece);
            self.unreadable.set(piece);
            self.outcome.error.get_or_insert_with(|| error.clone());
        }
    }

    /// Whether nothing is read because a piece could not be.
    pub(crate) const fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Reads go on.
    pub(crate) const fn unblock(&mut self) {
        self.is_blocked = false;
    }

    /// Takes the pieces that turned out to be wrong, and those that were found.
    pub(crate) fn take_outcome(&mut self, lengths: &Lengths) -> (Vec<Piece>, Vec<Piece>) {
        let wrong = self
            .wrong
            .ones()
            .filter_map(|index| lengths.piece(index))
            .collect();
        self.outcome.unreadable += self.unreadable.count();
        self.outcome.wrong += self.wrong.count() - self.unreadable.count();
        self.wrong = Bitfield::none(lengths.pieces());
        self.unreadable = Bitfield::none(lengths.pieces());
        (wrong, std::mem::take(&mut self.found))
    }

    /// What became of the pieces.
    pub(crate) fn into_outcome(self) -> Rechecked {
        self.outcome
    }

    /// Leaves the remaining pieces to the next start, since a record does not cover files that
    /// changed.
    pub(crate) fn abandon(&mut self) {
        self.todo.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn four() -> ([Piece; 4], Recheck) {
        let lengths = Lengths::new(64, 16).unwrap();
        let pieces: Vec<Piece> = lengths.iter().collect();
        (pieces.try_into().unwrap(), Recheck::new(4))
    }

    #[test]
    fn what_somebody_waits_for_is_read_first_and_everything_once() {
        let ([a, b, c, _], mut recheck) = four();
        [a, b, c, a]
            .into_iter()
            .for_each(|piece| recheck.list(Instant::ZERO, piece));
        recheck.hurry(c);
        recheck.hurry(c);
        let order: Vec<_> = std::iter::from_fn(|| recheck.next()).collect();
        assert_eq!(order, [c, a, b]);
    }

    #[test]
    fn a_piece_that_changes_while_it_is_read_is_read_again() {
        let ([a, ..], mut recheck) = four();
        recheck.list(Instant::ZERO, a);
        assert_eq!(recheck.next(), Some(a));
        recheck.list(Instant::ZERO, a);
        assert_eq!(recheck.next(), None, "not twice at a time");
        assert!(!recheck.done(a) && recheck.doubts(a));
        assert_eq!(recheck.next(), Some(a));
        assert!(recheck.done(a) && !recheck.doubts(a));
    }
}
