//! The engine with its surrounding parts, and the exchange between them. Nothing here waits.

use std::net::IpAddr;

use aqueduct_core::discovery::lsd::Announce;
use aqueduct_core::types::{ConnId, InfoHashV1, PeerId, PeerSource};
use aqueduct_core::wire::Handshake;
use aqueduct_core::{CloseReason, DiscoverRequest, Engine, Input, Instant, TorrentId};

use super::clock::Clock;
use super::conn::Conn;
use super::connections::Connections;
use super::dials::Dials;
use super::memberships::Memberships;
use super::neighbours::Neighbours;
use super::torrents::Torrents;
use crate::dial::Wanted;
use crate::transport::PeerStream;

/// What the driver's tasks share. Never borrowed across an await.
#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) engine: Engine,
    pub(super) peer_id: PeerId,
    pub(super) torrents: Torrents,
    pub(super) connections: Connections,
    pub(super) dials: Dials,
    pub(super) memberships: Memberships,
    /// `None`: peers are not looked for on the local network.
    pub(super) neighbours: Option<Neighbours>,
}

impl State {
    /// Our handshake for one swarm.
    pub(super) fn handshake(&self, info_hash: InfoHashV1) -> Handshake {
        Handshake {
            reserved: self.engine.reserved(info_hash),
            info_hash,
            peer_id: self.peer_id,
        }
    }

    /// Our handshake for a requested swarm; `None` if we are not in it.
    pub(super) fn answer(&self, wanted: Wanted) -> Option<Handshake> {
        let info_hash = match wanted {
            Wanted::InfoHash(info_hash) => self.engine.find(info_hash).map(|_| info_hash),
            Wanted::Obfuscated(swarm) => self.engine.find_obfuscated(swarm),
        }?;
        Some(self.handshake(info_hash))
    }

    /// Adds a connection that the engine knows already.
    pub(super) fn insert(&mut self, now: Instant, id: ConnId, conn: Conn<PeerStream>) {
        let engine = &mut self.engine;
        let take = |message| engine.handle(now, Input::Message { conn: id, message });
        if let Err(reason) = self.connections.insert(id, conn, take) {
            self.lost(now, id, reason);
        }
    }

    /// Reads one turn's worth from a socket; returns whether there may be more.
    pub(super) fn read(&mut self, now: Instant, id: ConnId) -> bool {
        let engine = &mut self.engine;
        let take = |message| engine.handle(now, Input::Message { conn: id, message });
        self.connections.read(id, take).unwrap_or_else(|reason| {
            self.lost(now, id, reason);
            false
        })
    }

    /// Writes what is queued on all connections; returns whether there was anything to write.
    pub(super) fn write(&mut self, now: Instant) -> bool {
        let engine = &mut self.engine;
        self.connections.write(|conn, written| {
            let input = match written {
                Ok(bytes) => Input::Sent { conn, bytes },
                Err(reason) => lost(conn, reason),
            };
            engine.handle(now, input);
        })
    }

    /// A connection that is dropped already has failed.
    fn lost(&mut self, now: Instant, conn: ConnId, reason: CloseReason) {
        self.engine.handle(now, lost(conn, reason));
    }

    /// Drops a connection whose socket failed.
    pub(super) fn fail(&mut self, now: Instant, conn: ConnId, reason: CloseReason) {
        self.connections.remove(conn);
        self.lost(now, conn, reason);
    }

    /// Ends a connection or an attempt to connect, as the engine decided.
    pub(super) fn close(&mut self, id: ConnId, reason: &CloseReason) {
        tracing::debug!(conn = id.get(), %reason, "closed");
        self.connections.remove(id);
        self.dials.cancel(id);
    }

    /// Starts, repeats or ends the search for a torrent's peers, as the engine decided.
    pub(super) fn discover(&mut self, now: Instant, id: TorrentId, request: DiscoverRequest) {
        if let Some(amounts) = self
            .engine
            .snapshot_of(id)
            .and_then(|snapshot| self.torrents.amounts(id, &snapshot))
        {
            self.memberships.request(id, request, amounts);
        }
        let private = self.engine.is_private(id);
        let swarm = self.torrents.get(id).map(|torrent| torrent.info_hash);
        if let (Some(neighbours), Some(swarm)) = (&mut self.neighbours, swarm) {
            match request {
                // A private torrent is never announced to neighbours (BEP 27).
                DiscoverRequest::Start if !private => neighbours.join(now, swarm),
                DiscoverRequest::Stop => neighbours.leave(swarm),
                _ => {}
            }
        }
    }

    /// A magnet link's metadata say that its torrent is private (BEP 27): from now on it is
    /// announced to its trackers alone.
    pub(super) fn set_private(&mut self, id: TorrentId) {
        self.memberships.set_private(id);
        let swarm = self.torrents.get(id).map(|torrent| torrent.info_hash);
        if let (Some(neighbours), Some(swarm)) = (&mut self.neighbours, swarm) {
            neighbours.leave(swarm);
        }
    }

    /// Changes the port at which peers on the internet reach us. Local discovery keeps the
    /// listening port.
    pub(super) fn set_port(&mut self, port: u16) {
        self.engine.set_listen_port(port);
        self.memberships.set_port(port);
    }

    /// Reports to discovery how far the torrents are, for the announces that it makes on its own.
    pub(super) fn update_amounts(&self) {
        for id in self.torrents.ids() {
            let snapshot = self.engine.snapshot_of(id);
            let amounts = snapshot.and_then(|snapshot| self.torrents.amounts(id, &snapshot));
            if let Some(amounts) = amounts {
                self.memberships.update(id, amounts);
            }
        }
    }

    /// When [`State::poll_local_announce`] is to be called next.
    pub(super) fn neighbours_due(&self) -> Option<tokio::time::Instant> {
        let due = self.neighbours.as_ref()?.poll_timeout()?;
        Some(self.clock.system_time(due))
    }

    /// What is to be announced on the local network.
    pub(super) fn poll_local_announce(&mut self, now: Instant) -> Option<Announce> {
        self.neighbours.as_mut()?.poll_announce(now)
    }

    /// Reads an announce from the local network and passes the peer on to its swarms.
    pub(super) fn handle_neighbour(&mut self, now: Instant, from: IpAddr, datagram: &[u8]) {
        let heard = self
            .neighbours
            .as_mut()
            .and_then(|neighbours| neighbours.handle_datagram(now, from, datagram));
        let Some((addr, swarms)) = heard else { return };
        for swarm in swarms {
            if let Some(torrent) = self.torrents.by_info_hash(swarm) {
                self.engine.handle(
                    now,
                    Input::Peers {
                        torrent,
                        source: PeerSource::Lsd,
                        addrs: vec![addr.into()],
                    },
                );
            }
        }
    }
}

fn lost(conn: ConnId, reason: CloseReason) -> Input {
    tracing::debug!(conn = conn.get(), %reason, "lost");
    Input::Closed { conn, reason }
}
