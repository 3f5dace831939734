//! How many sockets there may be.

use rustix::process::{Resource, getrlimit};

/// Descriptors that are not sockets of clients or peers: listeners, discovery, files.
const OTHERS: usize = 64;

/// 90 % of this process's descriptors. The rest is for what must go on when they run out.
pub(crate) fn sockets() -> usize {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok());
    share_of(limit.unwrap_or(usize::MAX))
}

fn share_of(descriptors: usize) -> usize {
    (descriptors / 10 * 9).saturating_sub(OTHERS).clamp(OTHERS, tokio::sync::Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_descriptors_is_left_for_others() {
        assert_eq!(share_of(20_000), 18_000 - OTHERS);
        assert_eq!(share_of(10), OTHERS);
        assert_eq!(share_of(usize::MAX), tokio::sync::Semaphore::MAX_PERMITS);
        assert!(sockets() >= OTHERS);
    }
}
