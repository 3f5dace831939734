//! The engine's driver in the tab: carries its wishes to the bridge and to the storage, and brings
//! back what came of them.
//!
//! Everything happens on one thread, in callbacks of the browser. Each callback enters through
//! [`enter`], does its part, and [`Driver::pump`] then moves things along until nobody has anything
//! to say.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use aqueduct_core::types::{ConnId, PeerAddr, PeerId, RequestId, TorrentId};
use aqueduct_core::wire::Message;
use aqueduct_core::{
    CloseReason, Config, DiscoverRequest, Engine, Event, Failure, Input, Instant, OpError,
    OpResult, Output, PeerFailure,
};

use crate::browser::clock::{Timer, now, scope};
use crate::engine::bridge::connection::{Line, SocketEvent};
use crate::engine::bridge::credit::Credit;
use crate::engine::bridge::streams::Streams;
use crate::engine::clearing::Watch;
use crate::engine::creation::Making;
use crate::engine::swarms::places::{Places, Seat};
use crate::engine::torrent::Item;
use crate::engine::updates::{Teller, View};
use crate::storage::digest::Digester;
use crate::storage::store::Store;

/// Peers wanted at a time for one torrent; the bridge's own limit may be lower.
const PEERS: u16 = 50;
/// How often the bridge is told how much was moved, for its announces.
const AMOUNTS_EVERY: Duration = Duration::from_secs(30);

/// The engine with everything it needs in a tab.
pub(crate) struct Driver {
    me: Weak<RefCell<Driver>>,
    pub(crate) engine: Engine,
    peer_id: PeerId,
    pub(crate) items: BTreeMap<TorrentId, Item>,
    pub(crate) makings: BTreeMap<TorrentId, Making>,
    /// How often a torrent has asked for room.
    pub(crate) turns: u64,
    pub(crate) store: Store,
    pub(crate) digester: Digester,
    pub(crate) line: Line,
    pub(crate) places: Places,
    pub(crate) streams: Streams,
    pub(crate) credit: Credit,
    pub(crate) teller: Teller,
    timer: Timer,
    amounts_at: Instant,
    pub(crate) watch: Watch,
    next_id: u32,
}

/// Lets a callback of the browser act on the driver.
pub(crate) fn enter(driver: &Weak<RefCell<Driver>>, act: impl FnOnce(&mut Driver)) {
    if let Some(driver) = driver.upgrade() {
        let mut driver = driver.borrow_mut();
        act(&mut driver);
        driver.pump();
    }
}

/// What suits a tab: no dials of its own, and memory that stays small.
fn config() -> Config {
    Config {
        max_torrents: 500,
        max_peers: PEERS.into(),
        max_peers_total: 200,
        max_dialling: 0,
        max_unwritten: 32 << 20,
        max_unsent: 512 << 10,
        max_unflushed: 16 << 20,
        flush_interval: Duration::from_secs(2),
        checks_in_flight: 3,
        ..Config::default()
    }
}

/// Bytes from the browser's source of chance.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Fails only without a crypto object, which secure pages always have, and for over 64 KiB.
    if let Ok(crypto) = scope().crypto() {
        drop(crypto.get_random_values_with_u8_array(&mut bytes));
    }
    bytes
}

impl Driver {
    /// A driver without torrents, its line to the bridge not yet opened.
    /// `token` is shown to the bridge.
    pub(crate) fn new(store: Store, token: String) -> Rc<RefCell<Self>> {
        Rc::new_cyclic(|me: &Weak<RefCell<Self>>| {
            let peer_id = PeerId::ours(random());
            let (hears, wakes) = (me.clone(), me.clone());
            RefCell::new(Self {
                me: me.clone(),
                engine: Engine::new(config(), peer_id, random(), now()),
                peer_id,
                items: BTreeMap::new(),
                makings: BTreeMap::new(),
                turns: 0,
                store,
                digester: Digester::default(),
                line: Line::new(
                    token,
                    Rc::new(move |serial, event| {
                        enter(&hears, |driver| driver.on_socket(serial, event))
                    }),
                ),
                places: Places::default(),
                streams: Streams::default(),
                credit: Credit::default(),
                teller: Teller::default(),
                timer: Timer::new(move || enter(&wakes, Self::on_timer)),
                amounts_at: now(),
                watch: Watch::new(now()),
                next_id: 1,
            })
        })
    }

    /// A way back into this driver, for callbacks.
    pub(crate) fn me(&self) -> Weak<RefCell<Self>> {
        self.me.clone()
    }

    /// A name for one more torrent, never used before.
    pub(crate) fn new_id(&mut self) -> TorrentId {
        let id = TorrentId(self.next_id);
        self.next_id += 1;
        id
    }

    /// Torrents of an earlier run have these names.
    pub(crate) fn reserve_ids(&mut self, upto: TorrentId) {
        self.next_id = self.next_id.max(upto.0 + 1);
    }

    /// Moves everything along until nobody has anything to say, then sets the timer.
    pub(crate) fn pump(&mut self) {
        loop {
            while let Some(output) = self.engine.poll_output() {
                self.perform(output);
            }
            self.look_after_places(now());
            let sent = self.line.send();
            if !self.hear_tunnel() && !sent {
                break;
            }
        }
        self.arm();
    }

    fn arm(&mut self) {
        let now = now();
        let engine = self.engine.poll_timeout().map(|(at, _)| at);
        let own = [
            Some(self.amounts_at),
            Some(self.watch.due()),
            self.places.due(),
            self.hints_due(),
            self.removal_due(),
            self.teller.poll_timeout(),
        ];
        let soonest = [engine, self.line.poll_timeout(now)]
            .into_iter()
            .chain(own)
            .flatten()
            .min();
        if let Some(at) = soonest {
            self.timer.arm(at);
        }
    }

    fn on_timer(&mut self) {
        let now = now();
        self.timer.fired();
        if self.engine.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.engine.handle(now, Input::Timeout);
        }
        self.line.handle_timeout(now);
        if self.amounts_at <= now {
            self.amounts_at = now + AMOUNTS_EVERY;
            self.tell_amounts();
        }
        self.tell_hints(now);
        self.delete_removed(now);
        self.look_at_storage(now);
        if self.teller.poll_timeout().is_some_and(|at| at <= now) {
            self.tell_page(now);
        }
    }

    /// Tells the page how things stand.
    pub(crate) fn tell_page(&mut self, now: Instant) {
        let bridge = self.line.status(now);
        let (snapshot, waiting) = (self.engine.snapshot(), self.waiting());
        let view = View {
            bridge,
            snapshot: &snapshot,
            waiting,
        };
        self.teller.tell(now, view, &mut self.items, &self.makings);
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Dial { conn, .. } => self.engine.handle(
                now(),
                Input::Closed {
                    conn,
                    reason: CloseReason::Unreachable("a tab cannot dial".to_owned()),
                },
            ),
            Output::Send { conn, message } => self.send(conn, &message),
            Output::Close { conn, .. } => self.close(conn),
            Output::Request { id, torrent, op } => self.start(id, torrent, op),
            // Whatever is asked of a tab is done within moments; its answer comes as usual.
            Output::Cancel(_) => {}
            Output::Discover { torrent, request } => self.discover(torrent, request),
            Output::Hint { torrent, addrs } => {
                if let Some(item) = self.items.get_mut(&torrent) {
                    item.hints.heard(addrs);
                }
            }
            // A tab has no DHT port, so nobody tells it of one.
            Output::DhtNode(_) => {}
            Output::Event(event) => self.on_event(event),
        }
    }

    fn send(&mut self, conn: ConnId, message: &Message) {
        let (Some((stream, head, data)), Some(tunnel)) =
            (self.streams.encode(conn, message), self.line.tunnel())
        else {
            return;
        };
        let queued = tunnel
            .send(stream, head)
            .and_then(|()| data.map_or(Ok(()), |data| tunnel.send(stream, data)));
        if queued.is_err() {
            tunnel.close(stream);
            self.lose(
                stream,
                CloseReason::Unreachable("it takes no data".to_owned()),
            );
        }
    }

    fn close(&mut self, conn: ConnId) {
        if let (Some(stream), Some(tunnel)) = (self.streams.close_conn(conn), self.line.tunnel()) {
            tunnel.close(stream);
        }
    }

    /// A stream is over, and the engine does not know yet.
    pub(crate) fn lose(&mut self, stream: u32, reason: CloseReason) {
        if let Some(conn) = self.streams.close_stream(stream) {
            self.engine.handle(now(), Input::Closed { conn, reason });
        }
    }

    /// The answer to a request of the engine, as a callback.
    pub(crate) fn answer(&self, id: RequestId) -> impl FnOnce(Result<OpResult, OpError>) + use<> {
        let me = self.me();
        move |result| enter(&me, |driver| driver.done(id, result))
    }

    fn done(&mut self, id: RequestId, result: Result<OpResult, OpError>) {
        let owed = self.credit.finished(id);
        if let Some(tunnel) = self.line.tunnel() {
            owed.into_iter()
                .for_each(|(stream, bytes)| tunnel.consumed(stream, bytes));
        }
        self.engine.handle(now(), Input::Done { id, result });
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Metadata(torrent, info) => self.on_metadata(torrent, &info),
            Event::Failed(torrent, failure) => {
                if matches!(failure, Failure::Storage(_)) {
                    self.forget_room(torrent);
                    self.watch.look_soon(now());
                }
                self.teller.soon(now());
            }
            Event::Piece(torrent, _) => self.found_room(torrent),
            Event::Finished(_) | Event::Checked(..) => {
                self.teller.soon(now());
                self.places.look_soon(now());
            }
            Event::Banned(torrent, addr) => self.note_failure(torrent, addr, PeerFailure::Banned),
            Event::PeerFailed(torrent, addr, reason) => {
                PeerFailure::of(&reason)
                    .into_iter()
                    .for_each(|failure| self.note_failure(torrent, addr, failure));
            }
            Event::PeerConnected(torrent, addr) => {
                self.items
                    .get_mut(&torrent)
                    .into_iter()
                    .for_each(|item| item.failures.forget(addr));
            }
            Event::Corrupt(..)
            | Event::FileChanged(..)
            | Event::Rechecked { .. }
            | Event::ShutDown => {}
        }
    }

    fn note_failure(&mut self, torrent: TorrentId, addr: PeerAddr, failure: PeerFailure) {
        self.items
            .get_mut(&torrent)
            .into_iter()
            .for_each(|item| item.failures.note(addr, failure));
    }

    fn discover(&mut self, torrent: TorrentId, request: DiscoverRequest) {
        let Some(item) = self.items.get_mut(&torrent) else {
            return;
        };
        match request {
            DiscoverRequest::Start => {
                if item.seat == Seat::Out {
                    item.seat = Seat::Waiting(now());
                }
                self.places.look_soon(now());
            }
            DiscoverRequest::Stop => self.leave(torrent, Seat::Out),
            DiscoverRequest::More => self.update(torrent, false, true),
            DiscoverRequest::Completed => self.update(torrent, true, false),
        }
    }

    fn on_socket(&mut self, serial: u64, event: SocketEvent) {
        let now = now();
        if !self.line.is_present(serial) {
            return;
        }
        match event {
            SocketEvent::Open => {
                self.line.opened(now);
                self.places.connected(now);
            }
            SocketEvent::Message(message) => self.on_message(now, message),
            SocketEvent::Closed(code) => {
                self.line.closed(now, code);
                self.lose_all();
            }
        }
    }

    /// The peer id of this tab, for all its swarms.
    pub(crate) const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Peers wanted at a time.
    pub(crate) const fn want() -> u16 {
        PEERS
    }
}
