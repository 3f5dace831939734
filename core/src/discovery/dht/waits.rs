//! Delays that grow, and delays that vary between nodes.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The delay after `failures` consecutive failures: `first`, doubled with each, at most `most`.
pub(super) fn doubled(first: Duration, failures: u32, most: Duration) -> Duration {
    first
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(most)
}

/// Varies a span by 10 %, so that nodes which started together do not stay synchronised.
pub(super) fn spread(span: Duration, rng: &mut ChaCha8Rng) -> Duration {
    span.mul_f64(0.9 + f64::from(rng.next_u32()) / f64::from(u32::MAX) / 5.0)
}
