//! Limits on sockets by purpose.

use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The number of descriptors that are neither sockets of clients and peers nor connections to
/// trackers: listeners, datagram sockets, files.
const OTHERS: usize = 64;

/// The division of this process's descriptors, so that no purpose can use those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// For clients and peers.
    pub(crate) sockets: usize,
    /// For announces in progress, each of which may have a connection.
    pub(crate) announces: usize,
}

impl Descriptors {
    /// Divides 90 % of the system's limit; the rest is a reserve. `announces` is the configured
    /// number, of which at most a quarter of all descriptors is used.
    pub(crate) fn divide(announces: usize) -> Self {
        let limit = getrlimit(Resource::Nofile)
            .current
            .and_then(|limit| usize::try_from(limit).ok());
        Self::of(limit.unwrap_or(usize::MAX), announces)
    }

    fn of(all: usize, announces: usize) -> Self {
        let announces = announces.min((all / 4).max(1));
        let sockets = (all / 10 * 9).saturating_sub(OTHERS + announces);
        Self {
            sockets: sockets.clamp(OTHERS, Semaphore::MAX_PERMITS),
            announces,
        }
    }
}

/// A permit for one socket of a client or peer.
pub(crate) type SocketPermit = OwnedSemaphorePermit;

/// The permits for sockets of clients and peers.
#[derive(Debug)]
pub(crate) struct Sockets {
    free: Arc<Semaphore>,
    all: usize,
}

impl Sockets {
    pub(crate) fn new(all: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(all)),
            all,
        }
    }

    /// A permit, if one is free.
    pub(crate) fn try_acquire(&self) -> Option<SocketPermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Waits until a permit is free. The semaphore is never closed.
    pub(crate) async fn acquire(&self) -> Result<SocketPermit, AcquireError> {
        Arc::clone(&self.free).acquire_owned().await
    }

    pub(crate) fn in_use(&self) -> usize {
        self.all.saturating_sub(self.free.available_permits())
    }

    /// Whether less than a tenth is free, which existing sessions need for their peers.
    pub(crate) fn are_scarce(&self) -> bool {
        self.free.available_permits() < self.all / 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_descriptors_is_left_for_others_and_trackers_have_their_own() {
        assert_eq!(
            Descriptors::of(20_000, 500),
            Descriptors {
                sockets: 18_000 - 500 - OTHERS,
                announces: 500
            }
        );
        assert_eq!(
            Descriptors::of(1024, 500),
            Descriptors {
                sockets: 918 - 256 - OTHERS,
                announces: 256
            }
        );
        assert_eq!(
            Descriptors::of(10, 500),
            Descriptors {
                sockets: OTHERS,
                announces: 2
            }
        );
        assert_eq!(
            Descriptors::of(usize::MAX, 500).sockets,
            tokio::sync::Semaphore::MAX_PERMITS
        );
        assert!(Descriptors::divide(500).sockets >= OTHERS);
    }
}
