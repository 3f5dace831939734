//! The session with its surrounding parts, and the exchange between them. Nothing here waits.

use aqueduct_core::types::{ConnId, InfoHashV1, PeerId};
use aqueduct_core::wire::Handshake;
use aqueduct_core::{CloseReason, Input, Instant, Session};

use super::clock::Clock;
use super::conn::Conn;
use super::connections::Connections;
use super::dials::Dials;
use super::torrents::Torrents;
use crate::dial::Wanted;
use crate::transport::PeerStream;

/// What the driver's tasks share. Never borrowed across an await.
#[derive(Debug)]
pub(super) struct State {
    pub(super) clock: Clock,
    /// The engine, trackers, the DHT and local discovery.
    pub(super) session: Session,
    pub(super) peer_id: PeerId,
    pub(super) torrents: Torrents,
    pub(super) connections: Connections,
    pub(super) dials: Dials,
}

impl State {
    /// Our handshake for one swarm.
    pub(super) fn handshake(&self, info_hash: InfoHashV1) -> Handshake {
        Handshake {
            reserved: self.session.engine().reserved(info_hash),
            info_hash,
            peer_id: self.peer_id,
        }
    }

    /// Our handshake for a requested swarm; `None` if we are not in it.
    pub(super) fn answer(&self, wanted: Wanted) -> Option<Handshake> {
        let engine = self.session.engine();
        let info_hash = match wanted {
            Wanted::InfoHash(info_hash) => engine.find(info_hash).map(|_| info_hash),
            Wanted::Obfuscated(swarm) => engine.find_obfuscated(swarm),
        }?;
        Some(self.handshake(info_hash))
    }

    /// Adds a connection that the engine knows already.
    pub(super) fn insert(&mut self, now: Instant, id: ConnId, conn: Conn<PeerStream>) {
        let session = &mut self.session;
        let take = |message| session.handle(now, Input::Message { conn: id, message });
        if let Err(reason) = self.connections.insert(id, conn, take) {
            self.lost(now, id, reason);
        }
    }

    /// Reads one turn's worth from a socket; returns whether there may be more.
    pub(super) fn read(&mut self, now: Instant, id: ConnId) -> bool {
        let session = &mut self.session;
        let take = |message| session.handle(now, Input::Message { conn: id, message });
        self.connections.read(id, take).unwrap_or_else(|reason| {
            self.lost(now, id, reason);
            false
        })
    }

    /// Writes what is queued on all connections; returns whether there was anything to write.
    pub(super) fn write(&mut self, now: Instant) -> bool {
        let session = &mut self.session;
        self.connections.write(|conn, written| {
            let input = match written {
                Ok(bytes) => Input::Sent { conn, bytes },
                Err(reason) => lost(conn, reason),
            };
            session.handle(now, input);
        })
    }

    /// A connection that is dropped already has failed.
    fn lost(&mut self, now: Instant, conn: ConnId, reason: CloseReason) {
        self.session.handle(now, lost(conn, reason));
    }

    /// Drops a connection whose socket failed.
    pub(super) fn fail(&mut self, now: Instant, conn: ConnId, reason: CloseReason) {
        self.connections.remove(conn);
        self.lost(now, conn, reason);
    }

    /// Drops connections whose interface or address is gone.
    pub(super) fn fail_all(&mut self, now: Instant, orphaned: &[ConnId]) {
        for &conn in orphaned {
            let reason = "the interface or the address of the connection is gone".to_owned();
            self.fail(now, conn, CloseReason::Unreachable(reason));
        }
    }

    /// Ends a connection or an attempt to connect, as the engine decided.
    pub(super) fn close(&mut self, id: ConnId, reason: &CloseReason) {
        tracing::debug!(conn = id.get(), %reason, "closed");
        self.connections.remove(id);
        self.dials.cancel(id);
    }
}

fn lost(conn: ConnId, reason: CloseReason) -> Input {
    tracing::debug!(conn = conn.get(), %reason, "lost");
    Input::Closed { conn, reason }
}
