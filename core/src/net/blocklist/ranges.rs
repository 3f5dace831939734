//! Sorted ranges of numbers that neither overlap nor touch.

use super::MAX_RANGES;

/// A number that has a successor, except the greatest.
pub(super) trait Number: Copy + Ord {
    fn successor(self) -> Option<Self>;
}

impl Number for u32 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Number for u128 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// Ranges, each with its first and last number. They are sorted and merged when the vector is full,
/// so that it grows only if they really are separate, and by [`Ranges::finish`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranges<N>(Vec<(N, N)>);

impl<N> Default for Ranges<N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<N: Number> Ranges<N> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a range. Returns false if there are too many.
    pub(super) fn add(&mut self, first: N, last: N) -> bool {
        if self.0.len() == self.0.capacity() {
            self.merge();
        }
        if self.0.len() >= MAX_RANGES {
            return false;
        }
        self.0.push((first, last));
        true
    }

    /// Prepares for [`Ranges::contains`], and returns memory that is not needed.
    pub(super) fn finish(&mut self) {
        self.merge();
        self.0.shrink_to_fit();
    }

    fn merge(&mut self) {
        self.0.sort_unstable();
        self.0.dedup_by(|later, earlier| {
            let touches = earlier.1.successor().is_none_or(|next| later.0 <= next);
            if touches {
                earlier.1 = earlier.1.max(later.1);
            }
            touches
        });
    }

    /// Whether a range contains `number`. Only after [`Ranges::finish`].
    pub(super) fn contains(&self, number: N) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        let candidate = after.checked_sub(1).and_then(|index| self.0.get(index));
        candidate.is_some_and(|(_, last)| number <= *last)
    }
}
