//! The user's rate limits in one direction: of all torrents together, and of single torrents.

use crate::net::Throttle;
use crate::types::{Instant, SortedMap, TorrentId};

/// The limits on payload in one direction. A torrent that has its own limit observes both.
///
/// What a reached limit permits again is given out by [`RateLimit::regain`] alone, at the time of
/// [`RateLimit::ready_at`]: if those whose messages arrive just then took it, others would get nothing.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    all: Throttle,
    own: SortedMap<TorrentId, Throttle>,
    /// The torrent that has spent last.
    newest: Option<TorrentId>,
}

impl RateLimit {
    /// Sets the limit on all torrents together in bytes per second; `None`: no limit.
    pub(crate) fn set(&mut self, now: Instant, limit: Option<u64>) {
        self.all.set(now, limit);
    }

    /// Sets a torrent's own limit in bytes per second; `None`: no limit.
    pub(crate) fn set_own(&mut self, now: Instant, torrent: TorrentId, limit: Option<u64>) {
        match limit {
            Some(_) => self
                .own
                .get_or_insert_with(torrent, Default::default)
                .set(now, limit),
            None => drop(self.own.remove(&torrent)),
        }
    }

    /// The lower one of the limits that apply to the torrent, in bytes per second; `None`: no limit.
    pub(crate) fn of(&self, torrent: TorrentId) -> Option<u64> {
        let own = self.own.get(&torrent).and_then(Throttle::limit);
        own.into_iter().chain(self.all.limit()).min()
    }

    /// Whether the torrent may transfer bytes now.
    pub(crate) fn ready(&mut self, now: Instant, torrent: TorrentId) -> bool {
        let own = self.own.get_mut(&torrent);
        own.is_none_or(|own| own.ready(now)) && self.all.ready(now)
    }

    /// Counts bytes of the torrent.
    pub(crate) fn spend(&mut self, torrent: TorrentId, bytes: u64) {
        self.newest = Some(torrent);
        self.all.spend(bytes);
        if let Some(own) = self.own.get_mut(&torrent) {
            own.spend(bytes);
        }
    }

    /// Adds what was regained until `now`, also for torrents that transfer nothing: a bucket that
    /// stays empty would request a wake-up again and again.
    pub(crate) fn regain(&mut self, now: Instant) {
        self.all.regain(now);
        self.own.values_mut().for_each(|own| own.regain(now));
    }

    /// The torrent that has spent last, which is the last one to get what was regained.
    pub(crate) const fn newest(&self) -> Option<TorrentId> {
        self.newest
    }

    /// When the first of the limits that are reached permits bytes again; `None` if none is reached,
    /// or only limits of 0.
    pub(crate) fn ready_at(&self) -> Option<Instant> {
        let own = self.own.values().filter_map(Throttle::ready_at);
        own.chain(self.all.ready_at()).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE: TorrentId = TorrentId(1);
    const TWO: TorrentId = TorrentId(2);

    /// The bytes that a torrent transfers until this second if it always takes what it gets.
    fn transferred(limit: &mut RateLimit, torrent: TorrentId, seconds: u64) -> u64 {
        let mut bytes = 0;
        for ms in 0..seconds * 1000 {
            let now = Instant::ZERO + Duration::from_millis(ms);
            limit.regain(now);
            while bytes < 1_000_000 && limit.ready(now, torrent) {
                limit.spend(torrent, 100);
                bytes += 100;
            }
        }
        bytes
    }

    #[test]
    fn a_torrent_with_its_own_limit_observes_that_and_the_common_one() {
        let mut limit = RateLimit::default();
        limit.set_own(Instant::ZERO, ONE, Some(1000));
        assert!((9_000..=10_200).contains(&transferred(&mut limit, ONE, 10)));
        assert_eq!(
            transferred(&mut limit, TWO, 1),
            1_000_000,
            "others have none"
        );

        let mut limit = RateLimit::default();
        limit.set(Instant::ZERO, Some(500));
        limit.set_own(Instant::ZERO, ONE, Some(1000));
        assert!((4_500..=5_200).contains(&transferred(&mut limit, ONE, 10)));
    }

    #[test]
    fn a_reached_limit_wakes_when_it_permits_more_and_a_removed_one_never() {
        let (mut limit, now) = (RateLimit::default(), Instant::ZERO);
        assert_eq!(limit.ready_at(), None);
        limit.set_own(now, ONE, Some(1000));
        let wakes = limit.ready_at().unwrap();
        assert!(wakes > now && !limit.ready(now, ONE) && limit.ready(now, TWO));
        limit.regain(wakes);
        assert_eq!(limit.ready_at(), None);
        limit.spend(ONE, 5000);
        limit.set_own(wakes, ONE, None);
        assert!(limit.ready(wakes, ONE) && limit.ready_at().is_none());
    }
}
