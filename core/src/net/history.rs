//! The dial history of an address. Shared by the candidate lists of the engine and of the bridge.

use std::time::Duration;

use crate::types::PeerSource;

/// The delay after the first failed dial. It is short, since a peer that is starting, or that has
/// not noticed the end of our last connection yet, may be the only one.
const FIRST_REST: Duration = Duration::from_secs(5);
/// The factor by which the delay grows with each further failure, up to [`LONGEST_REST`].
const LONGER: u32 = 4;
const LONGEST_REST: Duration = Duration::from_secs(3600);
/// One informant (a peer (BEP 11), or the hints of one tab) may contribute 1/`INFORMANTS` of the
/// addresses in a list.
const INFORMANTS: usize = 4;

/// The source of an address, and its number of consecutive failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialHistory {
    source: PeerSource,
    failures: u32,
}

impl DialHistory {
    /// The history of an address that has not been dialled.
    #[must_use]
    pub const fn new(source: PeerSource) -> Self {
        Self {
            source,
            failures: 0,
        }
    }

    /// The source of the address. Of several sources, one that a private torrent may use (BEP 27)
    /// is preferred, then the best.
    #[must_use]
    pub const fn source(&self) -> PeerSource {
        self.source
    }

    /// The number of failed dials since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Records that another source named the address.
    pub fn heard(&mut self, source: PeerSource) {
        let better = source.suits_private() || source < self.source;
        if better && !self.source.suits_private() {
            self.source = source;
        }
    }

    /// Records a failed dial. Returns the delay before the next attempt: 5 s, then four times
    /// longer each time, at most an hour.
    pub fn failed(&mut self) -> Duration {
        let rest = FIRST_REST.saturating_mul(LONGER.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        rest.min(LONGEST_REST)
    }

    /// Records a successful dial.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// Whether a list of at most `limit` addresses accepts another one from an informant that
/// contributed `named` already: at most a quarter.
#[must_use]
pub const fn takes_more(named: usize, limit: usize) -> bool {
    named < limit / INFORMANTS
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

    use super::*;

    fn source() -> impl Strategy<Value = PeerSource> {
        prop_oneof![
            Just(PeerSource::User),
            Just(PeerSource::Link),
            Just(PeerSource::Tracker),
            Just(PeerSource::Dht),
            Just(PeerSource::Pex),
            Just(PeerSource::Lsd),
        ]
    }

    proptest! {
        #[test]
        fn what_once_suited_a_private_torrent_always_does(sources in vec(source(), 1..8)) {
            let mut history = DialHistory::new(sources[0]);
            sources.iter().for_each(|source| history.heard(*source));
            prop_assert_eq!(history.source().suits_private(), sources.iter().any(|source| source.suits_private()));
            prop_assert!(sources.contains(&history.source()));
        }

        #[test]
        fn rests_grow_to_an_hour_and_begin_anew_after_a_success(failures in 1usize..40) {
            let mut history = DialHistory::new(PeerSource::Tracker);
            let rests: Vec<Duration> = (0..failures).map(|_| history.failed()).collect();
            prop_assert!(rests.is_sorted() && rests.iter().all(|rest| *rest <= LONGEST_REST));
            history.succeeded();
            prop_assert_eq!(history.failed(), FIRST_REST);
        }
    }

    #[test]
    fn a_rest_is_four_times_as_long_as_the_one_before() {
        let mut history = DialHistory::new(PeerSource::Tracker);
        let rests = [(); 6].map(|()| history.failed().as_secs());
        assert_eq!(rests, [5, 20, 80, 320, 1280, 3600]);
    }
}
