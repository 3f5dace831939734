//! The rounds of a search: a lookup in each family, the peers that it finds, and the announces at
//! its end.

use std::net::SocketAddr;

use super::io::{Family, LookupEffort, Output};
use super::lookup::{Goal, Lookup};
use super::machine::Dht;
use super::queries::LookupId;
use crate::net::disclosure::may_name;
use crate::net::is_usable;
use crate::types::{InfoHashV1, Instant};

impl Dht {
    pub(super) fn begin_round(&mut self, now: Instant, hash: InfoHashV1) {
        self.add_stored_peers(hash);
        self.look_in(now, hash, &Family::ALL);
    }

    /// Starts the part of a round in these families.
    fn look_in(&mut self, now: Instant, hash: InfoHashV1, families: &[Family]) {
        for family in families {
            let lookup = self.begin_lookup(now, *family, hash.into(), Goal::Peers(hash));
            self.searches.note_lookups(hash, lookup.as_slice());
        }
        self.push_changed(hash);
    }

    /// Starts lookups that could not start for lack of contacts in this family, since there is one
    /// now.
    pub(super) fn feed_starved(&mut self, now: Instant, family: Family) {
        for hash in self.searches.take_starved(family) {
            if self.searches.may_go_on(hash) {
                self.look_in(now, hash, &[family]);
            } else if self.searches.begin(now, hash) {
                self.begin_round(now, hash);
            }
        }
    }

    /// Handles peers that a node returned.
    pub(super) fn add_peers(&mut self, hash: InfoHashV1, from: SocketAddr, peers: &[SocketAddr]) {
        let ports = self.searches.ports(hash);
        let local = &self.local;
        let is_us = |peer: &SocketAddr| ports.contains(&peer.port()) && local.is_ours(*peer);
        let allowed = peers
            .iter()
            .copied()
            .filter(|peer| is_usable(*peer) && may_name(from.into(), *peer) && !is_us(peer));
        let Some((keys, addrs)) = self.searches.add_peers(hash, allowed) else {
            return;
        };
        let found = keys.into_iter().map(|key| Output::Peers {
            key,
            addrs: addrs.clone(),
        });
        self.outputs.extend(found);
        self.push_changed(hash);
    }

    /// Handles the end of a lookup in one family: announces to its closest nodes.
    pub(super) fn finish_search(
        &mut self,
        now: Instant,
        hash: InfoHashV1,
        id: LookupId,
        lookup: &Lookup,
    ) {
        let (ports, stores) = (self.searches.ports(hash), lookup.stores());
        for port in &ports {
            for (store, token) in &stores {
                self.ask(now, |questions, net| {
                    questions.announce(net, store, hash, *port, token);
                });
            }
        }
        let announced = if ports.is_empty() { 0 } else { stores.len() };
        let effort = LookupEffort {
            hops: lookup.hops(),
            announced: u32::try_from(announced).unwrap_or(u32::MAX),
            ..lookup.effort
        };
        let key = self.searches.first_listener(hash);
        self.outputs
            .extend(key.map(|key| Output::LookupEnded { key, effort }));
        let answered = lookup.effort.answers > 0;
        if self
            .searches
            .finish_lookup(now, hash, id, lookup.family, answered)
        {
            self.push_changed(hash);
        }
    }

    /// Reports changed counts of a swarm.
    fn push_changed(&mut self, hash: InfoHashV1) {
        let members = self.searches.members(hash).into_iter();
        self.outputs.extend(members.map(Output::Changed));
    }
}
