//! How an address fared that may be dialled. Shared by the engine's list of candidates and the
//! bridge's.

use std::time::Duration;

use crate::types::PeerSource;

/// Rest after a first failed dial: short, since a peer that is just starting or still clearing away
/// our last connection may be the only one there is.
const FIRST_REST: Duration = Duration::from_secs(5);
/// How much longer the rest is after each further failure, up to [`LONGEST_REST`].
const LONGER: u32 = 4;
const LONGEST_REST: Duration = Duration::from_secs(3600);
/// One in so many of the addresses in a list may come from the same informant: a peer (BEP 11), or
/// the hints of one tab.
const INFORMANTS: usize = 4;

/// Who named an address, and how often it failed in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialHistory {
    source: PeerSource,
    failures: u32,
}

impl DialHistory {
    /// An address that was never dialled.
    #[must_use]
    pub const fn new(source: PeerSource) -> Self {
        Self {
            source,
            failures: 0,
        }
    }

    /// Who named it: of several, one that a private torrent may listen to (BEP 27), else the best.
    #[must_use]
    pub const fn source(&self) -> PeerSource {
        self.source
    }

    /// Failed dials since the last that succeeded.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// It is named again.
    pub fn heard(&mut self, source: PeerSource) {
        let better = source.suits_private() || source < self.source;
        if better && !self.source.suits_private() {
            self.source = source;
        }
    }

    /// A dial failed. Returns how long the address rests: 5 s, then four times longer each time, at
    /// most an hour.
    pub fn failed(&mut self) -> Duration {
        let rest = FIRST_REST.saturating_mul(LONGER.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        rest.min(LONGEST_REST)
    }

    /// A dial succeeded.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// Whether a list of at most `limit` addresses takes another one from an informant that gave it
/// `named` already: a quarter at most.
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
