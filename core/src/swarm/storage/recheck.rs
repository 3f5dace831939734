//! Which pieces are read and hashed again, because something else may have changed them, while the
//! torrent goes on.
//!
//! A piece that waits for this is *doubted*: it stays had, as most changes are harmless, but it is
//! not served, newcomers do not hear of it, and nothing is called finished before the last doubt is
//! gone. Requests for it wait.

use std::collections::{BTreeSet, VecDeque};

use crate::types::{Bitfield, Instant, Lengths, Piece};

/// The pieces to read and hash again.
#[derive(Debug)]
pub(crate) struct Recheck {
    /// May name pieces that were read meanwhile; `listed` decides.
    todo: VecDeque<Piece>,
    listed: Bitfield,
    /// Somebody waits for them: they come first.
    hurried: Bitfield,
    in_flight: BTreeSet<Piece>,
    /// Read and no longer right; to be forgotten.
    wrong: Bitfield,
    /// Read and right, although not had before.
    found: Vec<Piece>,
    read: u32,
    lost: u32,
    /// Peers that came after this did not hear of the doubted pieces.
    since: Option<Instant>,
}

impl Recheck {
    pub(crate) fn new(pieces: u32) -> Self {
        let none = Bitfield::none(pieces);
        Self {
            todo: VecDeque::new(),
            listed: none.clone(),
            hurried: none.clone(),
            in_flight: BTreeSet::new(),
            wrong: none,
            found: Vec::new(),
            read: 0,
            lost: 0,
            since: None,
        }
    }

    /// Whether nothing is to be read and everything that was read is settled.
    pub(crate) fn is_over(&self) -> bool {
        self.since.is_none()
    }

    /// Whether a piece may be other than it was.
    pub(crate) fn doubts(&self, piece: Piece) -> bool {
        !self.is_over()
            && (self.listed.has(piece) || self.in_flight.contains(&piece) || self.wrong.has(piece))
    }

    /// Pieces being read.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Peers that came after this did not hear of the doubted pieces.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Puts a piece on the list, also one that is being read: what is read may be older than the
    /// change.
    pub(crate) fn list(&mut self, now: Instant, piece: Piece) {
        self.since.get_or_insert(now);
        self.wrong.clear(piece);
        self.found.retain(|found| *found != piece);
        if self.listed.set(piece) {
            self.todo.push_back(piece);
        }
    }

    /// Somebody asked for a piece of the list.
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

    /// A piece was read. Says whether the result counts.
    fn done(&mut self, piece: Piece) -> bool {
        self.in_flight.remove(&piece) && !self.listed.has(piece)
    }

    /// A piece was read. `good`: it is right; `had`: it is one of ours. Returns whether it is as it
    /// was.
    pub(crate) fn handle_read(&mut self, piece: Piece, good: bool, had: bool) -> bool {
        if !self.done(piece) {
            return false;
        }
        self.read += 1;
        match (good, had) {
            (true, false) => self.found.push(piece),
            (false, true) => {
                self.wrong.set(piece);
            }
            (true, true) | (false, false) => {}
        }
        good && had
    }

    /// Takes what turned out to be wrong, and what was found.
    pub(crate) fn take_outcome(&mut self, lengths: &Lengths) -> (Vec<Piece>, Vec<Piece>) {
        let wrong = self
            .wrong
            .ones()
            .filter_map(|index| lengths.piece(index))
            .collect();
        self.lost += self.wrong.count();
        self.wrong = Bitfield::none(lengths.pieces());
        (wrong, std::mem::take(&mut self.found))
    }

    /// Pieces that were read, and of these the wrong ones.
    pub(crate) fn counts(&self) -> (u32, u32) {
        (self.read, self.lost)
    }

    /// What is left for the next start: a record does not vouch for files that something else
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
