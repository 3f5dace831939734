//! Sorting in little code, for at most some ten thousand items.
//!
//! The standard library's sorting is faster for long slices, but its code is several kilobytes for
//! each type of item and each comparison. Here, what depends on them is small.

use std::cmp::Ordering;

/// As [`slice::sort_by`]: equal items keep their order.
pub fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut places = places(items.len(), &|a, b| compare(&items[a], &items[b]).is_lt());
    for index in 0..items.len() {
        while places[index] != index {
            let place = places[index];
            items.swap(index, place);
            places.swap(index, place);
        }
    }
}

/// As [`slice::sort_by_key`]: equal items keep their order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// As [`sort_by_key`], with a key that is a part of the item.
pub(super) fn sort_by_ref<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> &K) {
    sort_by(items, |a, b| key(a).cmp(key(b)));
}

/// As [`slice::sort`].
pub fn sort<T: Ord>(items: &mut [T]) {
    sort_by(items, T::cmp);
}

/// For each index, where its item belongs. The closure says whether one comes before another.
fn places(length: usize, is_before: &dyn Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..length).collect();
    let mut merged = Vec::with_capacity(length);
    let mut run = 1;
    while run < length {
        for pair in sorted.chunks(2 * run) {
            let (left, right) = pair.split_at(run.min(pair.len()));
            merge(left, right, &mut merged, is_before);
        }
        std::mem::swap(&mut sorted, &mut merged);
        merged.clear();
        run *= 2;
    }
    let mut places = merged;
    places.resize(length, 0);
    for (place, index) in sorted.into_iter().enumerate() {
        places[index] = place;
    }
    places
}

fn merge(
    mut left: &[usize],
    mut right: &[usize],
    to: &mut Vec<usize>,
    is_before: &dyn Fn(usize, usize) -> bool,
) {
    while let (Some((&a, after_a)), Some((&b, after_b))) = (left.split_first(), right.split_first())
    {
        if is_before(b, a) {
            to.push(b);
            right = after_b;
        } else {
            to.push(a);
            left = after_a;
        }
    }
    to.extend_from_slice(left);
    to.extend_from_slice(right);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_is_that_of_the_standard_library(items in prop::collection::vec((0_u8..8, any::<u16>()), 0..100)) {
            let (mut by_key, mut all, mut expected) = (items.clone(), items.clone(), items.clone());
            sort_by_key(&mut by_key, |item| item.0);
            expected.sort_by_key(|item| item.0);
            prop_assert_eq!(by_key, &expected[..]);
            sort(&mut all);
            expected.sort_unstable();
            prop_assert_eq!(all, expected);
        }
    }
}
