//! The extension protocol (BEP 10): carries out the effects of its messages.

use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::peers::{Peer, Progress};
use super::state::State;
use super::transfer::Transfer;
use crate::context::Context;
use crate::extensions::{Effect, View};
use crate::io::{CloseReason, Event, Failure};
use crate::meta::Info;
use crate::types::{ConnId, InfoHashV1, PeerAddr, PeerSource, Sha1Digest};

impl Transfer {
    pub(super) fn handle_extended(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        id: u8,
        payload: &Bytes,
    ) -> Result<Progress, CloseReason> {
        let (exchanges, complete) = (self.state.exchanges(cx), self.state.is_complete());
        let introduces = self.state.introduces(cx);
        let metadata = self.state.info().map(|info| info.raw.clone());
        let Some(peer) = self.peers.get_mut(conn) else {
            return Ok(Progress::None);
        };
        // Removed during the call, which may access other peers.
        let mut extensions = std::mem::take(&mut peer.extensions);
        let from = (conn, peer.contact());
        let has_room = peer.outgoing.unsent() < cx.config().max_unsent;
        let view = View {
            now: cx.now,
            from,
            peer_at: &|addr| {
                self.peers
                    .at(addr)
                    .map(|(conn, peer)| (conn, peer.contact(), peer.extensions.ids()))
            },
            metadata: metadata.as_ref(),
            exchanges,
            introduces,
            complete,
            has_room,
        };
        let effect = extensions.handle(&view, id, payload);
        let Some(peer) = self.peers.get_mut(conn) else {
            return Ok(Progress::None);
        };
        peer.extensions = extensions;
        match effect? {
            Effect::Nothing => {}
            Effect::Refuse(refusal) => {
                if let Some(message) = refusal {
                    peer.send(cx, conn, message);
                }
            }
            Effect::Send(messages) => {
                for (conn, message) in messages {
                    if let Some(peer) = self.peers.get_mut(conn) {
                        peer.send(cx, conn, message);
                    }
                }
                return Ok(Progress::Made);
            }
            Effect::Handshake { our_ip } => {
                if let (Some(ip), Some(voter)) = (our_ip, peer.addr.ip()) {
                    cx.shared.external.add_vote(voter, ip);
                }
                self.handle_extended_handshake(cx, conn);
                if let Some(content) = self.state.content() {
                    content.check_redundant(&self.peers, conn)?;
                }
            }
            Effect::MetadataBlock { block, data } => {
                return self.handle_metadata_block(cx, conn, (block, data));
            }
            Effect::MetadataRejected => {
                if let State::Metadata(fetch) = &mut self.state {
                    fetch.handle_rejected(conn);
                }
            }
            Effect::Peers(told) => {
                let from = peer.addr;
                let candidates = &mut self.peers.candidates;
                let is_new = |(addr, flags): &_| candidates.add_told(*addr, *flags, from).is_ok();
                let new = told.into_iter().filter(is_new);
                let new = new.map(|(addr, _)| PeerAddr::from(addr)).collect();
                self.handle_new_candidates(cx, PeerSource::Pex, new);
                return Ok(Progress::Made);
            }
            Effect::Introduced(addr) => {
                if let Some(mut holepunching) = self.holepunching(cx) {
                    holepunching.handle_introduced(cx, conn, addr);
                }
            }
            Effect::NotIntroduced(addr) => {
                if let Some(mut holepunching) = self.holepunching(cx) {
                    holepunching.handle_not_introduced(cx, conn, addr);
                }
            }
            Effect::DontHave(index) => {
                let lost = (conn, index);
                let handled = self.with_content(|c, peers| c.handle_dont_have(cx, peers, lost));
                return handled.unwrap_or(Ok(Progress::None));
            }
        }
        Ok(Progress::None)
    }

    fn handle_extended_handshake(&mut self, cx: &mut Context, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(conn) else {
            return;
        };
        // For another tab of the same bridge this is the bridge's port, which is known already.
        if let (None, Some(ip), Some(port)) =
            (peer.listens, peer.addr.ip(), peer.extensions.listen_port())
        {
            peer.listens = Some((ip, port).into());
        }
        if let State::Metadata(fetch) = &mut self.state {
            fetch.fill(cx, &mut self.peers);
        }
    }

    fn handle_metadata_block(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        block: (u32, Bytes),
    ) -> Result<Progress, CloseReason> {
        let State::Metadata(fetch) = &mut self.state else {
            return Ok(Progress::None);
        };
        if !fetch.expects(conn) {
            return Ok(Progress::None);
        }
        let Some(raw) = fetch.handle_block(cx, &mut self.peers, conn, block)? else {
            return Ok(Progress::Made);
        };
        // A copy is parsed only if its hash matches.
        let hash: Sha1Digest = Sha1::digest(&raw).into();
        if self.info_hash.v1() != Some(InfoHashV1(hash)) {
            let liar = self.peers.get(conn).map(Peer::identity);
            liar.into_iter().for_each(|who| self.ban(cx, who));
            return Ok(Progress::None);
        }
        match Info::parse(raw) {
            Ok(info) => self.handle_metadata(cx, Arc::new(info)),
            Err(error) => {
                let failure = Failure::Metadata(error.to_string());
                cx.event(Event::Failed(cx.torrent, failure));
                self.state = State::Invalid(error.to_string());
            }
        }
        Ok(Progress::Made)
    }

    fn handle_metadata(&mut self, cx: &mut Context, info: Arc<Info>) {
        self.state = State::Opening {
            info: Arc::clone(&info),
            wanted: None,
        };
        self.info_hash = info.info_hash;
        let other = info.info_hash.other_wire().map(|name| (name, cx.torrent));
        cx.shared.learnt_names.extend(other);
        if info.private {
            self.become_private(cx);
        }
        cx.event(Event::Metadata(cx.torrent, info));
    }
}
