//! Messages that move nothing forward: keep-alives, flags, pieces that are known already, cancels,
//! extensions that we lack. They cost their sender next to nothing, and us about as much as others.
//! Each peer has a budget for them, which is far above what clients send.

use crate::context::{Verdict, misbehaved};
use crate::net::{Limit, TokenBucket};
use crate::types::Instant;

/// The number of messages per second.
const RATE: u64 = 100;
/// The number of messages at once. A client may have 500 requests pending ([`crate::Config`]), all
/// of which a choke or the endgame makes useless.
const BURST: u64 = 2000;

/// Whether a message moved the exchange forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It brought a block, a piece that the peer did not have before, metadata or addresses; it was
    /// a request that is served; or it answered one of ours.
    Made,
    /// None of these, so it counts against the budget.
    None,
}

/// The budget of one peer.
#[derive(Debug)]
pub(super) struct IdleMessages(TokenBucket);

impl IdleMessages {
    pub(super) fn new() -> Self {
        Self(TokenBucket::new(Limit::per_second(RATE).with_burst(BURST)))
    }

    /// Counts a message.
    ///
    /// # Errors
    /// The budget is spent.
    pub(super) fn count(&mut self, now: Instant, progress: Progress) -> Verdict {
        if progress == Progress::None && self.0.take(now, 1).is_err() {
            return misbehaved("it sends too many messages that change nothing");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    #[test]
    fn two_thousand_at_once_and_a_hundred_per_second_may_change_nothing() {
        let mut idle = IdleMessages::new();
        for second in 0..1000 {
            let count = if second == 0 { BURST } else { RATE };
            for _ in 0..count {
                assert_eq!(idle.count(at(second), Progress::None), Ok(()));
                assert_eq!(idle.count(at(second), Progress::Made), Ok(()));
            }
        }
        assert!(idle.count(at(999), Progress::None).is_err());
        assert_eq!(idle.count(at(999), Progress::Made), Ok(()));
    }
}
