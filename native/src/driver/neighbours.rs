//! Peers on the same network (BEP 14): the task beside the engine that announces its torrents to
//! the multicast groups and listens there.

use std::future::pending;
use std::net::IpAddr;

use aqueduct_core::discovery::lsd::MAX_DATAGRAM;
use aqueduct_core::types::PeerSource;
use aqueduct_core::{DiscoverRequest, Input, TorrentId};
use tokio::time::sleep_until;

use super::Driver;
use super::state::State;
use crate::discovery::lsd::Groups;

impl Driver {
    pub(super) async fn meet_neighbours(self) {
        let mut groups = Groups::new(self.0.bind);
        // One byte more than an announce may have, so that a longer one is not taken for a whole
        // one.
        let mut buffer = [0; MAX_DATAGRAM + 1];
        loop {
            let due = self.0.state.borrow().neighbours_due();
            let waiting = async {
                match due {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = waiting => self.tell_neighbours(&mut groups),
                (from, length) = groups.receive(&mut buffer) => self.hear_neighbour(from, buffer.get(..length).unwrap_or_default()),
                () = self.0.joined.notified() => {}
            }
        }
    }

    fn tell_neighbours(&self, groups: &mut Groups) {
        groups.refresh();
        let state = &mut *self.0.state.borrow_mut();
        let now = state.now();
        let announce = state
            .neighbours
            .as_mut()
            .and_then(|lsd| lsd.poll_announce(now));
        announce
            .into_iter()
            .for_each(|announce| groups.send(&announce));
    }

    fn hear_neighbour(&self, from: IpAddr, datagram: &[u8]) {
        self.turn(|state, now| {
            let heard = state
                .neighbours
                .as_mut()
                .and_then(|lsd| lsd.handle_datagram(now, from, datagram));
            let Some((addr, swarms)) = heard else { return };
            for torrent in swarms
                .iter()
                .filter_map(|swarm| state.routes.get(swarm).copied())
            {
                state.engine.handle(
                    now,
                    Input::Peers {
                        torrent,
                        source: PeerSource::Lsd,
                        addrs: vec![addr],
                    },
                );
            }
        });
    }
}

impl State {
    /// When something is to be announced.
    fn neighbours_due(&self) -> Option<tokio::time::Instant> {
        let due = self.neighbours.as_ref().and_then(|lsd| lsd.poll_timeout());
        due.map(|at| self.time_of(at).into())
    }

    /// Follows the engine's wishes. A private torrent is never announced (BEP 27). Returns whether
    /// there is something new to announce.
    pub(super) fn tell_of(&mut self, id: TorrentId, request: DiscoverRequest) -> bool {
        let now = self.now();
        let private = self.engine.is_private(id);
        let swarm = self.torrents.get(&id).map(|torrent| torrent.info_hash);
        let (Some(lsd), Some(swarm)) = (self.neighbours.as_mut(), swarm) else {
            return false;
        };
        match request {
            DiscoverRequest::Start if !private => lsd.join(now, swarm),
            DiscoverRequest::Stop => lsd.leave(swarm),
            _ => return false,
        }
        true
    }
}
