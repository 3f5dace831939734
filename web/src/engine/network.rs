//! The torrents' peers: the connection to the bridge and the swarms that are joined over it.

use aqueduct_core::tunnel::{JoinRequest, JoinUpdate};
use aqueduct_core::types::{PeerId, TorrentId};
use aqueduct_core::{DiscoverRequest, Engine, Input, Instant};

use super::amounts::{announced, outstanding};
use super::bridge::{Bridge, Event, PlayerEvent};
use super::swarms::{Membership, SwarmProgress, Swarms};
use super::torrents::Torrents;
use crate::message::WaitReason;

/// The bridge, and the swarms that are joined through it.
pub(super) struct Network {
    pub(super) bridge: Bridge,
    pub(super) swarms: Swarms,
    /// The peer id in all swarms.
    peer_id: PeerId,
    /// The number of peers wanted per torrent; the bridge's own limit may be lower.
    wanted_peers: u16,
}

/// What the driver passes on.
pub(super) enum NetworkEvent {
    /// An input for the engine.
    Engine(Input),
    /// The port at which peers reach the tab through its bridge.
    ListenPort(u16),
    /// An event of a player outside the browser.
    Player(PlayerEvent),
    /// The session with the bridge ended.
    SessionEnded,
}

impl Network {
    pub(super) fn new(bridge: Bridge, peer_id: PeerId, wanted_peers: u16) -> Self {
        Self {
            bridge,
            swarms: Swarms::default(),
            peer_id,
            wanted_peers,
        }
    }

    /// Changes the number of peers wanted per torrent.
    pub(super) fn set_wanted_peers(
        &mut self,
        (engine, torrents): (&Engine, &Torrents),
        wanted_peers: u16,
    ) {
        if std::mem::replace(&mut self.wanted_peers, wanted_peers) != wanted_peers {
            self.update_all(engine, torrents);
        }
    }

    /// Handles events of the bridge. Returns the next one that concerns others; `None` if there is
    /// none.
    pub(super) fn poll_event(&mut self, now: Instant, torrents: &Torrents) -> Option<NetworkEvent> {
        loop {
            match self.bridge.poll_event(now)? {
                Event::Engine(input) => return Some(NetworkEvent::Engine(input)),
                Event::Welcome { joins, peer_port } => {
                    self.swarms.set_limit(now, joins);
                    return Some(NetworkEvent::ListenPort(peer_port));
                }
                Event::SessionStarted => self.swarms.start_session(now),
                Event::SessionEnded => {
                    self.swarms.end_session();
                    return Some(NetworkEvent::SessionEnded);
                }
                Event::Player(event) => return Some(NetworkEvent::Player(event)),
                Event::PeerReached(info_hash, addr) => {
                    let torrent = torrents.with_hash(info_hash);
                    // No addresses of a private torrent are passed on (BEP 27).
                    if let Some(torrent) = torrent.filter(|torrent| !torrent.is_private()) {
                        self.swarms.add_dialled(torrent.id, addr);
                    }
                }
                Event::Report(join, report) => self.swarms.handle_report(now, join, report),
            }
        }
    }

    /// Handles the engine's requests to discovery.
    pub(super) fn discover(
        &mut self,
        now: Instant,
        (engine, torrents): (&Engine, &Torrents),
        torrent: TorrentId,
        request: DiscoverRequest,
    ) {
        match request {
            DiscoverRequest::Start => self.swarms.enter(now, torrent),
            DiscoverRequest::Stop => self.leave(now, torrent, Membership::Outside),
            DiscoverRequest::More => self.update((engine, torrents), torrent, |update| {
                update.more = true;
            }),
            DiscoverRequest::Completed => self.update((engine, torrents), torrent, |update| {
                update.completed = true;
            }),
        }
    }

    /// Joins and leaves swarms, if a new assignment of slots is due.
    pub(super) fn assign(&mut self, now: Instant, engine: &Engine, torrents: &Torrents) {
        if !self.bridge.is_open() {
            return;
        }
        let assignment = self.swarms.assign(now, |id| standing(engine, torrents, id));
        for join in assignment.leave {
            self.bridge.leave(join);
        }
        for torrent in assignment.join {
            if let Some(join) = self.join(engine, torrents, torrent) {
                self.swarms.joined(now, torrent, join);
            }
        }
    }

    fn join(&mut self, engine: &Engine, torrents: &Torrents, torrent: TorrentId) -> Option<u32> {
        let torrent = torrents.get(torrent)?;
        self.bridge.join(&JoinRequest {
            info_hash: torrent.info_hash().wire(),
            other_hash: torrent.info_hash().other_wire(),
            peer_id: self.peer_id,
            private: torrent.is_private(),
            amounts: announced(engine, torrent),
            want: self.wanted_peers,
            trackers: torrent.trackers.clone(),
        })
    }

    /// Leaves a swarm, if it was joined; the torrent's membership is then `then`.
    fn leave(&mut self, now: Instant, torrent: TorrentId, then: Membership) {
        if let Some(join) = self.swarms.leave(now, torrent, then) {
            self.bridge.leave(join);
        }
    }

    /// Joins a swarm again: seeds that were useless before are wanted again, and the bridge would
    /// not soon dial peers whose streams the tab has closed.
    pub(super) fn rejoin(&mut self, now: Instant, torrent: TorrentId) {
        if self.swarms.join_of(torrent).is_some() {
            self.leave(now, torrent, Membership::Waiting(Instant::ZERO));
        }
    }

    /// Reports the state of a torrent to the bridge, after `change`.
    pub(super) fn update(
        &mut self,
        (engine, torrents): (&Engine, &Torrents),
        torrent: TorrentId,
        change: impl FnOnce(&mut JoinUpdate),
    ) {
        let join = self.swarms.join_of(torrent);
        if let (Some(join), Some(torrent)) = (join, torrents.get(torrent)) {
            let mut update = JoinUpdate {
                amounts: announced(engine, torrent),
                want: self.wanted_peers,
                private: torrent.is_private(),
                completed: false,
                more: false,
            };
            change(&mut update);
            self.bridge.update(join, &update);
        }
    }

    /// Reports the state of all torrents to the bridge, for its announces.
    pub(super) fn update_all(&mut self, engine: &Engine, torrents: &Torrents) {
        for (torrent, _) in self.swarms.joined_torrents() {
            self.update((engine, torrents), torrent, |_| ());
        }
    }

    /// What torrents without a slot wait for; `None` without a session.
    pub(super) fn wait_reason(&self) -> Option<WaitReason> {
        self.bridge.is_open().then(|| self.swarms.wait_reason())
    }

    /// The time by which [`Network::handle_timeout`] and [`Network::assign`] must be called.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let swarms = self.swarms.poll_timeout().filter(|_| self.bridge.is_open());
        self.bridge
            .poll_timeout(now)
            .into_iter()
            .chain(swarms)
            .min()
    }

    /// Passes the time to the session, and sends the hints that are due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.bridge.handle_timeout(now);
        if !self.bridge.is_open() {
            return;
        }
        for (join, addrs) in self.swarms.take_hints(now) {
            self.bridge.hint(join, &addrs);
        }
    }
}

fn standing(engine: &Engine, torrents: &Torrents, id: TorrentId) -> SwarmProgress {
    let has_info = torrents
        .get(id)
        .is_some_and(|torrent| torrent.info.is_some());
    SwarmProgress {
        complete: has_info && outstanding(engine, id) == 0,
        has_peers: engine.snapshot_of(id).is_some_and(|s| s.peers > 0),
    }
}
