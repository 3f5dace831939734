//! Pieces that the storage worker has digested and keeps.

use std::collections::BTreeMap;

use aqueduct_core::io::Rope;

/// Kept pieces by the address of their first byte. Each is held here, so that no other piece is at
/// the same address.
#[derive(Default)]
pub(super) struct KeptPieces(BTreeMap<usize, (u64, Rope)>);

impl KeptPieces {
    /// Adds a piece under the number by which the storage worker knows it.
    pub(super) fn insert(&mut self, number: u64, data: Rope) {
        self.0.insert(address(&data), (number, data));
    }

    /// Removes the piece that consists of these slices, and returns its number.
    pub(super) fn take(&mut self, data: &Rope) -> Option<u64> {
        let address = address(data);
        let (number, kept) = self.0.get(&address)?;
        let (number, same) = (*number, kept.len() == data.len());
        same.then(|| {
            self.0.remove(&address);
            number
        })
    }

    /// Removes all pieces, and returns how many bytes they were.
    pub(super) fn clear(&mut self) -> u64 {
        let removed = std::mem::take(&mut self.0).into_values();
        removed.map(|(_, data)| data.len() as u64).sum()
    }
}

fn address(data: &Rope) -> usize {
    data.0.first().map_or(0, |slice| slice.as_ptr().addr())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_piece_is_recognised_by_its_slices_and_taken_once() {
        let piece = || Rope(vec![Bytes::from(vec![1, 2]), Bytes::from(vec![3])]);
        let (one, equal) = (piece(), piece());
        let mut kept = KeptPieces::default();
        kept.insert(7, one.clone());
        assert_eq!(kept.take(&equal), None, "equal bytes elsewhere");
        let shorter = Rope(vec![one.0[0].clone()]);
        assert_eq!(kept.take(&shorter), None, "a part of it");
        assert_eq!(kept.take(&one.clone()), Some(7));
        assert_eq!(kept.take(&one), None);
    }
}
