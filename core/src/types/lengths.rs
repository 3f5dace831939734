//! The geometry of a torrent: pieces, blocks, offsets. The types guarantee validity after one
//! check.

/// The block length of requests (BEP 3): 16 KiB. The last block of a torrent may be shorter.
pub const BLOCK_SIZE: u32 = 16 * 1024;
/// The maximum number of pieces: 2,097,152.
pub const MAX_PIECES: u32 = 2_097_152;
/// The maximum piece length: 512 MiB.
pub const MAX_PIECE_LENGTH: u32 = 512 * 1024 * 1024;

/// A piece index that is valid for the [`Lengths`] that created it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Piece(u32);

impl Piece {
    /// The index.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The index as `usize`.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A non-empty byte range within a piece. At most [`BLOCK_SIZE`] in our requests, at most 128 KiB
/// in requests of peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    piece: Piece,
    begin: u32,
    length: u32,
}

impl Block {
    /// The piece that contains the block.
    #[must_use]
    pub const fn piece(self) -> Piece {
        self.piece
    }
    /// The offset of the first byte in the piece, in bytes.
    #[must_use]
    pub const fn begin(self) -> u32 {
        self.begin
    }
    /// The length in bytes, never 0.
    #[must_use]
    pub const fn length(self) -> u32 {
        self.length
    }
    /// The index of the [`BLOCK_SIZE`] block in which the range starts.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.begin / BLOCK_SIZE
    }
}

/// Why sizes are not valid for a torrent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LengthsError {
    /// The piece length is zero or more than [`MAX_PIECE_LENGTH`].
    #[error("the piece length is {0} bytes; it must be between 1 and {MAX_PIECE_LENGTH}")]
    PieceLength(u64),
    /// The number of pieces is more than [`MAX_PIECES`].
    #[error("{0} pieces; at most {MAX_PIECES} are supported")]
    TooManyPieces(u64),
}

/// The total size and piece length of a torrent, and all arithmetic on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    total: u64,
    piece_length: u32,
    pieces: u32,
}

impl Lengths {
    /// The lengths of a torrent of `total` bytes in pieces of `piece_length` bytes; the last piece
    /// may be shorter. A total of 0 has no pieces.
    ///
    /// # Errors
    /// The piece length is 0 or more than [`MAX_PIECE_LENGTH`], or there are more than
    /// [`MAX_PIECES`] pieces.
    pub fn new(total: u64, piece_length: u64) -> Result<Self, LengthsError> {
        let length = u32::try_from(piece_length)
            .ok()
            .filter(|&n| n > 0 && n <= MAX_PIECE_LENGTH);
        let length = length.ok_or(LengthsError::PieceLength(piece_length))?;
        let count = total.div_ceil(piece_length);
        let pieces = u32::try_from(count).ok().filter(|&n| n <= MAX_PIECES);
        let pieces = pieces.ok_or(LengthsError::TooManyPieces(count))?;
        Ok(Self {
            total,
            piece_length: length,
            pieces,
        })
    }

    /// The size of the torrent in bytes.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }
    /// The length of every piece but the last, in bytes.
    #[must_use]
    pub const fn piece_length(&self) -> u32 {
        self.piece_length
    }
    /// The number of pieces.
    #[must_use]
    pub const fn pieces(&self) -> u32 {
        self.pieces
    }
    /// The piece with this index, if it exists.
    #[must_use]
    pub const fn piece(&self, index: u32) -> Option<Piece> {
        if index < self.pieces {
            Some(Piece(index))
        } else {
            None
        }
    }
    /// Iterates over all pieces in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Piece> + use<> {
        (0..self.pieces).map(Piece)
    }
    /// The offset of the piece's first byte in the torrent.
    #[must_use]
    pub fn offset(&self, piece: Piece) -> u64 {
        u64::from(piece.0) * u64::from(self.piece_length)
    }
    /// The length of this piece in bytes.
    #[must_use]
    pub fn size(&self, piece: Piece) -> u32 {
        let rest = self.total.saturating_sub(self.offset(piece));
        u32::try_from(rest).map_or(self.piece_length, |rest| rest.min(self.piece_length))
    }
    /// The number of blocks in this piece.
    #[must_use]
    pub fn blocks(&self, piece: Piece) -> u32 {
        self.size(piece).div_ceil(BLOCK_SIZE)
    }
    /// The `number`-th block of a piece as we request it, if it exists.
    #[must_use]
    pub fn nth_block(&self, piece: Piece, number: u32) -> Option<Block> {
        let begin = number.checked_mul(BLOCK_SIZE)?;
        let rest = self.size(piece).checked_sub(begin).filter(|&n| n > 0)?;
        Some(Block {
            piece,
            begin,
            length: rest.min(BLOCK_SIZE),
        })
    }
    /// The range that a peer requested, if it is not empty and lies within its piece.
    #[must_use]
    pub fn block(&self, index: u32, begin: u32, length: u32) -> Option<Block> {
        let piece = self.piece(index)?;
        let end = begin.checked_add(length)?;
        (length > 0 && end <= self.size(piece)).then_some(Block {
            piece,
            begin,
            length,
        })
    }
    /// The pieces that contain bytes of `offset..offset + length`; none if the range is empty or
    /// starts past the end.
    pub fn pieces_of(&self, offset: u64, length: u64) -> impl Iterator<Item = Piece> + use<> {
        let plen = u64::from(self.piece_length);
        let end = offset.saturating_add(length).min(self.total);
        let (first, last) = if offset < end {
            (offset / plen, end.div_ceil(plen))
        } else {
            (0, 0)
        };
        (first..last)
            .filter_map(|i| u32::try_from(i).ok())
            .map(Piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_piece_and_block_are_short() {
        let l = Lengths::new(100_000, 32_768).unwrap();
        assert_eq!(l.pieces(), 4);
        let last = l.piece(3).unwrap();
        assert_eq!(l.size(last), 1696);
        assert_eq!(l.blocks(last), 1);
        assert_eq!(l.nth_block(last, 0).unwrap().length(), 1696);
        assert_eq!(l.nth_block(last, 1), None);
        assert_eq!(
            l.nth_block(l.piece(0).unwrap(), 1).unwrap().begin(),
            BLOCK_SIZE
        );
        assert_eq!(l.piece(4), None);
    }

    #[test]
    fn ranges_outside_a_piece_are_no_blocks() {
        let l = Lengths::new(100_000, 32_768).unwrap();
        assert!(l.block(0, 0, 32_768).is_some());
        assert!(l.block(0, 1, 32_768).is_none());
        assert!(l.block(3, 1696, 1).is_none());
        assert!(l.block(0, u32::MAX, 2).is_none());
        assert!(l.block(0, 0, 0).is_none());
        assert!(l.block(4, 0, 1).is_none());
    }

    #[test]
    fn sizes_that_make_no_torrent_are_refused() {
        assert_eq!(Lengths::new(1, 0), Err(LengthsError::PieceLength(0)));
        assert!(Lengths::new(1, 1 << 30).is_err());
        assert!(Lengths::new(u64::MAX, 1 << 20).is_err());
        assert_eq!(Lengths::new(0, 1).unwrap().pieces(), 0);
    }

    #[test]
    fn a_range_of_the_torrent_names_its_pieces() {
        let l = Lengths::new(100, 10).unwrap();
        let of = |o, n| l.pieces_of(o, n).map(Piece::get).collect::<Vec<_>>();
        assert_eq!(of(0, 10), [0]);
        assert_eq!(of(9, 2), [0, 1]);
        assert_eq!(of(95, 100), [9]);
        assert!(of(100, 1).is_empty() && of(5, 0).is_empty());
    }
}
