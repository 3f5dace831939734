//! What of a torrent's content is had, wanted and being stored.

use std::sync::Arc;

use super::padding::Padding;
use super::recheck::Recheck;
use crate::meta::Info;
use crate::types::{Bitfield, Lengths, Piece};

/// The state of every piece, one bit for each question.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) info: Arc<Info>,
    pub(crate) lengths: Lengths,
    pub(crate) padding: Padding,
    /// Verified and readable.
    have: Bitfield,
    /// Verified and flushed: what a resume record may say.
    durable: Bitfield,
    wanted: Bitfield,
    /// Being hashed or written.
    storing: Bitfield,
    /// Pieces wanted and not had.
    lacking: u32,
    /// What is read and hashed again.
    pub(crate) recheck: Recheck,
    /// Nothing is fetched any more: what turns out to be wrong is not wanted either.
    seed_only: bool,
}

impl Pieces {
    /// Nothing is had. `wanted`: one flag per file; `None`: all.
    pub(crate) fn new(info: Arc<Info>, wanted: Option<&[bool]>) -> Self {
        let lengths = info.lengths;
        let none = Bitfield::none(lengths.pieces());
        let wanted = wanted_pieces(&info, wanted);
        Self {
            padding: Padding::of(&info),
            info,
            lengths,
            have: none.clone(),
            durable: none.clone(),
            lacking: wanted.count(),
            wanted,
            storing: none,
            recheck: Recheck::new(lengths.pieces()),
            seed_only: false,
        }
    }

    pub(crate) fn have(&self) -> &Bitfield {
        &self.have
    }

    pub(crate) fn wanted(&self) -> &Bitfield {
        &self.wanted
    }

    pub(crate) fn storing(&self) -> &Bitfield {
        &self.storing
    }

    /// Pieces wanted and not had.
    pub(crate) fn lacking(&self) -> u32 {
        self.lacking
    }

    /// What is had and nothing may have changed since it was checked.
    pub(crate) fn have_beyond_doubt(&self) -> Bitfield {
        self.beyond_doubt(self.have.clone())
    }

    /// Of these pieces the ones that nothing may have changed since they were checked.
    pub(crate) fn beyond_doubt(&self, mut pieces: Bitfield) -> Bitfield {
        if !self.recheck.is_over() {
            for piece in self
                .lengths
                .iter()
                .filter(|piece| self.recheck.doubts(*piece))
            {
                pieces.clear(piece);
            }
        }
        pieces
    }

    /// Whether nothing is fetched any more.
    pub(crate) fn is_seed_only(&self) -> bool {
        self.seed_only
    }

    /// From now on only what is there is wanted; while that is being checked: what will turn out to
    /// be there.
    pub(crate) fn set_seed_only(&mut self, checking: bool) {
        self.seed_only = true;
        if !checking {
            self.want_what_is_had();
        }
    }

    /// What is on disk was checked.
    pub(crate) fn end_check(&mut self) {
        if self.seed_only {
            self.want_what_is_had();
        }
        self.recount();
    }

    fn want_what_is_had(&mut self) {
        self.wanted = self.have.clone();
        self.recount();
    }

    /// Pieces are there that were not fetched: a file was put back. `busy`: they are being fetched.
    /// Returns what is new.
    pub(crate) fn find(&mut self, pieces: &[Piece], busy: impl Fn(Piece) -> bool) -> Vec<Piece> {
        let idle = pieces
            .iter()
            .copied()
            .filter(|piece| !busy(*piece) && !self.storing.has(*piece))
            .collect::<Vec<_>>();
        let found: Vec<Piece> = idle
            .into_iter()
            .filter(|piece| self.have.set(*piece))
            .collect();
        for piece in found.iter().filter(|_| self.seed_only) {
            self.wanted.set(*piece);
        }
        if !found.is_empty() {
            self.recount();
        }
        found
    }

    /// Whether a piece is wanted and not had.
    pub(crate) fn lacks(&self, piece: Piece) -> bool {
        self.wanted.has(piece) && !self.have.has(piece)
    }

    /// Takes over what a resume record says, if it fits the torrent.
    pub(crate) fn restore(&mut self, have: Bitfield) {
        if have.len() == self.lengths.pieces() {
            (self.have, self.durable) = (have.clone(), have);
        }
    }

    /// A check of what is on disk found the piece right, or not.
    pub(crate) fn set_checked(&mut self, piece: Piece, good: bool) {
        for set in [&mut self.have, &mut self.durable] {
            if good {
                set.set(piece)
            } else {
                set.clear(piece)
            };
        }
    }

    /// All blocks of the piece are there; it is hashed, then written.
    pub(crate) fn begin_storing(&mut self, piece: Piece) {
        self.storing.set(piece);
    }

    /// The piece was wrong, or storage gave up on it.
    pub(crate) fn abort_storing(&mut self, piece: Piece) {
        self.storing.clear(piece);
    }

    /// The piece was verified and written.
    pub(crate) fn set_stored(&mut self, piece: Piece) {
        self.storing.clear(piece);
        if self.have.set(piece) {
            self.lacking -= u32::from(self.wanted.has(piece));
        }
    }

    /// A flush covered these pieces.
    pub(crate) fn set_durable(&mut self, flushed: Bitfield) {
        self.durable = flushed;
    }

    /// Pieces that are had, but not flushed.
    pub(crate) fn unflushed(&self) -> Vec<Piece> {
        self.pieces_in(&self.have)
            .filter(|piece| !self.durable.has(*piece))
            .collect()
    }

    /// Whether all wanted pieces are in this set.
    pub(crate) fn wanted_are_in(&self, set: &Bitfield) -> bool {
        self.pieces_in(&self.wanted).all(|piece| set.has(piece))
    }

    /// These pieces are not there any more. Returns those that were had.
    pub(crate) fn forget(&mut self, pieces: &[Piece]) -> Vec<Piece> {
        let had = pieces
            .iter()
            .copied()
            .filter(|piece| self.have.clear(*piece));
        let gone: Vec<Piece> = had.collect();
        for piece in &gone {
            self.durable.clear(*piece);
            if self.seed_only {
                self.wanted.clear(*piece);
            }
        }
        if !gone.is_empty() {
            self.recount();
        }
        gone
    }

    /// Changes which files are wanted, one flag per file.
    pub(crate) fn set_wanted(&mut self, flags: &[bool]) {
        self.wanted = wanted_pieces(&self.info, Some(flags));
        self.recount();
    }

    /// Counts what is lacking: after a check, or a change of what is wanted.
    pub(crate) fn recount(&mut self) {
        let lacking = self
            .pieces_in(&self.wanted)
            .filter(|piece| !self.have.has(*piece))
            .count();
        self.lacking = u32::try_from(lacking).unwrap_or(u32::MAX);
    }

    /// Bytes in these pieces, without padding.
    pub(crate) fn bytes_of(&self, pieces: &Bitfield) -> u64 {
        let last = self.lengths.iter().next_back();
        let bytes = self.bytes(pieces.count(), last.is_some_and(|piece| pieces.has(piece)));
        bytes - self.padding.bytes_in(|piece| pieces.has(piece))
    }

    /// Bytes of wanted pieces that are had, without padding. `exact`: counts them one by one, since
    /// what is lacking is counted anew only when a check is over.
    pub(crate) fn bytes_done(&self, exact: bool) -> u64 {
        if exact {
            let had = self
                .pieces_in(&self.have)
                .filter(|piece| self.wanted.has(*piece));
            let bytes = |piece| u64::from(self.lengths.size(piece)) - self.padding.in_piece(piece);
            return had.map(bytes).sum();
        }
        let last = self.lengths.iter().next_back();
        let lacks_last = last.is_some_and(|piece| self.lacks(piece));
        let padding = self.padding.bytes_in(|piece| self.lacks(piece));
        self.bytes_of(&self.wanted) - (self.bytes(self.lacking, lacks_last) - padding)
    }

    /// Bytes of all pieces that are not had, without padding: the `left` of an announce (BEP 3).
    pub(crate) fn bytes_left(&self) -> u64 {
        self.lengths.total() - self.padding.total() - self.bytes_of(&self.have)
    }

    /// The pieces of a set, in order.
    pub(crate) fn pieces_in(&self, set: &Bitfield) -> impl Iterator<Item = Piece> {
        let lengths = self.lengths;
        set.ones().filter_map(move |index| lengths.piece(index))
    }

    /// Bytes in so many pieces, the shorter last one perhaps among them.
    fn bytes(&self, count: u32, with_last: bool) -> u64 {
        let length = u64::from(self.lengths.piece_length());
        let last = self.lengths.iter().next_back().filter(|_| with_last);
        let short = last.map_or(0, |piece| length - u64::from(self.lengths.size(piece)));
        u64::from(count) * length - short
    }
}

/// The pieces that hold a byte of a wanted file.
fn wanted_pieces(info: &Info, flags: Option<&[bool]>) -> Bitfield {
    let Some(flags) = flags else {
        return Bitfield::all(info.lengths.pieces());
    };
    let mut wanted = Bitfield::none(info.lengths.pieces());
    let files = info
        .files
        .iter()
        .zip(flags)
        .filter(|(file, flag)| **flag && !file.pad);
    for (file, _) in files {
        for piece in info.lengths.pieces_of(file.offset, file.size) {
            wanted.set(piece);
        }
    }
    wanted
}
