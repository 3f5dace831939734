//! Waits that grow, and waits that differ a little from node to node.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A wait after `failures` in a row.
pub(super) fn doubled(first: Duration, failures: u32, most: Duration) -> Duration {
    first
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(most)
}

/// Give or take a tenth, so that those who began together do not go on together.
pub(super) fn spread(span: Duration, rng: &mut ChaCha8Rng) -> Duration {
    span.mul_f64(0.9 + f64::from(rng.next_u32()) / f64::from(u32::MAX) / 5.0)
}
