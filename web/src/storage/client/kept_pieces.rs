//! Pieces that the storage worker has digested and keeps.

use aqueduct_core::io::Rope;
use aqueduct_core::types::SortedMap;

/// Kept pieces by the numbers by which the storage worker knows them.
#[derive(Default)]
pub(super) struct KeptPieces {
    pieces: SortedMap<u64, Rope>,
    /// Those whose digests are being reported. The engine writes a piece as soon as it is told its
    /// digest, or not at all.
    reported: SortedMap<Places, u64>,
}

/// The slices of a piece by their place in memory: address and length. Two pieces may begin with the
/// same one, which is padding.
type Places = Vec<(usize, usize)>;

impl KeptPieces {
    /// Adds a piece.
    pub(super) fn insert(&mut self, number: u64, data: Rope) {
        self.pieces.insert(number, data);
    }

    /// Records that the digest of a piece is reported from now on.
    pub(super) fn begin_report(&mut self, number: u64) {
        if let Some(data) = self.pieces.get(&number) {
            self.reported.insert(places(data), number);
        }
    }

    /// Removes the piece of these slices if its digest is being reported, and returns its number.
    pub(super) fn take_reported(&mut self, data: &Rope) -> Option<u64> {
        let number = self.reported.remove(&places(data))?;
        self.pieces.remove(&number).map(|_| number)
    }

    /// Ends all reports. Removes the pieces that are still kept, and returns their numbers and
    /// lengths in bytes.
    pub(super) fn end_reports(&mut self) -> Vec<(u64, u64)> {
        let reported = std::mem::take(&mut self.reported).into_values();
        let kept = reported.filter_map(|number| Some((number, self.pieces.remove(&number)?)));
        kept.map(|(number, data)| (number, data.len() as u64))
            .collect()
    }

    /// Removes all pieces, and returns how many bytes they were.
    pub(super) fn clear(&mut self) -> u64 {
        self.reported.clear();
        let removed = std::mem::take(&mut self.pieces).into_values();
        removed.map(|data| data.len() as u64).sum()
    }
}

fn places(data: &Rope) -> Places {
    let slices = data.0.iter();
    slices
        .map(|slice| (slice.as_ptr().addr(), slice.len()))
        .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn slice(bytes: &[u8]) -> Bytes {
        Bytes::copy_from_slice(bytes)
    }

    #[test]
    fn a_piece_is_recognised_by_all_its_slices_and_taken_once() {
        let piece = || Rope(vec![slice(&[1, 2]), slice(&[3])]);
        let (one, equal) = (piece(), piece());
        let mut kept = KeptPieces::default();
        kept.insert(7, one.clone());
        assert_eq!(kept.take_reported(&one), None, "its digest is not known");
        kept.begin_report(7);
        assert_eq!(kept.take_reported(&equal), None, "equal bytes elsewhere");
        let shorter = Rope(vec![one.0[0].clone()]);
        assert_eq!(kept.take_reported(&shorter), None, "a part of it");
        assert_eq!(kept.take_reported(&one), Some(7));
        assert_eq!(kept.take_reported(&one), None);
        assert_eq!(kept.end_reports(), []);
    }

    #[test]
    fn pieces_that_begin_with_the_same_padding_are_told_apart() {
        let padding = Bytes::from_static(&[0; 4]);
        let piece = |data| Rope(vec![padding.clone(), slice(&[data])]);
        let (one, other) = (piece(1), piece(2));
        let mut kept = KeptPieces::default();
        kept.insert(1, one.clone());
        kept.insert(2, other.clone());
        kept.begin_report(1);
        assert_eq!(kept.take_reported(&other), None);
        kept.begin_report(2);
        assert_eq!(kept.take_reported(&one), Some(1));
        assert_eq!(kept.end_reports(), [(2, 5)], "it was not written");
        assert_eq!(kept.clear(), 0);
    }
}
