//! Each torrent's membership with trackers and the DHT.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use aqueduct_core::discovery::{Amounts, DhtCounts, Key, Swarm, TrackerStatus};
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_core::{DiscoverRequest, TorrentId};
use tokio::sync::mpsc;

use crate::discovery::{Handle, Membership, News};

/// Our identity for trackers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) peer_id: PeerId,
    /// Our listening TCP port.
    pub(super) port: u16,
}

/// The memberships by torrent.
#[derive(Debug)]
pub(super) struct Memberships {
    /// `None` if neither trackers nor the DHT are used.
    discovery: Option<Handle>,
    asks_trackers: bool,
    identity: Identity,
    members: BTreeMap<TorrentId, Membership>,
}

impl Memberships {
    pub(super) fn new(discovery: Option<Handle>, asks_trackers: bool, identity: Identity) -> Self {
        Self {
            discovery,
            asks_trackers,
            identity,
            members: BTreeMap::new(),
        }
    }

    /// Joins the swarm at trackers and, unless the torrent is private, in the DHT. Returns the
    /// receiver of peers and answers; `None` if neither is used.
    pub(super) fn join(
        &mut self,
        id: TorrentId,
        info_hash: InfoHashV1,
        trackers: Vec<Vec<String>>,
        private: bool,
    ) -> Option<mpsc::Receiver<News>> {
        let key = Key {
            info_hash,
            owner: u64::from(id.0),
        };
        let swarm = Swarm {
            trackers: if self.asks_trackers {
                trackers
            } else {
                Vec::new()
            },
            peer_id: self.identity.peer_id,
            port: self.identity.port,
            amounts: Amounts::default(),
            private,
        };
        let (membership, news) = self.discovery.as_ref()?.join(key, swarm).ok()?;
        self.members.insert(id, membership);
        Some(news)
    }

    /// Passes on what the engine asks for, with the amounts that the next announce reports.
    pub(super) fn request(&self, id: TorrentId, request: DiscoverRequest, amounts: Amounts) {
        if let Some(membership) = self.members.get(&id) {
            membership.request(request, amounts);
        }
    }

    /// Reports how far a torrent is, for the announces that discovery makes on its own.
    pub(super) fn update(&self, id: TorrentId, amounts: Amounts) {
        if let Some(membership) = self.members.get(&id) {
            membership.update(amounts);
        }
    }

    /// Changes the port at which peers reach us, for all torrents.
    pub(super) fn set_port(&mut self, port: u16) {
        self.identity.port = port;
        self.members
            .values()
            .for_each(|membership| membership.set_port(port));
    }

    /// From now on the torrent is announced to its trackers alone (BEP 27).
    pub(super) fn set_private(&self, id: TorrentId) {
        if let Some(membership) = self.members.get(&id) {
            membership.set_private();
        }
    }

    /// A peer named a node of the DHT (BEP 5, PORT).
    pub(super) fn add_dht_node(&self, addr: SocketAddr) {
        if let Some(discovery) = &self.discovery {
            discovery.dht_node(addr);
        }
    }

    pub(super) fn trackers(&self, id: TorrentId) -> Vec<TrackerStatus> {
        let membership = self.members.get(&id);
        membership.map(Membership::trackers).unwrap_or_default()
    }

    /// `None`: the DHT is not asked for this torrent.
    pub(super) fn dht(&self, id: TorrentId) -> Option<DhtCounts> {
        self.members.get(&id)?.dht()
    }

    /// Discovery itself, to leave all swarms at the end.
    pub(super) fn discovery(&self) -> Option<Handle> {
        self.discovery.clone()
    }
}
