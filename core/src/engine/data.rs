//! A torrent's data: what is had, what is wanted, what is under way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rand::Rng;

use super::recheck::Recheck;
use crate::io::Rope;
use crate::meta::Info;
use crate::torrent::{Blame, Padding, Partial, Picker};
use crate::types::{Bitfield, ConnId, Instant, Lengths, Piece};

#[derive(Debug)]
pub(super) struct Data {
    pub(super) info: Arc<Info>,
    pub(super) lengths: Lengths,
    pub(super) padding: Padding,
    /// Verified and readable.
    pub(super) have: Bitfield,
    /// Verified and flushed: what a resume record may say.
    pub(super) durable: Bitfield,
    pub(super) wanted: Bitfield,
    /// Wanted and not had.
    pub(super) lacking: u32,
    pub(super) picker: Picker,
    pub(super) partials: BTreeMap<Piece, Partial>,
    /// Being hashed or written.
    pub(super) storing: Bitfield,
    /// Of these: to be written once more, because a flush failed meanwhile.
    pub(super) rewrite: Bitfield,
    pub(super) blame: Blame,
    pub(super) sequential: bool,
    pub(super) checking: Option<Checking>,
    /// Verified pieces that storage refused; tried again.
    pub(super) stuck: Vec<(Piece, Rope)>,
    pub(super) stuck_until: Instant,
    pub(super) unflushed: Unflushed,
    pub(super) recheck: Recheck,
    /// Nothing is fetched any more: what turns out to be wrong is not wanted either.
    pub(super) seed_only: bool,
    /// All of it was there when the torrent was opened: it did not complete in this run.
    pub(super) came_complete: bool,
    pub(super) said_finished: bool,
}

/// What was written, or found out, and is not flushed and recorded.
#[derive(Debug, Default)]
pub(super) struct Unflushed {
    pub(super) bytes: u64,
    /// `None`: there is nothing.
    pub(super) since: Option<Instant>,
    /// A flush, or the record after it, is under way.
    pub(super) flushing: bool,
}

/// Pieces to read and hash.
#[derive(Debug)]
pub(super) struct Checking {
    pub(super) todo: VecDeque<Piece>,
    /// Pieces that were to be read at any time.
    pub(super) listed: Bitfield,
    /// Of these: nothing spoke against them.
    pub(super) sample: Bitfield,
    pub(super) in_flight: usize,
    pub(super) bytes: u64,
}

impl Checking {
    /// `check` first, then `sample`; a piece that is in both is no sample.
    pub(super) fn new(lengths: &Lengths, check: impl IntoIterator<Item = Piece>, sample: impl IntoIterator<Item = Piece>) -> Self {
        let none = Bitfield::none(lengths.pieces());
        let mut checking = Self { todo: VecDeque::new(), listed: none.clone(), sample: none, in_flight: 0, bytes: 0 };
        check.into_iter().for_each(|piece| checking.list(piece));
        for piece in sample {
            if !checking.listed.has(piece) {
                checking.sample.set(piece);
                checking.list(piece);
            }
        }
        checking
    }

    /// Puts a piece on the list even if it was read already: its file changed.
    pub(super) fn list_again(&mut self, piece: Piece) {
        self.listed.clear(piece);
        self.list(piece);
    }

    /// Puts a piece on the list, once.
    pub(super) fn list(&mut self, piece: Piece) {
        if self.listed.set(piece) {
            self.todo.push_back(piece);
        }
    }
}

impl Data {
    pub(super) fn new(info: Arc<Info>, wanted: Option<&[bool]>) -> Self {
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
            picker: Picker::new(lengths),
            partials: BTreeMap::new(),
            storing: none.clone(),
            rewrite: none,
            blame: Blame::default(),
            sequential: false,
            checking: None,
            stuck: Vec::new(),
            stuck_until: Instant::ZERO,
            unflushed: Unflushed::default(),
            recheck: Recheck::new(lengths.pieces()),
            seed_only: false,
            came_complete: false,
            said_finished: false,
        }
    }

    /// Whether a piece is wanted, not had and not under way: what the picker should hold.
    pub(super) fn should_be_open(&self, piece: Piece) -> bool {
        self.lacks(piece) && !self.storing.has(piece) && !self.partials.contains_key(&piece)
    }

    /// Whether a piece is wanted and not had.
    pub(super) fn lacks(&self, piece: Piece) -> bool {
        self.wanted.has(piece) && !self.have.has(piece)
    }

    /// Brings picker and counters in line with what is had and wanted: after a check or a change of wishes.
    pub(super) fn recount(&mut self, rng: &mut impl Rng) {
        for piece in self.lengths.iter() {
            if self.should_be_open(piece) { self.picker.open(piece, rng) } else { self.picker.close(piece) }
        }
        let lacking = self.wanted.ones().filter_map(|i| self.lengths.piece(i)).filter(|&p| !self.have.has(p)).count();
        self.lacking = u32::try_from(lacking).unwrap_or(u32::MAX);
    }

    /// Of these pieces the ones that nothing may have changed since they were checked.
    pub(super) fn beyond_doubt(&self, mut pieces: Bitfield) -> Bitfield {
        if !self.recheck.is_over() {
            for piece in self.lengths.iter().filter(|piece| self.recheck.doubts(*piece)) {
                pieces.clear(piece);
            }
        }
        pieces
    }

    /// From now on only what is there is wanted.
    pub(super) fn want_what_is_had(&mut self, rng: &mut impl Rng) {
        self.seed_only = true;
        self.wanted = self.have.clone();
        self.recount(rng);
    }

    /// Pieces a peer has that we want and lack, and how many of these are open.
    pub(super) fn count_useful(&self, theirs: &Bitfield) -> (u32, u32) {
        let (mut useful, mut open) = (0, 0);
        for piece in theirs.ones().filter_map(|i| self.lengths.piece(i)) {
            useful += u32::from(self.lacks(piece));
            open += u32::from(self.picker.is_open(piece));
        }
        (useful, open)
    }

    pub(super) fn set_wanted(&mut self, flags: &[bool], rng: &mut impl Rng) {
        self.wanted = wanted_pieces(&self.info, Some(flags));
        self.recount(rng);
    }

    /// A piece to fetch, for one peer. Padding is in it already (BEP 47).
    pub(super) fn new_partial(&self, piece: Piece, owner: ConnId) -> Partial {
        let mut partial = Partial::new(self.lengths.blocks(piece), owner, self.blame.suspects(piece));
        self.padding.blocks_of(piece).for_each(|(number, zeros)| partial.fill(number, zeros));
        partial
    }

    /// Bytes in these pieces, without padding.
    pub(super) fn bytes_of(&self, pieces: &Bitfield) -> u64 {
        let last = self.lengths.iter().next_back();
        self.bytes(pieces.count(), last.is_some_and(|p| pieces.has(p))) - self.padding.bytes_in(|p| pieces.has(p))
    }

    /// Bytes that are not had, without padding: the `left` of announces (BEP 3).
    pub(super) fn left(&self) -> u64 {
        self.lengths.total() - self.padding.total() - self.bytes_of(&self.have)
    }

    /// Bytes of wanted pieces that are had, without padding.
    pub(super) fn bytes_done(&self) -> u64 {
        if self.checking.is_some() {
            // `lacking` is counted anew only when the check is over.
            let had = self.have.ones().filter_map(|i| self.lengths.piece(i)).filter(|&p| self.wanted.has(p));
            return had.map(|p| u64::from(self.lengths.size(p)) - self.padding.in_piece(p)).sum();
        }
        let last = self.lengths.iter().next_back();
        let lacks_last = last.is_some_and(|p| self.lacks(p));
        let lacking = self.bytes(self.lacking, lacks_last) - self.padding.bytes_in(|p| self.lacks(p));
        self.bytes_of(&self.wanted) - lacking
    }

    /// Bytes in so many pieces, the shorter last one perhaps among them.
    fn bytes(&self, count: u32, with_last: bool) -> u64 {
        let length = u64::from(self.lengths.piece_length());
        let short = self.lengths.iter().next_back().filter(|_| with_last).map_or(0, |p| length - u64::from(self.lengths.size(p)));
        u64::from(count) * length - short
    }
}

/// The pieces that hold a byte of a wanted file.
fn wanted_pieces(info: &Info, flags: Option<&[bool]>) -> Bitfield {
    let Some(flags) = flags else { return Bitfield::all(info.lengths.pieces()) };
    let mut wanted = Bitfield::none(info.lengths.pieces());
    for (file, _) in info.files.iter().zip(flags).filter(|(file, flag)| **flag && !file.pad) {
        for piece in info.lengths.pieces_of(file.offset, file.size) {
            wanted.set(piece);
        }
    }
    wanted
}
