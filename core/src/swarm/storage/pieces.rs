//! Which pieces of a torrent are complete, wanted, and being stored.

use std::sync::Arc;

use super::padding::Padding;
use super::recheck::Recheck;
use crate::io::Rechecked;
use crate::meta::Info;
use crate::types::{Bitfield, Lengths, Piece};

/// The state of every piece, as one bitfield per property.
#[derive(Debug)]
pub(crate) struct Pieces {
    pub(crate) info: Arc<Info>,
    pub(crate) lengths: Lengths,
    pub(crate) padding: Padding,
    /// Verified and readable.
    have: Bitfield,
    /// Verified and flushed: the content of the resume record.
    durable: Bitfield,
    /// While the data on disk are checked: the pieces that were found correct so far. No others are
    /// announced or served then, whatever the resume record states.
    confirmed: Option<Bitfield>,
    wanted: Bitfield,
    /// Being hashed or written.
    storing: Bitfield,
    /// The number of pieces that are wanted and not complete.
    lacking: u32,
    /// The pieces that are read and hashed again.
    pub(crate) recheck: Recheck,
    /// Whether nothing is downloaded any more: data that turn out to be wrong are not wanted
    /// either.
    seed_only: bool,
}

impl Pieces {
    /// No piece is complete. `wanted`: one flag per file; `None`: all.
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
            confirmed: Some(none.clone()),
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

    /// The number of pieces that are wanted and not complete.
    pub(crate) fn lacking(&self) -> u32 {
        self.lacking
    }

    /// The complete pieces that nothing may have changed since they were checked.
    pub(crate) fn have_beyond_doubt(&self) -> Bitfield {
        self.beyond_doubt(self.have.clone())
    }

    /// Those of these pieces that nothing may have changed since they were checked.
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

    /// The complete pieces that peers may know of.
    pub(crate) fn announced(&self) -> Bitfield {
        let confirmed = self.confirmed.clone();
        confirmed.unwrap_or_else(|| self.have_beyond_doubt())
    }

    /// Whether a piece is complete, and peers may know of it.
    pub(crate) fn is_announced(&self, piece: Piece) -> bool {
        let is_confirmed = |confirmed: &Bitfield| confirmed.has(piece);
        self.have.has(piece) && self.confirmed.as_ref().is_none_or(is_confirmed)
    }

    /// From now on all complete pieces are announced. Returns those that were not until now, if
    /// the check of the data on disk has just ended.
    pub(crate) fn announce_all(&mut self) -> Vec<Piece> {
        let Some(confirmed) = self.confirmed.take() else {
            return Vec::new();
        };
        let unknown = |piece: &Piece| !confirmed.has(*piece);
        self.pieces_in(&self.have).filter(unknown).collect()
    }

    /// Whether nothing is downloaded any more.
    pub(crate) fn is_seed_only(&self) -> bool {
        self.seed_only
    }

    /// Restricts the wanted pieces to those that exist; during a check, to those that will be
    /// found.
    pub(crate) fn set_seed_only(&mut self, checking: bool) {
        self.seed_only = true;
        if !checking {
            self.want_what_is_had();
        }
    }

    /// Ends the check of the data on disk.
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

    /// Adds pieces that exist without having been downloaded, because a file was put back. `busy`:
    /// whether a piece is being downloaded. Returns the new pieces.
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

    /// Whether a piece is wanted and not complete.
    pub(crate) fn lacks(&self, piece: Piece) -> bool {
        self.wanted.has(piece) && !self.have.has(piece)
    }

    /// Takes over the pieces of a resume record, if it fits the torrent.
    pub(crate) fn restore(&mut self, have: Bitfield) {
        if have.len() == self.lengths.pieces() {
            (self.have, self.durable) = (have.clone(), have);
        }
    }

    /// Records the result of checking a piece on disk.
    pub(crate) fn set_checked(&mut self, piece: Piece, good: bool) {
        let sets = [&mut self.have, &mut self.durable];
        for set in sets.into_iter().chain(&mut self.confirmed) {
            if good {
                set.set(piece)
            } else {
                set.clear(piece)
            };
        }
    }

    /// Of the incomplete pieces that consist of padding only, the first of each size: the last
    /// piece of a torrent may be shorter than the others.
    pub(crate) fn samples_of_padding(&self) -> Vec<Piece> {
        let mut samples: Vec<Piece> = Vec::new();
        let lacking = self
            .padding
            .whole_pieces()
            .filter(|piece| !self.have.has(*piece));
        for piece in lacking {
            let is_new = |other: &Piece| self.lengths.size(*other) != self.lengths.size(piece);
            if samples.iter().all(is_new) {
                samples.push(piece);
            }
        }
        samples
    }

    /// Records that this piece, which consists of padding only, is correct. So are all others of
    /// its size and digest that do.
    pub(crate) fn set_padding_correct(&mut self, piece: Piece) {
        let key = |piece| (self.lengths.size(piece), self.info.piece_digest(piece));
        let whole = self.padding.whole_pieces();
        let alike: Vec<Piece> = whole.filter(|other| key(*other) == key(piece)).collect();
        for piece in alike {
            self.set_checked(piece, true);
        }
    }

    /// Records that all blocks of the piece have arrived; it is hashed, then written.
    pub(crate) fn begin_storing(&mut self, piece: Piece) {
        self.storing.set(piece);
    }

    /// Records that the piece was wrong or could not be stored.
    pub(crate) fn abort_storing(&mut self, piece: Piece) {
        self.storing.clear(piece);
    }

    /// Records that the piece was verified and written.
    pub(crate) fn set_stored(&mut self, piece: Piece) {
        self.storing.clear(piece);
        if self.have.set(piece) {
            self.lacking -= u32::from(self.wanted.has(piece));
        }
    }

    /// Records that a flush covered these pieces.
    pub(crate) fn set_durable(&mut self, flushed: Bitfield) {
        self.durable = flushed;
    }

    /// Pieces that are complete but not flushed.
    pub(crate) fn unflushed(&self) -> Vec<Piece> {
        self.pieces_in(&self.have)
            .filter(|piece| !self.durable.has(*piece))
            .collect()
    }

    /// Whether all wanted pieces are in this set.
    pub(crate) fn wanted_are_in(&self, set: &Bitfield) -> bool {
        self.pieces_in(&self.wanted).all(|piece| set.has(piece))
    }

    /// Removes pieces that no longer exist. Returns those that were complete.
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

    /// Ends the recheck. Returns what became of the pieces.
    pub(crate) fn end_recheck(&mut self) -> Rechecked {
        let none = Recheck::new(self.lengths.pieces());
        std::mem::replace(&mut self.recheck, none).into_outcome()
    }

    /// Changes which files are wanted, one flag per file.
    pub(crate) fn set_wanted(&mut self, flags: &[bool]) {
        self.wanted = wanted_pieces(&self.info, Some(flags));
        self.recount();
    }

    /// Recounts the missing pieces, after a check or a change of the wanted files.
    pub(crate) fn recount(&mut self) {
        let lacking = self
            .pieces_in(&self.wanted)
            .filter(|piece| !self.have.has(*piece))
            .count();
        self.lacking = u32::try_from(lacking).unwrap_or(u32::MAX);
    }

    /// The number of bytes in these pieces, without padding.
    pub(crate) fn bytes_of(&self, pieces: &Bitfield) -> u64 {
        let last = self.lengths.iter().next_back();
        let bytes = self.bytes(pieces.count(), last.is_some_and(|piece| pieces.has(piece)));
        bytes - self.padding.bytes_in(|piece| pieces.has(piece))
    }

    /// The number of bytes of wanted pieces that are complete, without padding. `exact`: counts
    /// piece by piece, since the number of missing pieces is updated only at the end of a check.
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

    /// The number of bytes of all pieces that are not complete, without padding: the `left` of an
    /// announce (BEP 3).
    pub(crate) fn bytes_left(&self) -> u64 {
        self.lengths.total() - self.padding.total() - self.bytes_of(&self.have)
    }

    /// The pieces of a set, in order.
    pub(crate) fn pieces_in(&self, set: &Bitfield) -> impl Iterator<Item = Piece> {
        let lengths = self.lengths;
        set.ones().filter_map(move |index| lengths.piece(index))
    }

    /// The number of bytes in this many pieces, with or without the shorter last one.
    fn bytes(&self, count: u32, with_last: bool) -> u64 {
        let length = u64::from(self.lengths.piece_length());
        let last = self.lengths.iter().next_back().filter(|_| with_last);
        let short = last.map_or(0, |piece| length - u64::from(self.lengths.size(piece)));
        u64::from(count) * length - short
    }
}

/// The pieces that contain a byte of a wanted file.
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
