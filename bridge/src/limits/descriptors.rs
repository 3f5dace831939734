//! How many sockets there may be, and for what.

use rustix::process::{Resource, getrlimit};

/// Descriptors that are neither sockets of clients and peers nor connections to trackers:
/// listeners, datagrams, files.
const OTHERS: usize = 64;

/// How this process's descriptors are shared out, so that none of their uses can take those of the
/// others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptors {
    /// Of clients and peers.
    pub(crate) sockets: usize,
    /// Announces under way at a time, each of which may have a connection.
    pub(crate) announces: usize,
}

impl Descriptors {
    /// 90 % of what the system grants. The rest is for what must go on when they run out.
    /// `announces`: as many as the operator would have, but no more than a quarter of all.
    pub(crate) fn share_out(announces: usize) -> Self {
        let limit = getrlimit(Resource::Nofile)
            .current
            .and_then(|limit| usize::try_from(limit).ok());
        Self::of(limit.unwrap_or(usize::MAX), announces)
    }

    fn of(all: usize, announces: usize) -> Self {
        let announces = announces.min((all / 4).max(1));
        let sockets = (all / 10 * 9).saturating_sub(OTHERS + announces);
        Self {
            sockets: sockets.clamp(OTHERS, tokio::sync::Semaphore::MAX_PERMITS),
            announces,
        }
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
        assert!(Descriptors::share_out(500).sockets >= OTHERS);
    }
}
