//! The dials in progress of one torrent.

use std::time::Duration;

use crate::io::DialKind;
use crate::types::{ConnId, Instant, PeerAddr, SortedMap};

/// A dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dial {
    pub(crate) addr: PeerAddr,
    pub(crate) kind: DialKind,
    pub(crate) started: Instant,
    /// Whether an introduction was sought because it is slow (BEP 55).
    pub(crate) is_slow: bool,
    /// Whether the address is dropped if the dial fails: only an introduction named it.
    pub(crate) is_passing: bool,
}

/// All dials in progress.
#[derive(Debug, Default)]
pub(super) struct Dials(SortedMap<ConnId, Dial>);

impl Dials {
    pub(super) fn insert(&mut self, conn: ConnId, dial: Dial) {
        self.0.insert(conn, dial);
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Dial> {
        self.0.remove(&conn)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.0.keys().copied()
    }

    pub(super) fn addrs(&self) -> impl Iterator<Item = PeerAddr> {
        self.0.values().map(|dial| dial.addr)
    }

    /// The dials for which `holds` is true.
    pub(super) fn that(&self, holds: impl Fn(&Dial) -> bool) -> impl Iterator<Item = ConnId> {
        let dials = self.0.iter().filter(move |(_, dial)| holds(dial));
        dials.map(|(conn, _)| *conn)
    }

    /// Marks the direct dials that have taken at least this long as slow, those for which `counts`
    /// is true, and returns the addresses of those that were not marked yet.
    pub(super) fn mark_slow(
        &mut self,
        now: Instant,
        span: Duration,
        counts: impl Fn(PeerAddr) -> bool,
    ) -> Vec<PeerAddr> {
        let dials = self.0.values_mut().filter(|dial| {
            let is_late = dial.kind == DialKind::Direct && now.since(dial.started) >= span;
            is_late && !dial.is_slow && counts(dial.addr)
        });
        let marked = dials.map(|dial| {
            dial.is_slow = true;
            dial.addr
        });
        marked.collect()
    }
}
