//! A map that removes entries which carry no information any more.

use std::collections::BTreeMap;

/// The number of entries below which nothing is removed.
const MIN_PRUNED: usize = 4096;

/// A map that is pruned whenever it has twice as many entries as after the last pruning, so that
/// the cost per entry stays small.
#[derive(Debug)]
pub(crate) struct PrunedMap<K, V> {
    pub(crate) entries: BTreeMap<K, V>,
    prune_at: usize,
}

impl<K, V> Default for PrunedMap<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            prune_at: MIN_PRUNED,
        }
    }
}

impl<K: Ord, V> PrunedMap<K, V> {
    /// Removes the entries for which `is_needed` is false, if pruning is due.
    pub(crate) fn prune(&mut self, is_needed: impl FnMut(&K, &mut V) -> bool) {
        if self.entries.len() >= self.prune_at {
            self.entries.retain(is_needed);
            self.prune_at = (self.entries.len() * 2).max(MIN_PRUNED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_looked_at_seldom_and_unneeded_ones_do_not_pile_up() {
        let (mut map, mut looked) = (PrunedMap::default(), 0);
        for n in 0..100_000 {
            map.prune(|_, ()| {
                looked += 1;
                true
            });
            map.entries.insert(n, ());
        }
        assert!(looked < 200_000, "{looked} looks at 100000 entries");
        for n in 100_000..200_000 {
            map.prune(|_, ()| false);
            map.entries.insert(n, ());
        }
        assert!(
            map.entries.len() <= 100_000,
            "{} entries",
            map.entries.len()
        );
    }
}
