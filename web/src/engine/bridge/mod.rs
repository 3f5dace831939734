//! The driver's side of the tunnel: joins, streams, and what the bridge tells.

pub(crate) mod connection;
pub(crate) mod credit;
pub(crate) mod streams;

use std::net::SocketAddr;

use aqueduct_core::tunnel::{Amounts, Event, JoinRequest, JoinUpdate, StreamClose};
use aqueduct_core::types::{InfoHashV1, TorrentId};
use aqueduct_core::{CloseReason, Input, Instant};
use bytes::Bytes;

use crate::browser::clock::now;
use crate::engine::driver::Driver;
use crate::engine::swarms::places::Seat;
use crate::engine::torrent::{Item, Said};

impl Driver {
    /// A message of the bridge came.
    pub(crate) fn on_message(&mut self, now: Instant, message: Bytes) {
        let Some(tunnel) = self.line.tunnel() else {
            return;
        };
        if tunnel.handle_message(now, message).is_err() {
            self.line.broken(now);
            self.lose_all();
        }
        self.hear_tunnel();
    }

    /// Takes the tunnel's events. Returns whether there were any.
    pub(crate) fn hear_tunnel(&mut self) -> bool {
        let now = now();
        let mut heard = false;
        while let Some(event) = self.line.tunnel().and_then(|tunnel| tunnel.poll_event()) {
            heard = true;
            self.on_tunnel(now, event);
        }
        heard
    }

    fn on_tunnel(&mut self, now: Instant, event: Event) {
        match event {
            Event::Data { stream, bytes } => self.on_data(now, stream, &bytes),
            Event::Sent { stream, bytes } => {
                if let Some(conn) = self.streams.conn(stream) {
                    self.engine.handle(now, Input::Sent { conn, bytes });
                }
            }
            Event::StreamOpened {
                stream,
                addr,
                dialled,
                handshake,
                ..
            } => {
                if let Some(addr) = addr.socket_addr().filter(|_| dialled) {
                    self.met(handshake.info_hash, addr);
                }
                let conn = self.streams.open(stream);
                self.engine.handle(
                    now,
                    Input::Accepted {
                        conn,
                        addr,
                        dialled,
                        handshake,
                    },
                );
            }
            Event::StreamClosed {
                stream,
                reason: StreamClose::Peer,
            } => self.lose(stream, CloseReason::Remote),
            Event::StreamClosed { stream, reason } => {
                self.lose(stream, CloseReason::Unreachable(reason.to_string()))
            }
            Event::Welcome(welcome) => {
                self.line.greeted();
                self.places.granted(now, welcome.limits.joins);
                self.engine.set_listen_port(welcome.peer_port);
            }
            Event::Refused(refusal) => {
                self.line.refused(now, refusal);
                self.lose_all();
            }
            Event::Silent => {
                self.line.broken(now);
                self.lose_all();
            }
            Event::Trackers { join, counts } => {
                self.with_join(join, |item| item.said.trackers = counts)
            }
            Event::Dht { join, counts } => {
                self.with_join(join, |item| item.said.dht = Some(counts))
            }
            Event::Peers { join, counts } => self.with_join(join, |item| item.said.peers = counts),
            Event::JoinRefused { join, refusal } => self.join_refused(join, refusal),
            // The bridge closes the WebSocket when it stops; that is when to come back.
            Event::Draining { .. } => {}
        }
    }

    fn on_data(&mut self, now: Instant, stream: u32, bytes: &[u8]) {
        self.streams.feed(stream, bytes);
        while let Some((conn, read)) = self.streams.next(stream) {
            match read {
                Ok(message) => self.engine.handle(now, Input::Message { conn, message }),
                Err(error) => {
                    if let Some(tunnel) = self.line.tunnel() {
                        tunnel.close(stream);
                    }
                    self.lose(stream, CloseReason::Protocol(error));
                }
            }
        }
        if self.credit.took(stream, bytes.len())
            && let Some(tunnel) = self.line.tunnel()
        {
            tunnel.consumed(stream, bytes.len());
        }
    }

    /// Whoever was reached once is worth another try after a pause or in another session. Of a
    /// private torrent nobody is told (BEP 27).
    fn met(&mut self, info_hash: InfoHashV1, addr: SocketAddr) {
        let item = self
            .items
            .values_mut()
            .find(|item| item.info_hash().wire() == info_hash);
        if let Some(item) = item.filter(|item| !item.is_private()) {
            item.hints.met(addr);
        }
    }

    pub(crate) fn with_join(&mut self, join: u32, act: impl FnOnce(&mut Item)) {
        if let Some(item) = self
            .items
            .values_mut()
            .find(|item| item.seat.join() == Some(join))
        {
            act(item);
        }
    }

    /// The line is gone, and with it every stream and join.
    pub(crate) fn lose_all(&mut self) {
        self.credit.forget();
        self.items.values_mut().for_each(|item| item.seat.lose());
        for conn in self.streams.close_all() {
            self.engine.handle(
                now(),
                Input::Closed {
                    conn,
                    reason: CloseReason::Unreachable("the line to the bridge broke".to_owned()),
                },
            );
        }
    }

    /// Enters a swarm, if there is a session. Whether there is a place was looked at before.
    pub(crate) fn join(&mut self, torrent: TorrentId) {
        let amounts = self.amounts(torrent);
        let peer_id = self.peer_id();
        let (Some(item), Some(tunnel)) = (self.items.get_mut(&torrent), self.line.tunnel()) else {
            return;
        };
        let request = JoinRequest {
            info_hash: item.info_hash().wire(),
            other_hash: item.info_hash().other_wire(),
            peer_id,
            private: item.is_private(),
            amounts,
            want: Self::want(),
            trackers: item.trackers.clone(),
        };
        item.seat = Seat::In(tunnel.join(&request), now());
        // What the bridge of an earlier session said of its search means nothing now.
        item.said = Said::default();
        item.hints.joined();
    }

    /// Enters a swarm anew: seeds that were of no use a moment ago are, and the bridge lets those
    /// rest whose streams the tab closed.
    pub(crate) fn rejoin(&mut self, torrent: TorrentId) {
        if self
            .items
            .get(&torrent)
            .is_some_and(|item| item.seat.join().is_some())
        {
            self.leave(torrent, Seat::Waiting(Instant::ZERO));
        }
    }

    /// Leaves a swarm, if it was entered; from then on the torrent stands as `then` says.
    pub(crate) fn leave(&mut self, torrent: TorrentId, then: Seat) {
        let Some(item) = self.items.get_mut(&torrent) else {
            return;
        };
        let earlier = std::mem::replace(&mut item.seat, then);
        if let (Some(join), Some(tunnel)) = (earlier.join(), self.line.tunnel()) {
            tunnel.leave(join);
        }
        self.places.look_soon(now());
    }

    /// Hands on what peers said of further peers, as often as a bridge listens.
    pub(crate) fn tell_hints(&mut self, now: Instant) {
        let Some(tunnel) = self.line.tunnel() else {
            return;
        };
        for item in self.items.values_mut() {
            if let Some(join) = item.seat.join()
                && let Some(addrs) = item.hints.take(now)
            {
                tunnel.hint(join, &addrs);
            }
        }
    }

    /// When [`Driver::tell_hints`] has something to do.
    pub(crate) fn hints_due(&self) -> Option<Instant> {
        self.items
            .values()
            .filter(|item| item.seat.join().is_some())
            .filter_map(|item| item.hints.due())
            .min()
    }

    /// Tells the bridge how a torrent stands.
    pub(crate) fn update(&mut self, torrent: TorrentId, completed: bool, more: bool) {
        let amounts = self.amounts(torrent);
        let (Some(item), Some(tunnel)) = (self.items.get(&torrent), self.line.tunnel()) else {
            return;
        };
        if let Some(join) = item.seat.join() {
            let private = item.is_private();
            tunnel.update(
                join,
                &JoinUpdate {
                    amounts,
                    want: Self::want(),
                    private,
                    completed,
                    more,
                },
            );
        }
    }

    /// Tells the bridge how all torrents stand, for its announces.
    pub(crate) fn tell_amounts(&mut self) {
        let joined: Vec<TorrentId> = self
            .items
            .values()
            .filter(|item| item.seat.join().is_some())
            .map(|item| item.id)
            .collect();
        joined
            .into_iter()
            .for_each(|torrent| self.update(torrent, false, false));
    }

    fn amounts(&self, torrent: TorrentId) -> Amounts {
        let known = self
            .items
            .get(&torrent)
            .is_some_and(|item| item.info.is_some());
        let snapshot = self.engine.snapshot_of(torrent);
        snapshot.map_or(
            Amounts {
                uploaded: 0,
                downloaded: 0,
                left: None,
            },
            |s| Amounts {
                uploaded: s.uploaded,
                downloaded: s.downloaded,
                left: known.then_some(s.left),
            },
        )
    }
}
