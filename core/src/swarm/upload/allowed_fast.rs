//! The allowed-fast set (BEP 6): pieces that a peer may request while it is choked, so that a new
//! peer gets data to trade.

use std::net::Ipv4Addr;

use sha1::{Digest, Sha1};

use crate::types::{InfoHashV1, Lengths, Piece};

/// The first `count` pieces of the set for a peer at this address, by the algorithm of BEP 6. It is
/// the same in every client, so reconnecting or asking several peers gains nothing.
pub(crate) fn allowed_fast(
    ip: Ipv4Addr,
    info_hash: InfoHashV1,
    lengths: &Lengths,
    count: usize,
) -> Vec<Piece> {
    let count = count.min(lengths.pieces() as usize);
    let [a, b, c, _] = ip.octets();
    let mut x: [u8; 20] = Sha1::new()
        .chain_update([a, b, c, 0])
        .chain_update(info_hash.0)
        .finalize()
        .into();
    let mut set: Vec<Piece> = Vec::with_capacity(count);
    while set.len() < count {
        for word in x.chunks_exact(4) {
            let y = word.iter().fold(0u32, |n, &byte| n << 8 | u32::from(byte));
            let piece = lengths.piece(y % lengths.pieces());
            set.extend(piece.filter(|p| set.len() < count && !set.contains(p)));
        }
        x = Sha1::digest(x).into();
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of BEP 6: 80.4.4.200, an info-hash of 20 bytes 0xaa, 1313 pieces.
    #[test]
    fn the_set_is_the_one_of_the_specification() {
        let lengths = Lengths::new(1313, 1).unwrap();
        let set = allowed_fast(
            Ipv4Addr::new(80, 4, 4, 200),
            InfoHashV1([0xaa; 20]),
            &lengths,
            10,
        );
        let indices: Vec<u32> = set.into_iter().map(Piece::get).collect();
        assert_eq!(
            indices,
            [1059, 431, 808, 1217, 287, 376, 1188, 353, 508, 1246]
        );
    }

    #[test]
    fn a_small_torrent_has_a_small_set() {
        let lengths = Lengths::new(3, 1).unwrap();
        assert_eq!(
            allowed_fast(Ipv4Addr::LOCALHOST, InfoHashV1([1; 20]), &lengths, 10).len(),
            3
        );
        assert!(
            allowed_fast(
                Ipv4Addr::LOCALHOST,
                InfoHashV1([1; 20]),
                &Lengths::new(0, 1).unwrap(),
                10
            )
            .is_empty()
        );
    }
}
