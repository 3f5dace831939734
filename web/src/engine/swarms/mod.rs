//! The torrents' swarms: which of them the tab has joined, the bridge's results, and which
//! addresses are sent to the bridge.

mod found;
mod hints;
mod places;

use std::net::SocketAddr;

use aqueduct_core::tunnel::{DhtCounts, JoinRefusal, PeerCounts, TrackerCounts, TrackerReport};
use aqueduct_core::types::{PeerAddr, SortedMap, TorrentId};
use aqueduct_core::{Instant, PeerFailure, PeerFailures};

use self::hints::Hints;
use self::places::{Claim, Places};
use crate::message::WaitReason;

pub(super) use self::found::{Found, TrackerState};
pub(super) use self::places::Membership;

/// All torrents' swarms.
#[derive(Default)]
pub(super) struct Swarms {
    swarms: SortedMap<TorrentId, Swarm>,
    places: Places,
}

/// One torrent's swarm.
#[derive(Default)]
pub(super) struct Swarm {
    membership: Membership,
    found: Found,
    failures: PeerFailures,
    hints: Hints,
}

/// The bridge's report on a join; only the newest of each kind counts.
#[derive(Clone, Debug)]
pub(super) enum JoinReport {
    Trackers(TrackerCounts),
    /// Of one tracker.
    Tracker(TrackerReport),
    Dht(DhtCounts),
    Peers(PeerCounts),
    /// The join was refused.
    Refused(JoinRefusal),
}

/// The properties that determine which torrents have a slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct SwarmProgress {
    /// Whether nothing is to be downloaded: all wanted data are complete, or the torrent has failed.
    pub(super) complete: bool,
    /// Whether it has a peer.
    pub(super) has_peers: bool,
}

/// The swarms to leave and to join.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Assignment {
    /// Joins to leave.
    pub(super) leave: Vec<u32>,
    /// Torrents to join; each is confirmed by [`Swarms::joined`].
    pub(super) join: Vec<TorrentId>,
}

impl Swarm {
    /// Why it is not in its swarm, given the common reason of all that wait.
    pub(super) fn wait_reason(&self, reason: Option<WaitReason>) -> Option<WaitReason> {
        reason.filter(|_| matches!(self.membership, Membership::Waiting(_)))
    }

    /// The bridge's results since the torrent was joined.
    pub(super) const fn found(&self) -> &Found {
        &self.found
    }

    /// How many peers failed this way in this run.
    pub(super) fn failures(&self, kind: PeerFailure) -> usize {
        self.failures.count(kind)
    }
}

impl Swarms {
    /// A torrent's swarm, if anything is known of it.
    pub(super) fn get(&self, torrent: TorrentId) -> Option<&Swarm> {
        self.swarms.get(&torrent)
    }

    fn swarm(&mut self, torrent: TorrentId) -> &mut Swarm {
        self.swarms.get_or_insert_with(torrent, Swarm::default)
    }

    /// The number of a torrent's join in the current session.
    pub(super) fn join_of(&self, torrent: TorrentId) -> Option<u32> {
        self.get(torrent)?.membership.join()
    }

    /// All torrents that are in their swarms, with their joins.
    pub(super) fn joined_torrents(&self) -> Vec<(TorrentId, u32)> {
        self.swarms
            .iter()
            .filter_map(|(id, swarm)| Some((*id, swarm.membership.join()?)))
            .collect()
    }

    /// Records that the torrent wants peers: it waits for a slot.
    pub(super) fn enter(&mut self, now: Instant, torrent: TorrentId) {
        let swarm = self.swarm(torrent);
        if swarm.membership == Membership::Outside {
            swarm.membership = Membership::Waiting(now);
        }
        self.places.assign_soon(now);
    }

    /// Ends a torrent's membership, which is then `then`. Returns the join to leave.
    pub(super) fn leave(
        &mut self,
        now: Instant,
        torrent: TorrentId,
        then: Membership,
    ) -> Option<u32> {
        self.places.assign_soon(now);
        let swarm = self.swarms.get_mut(&torrent)?;
        std::mem::replace(&mut swarm.membership, then).join()
    }

    /// Records a change that may give a torrent a slot.
    pub(super) fn assign_soon(&mut self, now: Instant) {
        self.places.assign_soon(now);
    }

    /// Assigns the slots again, if that is due. `standing` returns the properties of a torrent.
    pub(super) fn assign(
        &mut self,
        now: Instant,
        standing: impl Fn(TorrentId) -> SwarmProgress,
    ) -> Assignment {
        let mut assignment = Assignment::default();
        if !self.places.take_due(now) {
            return assignment;
        }
        let claims = self.claims(standing);
        let chosen = self.places.choose(claims.clone(), now);
        for claim in &claims {
            let is_chosen = chosen.iter().any(|other| other.torrent == claim.torrent);
            if let (Some(join), false) = (claim.membership.join(), is_chosen) {
                self.swarm(claim.torrent).membership = Membership::Waiting(now);
                assignment.leave.push(join);
            }
        }
        let waiting = chosen
            .iter()
            .filter(|claim| claim.membership.join().is_none());
        for claim in waiting {
            if !self.places.take_join(now) {
                break;
            }
            assignment.join.push(claim.torrent);
        }
        if self.anyone_waits_beside(&assignment.join) {
            self.places.assigned(now, chosen.len() < claims.len());
        }
        assignment
    }

    fn claims(&self, standing: impl Fn(TorrentId) -> SwarmProgress) -> Vec<Claim> {
        let claim = |(id, swarm): (&TorrentId, &Swarm)| {
            let SwarmProgress {
                complete,
                has_peers,
            } = standing(*id);
            Claim {
                torrent: *id,
                membership: swarm.membership,
                complete,
                has_peers,
            }
        };
        self.swarms
            .iter()
            .filter(|(_, swarm)| swarm.membership != Membership::Outside)
            .map(claim)
            .collect()
    }

    fn anyone_waits_beside(&self, joining: &[TorrentId]) -> bool {
        self.swarms.iter().any(|(id, swarm)| {
            matches!(swarm.membership, Membership::Waiting(_)) && !joining.contains(id)
        })
    }

    /// Records that a torrent has joined its swarm. Results of an earlier session are dropped.
    pub(super) fn joined(&mut self, now: Instant, torrent: TorrentId, join: u32) {
        let swarm = self.swarm(torrent);
        swarm.membership = Membership::Joined(join, now);
        swarm.found = Found::default();
        swarm.hints.resend();
    }

    /// Records that a new session has started.
    pub(super) fn start_session(&mut self, now: Instant) {
        self.places.start_session(now);
    }

    /// Sets the number of slots that the bridge grants.
    pub(super) fn set_limit(&mut self, now: Instant, limit: u16) {
        self.places.set_limit(now, limit);
    }

    /// Records that the session has ended, and every join with it.
    pub(super) fn end_session(&mut self) {
        self.swarms
            .values_mut()
            .for_each(|swarm| swarm.membership.end_session());
    }

    /// Handles a report on a join.
    pub(super) fn handle_report(&mut self, now: Instant, join: u32, report: JoinReport) {
        let refusal = match report {
            JoinReport::Refused(refusal) => Some(refusal),
            _ => None,
        };
        let of_join = |swarm: &&mut Swarm| swarm.membership.join() == Some(join);
        if let Some(swarm) = self.swarms.values_mut().find(of_join) {
            match report {
                JoinReport::Trackers(counts) => swarm.found.trackers = counts,
                JoinReport::Tracker(report) => swarm.found.set_tracker(now, report),
                JoinReport::Dht(counts) => swarm.found.dht = Some(counts),
                JoinReport::Peers(counts) => swarm.found.peers = counts,
                JoinReport::Refused(_) => swarm.membership = Membership::Waiting(Instant::ZERO),
            }
        }
        if let Some(refusal) = refusal {
            let taken = self.taken();
            self.places.refused(now, refusal, taken);
        }
    }

    fn taken(&self) -> usize {
        self.swarms
            .values()
            .filter(|swarm| swarm.membership.join().is_some())
            .count()
    }

    /// What torrents without a slot wait for.
    pub(super) fn wait_reason(&self) -> WaitReason {
        let taken = self.taken();
        if self.places.are_full(taken) {
            WaitReason::AllInUse(u32::try_from(taken).unwrap_or(u32::MAX))
        } else {
            WaitReason::TooFast
        }
    }

    /// Adds addresses from the engine that only the bridge can dial.
    pub(super) fn add_hints(&mut self, torrent: TorrentId, addrs: Vec<SocketAddr>) {
        self.swarm(torrent).hints.add(addrs);
    }

    /// Adds a peer that the bridge reached, which may be dialled again after a pause or in a later
    /// session.
    pub(super) fn add_dialled(&mut self, torrent: TorrentId, addr: SocketAddr) {
        self.swarm(torrent).hints.add_dialled(addr);
    }

    /// Records that the torrent is private (BEP 27): its addresses are not passed on, and the DHT
    /// is not used.
    pub(super) fn set_private(&mut self, torrent: TorrentId) {
        let swarm = self.swarm(torrent);
        swarm.hints.clear();
        swarm.found.dht = None;
    }

    /// The addresses to send to the bridge now, with their joins.
    pub(super) fn take_hints(&mut self, now: Instant) -> Vec<(u32, Vec<SocketAddr>)> {
        self.swarms
            .values_mut()
            .filter_map(|swarm| Some((swarm.membership.join()?, swarm.hints.take(now)?)))
            .collect()
    }

    /// Records a peer's failure.
    pub(super) fn add_failure(&mut self, torrent: TorrentId, addr: PeerAddr, failure: PeerFailure) {
        self.swarm(torrent).failures.note(addr, failure);
    }

    /// Removes the earlier failure of a peer that is connected.
    pub(super) fn remove_failure(&mut self, torrent: TorrentId, addr: PeerAddr) {
        self.swarm(torrent).failures.forget(addr);
    }

    /// Removes a torrent.
    pub(super) fn remove(&mut self, torrent: TorrentId) {
        self.swarms.remove(&torrent);
    }

    /// Changes the number of a torrent; the state of its peers is kept.
    pub(super) fn rename(&mut self, from: TorrentId, to: TorrentId) {
        if let Some(swarm) = self.swarms.remove(&from) {
            self.swarms.insert(to, swarm);
        }
    }

    /// When [`Swarms::assign`] and [`Swarms::take_hints`] must be called.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let hints = self
            .swarms
            .values()
            .filter(|swarm| swarm.membership.join().is_some())
            .filter_map(|swarm| swarm.hints.due());
        hints.chain(self.places.due()).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000_000);
    const DOWNLOAD: SwarmProgress = SwarmProgress {
        complete: false,
        has_peers: true,
    };

    fn ids(numbers: &[u32]) -> Vec<TorrentId> {
        numbers.iter().copied().map(TorrentId).collect()
    }

    /// Torrents 1 to `n`, which want peers.
    fn wanting(n: u32) -> Swarms {
        let mut swarms = Swarms::default();
        (1..=n).for_each(|id| swarms.enter(NOW, TorrentId(id)));
        swarms
    }

    /// Joins the assigned torrents, each with its own number.
    fn assign(swarms: &mut Swarms, now: Instant) -> Assignment {
        let assignment = swarms.assign(now, |_| DOWNLOAD);
        assignment
            .join
            .iter()
            .for_each(|id| swarms.joined(now, *id, id.0));
        assignment
    }

    #[test]
    fn a_join_that_is_refused_waits_and_the_others_keep_their_places() {
        let mut swarms = wanting(3);
        assert_eq!(assign(&mut swarms, NOW).join, ids(&[1, 2, 3]));
        swarms.handle_report(NOW, 3, JoinReport::Refused(JoinRefusal::NoPlace));
        assert_eq!(assign(&mut swarms, NOW), Assignment::default());
        assert_eq!(swarms.wait_reason(), WaitReason::AllInUse(2));
        let left = swarms.leave(NOW, TorrentId(1), Membership::Outside);
        assert_eq!(left, Some(1));
        assert_eq!(assign(&mut swarms, NOW).join, ids(&[3]));
    }

    #[test]
    fn joins_that_are_too_fast_go_on_one_by_one() {
        let mut swarms = wanting(3);
        assign(&mut swarms, NOW);
        let retry_after = Duration::from_secs(1);
        for join in [2, 3] {
            let refusal = JoinRefusal::TooFast { retry_after };
            swarms.handle_report(NOW, join, JoinReport::Refused(refusal));
        }
        assert_eq!(swarms.wait_reason(), WaitReason::TooFast);
        assert_eq!(assign(&mut swarms, NOW), Assignment::default());
        assert_eq!(swarms.poll_timeout(), Some(NOW + retry_after));
        assert_eq!(assign(&mut swarms, NOW + retry_after).join, ids(&[2]));
        assert_eq!(assign(&mut swarms, NOW + retry_after * 2).join, ids(&[3]));
        assert_eq!(swarms.poll_timeout(), None);
    }

    #[test]
    fn after_a_session_those_that_had_a_place_come_first() {
        let mut swarms = wanting(2);
        assign(&mut swarms, NOW);
        swarms.end_session();
        swarms.enter(NOW, TorrentId(0));
        swarms.start_session(NOW);
        swarms.set_limit(NOW, 2);
        assert_eq!(assign(&mut swarms, NOW).join, ids(&[1, 2]));
    }

    #[test]
    fn what_one_session_reports_is_void_in_the_next_and_hints_are_sent_again() {
        let mut swarms = wanting(1);
        let torrent = TorrentId(1);
        assign(&mut swarms, NOW);
        let counts = PeerCounts {
            found: 5,
            ..PeerCounts::default()
        };
        swarms.handle_report(NOW, 1, JoinReport::Peers(counts));
        swarms.add_dialled(torrent, SocketAddr::from(([1, 2, 3, 4], 5)));
        assert_eq!(swarms.get(torrent).unwrap().found().peers.found, 5);
        assert!(swarms.take_hints(NOW).is_empty());
        swarms.end_session();
        swarms.start_session(NOW);
        assign(&mut swarms, NOW);
        assert_eq!(swarms.get(torrent).unwrap().found().peers.found, 0);
        assert_eq!(swarms.take_hints(NOW).len(), 1);
    }

    #[test]
    fn nothing_is_passed_on_of_a_private_torrent() {
        let mut swarms = wanting(1);
        assign(&mut swarms, NOW);
        let addr = SocketAddr::from(([1, 2, 3, 4], 5));
        swarms.add_hints(TorrentId(1), vec![addr]);
        swarms.set_private(TorrentId(1));
        assert!(swarms.take_hints(NOW).is_empty());
    }
}
