//! The extension protocol (BEP 10) and what is spoken in it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::hub::Hub;
use super::receive::Verdict;
use super::swarm::Swarm;
use crate::ext::metadata::{Copy, MetadataMessage};
use crate::ext::{EXTENDED_HANDSHAKE, Extension, Standing, upload_only};
use crate::io::{CloseReason, Event};
use crate::meta::Info;
use crate::torrent::Who;
use crate::types::{Bitfield, ConnId, InfoHashV1, Instant, Sha1Digest, is_tab};
use crate::wire::Message;

/// Copies of the metadata fetched at a time.
const COPIES: usize = 4;
/// A copy that stalls so long makes room for another peer's.
const STALL: Duration = Duration::from_secs(5);

impl Swarm {
    pub(super) fn on_extended(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, id: u8, payload: Bytes) -> Verdict {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        if !peer.extensions.spoken() {
            return Err(CloseReason::Misbehaved("an extended message without the extension protocol"));
        }
        if id == EXTENDED_HANDSHAKE {
            return self.on_hello(hub, now, conn, &payload);
        }
        match Extension::from_id(id) {
            Some(Extension::Metadata) => self.on_metadata(hub, now, conn, &payload),
            Some(Extension::Pex) => self.on_exchange(hub, now, conn, &payload),
            Some(Extension::DontHave) => self.on_dont_have(hub, now, conn, &payload),
            // BEP 10: an id that we never gave is ignored.
            None => Ok(()),
        }
    }

    fn on_hello(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, payload: &[u8]) -> Verdict {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        if let Some(ip) = peer.extensions.on_handshake(payload) {
            hub.external.told_by(peer.addr.ip(), ip);
        }
        // Where another tab of our bridge seems to be, nobody listens.
        if let (None, Some(port)) = (peer.listens, peer.extensions.listen_port().filter(|_| !is_tab(peer.addr.ip()))) {
            peer.listens = Some((peer.addr.ip(), port).into());
        }
        self.fetch_metadata(hub, now);
        self.redundant(conn)
    }

    /// What we say of ourselves to a new peer.
    pub(super) fn standing(&self, hub: &Hub) -> Standing<'_> {
        let info = self.data.as_ref().map(|d| &*d.info);
        Standing { info, exchanges: self.exchanges(hub), partial_seed: self.partial_seed() }
    }

    /// BEP 21: everybody hears when we stop wanting data without having everything, and when we want some again.
    pub(super) fn tell_upload_only(&mut self, hub: &mut Hub) {
        let is = self.partial_seed();
        if std::mem::replace(&mut self.said_upload_only, is) == is {
            return;
        }
        for (&conn, peer) in self.peers.iter_mut().filter(|(_, p)| p.extensions.spoken()) {
            peer.say(hub, conn, upload_only(is));
        }
    }

    fn on_metadata(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, payload: &Bytes) -> Verdict {
        match MetadataMessage::decode(payload) {
            Some(MetadataMessage::Request(block)) => self.serve_metadata(hub, conn, block),
            Some(MetadataMessage::Data { block, data }) => return self.on_metadata_block(hub, now, conn, block, data),
            Some(MetadataMessage::Reject(_)) => self.give_up_copy(conn),
            None => {}
        }
        Ok(())
    }

    /// BEP 9: a block of our metadata, or a word that there is none. A peer whose queue is full is refused, not waited for.
    fn serve_metadata(&mut self, hub: &mut Hub, conn: ConnId, block: u32) {
        let raw = self.data.as_ref().map(|d| d.info.raw.clone()).unwrap_or_default();
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Some(id) = peer.extensions.remote_id(Extension::Metadata) else { return };
        let room = peer.unsent < hub.config.max_unsent;
        let answer = Some(()).filter(|()| room).and_then(|()| MetadataMessage::serve(&raw, block));
        let payload = answer.unwrap_or(MetadataMessage::Reject(block)).encode(raw.len() as u64);
        peer.say(hub, conn, Message::Extended { id, payload });
    }

    fn on_metadata_block(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, block: u32, data: Bytes) -> Verdict {
        let Some(peer) = self.peers.get_mut(&conn) else { return Ok(()) };
        let Some(copy) = peer.extensions.copy.as_mut() else { return Ok(()) };
        if !copy.arrived(now, block, data) {
            return Err(CloseReason::Misbehaved("a metadata block that was not asked for, or of the wrong length"));
        }
        let (whole, who) = (copy.whole(), peer.who());
        match whole {
            Some(raw) => self.on_copy(hub, now, conn, raw, who),
            None => self.request_metadata(hub, conn),
        }
        Ok(())
    }

    /// A whole copy is there: it is parsed only if its hash is right.
    fn on_copy(&mut self, hub: &mut Hub, now: Instant, conn: ConnId, raw: Bytes, who: Who) {
        self.give_up_copy(conn);
        let hash: Sha1Digest = Sha1::digest(&raw).into();
        if self.info_hash.v1() != Some(InfoHashV1(hash)) {
            return self.ban(hub, now, who);
        }
        match Info::parse(raw) {
            Ok(info) => self.on_info(hub, now, Arc::new(info)),
            Err(error) => self.fail(hub, crate::io::Failure::Metadata(error.to_string())),
        }
    }

    fn on_info(&mut self, hub: &mut Hub, now: Instant, info: Arc<Info>) {
        self.peers.values_mut().for_each(|p| p.extensions.copy = None);
        self.fetched = Some(Arc::clone(&info));
        if info.private {
            self.become_private(hub, now);
        }
        hub.event(Event::Metadata(self.id, info));
    }

    /// Keeps some copies on their way while the metadata are lacking.
    pub(super) fn fetch_metadata(&mut self, hub: &mut Hub, now: Instant) {
        if self.data.is_some() || self.fetched.is_some() || self.failure.is_some() {
            return;
        }
        let under_way = self.peers.values().filter(|p| p.extensions.copy.is_some()).count();
        let able: Vec<ConnId> = self.peers.iter().filter(|(_, p)| p.extensions.may_copy()).map(|(c, _)| *c).collect();
        for conn in able.into_iter().take(COPIES.saturating_sub(under_way)) {
            if let Some(peer) = self.peers.get_mut(&conn) {
                peer.extensions.copy = peer.extensions.metadata_size().and_then(|size| Copy::new(size, now));
                peer.extensions.tried_copy = true;
            }
            self.request_metadata(hub, conn);
        }
    }

    fn request_metadata(&mut self, hub: &mut Hub, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else { return };
        let Some(id) = peer.extensions.remote_id(Extension::Metadata) else { return };
        while let Some(block) = peer.extensions.copy.as_mut().and_then(Copy::next_request) {
            let payload = MetadataMessage::Request(block).encode(0);
            peer.say(hub, conn, Message::Extended { id, payload });
        }
    }

    fn give_up_copy(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.extensions.copy = None;
        }
    }

    /// Copies that stall make room for others; when everybody was tried, all are tried again.
    pub(super) fn tick_metadata(&mut self, hub: &mut Hub, now: Instant) {
        if self.data.is_some() || self.fetched.is_some() {
            return;
        }
        for peer in self.peers.values_mut() {
            peer.extensions.copy = peer.extensions.copy.take().filter(|c| now.since(c.at) < STALL);
        }
        let idle = self.peers.values().all(|p| p.extensions.copy.is_none());
        if idle && !self.peers.values().any(|p| p.extensions.may_copy()) {
            self.peers.values_mut().for_each(|p| p.extensions.tried_copy = false);
        }
        self.fetch_metadata(hub, now);
    }

    /// What peers said they have before the torrent's size was known means something now.
    pub(super) fn apply_early_haves(&mut self, hub: &mut Hub, now: Instant) {
        let pieces = self.pieces();
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        for conn in conns {
            let Some(peer) = self.peers.get_mut(&conn) else { continue };
            let early = std::mem::take(&mut peer.early);
            let claimed = match &early.bitfield {
                Some(bytes) => Bitfield::from_wire(bytes, pieces).map_err(|_| CloseReason::Misbehaved("its bitfield does not fit the torrent")),
                None if early.all => Ok(Bitfield::all(pieces)),
                None => Ok(Bitfield::none(pieces)),
            };
            let verdict = claimed.and_then(|mut have| {
                if let Some(data) = &self.data {
                    for piece in early.indices.iter().filter_map(|&i| data.lengths.piece(i)) {
                        have.set(piece);
                    }
                }
                self.learn(hub, now, conn, have)
            });
            if let Err(reason) = verdict {
                self.drop_conn(hub, now, conn, reason);
            }
        }
    }
}
