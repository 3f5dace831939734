//! Peers that a tracker named by host name instead of by address (BEP 3): looked up within the
//! owner's budget, and handed on like any other.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::announce::MAX_NAMES;
use super::io::{Key, Output, QueryId, ResolveFor};
use super::machine::Discovery;
use super::status::TrackerError;
use crate::discovery::url::Host;
use crate::net::is_usable;
use crate::types::{Instant, PeerSource};

/// Lookups under way.
#[derive(Debug, Default)]
pub(super) struct PeerNames {
    open: BTreeMap<QueryId, Key>,
}

impl PeerNames {
    pub(super) fn is_open(&self, id: QueryId) -> bool {
        self.open.contains_key(&id)
    }

    pub(super) fn owner(&self, id: QueryId) -> Option<u64> {
        self.open.get(&id).map(|key| key.owner)
    }

    fn count(&self, key: Key) -> usize {
        self.open.values().filter(|other| **other == key).count()
    }
}

impl Discovery {
    /// Looks up names of peers, as many as the budget allows; the next answer names the others
    /// again.
    pub(super) fn look_up_peers(&mut self, now: Instant, key: Key, names: Vec<(Host, u16)>) {
        for (host, port) in names {
            if self.names.count(key) >= MAX_NAMES
                || self.lookups.take(key.owner, &host, now).is_err()
            {
                return;
            }
            let id = self.queries.fresh_id();
            self.names.open.insert(id, key);
            self.outputs.push_back(Output::Resolve {
                id,
                what: ResolveFor::Peer,
                host: host.to_string(),
                port,
            });
        }
    }

    /// A name has addresses, or none: then it was no peer.
    pub(super) fn found_peer(
        &mut self,
        id: QueryId,
        result: Result<Vec<SocketAddr>, TrackerError>,
    ) {
        let Some(key) = self.names.open.remove(&id) else {
            return;
        };
        let mut addrs = result.unwrap_or_default();
        addrs.retain(|addr| is_usable(*addr));
        if !addrs.is_empty() {
            self.outputs.push_back(Output::Peers {
                key,
                source: PeerSource::Tracker,
                addrs,
            });
        }
    }

    /// Nobody wants the peers of this torrent any more.
    pub(super) fn forget_names(&mut self, key: Key) {
        let open = self
            .names
            .open
            .extract_if(.., |_, other| *other == key)
            .map(|(id, _)| Output::Cancel(id));
        self.outputs.extend(open);
    }
}
