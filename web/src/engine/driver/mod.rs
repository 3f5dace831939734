//! The engine's driver in the tab. It passes each event to the part that it concerns, and carries
//! out the consequences for other parts.
//!
//! All code runs on one thread, in callbacks of the browser. Each callback enters through
//! [`enter`]; [`Driver::pump`] then runs until there is no more output.

mod lifecycle;
mod page;
mod playback;
mod players;
mod settings;
mod storage;

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use aqueduct_core::types::{PeerId, TorrentId};
use aqueduct_core::{
    CloseReason, Config, Engine, Event, Failure, Input, Instant, Output, PeerFailure, Snapshot,
};

use super::bridge::address::BridgeAddress;
use super::bridge::{Bridge, SocketEvent};
use super::creation::Creations;
use super::library::Library;
use super::network::{Network, NetworkEvent};
use super::opened::Content;
use super::playback::Playback;
use super::players::Players;
use super::requests::Requests;
use super::seeding::given;
use super::space::SpaceClaims;
use super::suspension::Suspension;
use super::swarms::Swarm;
use super::tabs::{post_all, post_to};
use super::timers::{Task, Timers};
use super::updates::PageUpdates;
use super::view;
use crate::browser::clock::{now, unix_millis};
use crate::browser::global::random;
use crate::message::{Settings, ToPage, View};
use crate::storage::client::Storage;

/// The engine and the parts around it.
pub(super) struct Driver {
    me: Weak<RefCell<Self>>,
    engine: Engine,
    network: Network,
    library: Library,
    creations: Creations,
    storage: Storage,
    requests: Requests,
    space: SpaceClaims,
    playback: Playback,
    players: Players,
    settings: Settings,
    updates: PageUpdates,
    timers: Timers,
    suspension: Suspension,
}

/// Lets a callback of the browser act on the driver.
pub(super) fn enter(driver: &Weak<RefCell<Driver>>, act: impl FnOnce(&mut Driver)) {
    if let Some(driver) = driver.upgrade() {
        let mut driver = driver.borrow_mut();
        act(&mut driver);
        driver.pump();
    }
}

/// The engine's configuration for a tab: it does not dial, and its memory stays small.
fn config(max_peers: u16) -> Config {
    Config {
        max_torrents: 500,
        max_peers: max_peers.into(),
        max_peers_total: 200,
        max_dialling: 0,
        max_unwritten: 8 << 20,
        max_unsent: 512 << 10,
        max_unflushed: 16 << 20,
        flush_interval: Duration::from_secs(2),
        checks_in_flight: 3,
        ..Config::default()
    }
}

impl Driver {
    /// A driver without torrents, not yet connected to the bridge. `token` is for bridges that
    /// require one.
    pub(super) fn new(
        address: &BridgeAddress,
        storage: Storage,
        token: String,
    ) -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|me: &Weak<RefCell<Self>>| {
            let (now, peer_id) = (now(), PeerId::ours(random()));
            let (on_socket, on_timer, on_done, on_created) =
                (me.clone(), me.clone(), me.clone(), me.clone());
            let listener = Rc::new(move |socket, event| {
                enter(&on_socket, |driver| driver.handle_socket(socket, event));
            });
            let settings = Settings::default();
            let bridge = Bridge::new(address, token, listener);
            RefCell::new(Self {
                me: me.clone(),
                engine: Engine::new(config(settings.max_peers), peer_id, random(), now),
                network: Network::new(bridge, peer_id, settings.max_peers),
                library: Library::new(storage.clone()),
                creations: Creations::new(
                    storage.clone(),
                    address.tracker(),
                    Rc::new(move |id, created| {
                        enter(&on_created, |driver| driver.handle_created(id, created));
                    }),
                ),
                requests: Requests::new(storage.clone(), move || {
                    enter(&on_done, Self::handle_results);
                }),
                storage,
                space: SpaceClaims::default(),
                playback: Playback::default(),
                players: Players::new(address.clone()),
                settings,
                updates: PageUpdates::default(),
                timers: Timers::new(now, move || enter(&on_timer, Self::handle_timer)),
                suspension: Suspension::new(unix_millis()),
            })
        })
    }

    /// Runs until there is no more output, then sets the timer.
    fn pump(&mut self) {
        loop {
            self.handle_network();
            while let Some(output) = self.engine.poll_output() {
                self.perform(output);
            }
            players::send(self);
            self.network
                .assign(now(), &self.engine, &self.library.torrents);
            let sent = self.network.bridge.transmit();
            if !sent && !self.network.bridge.has_events() {
                break;
            }
        }
        self.arm_timer();
    }

    fn arm_timer(&mut self) {
        self.timers.arm([
            self.engine.poll_timeout().map(|(at, _)| at),
            self.network.poll_timeout(now()),
            self.library.torrents.deletion_due(),
            Some(self.updates.poll_timeout()),
        ]);
    }

    fn handle_timer(&mut self) {
        let now = now();
        self.timers.fired();
        if let Some(seconds) = self.suspension.check(unix_millis()) {
            self.network.bridge.handle_suspension(now);
            post_all(&ToPage::Suspended { seconds });
        }
        if self.engine.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.engine.handle(now, Input::Timeout);
        }
        self.network.handle_timeout(now);
        self.delete_removed(now);
        while let Some(task) = self.timers.schedule.poll(now) {
            match task {
                Task::ReportAmounts => self
                    .network
                    .update_all(&self.engine, &self.library.torrents),
                Task::SaveAmounts => self.library.save_transferred(&self.engine),
                Task::CheckStorage => self.check_storage(),
            }
        }
        if self.updates.poll_timeout() <= now {
            self.send_updates(now);
        }
    }

    /// Sends the state to the pages.
    pub(super) fn send_updates(&mut self, now: Instant) {
        self.prioritise_new();
        let snapshot = self.engine.snapshot();
        let rule = self.settings.when_complete;
        for torrent in given(&self.library.torrents, &snapshot, rule) {
            // Refused only for a torrent that is not in the engine.
            drop(self.set_paused(torrent, true));
        }
        let torrents = &self.library.torrents;
        let state = view::state(view::Sources {
            snapshot: &snapshot,
            torrents,
            creations: &self.creations,
            swarms: &self.network.swarms,
            bridge: self.network.bridge.status(now),
            link: self.network.bridge.link(),
            players: players::state(self),
            wait_reason: self.network.wait_reason(),
        });
        self.updates.send_state(now, state);
        for view in self.updates.views() {
            self.send_view(&snapshot, view);
        }
    }

    /// Sends what pages show of an opened torrent, if it has changed.
    fn send_view(&mut self, snapshot: &Snapshot, view: View) {
        let id = TorrentId(view.torrent);
        let snapshot = snapshot.torrents.iter().find(|s| s.torrent == id);
        let (Some(torrent), Some(snapshot)) = (self.library.torrents.get(id), snapshot) else {
            return;
        };
        let content = Content {
            torrent,
            snapshot,
            engine: &self.engine,
            found: self.network.swarms.get(id).map(Swarm::found),
            now: now(),
        };
        let tabs = self.updates.take_due(view, content.version(view.pane));
        if !tabs.is_empty()
            && let Some(message) = content.message(view.pane)
        {
            tabs.iter().for_each(|tab| post_to(*tab, &message));
        }
    }

    fn handle_socket(&mut self, socket: u64, event: SocketEvent) {
        self.network.bridge.handle_socket(now(), socket, event);
    }

    fn handle_network(&mut self) {
        let now = now();
        while let Some(event) = self.network.poll_event(now, &self.library.torrents) {
            match event {
                NetworkEvent::Engine(input) => self.engine.handle(now, input),
                NetworkEvent::ListenPort(port) => self.engine.set_listen_port(port),
                NetworkEvent::Player(event) => players::handle(self, event),
                NetworkEvent::SessionEnded => players::end_session(self),
            }
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Dial { conn, .. } => {
                let reason = CloseReason::Unreachable("a tab cannot dial".to_owned());
                self.engine.handle(now(), Input::Closed { conn, reason });
            }
            Output::Send { conn, message } => self.network.bridge.send(conn, &message),
            Output::Close { conn, .. } => self.network.bridge.close(conn),
            Output::Request { id, torrent, op } => self.start_request(id, torrent, op),
            // Requests are fast; the result arrives as usual.
            Output::Cancel(_) => {}
            Output::Discover { torrent, request } => {
                let sources = (&self.engine, &self.library.torrents);
                self.network.discover(now(), sources, torrent, request);
            }
            Output::Hint { torrent, addrs } => self.network.swarms.add_hints(torrent, addrs),
            // A tab has no DHT port, so no peer announces a node.
            Output::DhtNode(_) => {}
            Output::Event(event) => self.handle_event(event),
        }
    }

    fn handle_event(&mut self, event: Event) {
        let swarms = &mut self.network.swarms;
        match event {
            Event::Metadata(torrent, info) => self.handle_metadata(torrent, &info),
            Event::Failed(torrent, failure) => {
                if matches!(failure, Failure::Storage(_)) {
                    self.space.reset(torrent);
                    self.timers.schedule.check_storage_soon(now());
                }
                self.updates.update_soon(now());
            }
            Event::Piece(torrent, piece) => {
                self.space.grant(torrent);
                self.handle_playable(torrent, piece);
            }
            Event::Finished(_) | Event::Checked(..) => {
                self.updates.update_soon(now());
                swarms.assign_soon(now());
            }
            Event::Banned(torrent, addr) => {
                swarms.add_failure(torrent, addr, PeerFailure::Banned);
            }
            Event::PeerFailed(torrent, addr, reason) => {
                if let Some(failure) = PeerFailure::of(&reason) {
                    swarms.add_failure(torrent, addr, failure);
                }
            }
            Event::PeerConnected(torrent, addr) => swarms.remove_failure(torrent, addr),
            Event::Corrupt(..)
            | Event::FileChanged(..)
            | Event::Rechecked(..)
            | Event::ShutDown => {}
        }
    }
}
