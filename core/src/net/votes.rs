//! Votes on our own address: each voter has one vote per address family.

use std::collections::VecDeque;
use std::net::IpAddr;

/// The last votes with their voters. `V` identifies a voter, so that a host with many addresses has
/// only one vote.
#[derive(Clone, Debug)]
pub(crate) struct Votes<V> {
    limit: usize,
    votes: VecDeque<(V, IpAddr)>,
}

impl<V: PartialEq> Votes<V> {
    /// Keeps at most `limit` votes; the oldest is dropped first.
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit,
            votes: VecDeque::new(),
        }
    }

    /// Records that a voter sees us at `ip`. It replaces the voter's earlier vote for that family.
    pub(crate) fn add(&mut self, voter: V, ip: IpAddr) {
        let ip = ip.to_canonical();
        self.votes
            .retain(|(other, said)| *other != voter || said.is_ipv6() != ip.is_ipv6());
        if self.votes.len() >= self.limit {
            self.votes.pop_front();
        }
        self.votes.push_back((voter, ip));
    }

    /// The address of this family with the most votes.
    pub(crate) fn most(&self, v6: bool) -> Option<IpAddr> {
        let ips = self.votes.iter().map(|(_, ip)| *ip);
        let family = ips.filter(|ip| ip.is_ipv6() == v6);
        family.max_by_key(|ip| (self.count(*ip), *ip))
    }

    /// The address of the newest vote, if it has at least `quorum` votes and two thirds of all.
    pub(crate) fn agreed(&self, quorum: usize) -> Option<IpAddr> {
        let (_, newest) = self.votes.back()?;
        let votes = self.count(*newest);
        (votes >= quorum && votes * 3 >= self.votes.len() * 2).then_some(*newest)
    }

    /// Whether any voter sees us there.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        self.count(ip.to_canonical()) > 0
    }

    fn count(&self, ip: IpAddr) -> usize {
        self.votes.iter().filter(|(_, other)| *other == ip).count()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn ip(v6: bool, last: u8) -> IpAddr {
        if v6 {
            [0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()].into()
        } else {
            [45, 0, 0, last].into()
        }
    }

    proptest! {
        #[test]
        fn each_voter_has_one_vote_per_family_and_the_most_win(votes in vec((0u8..6, any::<bool>(), 0u8..3), 0..60)) {
            let (mut all, mut last) = (Votes::new(100), BTreeMap::new());
            for (voter, v6, said) in votes {
                all.add(voter, ip(v6, said));
                last.insert((voter, v6), ip(v6, said));
            }
            for v6 in [false, true] {
                let count = |ip| last.values().filter(|other| **other == ip).count();
                let most = (0..3).map(|said| count(ip(v6, said))).max().unwrap();
                prop_assert_eq!(all.most(v6).map_or(0, count), most);
            }
        }

        #[test]
        fn a_minority_decides_nothing_however_it_votes(honest in 6u8..20, liars in 0u8..3, lies in vec(0u8..9, 0..60)) {
            let mut votes = Votes::new(24);
            for (turn, lie) in lies.into_iter().enumerate() {
                if liars > 0 {
                    votes.add(100 + u8::try_from(turn).unwrap() % liars, ip(false, 50 + lie));
                }
            }
            (0..honest).for_each(|voter| votes.add(voter, ip(false, 1)));
            prop_assert_eq!(votes.agreed(6), Some(ip(false, 1)));
        }

        #[test]
        fn votes_are_bounded(voters in vec(any::<u32>(), 0..300)) {
            let mut votes = Votes::new(24);
            voters.into_iter().for_each(|voter| votes.add(voter, ip(false, 1)));
            prop_assert!(votes.votes.len() <= 24);
        }
    }
}
