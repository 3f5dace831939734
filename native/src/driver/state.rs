//! What the driver's tasks share: the engine and everything that has a name in it. Never borrowed
//! across an await.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time;

use aqueduct_core::discovery::Amounts;
use aqueduct_core::discovery::lsd::Lsd;
use aqueduct_core::types::{ConnId, InfoHashV1, PeerId};
use aqueduct_core::wire::{Handshake, Message};
use aqueduct_core::{CloseReason, DiscoverRequest, Engine, Event, Input, Instant, TorrentId};
use tokio::task::AbortHandle;

use super::conn::Conn;
use super::reports::Reports;
use super::slab::Slabs;
use crate::discovery::Membership;
use crate::storage::stored::Stored;

/// A torrent as the driver knows it.
#[derive(Debug)]
pub(super) struct Torrent {
    pub(super) info_hash: InfoHashV1,
    /// `None` until a magnet's metadata came.
    pub(super) stored: Option<Arc<Stored>>,
    /// `None` if nobody is asked for peers.
    pub(super) membership: Option<Membership>,
    /// Peers shut out for wrong data.
    pub(super) banned: usize,
    /// Bytes sent and received in earlier runs, of a link that was announced before its record was
    /// found.
    pub(super) found: (u64, u64),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) torrents: BTreeMap<TorrentId, Torrent>,
    /// Whom an incoming connection is for.
    pub(super) routes: HashMap<InfoHashV1, TorrentId>,
    pub(super) dials: HashMap<ConnId, AbortHandle>,
    pub(super) conns: HashMap<ConnId, Conn>,
    /// Connections with something to write.
    pub(super) unwritten: Vec<ConnId>,
    /// News that nobody has fetched. A handful a torrent: pieces and bans are only logged.
    pub(super) events: VecDeque<Event>,
    /// What became of trackers and peers, for the user.
    pub(super) reports: Reports,
    /// `None`: nobody is looked for on the local network.
    pub(super) neighbours: Option<Lsd>,
    /// When the timer's task will wake up.
    pub(super) armed: Option<Instant>,
    pub(super) accepted: u64,
    pub(super) added: u32,
    started: time::Instant,
    peer_id: PeerId,
    slabs: Slabs,
}

impl State {
    pub(super) fn new(engine: Engine, peer_id: PeerId, started: time::Instant) -> Self {
        Self {
            engine,
            torrents: BTreeMap::new(),
            routes: HashMap::new(),
            dials: HashMap::new(),
            conns: HashMap::new(),
            unwritten: Vec::new(),
            events: VecDeque::new(),
            reports: Reports::default(),
            neighbours: None,
            armed: None,
            accepted: 0,
            added: 0,
            started,
            peer_id,
            slabs: Slabs::default(),
        }
    }

    /// Monotonic, as the engine counts.
    pub(super) fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The clock's reading at an engine's instant.
    pub(super) fn time_of(&self, instant: Instant) -> time::Instant {
        self.started + instant.since(Instant::ZERO)
    }

    pub(super) fn handshake(&self, info_hash: InfoHashV1) -> Handshake {
        Handshake {
            reserved: self.engine.reserved(info_hash),
            info_hash,
            peer_id: self.peer_id,
        }
    }

    /// Adds a connection that the engine was told of, and hands on what came behind its handshake.
    pub(super) fn insert(&mut self, now: Instant, id: ConnId, mut conn: Conn) {
        let engine = &mut self.engine;
        match conn.understand(|message| engine.handle(now, Input::Message { conn: id, message })) {
            Ok(()) => {
                self.conns.insert(id, conn);
            }
            Err(reason) => engine.handle(now, Input::Closed { conn: id, reason }),
        }
    }

    /// Reads one turn's worth from a socket; returns whether there may be more.
    pub(super) fn read(&mut self, now: Instant, id: ConnId) -> bool {
        let Self {
            engine,
            conns,
            slabs,
            ..
        } = self;
        let Some(conn) = conns.get_mut(&id) else {
            return false;
        };
        match conn.read(slabs, |message| {
            engine.handle(now, Input::Message { conn: id, message })
        }) {
            Ok(more) => more,
            Err(reason) => {
                self.fail(now, id, reason);
                false
            }
        }
    }

    pub(super) fn send(&mut self, id: ConnId, message: &Message) {
        if self
            .conns
            .get_mut(&id)
            .is_some_and(|conn| conn.push(message))
            && self.unwritten.last() != Some(&id)
        {
            self.unwritten.push(id);
        }
    }

    /// A socket takes bytes again.
    pub(super) fn unblock(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.unblock();
            self.unwritten.push(id);
        }
    }

    /// Writes what was queued since the last call; returns whether the engine heard anything.
    pub(super) fn write(&mut self, now: Instant) -> bool {
        let ids = std::mem::take(&mut self.unwritten);
        let any = !ids.is_empty();
        for id in ids {
            let Some(conn) = self.conns.get_mut(&id) else {
                continue;
            };
            match conn.write() {
                Ok(0) => {}
                Ok(bytes) => self.engine.handle(now, Input::Sent { conn: id, bytes }),
                Err(reason) => self.fail(now, id, reason),
            }
        }
        any
    }

    /// Ends a connection or a dial as the engine wishes.
    pub(super) fn close(&mut self, id: ConnId, reason: &CloseReason) {
        tracing::debug!(conn = id.get(), %reason, "closed");
        self.conns.remove(&id);
        if let Some(dial) = self.dials.remove(&id) {
            dial.abort();
        }
    }

    pub(super) fn fail(&mut self, now: Instant, id: ConnId, reason: CloseReason) {
        tracing::debug!(conn = id.get(), %reason, "lost");
        self.conns.remove(&id);
        self.engine.handle(now, Input::Closed { conn: id, reason });
    }

    pub(super) fn discover(&self, id: TorrentId, request: DiscoverRequest) {
        if let (Some(membership), Some(amounts)) = (
            self.torrents
                .get(&id)
                .and_then(|torrent| torrent.membership.as_ref()),
            self.amounts(id),
        ) {
            membership.request(request, amounts);
        }
    }

    /// BEP 27: from now on only a torrent's trackers hear of it.
    pub(super) fn set_private(&self, id: TorrentId) {
        let membership = self
            .torrents
            .get(&id)
            .and_then(|torrent| torrent.membership.as_ref());
        membership.into_iter().for_each(Membership::set_private);
    }

    /// Tells discovery how far the torrents are, for the announces that it makes by itself.
    pub(super) fn update_amounts(&self) {
        for (&id, torrent) in &self.torrents {
            if let (Some(membership), Some(amounts)) = (&torrent.membership, self.amounts(id)) {
                membership.update(amounts);
            }
        }
    }

    fn amounts(&self, id: TorrentId) -> Option<Amounts> {
        let torrent = self.torrents.get(&id)?;
        let snapshot = self.engine.snapshot_of(id)?;
        let (uploaded, downloaded) = (
            snapshot.uploaded.saturating_sub(torrent.found.0),
            snapshot.downloaded.saturating_sub(torrent.found.1),
        );
        Some(Amounts {
            uploaded,
            downloaded,
            left: torrent.stored.is_some().then_some(snapshot.left),
        })
    }
}
