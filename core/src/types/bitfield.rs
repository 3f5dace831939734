//! Sets of pieces, in the bit order of BEP 3.

use super::Piece;

/// Why bytes are not a valid bitfield of this torrent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitfieldError {
    /// The length is not ceil(pieces / 8) bytes.
    #[error("a bitfield of {expected} bytes was expected, {received} came")]
    Length {
        /// The required length in bytes: ceil(pieces / 8).
        expected: usize,
        /// The received length in bytes.
        received: usize,
    },
    /// A bit after the last piece is set.
    #[error("the bitfield has a spare bit set")]
    SpareBits,
}

/// One bit per piece; the highest bit of the first byte is piece 0. Spare bits are always zero.
/// Counts its ones.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bitfield {
    bytes: Vec<u8>,
    len: u32,
    ones: u32,
}

impl Bitfield {
    /// A bitfield of `pieces` zeros.
    #[must_use]
    pub fn none(pieces: u32) -> Self {
        Self {
            bytes: vec![0; pieces.div_ceil(8) as usize],
            len: pieces,
            ones: 0,
        }
    }

    /// A bitfield of `pieces` ones.
    #[must_use]
    pub fn all(pieces: u32) -> Self {
        let mut bytes = vec![0xff; pieces.div_ceil(8) as usize];
        if let (Some(last), 1..) = (bytes.last_mut(), pieces % 8) {
            *last = 0xff << (8 - pieces % 8);
        }
        Self {
            bytes,
            len: pieces,
            ones: pieces,
        }
    }

    /// Decodes the wire format.
    ///
    /// # Errors
    /// The length is not ceil(pieces / 8), or a spare bit is set.
    pub fn from_wire(bytes: &[u8], pieces: u32) -> Result<Self, BitfieldError> {
        let expected = pieces.div_ceil(8) as usize;
        if bytes.len() != expected {
            return Err(BitfieldError::Length {
                expected,
                received: bytes.len(),
            });
        }
        if let (Some(last), 1..) = (bytes.last(), pieces % 8)
            && last & (0xff >> (pieces % 8)) != 0
        {
            return Err(BitfieldError::SpareBits);
        }
        let ones = bytes.iter().map(|b| b.count_ones()).sum();
        Ok(Self {
            bytes: bytes.to_vec(),
            len: pieces,
            ones,
        })
    }

    /// The wire format.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The number of pieces of the torrent.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }
    /// Whether the torrent has no pieces.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The number of pieces in the set.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.ones
    }
    /// Whether every piece is in the set.
    #[must_use]
    pub const fn is_all(&self) -> bool {
        self.ones == self.len
    }
    /// Whether the set is empty.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.ones == 0
    }

    /// Whether this piece is in the set; false for an index that is out of range.
    #[must_use]
    pub fn has(&self, piece: Piece) -> bool {
        self.bytes
            .get(piece.index() / 8)
            .is_some_and(|b| b & (0x80 >> (piece.get() % 8)) != 0)
    }

    /// Adds a piece. Returns whether it was added. An index that is out of range is ignored.
    pub fn set(&mut self, piece: Piece) -> bool {
        let news = piece.get() < self.len && !self.has(piece);
        if let (true, Some(byte)) = (news, self.bytes.get_mut(piece.index() / 8)) {
            *byte |= 0x80 >> (piece.get() % 8);
            self.ones += 1;
        }
        news
    }

    /// Removes a piece. Returns whether it was removed.
    pub fn clear(&mut self, piece: Piece) -> bool {
        let news = self.has(piece);
        if let (true, Some(byte)) = (news, self.bytes.get_mut(piece.index() / 8)) {
            *byte &= !(0x80 >> (piece.get() % 8));
            self.ones -= 1;
        }
        news
    }

    /// The indices of the pieces in the set, ascending.
    pub fn ones(&self) -> impl Iterator<Item = u32> + '_ {
        let bits = (0u32..).zip(&self.bytes).filter(|(_, byte)| **byte != 0);
        bits.flat_map(|(at, byte)| {
            (0..8)
                .filter(move |bit| byte & (0x80 >> bit) != 0)
                .map(move |bit| at * 8 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Lengths;
    use super::*;

    #[test]
    fn wire_form_is_exact() {
        assert!(Bitfield::from_wire(&[0xff, 0x80], 9).is_ok());
        assert_eq!(
            Bitfield::from_wire(&[0xff, 0xc0], 9),
            Err(BitfieldError::SpareBits)
        );
        assert_eq!(
            Bitfield::from_wire(&[0xff], 9),
            Err(BitfieldError::Length {
                expected: 2,
                received: 1
            })
        );
        assert_eq!(Bitfield::all(9).as_bytes(), [0xff, 0x80]);
        assert_eq!(Bitfield::all(16).as_bytes(), [0xff, 0xff]);
    }

    #[test]
    fn counting_follows_setting_and_clearing() {
        let l = Lengths::new(20, 1).unwrap();
        let mut b = Bitfield::none(20);
        for i in [0, 7, 8, 19] {
            assert!(b.set(l.piece(i).unwrap()));
            assert!(!b.set(l.piece(i).unwrap()));
        }
        assert_eq!(b.ones().collect::<Vec<_>>(), [0, 7, 8, 19]);
        assert_eq!(b.count(), 4);
        assert!(b.clear(l.piece(8).unwrap()));
        assert!(!b.has(l.piece(8).unwrap()));
        assert_eq!(b.count(), 3);
        assert_eq!(Bitfield::from_wire(b.as_bytes(), 20).unwrap(), b);
    }
}
