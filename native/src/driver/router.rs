//! Passes inputs to the session, and outputs of the session to the parts that carry them out.

use std::cell::{Ref, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use aqueduct_core::connection::Encryption;
use aqueduct_core::types::{ConnId, PeerAddr};
use aqueduct_core::wire::Handshake;
use aqueduct_core::{
    CloseReason, CommandError, DialKind, Event, Input, Instant, NewTorrent, Output, TorrentId,
    TorrentSource, session,
};
use tokio::task::{AbortHandle, spawn_local, yield_now};

use super::conn::{Conn, Socket};
use super::orders::Orders;
use super::queue::Queue;
use super::reach::Reach;
use super::reports::Reports;
use super::state::State;
use super::timer::Timer;
use crate::dial::{self, KeyExchanges, Peer, Ways};
use crate::net::{Bind, Blocking, Policy as _, Purpose, Target};
use crate::storage::pool::Pool;
use crate::storage::stored::Stored;
use crate::transport::{ByteStream, PeerStream};

/// The session, the parts around it, and the tasks of connections and dials.
#[derive(Debug)]
pub(super) struct Router {
    pub(super) storage: Pool,
    pub(super) network: Orders,
    /// Which addresses may be peers.
    pub(super) policy: Arc<Blocking>,
    ways: Ways,
    encryption: Encryption,
    key_exchanges: KeyExchanges,
    /// Our addresses, to which sockets are bound.
    source: Bind,
    pub(super) timer: Timer,
    /// Events for the application. There are few per torrent: pieces and bans are only logged.
    pub(super) events: Queue<Event>,
    pub(super) reports: Reports,
    pub(super) reach: Reach,
    state: RefCell<State>,
}

impl Router {
    pub(super) fn new(
        state: State,
        storage: Pool,
        (network, policy): (Orders, Arc<Blocking>),
        (ways, encryption, source): (Ways, Encryption, Bind),
        reach: Reach,
    ) -> Rc<Self> {
        Rc::new(Self {
            storage,
            network,
            policy,
            ways,
            encryption,
            key_exchanges: KeyExchanges::default(),
            source,
            timer: Timer::default(),
            events: Queue::unbounded(),
            reports: Reports::new(),
            reach,
            state: RefCell::new(state),
        })
    }

    /// Read access to the state.
    pub(super) fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    /// Lets `act` call the session, then carries out the session's outputs.
    pub(super) fn turn<R>(self: &Rc<Self>, act: impl FnOnce(&mut State, Instant) -> R) -> R {
        let state = &mut *self.state.borrow_mut();
        let now = state.clock.now();
        let result = act(state, now);
        loop {
            while let Some(output) = state.session.poll_output() {
                self.carry_out(state, output);
            }
            if !state.write(now) {
                break;
            }
        }
        let deadline = state.session.poll_timeout().map(|(at, _)| at);
        self.timer
            .update(deadline.map(|at| state.clock.system_time(at)));
        result
    }

    fn carry_out(self: &Rc<Self>, state: &mut State, output: session::Output) {
        match output {
            session::Output::Engine(output) => self.carry_out_for_engine(state, output),
            session::Output::Net(request) => self.network.request(request),
            session::Output::Tracker {
                torrent,
                status,
                ended: true,
                ..
            } => self.reports.tracker_answered(torrent, status),
            session::Output::Tracker {
                torrent,
                index,
                status,
                ..
            } => tracing::debug!(
                torrent = torrent.0,
                index,
                asking = status.asking,
                "tracker"
            ),
        }
    }

    fn carry_out_for_engine(self: &Rc<Self>, state: &mut State, output: Output) {
        match output {
            Output::Dial {
                conn,
                info_hash,
                addr,
                kind,
                ..
            } => {
                let ours = state.handshake(info_hash);
                let dial = spawn_local(Rc::clone(self).dial(conn, (addr, kind), ours));
                state.dials.started(conn, dial.abort_handle());
            }
            Output::Send { conn, message } => state.connections.send(conn, &message),
            Output::Close { conn, reason } => state.close(conn, &reason),
            Output::Request { id, torrent, op } => {
                self.storage.submit(id, state.torrents.stored(torrent), op);
            }
            Output::Cancel(id) => self.storage.cancel(id),
            // Only an engine that never dials sends hints, and the session keeps what is for
            // discovery.
            Output::Hint { .. } | Output::Discover { .. } | Output::DhtNode(_) => {}
            Output::Event(event) => self.publish(state, event),
        }
    }

    fn publish(&self, state: &mut State, event: Event) {
        match event {
            Event::Piece(torrent, piece) => {
                tracing::trace!(torrent = torrent.0, piece = piece.get(), "verified");
            }
            Event::Corrupt(torrent, piece) => tracing::info!(
                torrent = torrent.0,
                piece = piece.get(),
                "a piece did not match its hash"
            ),
            Event::Banned(torrent, addr) => {
                tracing::info!(torrent = torrent.0, %addr, "banned for corrupt pieces");
                state.torrents.count_banned(torrent);
            }
            Event::PeerFailed(torrent, addr, reason) => {
                self.reports.peer_failed(torrent, addr, reason);
            }
            Event::PeerConnected(torrent, addr) => self.reports.peer_connected(torrent, addr),
            other => self.events.push(other),
        }
    }

    /// Adds a torrent with its tiers of trackers (BEP 12), and looks for its peers.
    pub(super) fn add(
        self: &Rc<Self>,
        stored: Option<Arc<Stored>>,
        source: TorrentSource,
        trackers: Vec<Vec<String>>,
    ) -> Result<TorrentId, CommandError> {
        self.turn(|state, now| {
            let torrent = state.torrents.next_id();
            let new = NewTorrent {
                torrent,
                source,
                paused: false,
            };
            state.session.add(now, new, trackers)?;
            state.torrents.add(torrent, stored);
            Ok(torrent)
        })
    }

    pub(super) fn handle(self: &Rc<Self>, input: Input) {
        self.turn(|state, now| state.session.handle(now, input));
    }

    /// Dials for the engine. While our interface is missing, dials wait: failures would count
    /// against the peers, which would be dialled ever more rarely when it is back.
    async fn dial(
        self: Rc<Self>,
        conn: ConnId,
        (addr, kind): (PeerAddr, DialKind),
        ours: Handshake,
    ) {
        self.source.usable().await;
        let ways = self.ways.of_kind(kind);
        let result = match addr {
            PeerAddr::Ip(addr) => match self.policy.check(&Target::new(Purpose::Peer, addr)) {
                Ok(()) => dial::connect(addr, &ways, self.encryption, ours).await,
                Err(refusal) => Err(CloseReason::Unreachable(refusal.to_string())),
            },
            PeerAddr::Tab(_) => Err(CloseReason::Unreachable(
                "only its bridge reaches a tab".to_owned(),
            )),
        };
        self.turn(|state, now| {
            state.dials.finished(conn);
            match result {
                Ok(peer) => {
                    let handshake = peer.handshake.clone();
                    state
                        .session
                        .handle(now, Input::Connected { conn, handshake });
                    state.insert(now, conn, self.open(conn, addr, peer));
                }
                Err(reason) => state.session.handle(now, Input::Closed { conn, reason }),
            }
        });
    }

    /// Does the handshake with a remote that connected, and tells the engine if it is for one of
    /// its torrents.
    pub(super) async fn accept(self: Rc<Self>, stream: PeerStream, addr: SocketAddr) {
        if let Err(refusal) = self.policy.check(&Target::new(Purpose::Peer, addr)) {
            return tracing::debug!(%addr, %refusal, "refused");
        }
        let ours = |wanted| self.state().answer(wanted);
        let may_exchange = self.key_exchanges.turn(addr.ip());
        match dial::accept(stream, self.encryption, may_exchange, ours).await {
            Ok(mut peer) => {
                if let PeerStream::Utp(stream) = &mut peer.stream {
                    stream.set_linger(true);
                }
                self.accepted(peer, addr);
            }
            Err(reason) => tracing::debug!(%addr, %reason, "refused"),
        }
    }

    fn accepted(self: &Rc<Self>, peer: Peer<PeerStream>, addr: SocketAddr) {
        self.reach.note_incoming(addr.ip());
        self.turn(|state, now| {
            let conn = state.connections.accept();
            state.session.handle(
                now,
                Input::Accepted {
                    conn,
                    addr: addr.into(),
                    dialled: false,
                    handshake: peer.handshake.clone(),
                },
            );
            state.insert(now, conn, self.open(conn, addr.into(), peer));
        });
    }

    fn open(
        self: &Rc<Self>,
        id: ConnId,
        addr: PeerAddr,
        peer: Peer<PeerStream>,
    ) -> Conn<PeerStream> {
        tracing::debug!(
            info_hash = %peer.handshake.info_hash,
            %addr,
            dialled = !id.is_accepted(),
            transport = ?peer.handshake.line.transport,
            encrypted = ?peer.handshake.line.encrypted,
            "connected to a peer"
        );
        Conn::new(peer, |socket| self.start_serving(id, socket))
    }

    fn start_serving<S: ByteStream + 'static>(
        self: &Rc<Self>,
        id: ConnId,
        socket: Socket<S>,
    ) -> AbortHandle {
        spawn_local(Rc::clone(self).serve(id, socket)).abort_handle()
    }

    /// The life of a connection after the handshake: waits for its stream, then reads or writes one
    /// turn's worth.
    async fn serve<S: ByteStream>(self: Rc<Self>, id: ConnId, socket: Socket<S>) {
        loop {
            let interest = self.state().connections.interest(id);
            let Some(interest) = interest else { return };
            let ready = tokio::select! {
                ready = socket.stream.ready(interest) => ready,
                () = socket.blocked.notified() => continue,
            };
            let Ok(ready) = ready else {
                let reason = CloseReason::Unreachable("the system's event queue failed".to_owned());
                return self.turn(|state, now| state.fail(now, id, reason));
            };
            let more = self.turn(|state, now| {
                if ready.is_writable() {
                    state.connections.unblock(id);
                }
                ready.is_readable() && state.read(now, id)
            });
            if more {
                yield_now().await;
            }
        }
    }
}
