//! Waiting for a deadline that may not be set.

use std::future::pending;

use tokio::time::{Instant, sleep_until};

pub(crate) async fn until(when: Option<Instant>) {
    match when {
        Some(when) => sleep_until(when).await,
        None => pending().await,
    }
}
