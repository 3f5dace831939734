//! The pieces that are read and hashed before a torrent joins the swarm.

use std::collections::VecDeque;

use super::Pieces;
use crate::io::{CheckRange, Resumed};
use crate::types::{Bitfield, Lengths, Piece};

/// The pieces to read and hash.
#[derive(Debug)]
pub(crate) struct Checking {
    todo: VecDeque<Piece>,
    /// Pieces that were on the list at any time.
    listed: Bitfield,
    /// Those of them that are a spot check.
    sample: Bitfield,
    /// One piece of each size that consists of padding; all others like it are correct if it is,
    /// so that a torrent of padding is not hashed from end to end.
    padding: Vec<Piece>,
    in_flight: usize,
    /// The number of bytes read so far.
    bytes: u64,
}

impl Checking {
    /// The pieces that must be read according to `resumed`. The pieces that it lists as complete
    /// are added to `pieces`.
    pub(crate) fn of(resumed: Resumed, pieces: &mut Pieces) -> Self {
        let lengths = pieces.lengths;
        let listed = |indices: Vec<u32>| {
            let indices = indices.into_iter();
            indices.filter_map(move |index| lengths.piece(index))
        };
        let mut checking = match resumed {
            Resumed::Nothing => Self::new(&lengths, [], []),
            Resumed::Check => Self::new(&lengths, lengths.iter(), []),
            Resumed::Record {
                have,
                check,
                sample,
                ..
            } => {
                pieces.restore(have);
                Self::new(&lengths, listed(check), listed(sample))
            }
        };
        // Padding is in no file, and need not be downloaded.
        checking.padding = pieces.samples_of_padding();
        for piece in checking.padding.clone() {
            checking.list(piece);
        }
        checking
    }

    /// `check` first, then `sample`. A piece in both is not a spot check.
    pub(crate) fn new(
        lengths: &Lengths,
        check: impl IntoIterator<Item = Piece>,
        sample: impl IntoIterator<Item = Piece>,
    ) -> Self {
        let none = Bitfield::none(lengths.pieces());
        let (todo, listed) = (VecDeque::new(), none.clone());
        let mut checking = Self {
            todo,
            listed,
            sample: none,
            padding: Vec::new(),
            in_flight: 0,
            bytes: 0,
        };
        check.into_iter().for_each(|piece| checking.list(piece));
        for piece in sample {
            if !checking.listed.has(piece) {
                checking.sample.set(piece);
                checking.list(piece);
            }
        }
        checking
    }

    /// The number of bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether no piece is listed or being read.
    pub(crate) fn is_over(&self) -> bool {
        self.todo.is_empty() && self.in_flight == 0
    }

    /// The next piece to read, while fewer than `limit` are being read.
    pub(crate) fn next(&mut self, limit: usize) -> Option<Piece> {
        let piece = (self.in_flight < limit)
            .then(|| self.todo.pop_front())
            .flatten()?;
        self.in_flight += 1;
        Some(piece)
    }

    /// Lists a piece again that could not be read.
    pub(crate) fn handle_unreadable(&mut self, piece: Piece) {
        self.in_flight -= 1;
        self.todo.push_front(piece);
    }

    /// Records the result of reading a piece.
    pub(crate) fn handle_read(&mut self, pieces: &mut Pieces, piece: Piece, good: bool) {
        self.in_flight -= 1;
        self.bytes += u64::from(pieces.lengths.size(piece));
        if !good && self.sample.has(piece) {
            self.list_files_of(pieces, piece);
        }
        pieces.set_checked(piece, good);
        if good && self.padding.contains(&piece) {
            pieces.set_padding_correct(piece);
        }
    }

    /// Lists all complete pieces of the files of a wrong spot check, since they may be wrong too
    /// although the files look unchanged.
    fn list_files_of(&mut self, pieces: &Pieces, piece: Piece) {
        let range = check_range(&pieces.lengths, piece);
        let spans = pieces.info.layout(range.offset, u64::from(range.length));
        for file in spans.filter_map(|span| pieces.info.files.get(span.file)) {
            let of_file = pieces.lengths.pieces_of(file.offset, file.size);
            of_file
                .filter(|other| pieces.have().has(*other))
                .for_each(|other| self.list(other));
        }
    }

    /// Lists a piece even if it was read already, because its file changed.
    pub(crate) fn list_again(&mut self, piece: Piece) {
        self.listed.clear(piece);
        self.list(piece);
    }

    /// Lists a piece once.
    fn list(&mut self, piece: Piece) {
        if self.listed.set(piece) {
            self.todo.push_back(piece);
        }
    }
}

/// The position of a piece in the torrent.
pub(crate) fn check_range(lengths: &Lengths, piece: Piece) -> CheckRange {
    CheckRange {
        piece,
        offset: lengths.offset(piece),
        length: lengths.size(piece),
    }
}
