//! The peers of one swarm and one address family.
//!
//! Their compact addresses (BEP 7, 23) are stored contiguously, seeds first, and each part is in
//! random order. An answer copies a range of each part from a random position. Every peer is
//! therefore returned equally often, at a cost that depends only on the length of the answer.

use std::ops::Range;

use hashbrown::HashTable;

use super::entropy::Entropy;

/// Up to this many peers are found by linear search; more have an index.
const FEW: usize = 24;

/// Peers with compact addresses of `N` bytes: 6 or 18.
#[derive(Debug, Default)]
pub(super) struct PeerTable<const N: usize> {
    /// The compact addresses; the first `seeds` are complete peers.
    addrs: Vec<[u8; N]>,
    /// The time of each peer's last announce, in seconds.
    seen: Vec<u32>,
    seeds: usize,
    /// The position of each peer in `addrs`.
    index: Option<Box<HashTable<u32>>>,
}

/// The effect of an announce on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The peer was added.
    Listed,
    /// The peer was listed already.
    Kept,
}

impl<const N: usize> PeerTable<N> {
    pub(super) const fn len(&self) -> usize {
        self.addrs.len()
    }

    pub(super) const fn seeds(&self) -> usize {
        self.seeds
    }

    pub(super) fn position(&self, addr: &[u8; N], entropy: &Entropy) -> Option<usize> {
        match &self.index {
            None => self.addrs.iter().position(|other| other == addr),
            Some(index) => index
                .find(entropy.hash(addr), |at| self.addrs[*at as usize] == *addr)
                .map(|at| *at as usize),
        }
    }

    /// Adds a peer, or updates the time of its last announce.
    pub(super) fn put(
        &mut self,
        addr: [u8; N],
        seed: bool,
        now: u32,
        entropy: &mut Entropy,
    ) -> Change {
        let found = self.position(&addr, entropy);
        let at = found.unwrap_or_else(|| self.push(addr, entropy));
        self.seen[at] = now;
        if seed != (at < self.seeds) {
            self.cross(at, entropy);
        } else if found.is_none() {
            let part = self.part(seed);
            self.swap(at, part.start + entropy.below(part.len()), entropy);
        }
        if found.is_some() {
            Change::Kept
        } else {
            Change::Listed
        }
    }

    /// Removes a peer. Returns whether it was listed.
    pub(super) fn remove(&mut self, addr: &[u8; N], entropy: &Entropy) -> bool {
        let found = self.position(addr, entropy);
        found.into_iter().for_each(|at| self.remove_at(at, entropy));
        found.is_some()
    }

    /// Removes peers that were last seen before `limit`. Returns their number.
    pub(super) fn expire(&mut self, limit: u32, entropy: &Entropy) -> usize {
        let before = self.len();
        for at in (0..before).rev() {
            if self.seen[at] < limit {
                self.remove_at(at, entropy);
            }
        }
        self.trim(entropy);
        before - self.len()
    }

    /// Appends up to `want` peers other than `asker`, from both parts in proportion. A seed
    /// receives leeches only.
    pub(super) fn sample(
        &self,
        asker: Option<usize>,
        for_seed: bool,
        want: usize,
        entropy: &mut Entropy,
        out: &mut Vec<u8>,
    ) {
        let in_part = |part: &Range<usize>| {
            part.len() - usize::from(asker.is_some_and(|at| part.contains(&at)))
        };
        let (seeds, leeches) = (self.part(true), self.part(false));
        let all_seeds = if for_seed { 0 } else { in_part(&seeds) };
        let all = all_seeds + in_part(&leeches);
        let want = want.min(all);
        // Rounded up with a probability equal to the fraction, so that neither part is favoured.
        let of_seeds = (want * all_seeds + entropy.below(all))
            .checked_div(all)
            .unwrap_or(0);
        self.copy(seeds, asker, of_seeds, entropy, out);
        self.copy(leeches, asker, want - of_seeds, entropy, out);
    }

    /// Copies `want` peers of one part, which has at least as many, from a random position, with
    /// wrap-around.
    fn copy(
        &self,
        part: Range<usize>,
        asker: Option<usize>,
        want: usize,
        entropy: &mut Entropy,
        out: &mut Vec<u8>,
    ) {
        let asker = asker.filter(|at| part.contains(at)).unwrap_or(part.end);
        let count = part.len() - usize::from(asker < part.end);
        let from = part.start + entropy.below(count);
        let end = part.start + count;
        let around = (from + want).saturating_sub(end);
        // Positions are counted as if the client were not listed.
        for stretch in [from..from + want - around, part.start..part.start + around] {
            let before = stretch.start..stretch.end.min(asker).max(stretch.start);
            let after = stretch.start.max(asker) + 1..stretch.end.max(asker) + 1;
            out.extend_from_slice(self.addrs[before].as_flattened());
            out.extend_from_slice(self.addrs.get(after).unwrap_or_default().as_flattened());
        }
    }

    const fn part(&self, seeds: bool) -> Range<usize> {
        if seeds {
            0..self.seeds
        } else {
            self.seeds..self.addrs.len()
        }
    }

    /// Appends a leech to the list.
    fn push(&mut self, addr: [u8; N], entropy: &Entropy) -> usize {
        let at = self.addrs.len();
        self.addrs.push(addr);
        self.seen.push(0);
        match &mut self.index {
            Some(index) => {
                let addrs = &self.addrs;
                index.insert_unique(entropy.hash(&addr), number(at), |at| {
                    entropy.hash(&addrs[*at as usize])
                });
            }
            None if at >= FEW => self.make_index(entropy),
            None => {}
        }
        at
    }

    fn make_index(&mut self, entropy: &Entropy) {
        let mut index = HashTable::with_capacity(self.addrs.len() * 2);
        for (at, addr) in self.addrs.iter().enumerate() {
            index.insert_unique(entropy.hash(addr), number(at), |at| {
                entropy.hash(&self.addrs[*at as usize])
            });
        }
        self.index = Some(Box::new(index));
    }

    /// Moves a peer to a random position in the other part.
    fn cross(&mut self, at: usize, entropy: &mut Entropy) {
        let was_seed = at < self.seeds;
        let border = if was_seed { self.seeds - 1 } else { self.seeds };
        self.swap(at, border, entropy);
        self.seeds = if was_seed { border } else { border + 1 };
        let part = self.part(!was_seed);
        self.swap(border, part.start + entropy.below(part.len()), entropy);
    }

    fn remove_at(&mut self, at: usize, entropy: &Entropy) {
        let mut at = at;
        if at < self.seeds {
            self.seeds -= 1;
            self.swap(at, self.seeds, entropy);
            at = self.seeds;
        }
        let last = self.addrs.len() - 1;
        self.swap(at, last, entropy);
        if let Some(bucket) = self.bucket(last, entropy) {
            self.index
                .as_mut()
                .and_then(|index| index.get_bucket_entry(bucket).ok())
                .map(|entry| entry.remove());
        }
        self.addrs.pop();
        self.seen.pop();
    }

    fn swap(&mut self, one: usize, other: usize, entropy: &Entropy) {
        if one == other {
            return;
        }
        let buckets = (self.bucket(one, entropy), self.bucket(other, entropy));
        self.addrs.swap(one, other);
        self.seen.swap(one, other);
        if let (Some(index), (Some(first), Some(second))) = (&mut self.index, buckets) {
            index
                .get_bucket_mut(first)
                .into_iter()
                .for_each(|at| *at = number(other));
            index
                .get_bucket_mut(second)
                .into_iter()
                .for_each(|at| *at = number(one));
        }
    }

    /// The index entry for position `at`.
    fn bucket(&self, at: usize, entropy: &Entropy) -> Option<usize> {
        let number = number(at);
        self.index
            .as_ref()?
            .find_bucket_index(entropy.hash(&self.addrs[at]), |other| *other == number)
    }

    /// Releases memory after the number of peers has shrunk.
    fn trim(&mut self, entropy: &Entropy) {
        if self.len() < FEW / 2 {
            self.index = None;
        }
        if self.addrs.capacity() > 4 * self.len().max(FEW) {
            self.addrs.shrink_to_fit();
            self.seen.shrink_to_fit();
            self.index.is_some().then(|| self.make_index(entropy));
        }
    }
}

/// Converts a position. The limit on the list's length is checked before it grows.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::collection::vec;
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn addr(number: u16) -> [u8; 6] {
        let [high, low] = number.to_be_bytes();
        [1, 2, 3, 4, high, low]
    }

    fn sampled(
        peers: &PeerTable<6>,
        asker: Option<usize>,
        for_seed: bool,
        want: usize,
        entropy: &mut Entropy,
    ) -> Vec<[u8; 6]> {
        let mut out = Vec::new();
        peers.sample(asker, for_seed, want, entropy, &mut out);
        out.as_chunks::<6>().0.to_vec()
    }

    fn filled(seeds: u16, leeches: u16, entropy: &mut Entropy) -> PeerTable<6> {
        let mut peers = PeerTable::default();
        (0..seeds + leeches).for_each(|n| {
            peers.put(addr(n), n < seeds, 1, entropy);
        });
        peers
    }

    #[test]
    fn every_peer_is_given_as_often_as_every_other() {
        let mut entropy = Entropy::new([1; 32]);
        let mut given = BTreeMap::<[u8; 6], u32>::new();
        for _ in 0..400 {
            let peers = filled(30, 70, &mut entropy);
            let asker = peers.position(&addr(50), &entropy);
            for peer in sampled(&peers, asker, false, 20, &mut entropy) {
                *given.entry(peer).or_default() += 1;
            }
        }
        assert_eq!(given.len(), 99, "everybody but the asker");
        // The expected value is 400 * 20 / 99, about 81 each, with a deviation of about 8.
        assert!(
            given.values().all(|times| (40..=122).contains(times)),
            "{given:?}"
        );
    }

    #[test]
    fn seeds_are_not_given_to_seeds() {
        let mut entropy = Entropy::new([2; 32]);
        let peers = filled(40, 5, &mut entropy);
        let asker = peers.position(&addr(0), &entropy);
        let given: BTreeSet<[u8; 6]> = sampled(&peers, asker, true, 50, &mut entropy)
            .into_iter()
            .collect();
        assert_eq!(given, (40..45).map(addr).collect());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn the_list_is_what_was_put_and_not_removed(steps in vec((0u16..90, any::<bool>(), 0u8..8), 0..400), want in 0usize..120) {
            let mut entropy = Entropy::new([3; 32]);
            let (mut peers, mut model) = (PeerTable::<6>::default(), BTreeMap::new());
            for (number, (name, seed, kind)) in steps.into_iter().enumerate() {
                let now = u32::try_from(number).unwrap();
                match kind {
                    0 => prop_assert_eq!(peers.remove(&addr(name), &entropy), model.remove(&name).is_some()),
                    1 => {
                        let limit = now.saturating_sub(100);
                        let before = model.len();
                        model.retain(|_, (_, seen)| *seen >= limit);
                        prop_assert_eq!(peers.expire(limit, &entropy), before - model.len());
                    }
                    _ => {
                        let change = peers.put(addr(name), seed, now, &mut entropy);
                        prop_assert_eq!(change == Change::Listed, model.insert(name, (seed, now)).is_none());
                    }
                }
                prop_assert_eq!(peers.len(), model.len());
                prop_assert_eq!(peers.seeds(), model.values().filter(|(seed, _)| *seed).count());
            }
            for (name, (seed, _)) in &model {
                let at = peers.position(&addr(*name), &entropy);
                prop_assert_eq!(at.map(|at| at < peers.seeds()), Some(*seed));
                let given = sampled(&peers, at, *seed, want, &mut entropy);
                let others = model.iter().filter(|(other, (complete, _))| *other != name && !(*seed && *complete)).map(|(other, _)| addr(*other));
                let others: BTreeSet<[u8; 6]> = others.collect();
                prop_assert_eq!(given.len(), want.min(others.len()));
                let distinct: BTreeSet<[u8; 6]> = given.iter().copied().collect();
                prop_assert_eq!(distinct.len(), given.len());
                prop_assert!(distinct.is_subset(&others));
            }
        }
    }
}
