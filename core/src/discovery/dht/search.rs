//! A swarm that is looked for, and its members.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::io::Family;
use super::queries::LookupId;
use crate::discovery::budget::LookupBudget;
use crate::types::Instant;

/// The maximum number of peers that one lookup may find.
const MAX_FOUND: usize = 3000;

/// A member that wants peers: a torrent, or one of several tabs with the same torrent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Its listening port; 0: it is not announced.
    pub(super) port: u16,
    /// Whether it has been started and not stopped.
    pub(super) active: bool,
}

/// A swarm.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// The members by [`crate::discovery::Key::owner`].
    pub(super) members: BTreeMap<u64, Member>,
    /// Running lookups, at most one per family.
    pub(super) lookups: Vec<LookupId>,
    /// The owner that paid for the round that is about to start; see [`super::Config::lookups`].
    pub(super) paid: Option<u64>,
    /// Whether it waits for other rounds to end.
    pub(super) queued: bool,
    /// When the last round started.
    pub(super) last: Option<Instant>,
    /// Families without contacts when the round started; their lookups start as soon as there is
    /// one.
    pub(super) starved: BTreeSet<Family>,
    /// The number of consecutive earlier rounds that found no peers.
    barren: u32,
    found: BTreeSet<SocketAddr>,
    /// The number of peers that the previous round found.
    before: usize,
}

impl Search {
    pub(super) fn is_active(&self) -> bool {
        self.members.values().any(|member| member.active)
    }

    pub(super) const fn is_under_way(&self) -> bool {
        !self.lookups.is_empty()
    }

    /// The members that receive peers.
    pub(super) fn listeners(&self) -> impl Iterator<Item = u64> {
        self.members
            .iter()
            .filter(|(_, member)| member.active)
            .map(|(owner, _)| *owner)
    }

    /// The listening ports of the members.
    pub(super) fn ports(&self) -> BTreeSet<u16> {
        self.members
            .values()
            .filter(|member| member.active && member.port != 0)
            .map(|member| member.port)
            .collect()
    }

    /// Charges a round to the member with the shortest wait, unless it is paid for already. Returns
    /// when it may start.
    pub(super) fn pay(&mut self, now: Instant, budget: &mut LookupBudget) -> Instant {
        if self.paid.is_none() {
            self.paid = self
                .listeners()
                .min_by_key(|owner| budget.soonest(*owner, now));
            return self.paid.map_or(now, |payer| budget.book(payer, now));
        }
        now
    }

    /// Starts a round.
    pub(super) fn begin(&mut self, now: Instant) {
        self.before = self.peers();
        self.barren = self.last.map_or(0, |_| self.barren_rounds());
        self.found.clear();
        self.starved.clear();
        (self.last, self.paid, self.queued) = (Some(now), None, false);
    }

    /// Ends a round. Returns the number of consecutive rounds, including this one, that found no
    /// peers.
    pub(super) fn end(&mut self) -> u32 {
        self.before = self.found.len();
        self.barren_rounds()
    }

    fn barren_rounds(&self) -> u32 {
        if self.found.is_empty() {
            self.barren.saturating_add(1)
        } else {
            0
        }
    }

    /// Adds peers. Returns those that are new in this round.
    pub(super) fn add(&mut self, peers: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        let room = MAX_FOUND.saturating_sub(self.found.len());
        let found = &mut self.found;
        peers
            .filter(|peer| found.insert(*peer))
            .take(room)
            .collect()
    }

    /// The peers that were found in this round, for a member that joins later.
    pub(super) fn found(&self) -> Option<Vec<SocketAddr>> {
        (!self.found.is_empty()).then(|| self.found.iter().copied().collect())
    }

    /// The number of peers for display: early in a round, those of the previous one.
    pub(super) fn peers(&self) -> usize {
        if self.is_under_way() {
            self.found.len().max(self.before)
        } else {
            self.before
        }
    }
}
