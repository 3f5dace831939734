//! Which torrents fit into the browser's storage.
//!
//! The first write of a torrent checks the space for everything that the torrent still has to
//! store. Torrents that check later include it; it does not include them, since both would be
//! refused otherwise.

use aqueduct_core::types::{SortedMap, TorrentId};

/// The result of each torrent's check. A torrent without an entry checks at its next write.
#[derive(Default)]
pub(super) struct SpaceClaims {
    claims: SortedMap<TorrentId, Claim>,
    newest_turn: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// Checked in this turn, without a result yet.
    Asked(u64),
    /// There was enough space for everything that was wanted then.
    Granted,
}

impl SpaceClaims {
    /// A turn for a check of space that is no torrent's yet.
    pub(super) fn new_turn(&mut self) -> u64 {
        self.newest_turn += 1;
        self.newest_turn
    }

    /// Called before a torrent writes. Returns its turn and the torrents that precede it if it must
    /// check; `None` if its space is granted.
    pub(super) fn ask(&mut self, torrent: TorrentId) -> Option<(u64, Vec<TorrentId>)> {
        let turn = match self.claims.get(&torrent) {
            Some(Claim::Granted) => return None,
            Some(Claim::Asked(turn)) => *turn,
            None => self.new_turn(),
        };
        self.claims.insert(torrent, Claim::Asked(turn));
        let comes_before = |(id, claim): (&TorrentId, &Claim)| {
            let before = match claim {
                Claim::Asked(earlier) => *earlier < turn,
                Claim::Granted => true,
            };
            (*id != torrent && before).then_some(*id)
        };
        Some((turn, self.claims.iter().filter_map(comes_before).collect()))
    }

    /// All torrents that have checked.
    pub(super) fn all(&self) -> Vec<TorrentId> {
        self.claims.keys().copied().collect()
    }

    /// Records that a write of the torrent succeeded.
    pub(super) fn grant(&mut self, torrent: TorrentId) {
        if let Some(claim) = self.claims.get_mut(&torrent) {
            *claim = Claim::Granted;
        }
    }

    /// Resets the result of the torrent, which no longer applies.
    pub(super) fn reset(&mut self, torrent: TorrentId) {
        self.claims.remove(&torrent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_that_ask_together_only_the_later_counts_the_other_in() {
        let (first, second) = (TorrentId(1), TorrentId(2));
        let mut claims = SpaceClaims::default();
        assert_eq!(claims.ask(first), Some((1, vec![])));
        assert_eq!(claims.ask(second), Some((2, vec![first])));
        assert_eq!(
            claims.ask(first),
            Some((1, vec![])),
            "asking again is no later turn"
        );
        claims.grant(second);
        assert_eq!(claims.ask(second), None);
        assert_eq!(
            claims.ask(first),
            Some((1, vec![second])),
            "granted space counts"
        );
        claims.reset(second);
        assert_eq!(claims.ask(second), Some((3, vec![first])));
    }
}
