//! One swarm that is looked for, and who wants to know.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::io::Family;
use super::queries::LookupId;
use crate::discovery::budget::LookupBudget;
use crate::types::Instant;

/// Peers that one lookup may find.
const MAX_FOUND: usize = 3000;

/// Somebody who wants peers: a torrent, or one of several tabs with the same torrent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Where it listens; 0: it is not announced.
    pub(super) port: u16,
    /// It has been started and not stopped.
    pub(super) active: bool,
}

/// One swarm.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// By [`crate::discovery::Key::owner`].
    pub(super) members: BTreeMap<u64, Member>,
    /// Under way, one a family at most.
    pub(super) lookups: Vec<LookupId>,
    /// Who paid for the round that is to begin, [`super::Config::lookups`].
    pub(super) paid: Option<u64>,
    /// Waits for others to end.
    pub(super) queued: bool,
    /// When it began last.
    pub(super) last: Option<Instant>,
    /// Families in which nobody was there to be asked: that is made up for as soon as somebody is.
    pub(super) starved: BTreeSet<Family>,
    /// Rounds in a row before this one that found nobody.
    barren: u32,
    found: BTreeSet<SocketAddr>,
    /// Found by the round before.
    before: usize,
}

impl Search {
    pub(super) fn is_active(&self) -> bool {
        self.members.values().any(|member| member.active)
    }

    pub(super) const fn is_under_way(&self) -> bool {
        !self.lookups.is_empty()
    }

    /// Who hears of peers.
    pub(super) fn listeners(&self) -> impl Iterator<Item = u64> {
        self.members
            .iter()
            .filter(|(_, member)| member.active)
            .map(|(owner, _)| *owner)
    }

    /// Where the members listen.
    pub(super) fn ports(&self) -> BTreeSet<u16> {
        self.members
            .values()
            .filter(|member| member.active && member.port != 0)
            .map(|member| member.port)
            .collect()
    }

    /// Has a round paid for by the member that has to wait least, unless it is paid for already.
    /// Says when it may begin.
    pub(super) fn pay(&mut self, now: Instant, budget: &mut LookupBudget) -> Instant {
        if self.paid.is_none() {
            self.paid = self
                .listeners()
                .min_by_key(|owner| budget.soonest(*owner, now));
            return self.paid.map_or(now, |payer| budget.book(payer, now));
        }
        now
    }

    /// A round begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.before = self.peers();
        self.barren = self.last.map_or(0, |_| self.barren_rounds());
        self.found.clear();
        self.starved.clear();
        (self.last, self.paid, self.queued) = (Some(now), None, false);
    }

    /// A round is over. Returns how many in a row found nobody, this one included.
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

    /// Takes in peers; returns those that are new in this round.
    pub(super) fn add(&mut self, peers: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
        let room = MAX_FOUND.saturating_sub(self.found.len());
        let found = &mut self.found;
        peers
            .filter(|peer| found.insert(*peer))
            .take(room)
            .collect()
    }

    /// Whom others have found in this round, for somebody who comes later.
    pub(super) fn found(&self) -> Option<Vec<SocketAddr>> {
        (!self.found.is_empty()).then(|| self.found.iter().copied().collect())
    }

    /// Peers to be shown: while a round is young, those of the one before.
    pub(super) fn peers(&self) -> usize {
        if self.is_under_way() {
            self.found.len().max(self.before)
        } else {
            self.before
        }
    }
}
