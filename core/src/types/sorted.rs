//! Maps and sets as sorted vectors, for at most some thousand small entries.
//!
//! They are used like the standard library's, whose trees are better for many entries. But a tree's
//! code is ten times larger, for each type of key and value: where most maps of a tab's program were
//! trees, these were a tenth of what its browser downloaded.

use std::borrow::Borrow;
use std::slice;

use super::sort;

/// A map whose iteration follows the order of the keys. Finding a key takes logarithmic time,
/// inserting and removing one take linear time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedMap<K, V> {
    entries: Vec<(K, V)>,
}

/// Entries by reference, in order.
type Iter<'a, K, V> = std::iter::Map<slice::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

/// Entries by mutable reference, in order.
type IterMut<'a, K, V> =
    std::iter::Map<slice::IterMut<'a, (K, V)>, fn(&'a mut (K, V)) -> (&'a K, &'a mut V)>;

impl<K: Ord, V> SortedMap<K, V> {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// The index of a key, or the one at which it can be inserted.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries
            .binary_search_by(|(other, _)| other.borrow().cmp(key))
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let index = self.find(key).ok()?;
        self.entries.get(index).map(|(_, value)| value)
    }

    /// The value of a key.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let index = self.find(key).ok()?;
        self.entries.get_mut(index).map(|(_, value)| value)
    }

    /// Whether the key has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Sets the value of a key. Returns the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(index) => Some(std::mem::replace(&mut self.entries[index].1, value)),
            Err(index) => {
                self.entries.insert(index, (key, value));
                None
            }
        }
    }

    /// The value of a key, which becomes that of the closure if it has none.
    pub fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        let index = match self.find(&key) {
            Ok(index) => index,
            Err(index) => {
                self.entries.insert(index, (key, value()));
                index
            }
        };
        &mut self.entries[index].1
    }

    /// Removes a key. Returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let index = self.find(key).ok()?;
        Some(self.entries.remove(index).1)
    }

    /// Removes the entries for which the closure returns `true`, and returns their keys.
    pub fn extract_keys_if(&mut self, mut remove: impl FnMut(&K, &mut V) -> bool) -> Vec<K> {
        let removed = self
            .entries
            .extract_if(.., |(key, value)| remove(key, value));
        removed.map(|(key, _)| key).collect()
    }

    /// Removes the lowest key, with its value.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.entries.is_empty()).then(|| self.entries.remove(0))
    }
}

impl<K, V> SortedMap<K, V> {
    /// The number of keys.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries, beginning with the first one for whose key `is_before` does not hold; those for
    /// which it holds follow at the end. It must hold for all lower keys and for no higher one.
    pub fn iter_mut_from(
        &mut self,
        is_before: impl Fn(&K) -> bool,
    ) -> impl Iterator<Item = (&K, &mut V)> {
        let index = self.entries.partition_point(|(key, _)| is_before(key));
        let (before, from) = self.entries.split_at_mut(index);
        let entries = from.iter_mut().chain(before);
        entries.map(|(key, value)| (&*key, value))
    }

    /// Removes all keys.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Removes the keys for which the closure returns `false`.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.entries.retain_mut(|(key, value)| keep(key, value));
    }

    /// All entries in order of their keys.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// All entries in order of their keys.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        self.entries.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// All keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.entries.iter().map(|(key, _)| key)
    }

    /// All values in order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.entries.iter().map(|(_, value)| value)
    }

    /// All values in order of their keys.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> + ExactSizeIterator {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// All keys in order.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = K> + ExactSizeIterator {
        self.entries.into_iter().map(|(key, _)| key)
    }

    /// All values in order of their keys.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> + ExactSizeIterator {
        self.entries.into_iter().map(|(_, value)| value)
    }
}

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut entries: Vec<(K, V)> = entries.into_iter().collect();
        sort::sort_by_ref(&mut entries, |(key, _)| key);
        entries.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        Self { entries }
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut SortedMap<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = IterMut<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

/// A set whose iteration follows the order of its items; see [`SortedMap`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedSet<T> {
    items: Vec<T>,
}

impl<T: Ord> SortedSet<T> {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// Whether the item is in the set.
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.find(item).is_ok()
    }

    fn find<Q: Ord + ?Sized>(&self, item: &Q) -> Result<usize, usize>
    where
        T: Borrow<Q>,
    {
        self.items
            .binary_search_by(|other| other.borrow().cmp(item))
    }

    /// Adds an item. Returns whether it was missing.
    pub fn insert(&mut self, item: T) -> bool {
        let index = self.find(&item);
        if let Err(index) = index {
            self.items.insert(index, item);
        }
        index.is_err()
    }

    /// Removes an item. Returns whether it was in the set.
    pub fn remove<Q: Ord + ?Sized>(&mut self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        let index = self.find(item);
        if let Ok(index) = index {
            self.items.remove(index);
        }
        index.is_ok()
    }

    /// Removes the lowest item.
    pub fn pop_first(&mut self) -> Option<T> {
        (!self.items.is_empty()).then(|| self.items.remove(0))
    }
}

impl<T> SortedSet<T> {
    /// The number of items.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no items.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// Removes the items for which the closure returns `false`.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.items.retain(keep);
    }

    /// All items in order.
    pub fn iter(&self) -> slice::Iter<'_, T> {
        self.items.iter()
    }
}

impl<T> Default for SortedSet<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T: Ord> Extend<T> for SortedSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.insert(item);
        }
    }
}

impl<T: Ord> FromIterator<T> for SortedSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items: Vec<T> = items.into_iter().collect();
        sort::sort(&mut items);
        items.dedup();
        Self { items }
    }
}

impl<T> IntoIterator for SortedSet<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a SortedSet<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_map_behaves_like_a_tree(calls in prop::collection::vec((0_u8..6, 0_u8..20, any::<u16>()), 0..200)) {
            let (mut map, mut tree) = (SortedMap::new(), BTreeMap::new());
            for (call, key, value) in calls {
                match call {
                    0 | 1 => prop_assert_eq!(map.insert(key, value), tree.insert(key, value)),
                    2 => prop_assert_eq!(map.remove(&key), tree.remove(&key)),
                    3 => prop_assert_eq!(
                        map.get_or_insert_with(key, || value),
                        tree.entry(key).or_insert(value)
                    ),
                    4 => prop_assert_eq!(map.get_mut(&key), tree.get_mut(&key)),
                    _ => prop_assert_eq!(map.pop_first(), tree.pop_first()),
                }
                prop_assert_eq!(map.contains_key(&key), tree.contains_key(&key));
                prop_assert!(map.iter().eq(&tree) && map.len() == tree.len());
            }
            map.retain(|key, value| { *value /= 2; key % 2 == 0 });
            tree.retain(|key, value| { *value /= 2; key % 2 == 0 });
            prop_assert!(map.keys().eq(tree.keys()) && map.values().eq(tree.values()));
            let is_third = |key: &u8, _: &mut u16| key.is_multiple_of(3);
            let thirds: Vec<u8> = tree.extract_if(.., is_third).map(|(key, _)| key).collect();
            prop_assert_eq!(map.extract_keys_if(is_third), thirds);
            prop_assert!(map.into_iter().eq(tree));
        }

        #[test]
        fn collected_entries_are_those_of_a_tree(entries in prop::collection::vec((0_u8..20, any::<u16>()), 0..60)) {
            let (map, tree) = (SortedMap::from_iter(entries.clone()), BTreeMap::from_iter(entries.clone()));
            prop_assert!(map.iter().eq(&tree));
            let (set, tree) = (SortedSet::from_iter(entries.clone()), BTreeSet::from_iter(entries));
            prop_assert!(set.iter().eq(&tree));
        }

        #[test]
        fn a_set_behaves_like_a_tree(calls in prop::collection::vec((0_u8..4, 0_u8..20), 0..200)) {
            let (mut set, mut tree) = (SortedSet::new(), BTreeSet::new());
            for (call, item) in calls {
                match call {
                    0 | 1 => prop_assert_eq!(set.insert(item), tree.insert(item)),
                    2 => prop_assert_eq!(set.remove(&item), tree.remove(&item)),
                    _ => prop_assert_eq!(set.pop_first(), tree.pop_first()),
                }
                prop_assert_eq!(set.contains(&item), tree.contains(&item));
                prop_assert!(set.iter().eq(&tree));
            }
        }
    }
}
