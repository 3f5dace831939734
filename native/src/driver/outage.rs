//! Whether the network has returned after an outage.

use std::time::Duration;

use tokio::time::Instant;

use crate::net::Source;

/// The minimum time between two returns, so that an interface that comes and goes does not cause an
/// announce each time.
const PACE: Duration = Duration::from_secs(10);

/// Our addresses of both families.
type Sources = [Option<Source>; 2];

/// What is known of outages.
#[derive(Debug, Default)]
pub(super) struct Outage {
    /// The addresses when the network was last usable.
    sources: Option<Sources>,
    /// Whether there was an outage since the last return.
    is_pending: bool,
    returned: Option<Instant>,
}

impl Outage {
    /// Notes our present addresses; `None`: the network cannot be used. Returns whether it can be
    /// used again: after an outage, or with others than before, which is an outage that was too
    /// short to be seen.
    pub(super) fn has_returned(&mut self, sources: Option<Sources>, now: Instant) -> bool {
        let Some(sources) = sources else {
            self.is_pending = true;
            return false;
        };
        let before = self.sources.replace(sources);
        self.is_pending |= before.is_some_and(|before| before != sources);
        let is_early = self.returned.is_some_and(|at| now < at + PACE);
        if !self.is_pending || is_early {
            return false;
        }
        (self.is_pending, self.returned) = (false, Some(now));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::net::Bind;

    fn at(last: u8) -> Option<Sources> {
        let bind = Bind::from(IpAddr::from([127, 0, 0, last]));
        Some([bind.source(true).ok(), None])
    }

    #[test]
    fn the_network_returns_once_per_outage_and_not_more_often_than_the_pace() {
        let mut outage = Outage::default();
        let start = Instant::now();
        let mut after = |seconds, sources| {
            let now = start + Duration::from_secs(seconds);
            outage.has_returned(sources, now)
        };
        assert!(!after(0, at(1)) && !after(1, at(1)), "there was no outage");
        assert!(!after(2, None));
        assert!(after(3, at(1)) && !after(4, at(1)));
        assert!(!after(5, None) && !after(6, at(1)), "too early");
        assert!(after(13, at(1)) && !after(14, at(1)));
        assert!(after(30, at(2)), "another address");
    }
}
