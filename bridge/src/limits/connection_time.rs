//! How long an HTTP connection may last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// The maximum duration of an HTTP connection that does not become a session. A client that reads
/// the page more slowly would hold a socket for too long.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(120);

/// The time of one connection. A player may read for hours.
#[derive(Debug)]
pub(crate) struct ConnectionTime {
    /// The number of [`Extension`]s.
    extensions: watch::Sender<usize>,
    was_extended: AtomicBool,
}

/// Permits a connection to last longer than [`MAX_DURATION`], while it exists.
#[derive(Debug)]
pub(crate) struct Extension(watch::Sender<usize>);

impl Default for ConnectionTime {
    fn default() -> Self {
        Self {
            extensions: watch::Sender::new(0),
            was_extended: AtomicBool::new(false),
        }
    }
}

impl ConnectionTime {
    /// Permits the connection to last at least as long as the returned value.
    pub(crate) fn extend(&self) -> Extension {
        self.was_extended.store(true, Ordering::Relaxed);
        self.extensions.send_modify(|count| *count += 1);
        Extension(self.extensions.clone())
    }

    /// Whether the connection was permitted to last longer at any time. What was requested last may
    /// then still be on its way when there is no [`Extension`] any more.
    pub(crate) fn was_extended(&self) -> bool {
        self.was_extended.load(Ordering::Relaxed)
    }

    /// Waits until the connection has lasted for as long as it may.
    pub(crate) async fn wait_for_end(&self) {
        sleep(MAX_DURATION).await;
        let mut extensions = self.extensions.subscribe();
        // The sender exists as long as this.
        let _ = extensions.wait_for(|count| *count == 0).await;
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_something_plays_lasts_until_that_ends() {
        let time = ConnectionTime::default();
        let mut end = pin!(time.wait_for_end());
        assert!(end.as_mut().now_or_never().is_none());
        let (one, other) = (time.extend(), time.extend());
        advance(MAX_DURATION * 50).await;
        assert!(end.as_mut().now_or_never().is_none());
        drop(one);
        assert!(end.as_mut().now_or_never().is_none());
        drop(other);
        assert!(end.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_player_a_connection_ends_in_time() {
        let time = ConnectionTime::default();
        let mut end = pin!(time.wait_for_end());
        assert!(end.as_mut().now_or_never().is_none());
        advance(MAX_DURATION).await;
        assert!(end.as_mut().now_or_never().is_some());
    }
}
