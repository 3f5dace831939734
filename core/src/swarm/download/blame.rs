//! Identifies the peers that sent bad blocks, so that only they are banned.
//!
//! When a piece with blocks from several peers fails its digest, a digest of every block is kept
//! with its sender. The piece is then downloaded from a single peer. If it fails again, that peer
//! is at fault. If it is correct, every peer whose block differs from the correct piece is.

use sha1::{Digest, Sha1};

use crate::io::Rope;
use crate::types::{PeerIdentity, Piece, Sha1Digest, SortedMap, sort};

/// The maximum number of failed pieces that are remembered; the one with the lowest index is
/// dropped first. If more fail at the same time, the torrent is being flooded, and each offender is
/// found when a piece is downloaded from it alone.
const REMEMBERED: usize = 64;

/// The blocks of failed pieces, by digest.
#[derive(Debug, Default)]
pub(crate) struct Blame {
    failed: SortedMap<Piece, Vec<(Option<PeerIdentity>, Sha1Digest)>>,
}

impl Blame {
    /// Whether this piece failed before and should be downloaded from a single peer.
    pub(crate) fn suspects(&self, piece: Piece) -> bool {
        self.failed.contains_key(&piece)
    }

    /// Records a piece that failed its digest. `from` is `None` for padding, which was not sent.
    /// Returns the offender, if only one peer can be it.
    pub(crate) fn failed(
        &mut self,
        piece: Piece,
        data: &Rope,
        from: &[Option<PeerIdentity>],
    ) -> Option<PeerIdentity> {
        let mut senders = from.iter().flatten();
        if let Some(first) = senders.next()
            && senders.all(|who| who == first)
        {
            self.failed.get_or_insert_with(piece, Vec::new);
            return Some(*first);
        }
        if self.failed.len() >= REMEMBERED {
            self.failed.pop_first();
        }
        let digests = data
            .0
            .iter()
            .map(|block| <Sha1Digest>::from(Sha1::digest(block)));
        self.failed
            .insert(piece, from.iter().copied().zip(digests).collect());
        None
    }

    /// Records a piece that matched its digest. Returns the senders of blocks that differ from it.
    pub(crate) fn passed(&mut self, piece: Piece, data: &Rope) -> Vec<PeerIdentity> {
        let Some(before) = self.failed.remove(&piece) else {
            return Vec::new();
        };
        let good = data
            .0
            .iter()
            .map(|block| <Sha1Digest>::from(Sha1::digest(block)));
        let differing = good.zip(&before).filter(|(good, (_, sent))| good != sent);
        let mut liars: Vec<PeerIdentity> = differing.filter_map(|(_, (who, _))| *who).collect();
        sort::sort(&mut liars);
        liars.dedup();
        liars
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::types::{Lengths, PeerId};

    fn who(n: u8) -> PeerIdentity {
        PeerIdentity {
            addr: ([127, 0, 0, n], 1).into(),
            peer_id: PeerId([n; 20]),
        }
    }

    fn rope(blocks: [&'static str; 3]) -> Rope {
        Rope(blocks.map(|b| Bytes::from_static(b.as_bytes())).to_vec())
    }

    #[test]
    fn the_only_source_of_a_bad_piece_is_named_at_once() {
        let piece = Lengths::new(1, 1).unwrap().piece(0).unwrap();
        let mut blame = Blame::default();
        assert_eq!(
            blame.failed(
                piece,
                &rope(["a", "b", "c"]),
                &[Some(who(1)), None, Some(who(1))]
            ),
            Some(who(1))
        );
    }

    #[test]
    fn among_several_only_those_whose_block_differs_are_named() {
        let piece = Lengths::new(1, 1).unwrap().piece(0).unwrap();
        let mut blame = Blame::default();
        assert_eq!(
            blame.failed(
                piece,
                &rope(["a", "X", "c"]),
                &[1, 2, 3].map(|n| Some(who(n)))
            ),
            None
        );
        assert!(blame.suspects(piece));
        assert_eq!(blame.passed(piece, &rope(["a", "b", "c"])), [who(2)]);
        assert!(!blame.suspects(piece));
        assert!(blame.passed(piece, &rope(["a", "b", "c"])).is_empty());
    }
}
