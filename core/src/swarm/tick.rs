//! The periodic tasks, once per second: choking, late blocks, keep-alives, flushes, dials.

use std::time::Duration;

use super::Swarm;
use super::state::State;
use super::transfer::Transfer;
use super::upload::Contribution;
use crate::connection::Transport;
use crate::context::Context;
use crate::extensions::pex::ConnectedPeer;
use crate::extensions::{PexFlags, upload_only};
use crate::io::{CloseReason, DiscoverRequest};
use crate::swarm::peers::{Opened, Peer};
use crate::types::Instant;

/// The number of ticks between choking rounds (BEP 3: 10 s).
const CHOKE_TICKS: u32 = 10;
/// The number of peers and addresses below which discovery is asked for more.
const FEW: usize = 10;
/// The minimum interval between such requests; discovery also observes its trackers' intervals.
const ASK_AGAIN: Duration = Duration::from_secs(5);

impl Swarm {
    /// Runs the tasks. Returns when the next dial may be started, if one waits for the rate limit.
    pub(crate) fn tick(&mut self, cx: &mut Context) -> Option<Instant> {
        self.ticks = self.ticks.wrapping_add(1);
        self.expire_requests(cx);
        for conn in self.transfer.peers.tick(cx) {
            self.transfer.disconnect(cx, conn, CloseReason::Silent);
        }
        if self.ticks.is_multiple_of(CHOKE_TICKS) {
            self.choke_round(cx);
        }
        self.transfer.with_content(|content, _| {
            content.retry(cx, false);
        });
        self.transfer.settle_recheck(cx);
        self.transfer.recheck_more(cx);
        self.transfer
            .with_content(|content, _| content.flush_if_due(cx));
        if let State::Metadata(fetch) = &mut self.transfer.state {
            fetch.tick(cx, &mut self.transfer.peers);
        }
        self.announce_upload_only(cx);
        self.exchange_peers(cx);
        if let Some(mut holepunching) = self.transfer.holepunching(cx) {
            holepunching.tick(cx);
        }
        self.ask_for_more(cx);
        self.transfer.fill_all(cx);
        self.transfer.dial(cx)
    }

    fn expire_requests(&mut self, cx: &mut Context) {
        self.transfer.with_content(|content, peers| {
            for conn in peers.conns() {
                content.download.expire_requests(cx, conn);
            }
        });
    }

    fn choke_round(&mut self, cx: &mut Context) {
        let seeding = self.transfer.state.is_complete();
        let Transfer {
            state,
            peers,
            upload,
            ..
        } = &mut self.transfer;
        match state {
            State::Open(content) => {
                let download = &mut content.download;
                upload.choke_round(cx, peers, seeding, |conn| {
                    let known = download.peer(conn);
                    known.map_or_else(Contribution::default, |known| Contribution {
                        received: known.received_lately(),
                        snubbed: known.snubbed,
                    })
                });
                download.end_round();
            }
            _ => upload.choke_round(cx, peers, seeding, |_| Contribution::default()),
        }
    }

    /// BEP 21: tells all peers when we become a partial seed, and when we stop being one.
    fn announce_upload_only(&mut self, cx: &mut Context) {
        let is = self.transfer.state.is_partial_seed();
        if std::mem::replace(&mut self.said_upload_only, is) == is {
            return;
        }
        for (conn, peer) in self
            .transfer
            .peers
            .iter_mut()
            .filter(|(_, p)| p.extensions.spoken())
        {
            peer.send(cx, conn, upload_only(is));
        }
    }

    /// BEP 11: sends peer exchange messages, at most one per peer and minute.
    fn exchange_peers(&mut self, cx: &mut Context) {
        if !self.transfer.state.exchanges(cx) {
            return;
        }
        let connected: Vec<_> = self
            .transfer
            .peers
            .iter()
            .filter_map(|(_, p)| neighbour(p))
            .collect();
        for (conn, peer) in self.transfer.peers.iter_mut() {
            let to = (peer.addr, peer.listens);
            if let Some(message) = peer.extensions.pex_message(cx.now, to, &connected) {
                peer.send(cx, conn, message);
            }
        }
    }

    fn ask_for_more(&mut self, cx: &mut Context) {
        // An engine that never dials cannot use its candidate addresses.
        let dials = cx.config().max_dialling > 0;
        let known = if dials {
            self.transfer.peers.candidates.idle()
        } else {
            0
        };
        let few = self.transfer.peers.len() < FEW && known < FEW;
        let rested = cx.now.since(self.asked_more_at) >= ASK_AGAIN;
        if few && rested && self.announced && !self.transfer.state.is_complete() {
            self.asked_more_at = cx.now;
            cx.discover(DiscoverRequest::More);
        }
    }
}

/// A peer as it is announced to others, if its listening address and its extensions are known.
fn neighbour(peer: &Peer) -> Option<ConnectedPeer> {
    let extensions = &peer.extensions;
    Some(ConnectedPeer {
        addr: peer.listens.filter(|_| extensions.is_known())?,
        flags: PexFlags::default()
            .with_if(peer.is_upload_only(), PexFlags::UPLOAD_ONLY)
            .with_if(peer.line.transport == Transport::Utp, PexFlags::UTP)
            .with_if(extensions.holepunches(), PexFlags::HOLEPUNCH)
            .with_if(peer.opened == Opened::Dialled, PexFlags::REACHABLE),
    })
}
