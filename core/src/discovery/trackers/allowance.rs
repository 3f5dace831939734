//! How often trackers may be asked: lookups per owner, and announces per member and tracker.

use std::time::Duration;

use super::announce::AnnounceEvent;
use crate::discovery::budget::{LookupBudget, SpentUntil};
use crate::discovery::swarm::Key;
use crate::discovery::url::{Host, Url};
use crate::types::Instant;

/// The budgets of all owners.
#[derive(Debug)]
pub(super) struct Allowance {
    lookups: LookupBudget,
    recent: Recent,
}

impl Allowance {
    /// `lookups`: see [`super::Config::lookups`]; `rest`: the minimum time between two announces of
    /// a member to a tracker.
    pub(super) const fn new(lookups: Option<(u32, Duration)>, rest: Duration) -> Self {
        Self {
            lookups: LookupBudget::new(lookups),
            recent: Recent::new(rest),
        }
    }

    /// Takes what an announce needs. If nothing is left, returns when there will be. `completed`
    /// and `stopped` are free, since each is sent at most once per `started`.
    pub(super) fn take_announce(
        &mut self,
        now: Instant,
        key: Key,
        url: &Url,
        lookup: bool,
        event: AnnounceEvent,
    ) -> Result<(), Instant> {
        if matches!(event, AnnounceEvent::Stopped | AnnounceEvent::Completed) {
            return Ok(());
        }
        let name = (key, url.to_string());
        self.recent.check(&name, now)?;
        if lookup {
            self.take_lookup(now, key.owner, &url.host)?;
        }
        self.recent.note(name, now);
        Ok(())
    }

    /// Takes one lookup of a name. If none is left, returns when there will be.
    pub(super) fn take_lookup(
        &mut self,
        now: Instant,
        owner: u64,
        host: &Host,
    ) -> Result<(), Instant> {
        self.lookups.take(owner, host, now)
    }

    /// Returns an allowance, because the tracker was not asked.
    pub(super) fn give_back(&mut self, key: Key, url: &Url) {
        self.recent.forget(&(key, url.to_string()));
    }
}

/// When each member asked a tracker. It outlives the membership, so that leaving and joining again
/// does not permit more announces.
#[derive(Debug)]
struct Recent {
    rest: Duration,
    asked: SpentUntil<(Key, String)>,
}

impl Recent {
    const fn new(rest: Duration) -> Self {
        Self {
            rest,
            asked: SpentUntil::new(),
        }
    }

    /// Whether it may be asked now; otherwise when.
    fn check(&self, name: &(Key, String), now: Instant) -> Result<(), Instant> {
        let until = self.asked.get(name, now);
        if until > now { Err(until) } else { Ok(()) }
    }

    /// Removes an entry, because the tracker was not asked.
    fn forget(&mut self, name: &(Key, String)) {
        self.asked.remove(name);
    }

    /// Records that the tracker is asked now.
    fn note(&mut self, name: (Key, String), now: Instant) {
        self.asked.set(name, now + self.rest, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::InfoHashV1;

    const KEY: Key = Key {
        info_hash: InfoHashV1([0; 20]),
        owner: 0,
    };

    fn at(seconds: u64) -> Instant {
        Instant(seconds * 1_000_000)
    }

    #[test]
    fn the_past_is_forgotten() {
        let mut recent = Recent::new(Duration::from_secs(60));
        for owner in 0..1000 {
            let name = (Key { owner, ..KEY }, "t".to_owned());
            assert_eq!(recent.check(&name, at(owner * 60)), Ok(()));
            recent.note(name.clone(), at(owner * 60));
            assert_eq!(
                recent.check(&name, at(owner * 60 + 1)),
                Err(at(owner * 60 + 60))
            );
        }
        assert!(recent.asked.len() <= 64);
    }

    #[test]
    fn what_tells_of_the_end_needs_no_allowance_and_what_was_not_asked_is_given_back() {
        let mut allowance = Allowance::new(None, Duration::from_secs(60));
        let url = Url::parse("http://t/announce").unwrap();
        let mut take = |now, event| allowance.take_announce(at(now), KEY, &url, false, event);
        assert_eq!(take(0, AnnounceEvent::Started), Ok(()));
        assert_eq!(take(1, AnnounceEvent::None), Err(at(60)));
        assert_eq!(take(1, AnnounceEvent::Completed), Ok(()));
        assert_eq!(take(1, AnnounceEvent::Stopped), Ok(()));
        allowance.give_back(KEY, &url);
        let again = allowance.take_announce(at(2), KEY, &url, false, AnnounceEvent::Started);
        assert_eq!(again, Ok(()));
    }
}
