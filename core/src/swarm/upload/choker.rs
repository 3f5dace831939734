//! Tit for tat (BEP 3): which peers are unchoked.

use std::cmp::Reverse;

use rand::{Rng, RngExt};

use crate::types::{ConnId, Instant, sort};

/// A peer as seen by the choker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contender {
    pub(crate) conn: ConnId,
    /// Whether it is interested in our pieces.
    pub(crate) interested: bool,
    /// Whether it owes us blocks and sends none.
    pub(crate) snubbed: bool,
    /// The ranking value: while we download, the bytes it recently sent; while we seed, whether its
    /// turn has not ended.
    pub(crate) merit: u64,
    /// While we seed: when it was last unchoked, so that slots rotate.
    pub(crate) unchoked_at: Option<Instant>,
    /// Whether it connected within the last minute. Such peers are three times as likely to be
    /// chosen.
    pub(crate) new: bool,
}

/// A peer's contribution, as the choker needs it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Contribution {
    /// Payload bytes received in the last two rounds.
    pub(crate) received: u64,
    /// Whether it owes us blocks and sends none.
    pub(crate) snubbed: bool,
}

/// The number of rounds that an optimistic unchoke lasts: 30 s.
const OPTIMISTIC_ROUNDS: u32 = 3;

/// Selects the unchoked peers every ten seconds.
#[derive(Debug, Default)]
pub(crate) struct Choker {
    round: u32,
    optimistic: Option<ConnId>,
}

impl Choker {
    /// The peers that are unchoked until the next round: the best `slots` interested peers, and a
    /// random one.
    pub(crate) fn decide(
        &mut self,
        peers: &[Contender],
        slots: usize,
        rng: &mut impl Rng,
    ) -> Vec<ConnId> {
        let mut ranked: Vec<&Contender> = peers
            .iter()
            .filter(|c| c.interested && !c.snubbed)
            .collect();
        sort::sort_by_key(&mut ranked, |c| (Reverse(c.merit), c.unchoked_at, c.conn));
        let mut chosen: Vec<ConnId> = ranked.iter().take(slots).map(|c| c.conn).collect();
        self.turn(peers, &chosen, rng);
        chosen.extend(self.optimistic);
        chosen
    }

    /// The number of slots that are free between two rounds, so that peers need not wait ten seconds
    /// for them.
    pub(crate) fn room(unchoked: usize, slots: usize) -> usize {
        slots.saturating_sub(unchoked)
    }

    /// Removes a closed connection.
    pub(crate) fn left(&mut self, conn: ConnId) {
        self.optimistic = self.optimistic.filter(|&o| o != conn);
    }

    fn turn(&mut self, peers: &[Contender], chosen: &[ConnId], rng: &mut impl Rng) {
        let over = self.round.is_multiple_of(OPTIMISTIC_ROUNDS);
        self.round = self.round.wrapping_add(1);
        let waiting = |c: &&Contender| c.interested && !chosen.contains(&c.conn);
        let stays = peers
            .iter()
            .filter(waiting)
            .any(|c| Some(c.conn) == self.optimistic);
        if !over && stays {
            return;
        }
        let tickets = |c: &Contender| std::iter::repeat_n(c.conn, if c.new { 3 } else { 1 });
        let urn: Vec<ConnId> = peers.iter().filter(waiting).flat_map(tickets).collect();
        self.optimistic = (!urn.is_empty()).then(|| urn[rng.random_range(0..urn.len())]);
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    fn peer(n: u64, merit: u64) -> Contender {
        Contender {
            conn: ConnId::dialled(n),
            interested: true,
            snubbed: false,
            merit,
            unchoked_at: None,
            new: false,
        }
    }

    #[test]
    fn the_best_are_unchoked_and_one_by_luck() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let peers: Vec<Contender> = (0..10).map(|n| peer(n, n * 100)).collect();
        let chosen = Choker::default().decide(&peers, 3, &mut rng);
        assert_eq!(chosen[..3], [9, 8, 7].map(ConnId::dialled));
        assert_eq!(chosen.len(), 4);
        assert!(!chosen[..3].contains(&chosen[3]));
    }

    #[test]
    fn the_lucky_one_stays_for_three_rounds_and_luck_reaches_everyone() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let peers: Vec<Contender> = (0..6).map(|n| peer(n, 0)).collect();
        let mut choker = Choker::default();
        let lucky: Vec<_> = (0..300)
            .map(|_| choker.decide(&peers, 0, &mut rng)[0])
            .collect();
        assert!(lucky.chunks(3).all(|c| c.iter().all(|l| *l == c[0])));
        assert!(peers.iter().all(|p| lucky.contains(&p.conn)));
    }

    #[test]
    fn the_uninterested_get_nothing_and_the_snubbing_only_luck() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let bored = Contender {
            interested: false,
            ..peer(1, 900)
        };
        let snubbing = Contender {
            snubbed: true,
            ..peer(2, 800)
        };
        let chosen = Choker::default().decide(&[bored, snubbing, peer(3, 1)], 4, &mut rng);
        assert_eq!(chosen, [ConnId::dialled(3), ConnId::dialled(2)]);
    }

    #[test]
    fn while_seeding_slots_of_equal_merit_go_round() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let waited = Contender {
            unchoked_at: Some(Instant(5)),
            ..peer(1, 0)
        };
        let served = Contender {
            unchoked_at: Some(Instant(9)),
            ..peer(2, 0)
        };
        assert_eq!(
            Choker::default().decide(&[served, waited], 1, &mut rng)[0],
            waited.conn
        );
    }
}
