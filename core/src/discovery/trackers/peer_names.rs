//! Peers that a tracker returned by host name instead of address (BEP 3). They are resolved within
//! the owner's budget, and then treated like others.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use super::allowance::Allowance;
use super::announce::MAX_NAMES;
use super::io::{Output, QueryId, Request, ResolveFor};
use super::status::TrackerError;
use crate::discovery::swarm::Key;
use crate::discovery::url::Host;
use crate::net::is_usable;
use crate::types::{Instant, PeerSource};

/// Lookups in progress.
#[derive(Debug, Default)]
pub(super) struct PeerNames {
    open: BTreeMap<QueryId, Key>,
}

impl PeerNames {
    pub(super) fn is_open(&self, id: QueryId) -> bool {
        self.open.contains_key(&id)
    }

    /// Resolves names of peers, as many as the budget permits; the next answer contains the others
    /// again.
    pub(super) fn look_up(
        &mut self,
        now: Instant,
        key: Key,
        names: Vec<(Host, u16)>,
        allowance: &mut Allowance,
        mut fresh_id: impl FnMut() -> QueryId,
    ) -> Vec<Output> {
        let open = self.open.values().filter(|other| **other == key).count();
        let mut lookups = Vec::new();
        for (host, port) in names.into_iter().take(MAX_NAMES.saturating_sub(open)) {
            if allowance.take_lookup(now, key.owner, &host).is_err() {
                break;
            }
            let id = fresh_id();
            self.open.insert(id, key);
            lookups.push(Output::Net(Request::Resolve {
                id,
                owner: key.owner,
                what: ResolveFor::Peer,
                host: host.to_string(),
                port,
            }));
        }
        lookups
    }

    /// Handles a resolved name. A name without addresses is ignored.
    pub(super) fn handle_resolved(
        &mut self,
        id: QueryId,
        result: Result<Vec<SocketAddr>, TrackerError>,
    ) -> Option<Output> {
        let key = self.open.remove(&id)?;
        let mut addrs = result.unwrap_or_default();
        addrs.retain(|addr| is_usable(*addr));
        (!addrs.is_empty()).then_some(Output::Peers {
            key,
            source: PeerSource::Tracker,
            addrs,
        })
    }

    /// Cancels the lookups of a torrent whose peers are no longer needed.
    pub(super) fn forget(&mut self, key: Key, outputs: &mut VecDeque<Output>) {
        let open = self.open.extract_if(.., |_, other| *other == key);
        outputs.extend(open.map(|(id, _)| Output::Net(Request::Cancel(id))));
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

    #[test]
    fn a_name_that_leads_nowhere_is_no_peer_and_names_of_who_left_are_not_waited_for() {
        let (mut names, mut allowance) = (
            PeerNames::default(),
            Allowance::new(None, std::time::Duration::ZERO),
        );
        let mut last = 0;
        let mut fresh = || {
            last += 1;
            QueryId(last)
        };
        let wanted = ["a", "b", "c"].map(|name| (Host::Name(name.to_owned()), 7));
        let now = Instant::ZERO;
        let asked = names.look_up(now, KEY, wanted.to_vec(), &mut allowance, &mut fresh);
        assert_eq!(asked.len(), 3);
        assert_eq!(
            names.handle_resolved(QueryId(1), Err(TrackerError::Html)),
            None
        );
        let unusable = vec!["0.0.0.0:7".parse().unwrap(), "1.2.3.4:0".parse().unwrap()];
        assert_eq!(names.handle_resolved(QueryId(2), Ok(unusable)), None);
        let mut outputs = VecDeque::new();
        names.forget(KEY, &mut outputs);
        assert_eq!(outputs, [Output::Net(Request::Cancel(QueryId(3)))]);
        let addr = vec!["1.2.3.4:7".parse().unwrap()];
        assert_eq!(names.handle_resolved(QueryId(3), Ok(addr)), None);
    }
}
