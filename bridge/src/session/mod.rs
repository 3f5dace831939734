//! One tab: its WebSocket, its swarms, its peers.

mod frames;
pub(crate) mod inflow;
mod relay;
pub(crate) mod tab_socket;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aqueduct_core::tunnel::{
    JoinRefusal, JoinRequest, JoinUpdate, Keepalive, Limits, Opened, Refusal, Server, ServerConfig,
    ServerEvent, StreamClose, Windows,
};
use aqueduct_core::types::PeerAddr;
use aqueduct_core::wire::Handshake;
use aqueduct_native::net::Denied;
use bytes::Bytes;
use futures_util::SinkExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::bridge::Bridge;
use crate::limits::bucket::Bucket;
use crate::limits::clients::Place;
use crate::session::relay::{Happened, Peer, Relay};
use crate::session::tab_socket::Outlet;
use crate::swarm::candidates::Outcome;
use crate::swarm::dial::{Connected, DialError};
use crate::swarm::dials::{Dialled, Dialling, PutOff};
use crate::swarm::joined::Swarm;
use crate::swarm::registry::Arrival;

/// Peers that dialled in and wait for the session to look.
const MAX_ARRIVALS: usize = 16;
/// Least time between two reports on the same swarms.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Time for saying goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Who opened the WebSocket.
#[derive(Debug)]
pub(crate) struct Visitor {
    /// For the rates, and to be told to the tab.
    pub(crate) ip: IpAddr,
    /// A page of an origin that we do not know must show a token.
    pub(crate) needs_token: bool,
    /// Its place, or why it has none.
    pub(crate) admission: Result<Place, Refusal>,
}

/// Serves one tab until it leaves, breaks the rules, or the bridge stops.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    bridge: Arc<Bridge>,
    socket: WebSocketStream<Outlet<S>>,
    visitor: Visitor,
    number: u64,
) {
    bridge.metrics.sessions_total.add(1);
    // The refused do not count: they must not keep others out.
    let _counted = visitor
        .admission
        .is_ok()
        .then(|| bridge.metrics.sessions.hold());
    let told = visitor.admission.is_ok() || bridge.tells_refusal();
    if told {
        tracing::info!(session = number, client = %visitor.ip, "a tab connected");
    }
    let session = Session::new(Arc::clone(&bridge), socket, visitor, number);
    let end = session.run().await;
    if told {
        tracing::info!(session = number, ?end, "a tab is gone");
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The tab closed, or its connection broke.
    Tab,
    /// We refuse to go on.
    Refused(Refusal),
    /// The tab broke the WebSocket's own rules.
    Broken(CloseCode),
}

struct Session<S> {
    bridge: Arc<Bridge>,
    number: u64,
    visitor: Visitor,
    tunnel: Server,
    relay: Relay<S>,
    swarms: BTreeMap<u32, Swarm>,
    dialling: Dialling,
    join_rate: Bucket,
    /// Something has happened that may let a dial be made, or that the tab should be told.
    look: bool,
    /// When a dial may be made that cannot be made now.
    dial_at: Option<Instant>,
    report_at: Option<Instant>,
    reported: Instant,
    arrivals: mpsc::Receiver<Arrival>,
    seat: mpsc::Sender<Arrival>,
    draining: watch::Receiver<bool>,
    /// Once the bridge is stopping: when this session must have ended.
    drain_until: Option<Instant>,
    end: Option<End>,
}

/// What woke the session.
enum Wake {
    Relay(Happened),
    Dialled(Dialled),
    Arrived(Arrival),
    News,
    Draining,
    Time,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(
        bridge: Arc<Bridge>,
        socket: WebSocketStream<Outlet<S>>,
        visitor: Visitor,
        number: u64,
    ) -> Self {
        let now = Instant::now();
        let mut tunnel = Server::new(tunnel_config(&bridge), bridge.now());
        if let Err(refusal) = visitor.admission {
            tunnel.refuse(refusal);
        }
        let (seat, arrivals) = mpsc::channel(MAX_ARRIVALS);
        Self {
            dialling: Dialling::new(&bridge, number, visitor.ip),
            join_rate: Bucket::with_burst(
                f64::from(bridge.config.limits.joins_per_minute) / 60.0,
                bridge.config.limits.joins_per_session.into(),
                now,
            ),
            look: false,
            draining: bridge.draining.clone(),
            bridge,
            number,
            visitor,
            tunnel,
            relay: Relay::new(socket),
            swarms: BTreeMap::new(),
            dial_at: None,
            report_at: None,
            reported: now,
            arrivals,
            seat,
            drain_until: None,
            end: None,
        }
    }

    async fn run(mut self) -> End {
        loop {
            self.handle_events();
            self.look_after_swarms();
            self.tell_what_is_held();
            if let Some(end) = self.end {
                self.say_goodbye(end).await;
                return end;
            }
            match self.wait().await {
                Wake::Relay(happened) => self.handle_happened(happened),
                Wake::Dialled(dialled) => self.handle_dialled(dialled),
                Wake::Arrived(arrival) => self.handle_arrival(arrival),
                Wake::News => self.look = true,
                Wake::Draining => self.drain(),
                Wake::Time => self.handle_time(),
            }
        }
    }

    async fn wait(&mut self) -> Wake {
        let due = self.due();
        let Self {
            bridge,
            tunnel,
            relay,
            swarms,
            dialling,
            arrivals,
            draining,
            drain_until,
            ..
        } = self;
        tokio::select! {
            happened = relay.next(tunnel, &bridge.metrics) => Wake::Relay(happened),
            dialled = dialling.next() => Wake::Dialled(dialled),
            Some(arrival) = arrivals.recv() => Wake::Arrived(arrival),
            () = news(swarms, bridge) => Wake::News,
            _ = draining.wait_for(|draining| *draining), if drain_until.is_none() => Wake::Draining,
            () = sleep_until(due) => Wake::Time,
        }
    }

    /// When to look at the clock again.
    fn due(&self) -> Instant {
        let tunnel = self.bridge.instant(self.tunnel.poll_timeout());
        [self.dial_at, self.report_at, self.drain_until]
            .into_iter()
            .flatten()
            .fold(tunnel, Instant::min)
    }

    fn handle_time(&mut self) {
        let now = Instant::now();
        self.tunnel.handle_timeout(self.bridge.now());
        if self.drain_until.is_some_and(|end| end <= now) {
            self.tunnel.refuse(Refusal::Draining);
        }
        if self.dial_at.is_some_and(|at| at <= now) {
            self.dial_peers();
        }
        if self.report_at.is_some_and(|at| at <= now) {
            self.report();
        }
    }

    fn handle_happened(&mut self, happened: Happened) {
        match happened {
            Happened::Message(message) => self.handle_message(message),
            Happened::Ended(stream, reason) => {
                self.tunnel.close(stream, reason);
                self.forget(stream, Outcome::Lost);
            }
            Happened::Gone(code) => self.end = Some(code.map_or(End::Tab, End::Broken)),
        }
    }

    fn handle_message(&mut self, message: Bytes) {
        if let Err(error) = self.tunnel.handle_message(self.bridge.now(), message) {
            tracing::info!(session = self.number, %error, "a session is closed");
            self.tunnel.refuse(Refusal::Protocol);
        }
    }

    /// A session that holds more than its share is ended when the bridge's memory is full.
    fn tell_what_is_held(&mut self) {
        let candidates: usize = self.swarms.values().map(Swarm::held).sum();
        let bytes = self.relay.held() + self.tunnel.backlog() + candidates;
        self.relay.socket().get_mut().inflow().holds(bytes);
    }

    fn handle_events(&mut self) {
        let mut count = 0;
        while let Some(event) = self.tunnel.poll_event().filter(|_| self.end.is_none()) {
            count += 1;
            match event {
                ServerEvent::Data { stream, bytes } => self.relay.send(stream, bytes),
                ServerEvent::Hello { token } => self.handle_hello(&token),
                ServerEvent::Join { join, request } => self.handle_join(join, request),
                ServerEvent::JoinBeyondLimit { join } => {
                    self.tunnel.refuse_join(join, JoinRefusal::NoPlace)
                }
                ServerEvent::Update { join, update } => self.handle_update(join, &update),
                ServerEvent::Hint { join, addrs } => self.handle_hint(join, &addrs),
                ServerEvent::Leave { join } => self.handle_leave(join),
                ServerEvent::StreamClosed { stream } => self.forget(stream, Outcome::Unwanted),
                ServerEvent::Ended(refusal) => self.end = Some(End::Refused(refusal)),
            }
        }
        self.relay.socket().get_mut().inflow().charge(count);
    }

    fn handle_hello(&mut self, token: &[u8]) {
        let wanted = self.visitor.needs_token || self.bridge.wants_tokens();
        if wanted && !self.bridge.knows_token(token) {
            self.tunnel.refuse(Refusal::Token);
        } else {
            // The port says nothing to a tab, and behind a proxy it is the proxy's.
            self.tunnel
                .welcome(SocketAddr::new(self.visitor.ip, 0), self.bridge.peer_port);
        }
    }

    fn handle_join(&mut self, join: u32, request: JoinRequest) {
        if let Err(refusal) = self.grant_join(Instant::now()) {
            return self.tunnel.refuse_join(join, refusal);
        }
        match Swarm::join(&self.bridge, self.number, join, request, self.seat.clone()) {
            Ok(swarm) => {
                self.swarms.insert(join, swarm);
                self.look = true;
            }
            // One membership a swarm: a second one would only compete with the first for the same
            // peers.
            Err(_duplicate) => self.tunnel.refuse_join(join, JoinRefusal::Duplicate),
        }
    }

    /// Takes one join off the session's budget and off its address'; neither pays for a join that
    /// the other refuses.
    fn grant_join(&mut self, now: Instant) -> Result<(), JoinRefusal> {
        let too_fast = |at: Instant| JoinRefusal::TooFast {
            retry_after: at.saturating_duration_since(now),
        };
        if self.drain_until.is_some() {
            return Err(JoinRefusal::Draining);
        }
        self.join_rate.check(now).map_err(too_fast)?;
        let Ok(place) = &self.visitor.admission else {
            return Err(JoinRefusal::NoPlace);
        };
        place.take_join(now).map_err(too_fast)?;
        self.join_rate.take(now).map_err(too_fast)
    }

    fn handle_update(&mut self, join: u32, update: &JoinUpdate) {
        if let Some(swarm) = self.swarms.get_mut(&join) {
            self.look = true;
            if let Some(parting) = swarm.update(update, &self.bridge) {
                self.close_streams(join, StreamClose::Private, |peer| {
                    parting.concerns(peer.addr)
                });
            }
        }
    }

    fn handle_hint(&mut self, join: u32, addrs: &[SocketAddr]) {
        if let Some(swarm) = self.swarms.get_mut(&join) {
            swarm.hint(addrs, &self.bridge);
            self.look = true;
        }
    }

    fn handle_leave(&mut self, join: u32) {
        self.swarms.remove(&join);
        self.close_streams(join, StreamClose::Left, |_| true);
    }

    /// Ends the streams of a join for which this holds.
    fn close_streams(&mut self, join: u32, reason: StreamClose, ends: impl Fn(&Peer) -> bool) {
        let ending = self
            .relay
            .peers()
            .iter()
            .filter(|peer| peer.join == join && ends(peer));
        let streams: Vec<u32> = ending.map(|peer| peer.stream).collect();
        for stream in streams {
            self.tunnel.close(stream, reason);
            self.forget(stream, Outcome::Lost);
        }
    }

    fn handle_dialled(&mut self, dialled: Dialled) {
        let Dialled { join, addr, result } = dialled;
        match (result, self.swarms.get_mut(&join)) {
            (Ok(connected), Some(swarm)) => {
                // Where another tab sits, nobody listens.
                if swarm.dial_succeeded(addr) {
                    self.open(join, addr, matches!(addr, PeerAddr::Ip(_)), connected);
                }
            }
            (Err(error), Some(swarm)) => {
                let outcome = outcome(&error);
                self.bridge
                    .metrics
                    .failed_dials_total
                    .add(usize::from(!matches!(outcome, Outcome::NotNow(_))));
                swarm.dial_failed(addr, outcome);
            }
            (_, None) => {}
        }
        self.look = true;
    }

    fn handle_arrival(&mut self, arrival: Arrival) {
        let Arrival {
            join,
            addr,
            connected,
            answer,
        } = arrival;
        let room = self.drain_until.is_none()
            && self.peers_in_hand() < usize::from(self.bridge.config.limits.peers_per_session);
        let Some(swarm) = self.swarms.get_mut(&join).filter(|_| room) else {
            return;
        };
        if let Some(answer) = answer {
            if !swarm.wants_more() || answer.send(()).is_err() {
                return;
            }
            self.bridge.metrics.meetings_total.add(1);
            swarm.counts.connected += 1;
        } else if !swarm.welcome(addr) {
            return;
        }
        self.open(join, addr, false, connected);
        self.look = true;
    }

    fn open(&mut self, join: u32, addr: PeerAddr, dialled: bool, connected: Connected) {
        let Handshake {
            reserved, peer_id, ..
        } = connected.theirs;
        match self.tunnel.open(&Opened {
            join,
            addr,
            dialled,
            peer_id,
            reserved,
        }) {
            Some(stream) => {
                self.bridge.metrics.streams_total.add(1);
                self.relay.add(Peer::new(stream, join, addr, connected));
            }
            None => self
                .swarms
                .get_mut(&join)
                .into_iter()
                .for_each(|swarm| swarm.closed(addr, Outcome::Lost)),
        }
    }

    /// Drops a peer whose stream is closed.
    fn forget(&mut self, stream: u32, outcome: Outcome) {
        let Some(peer) = self.relay.remove(stream) else {
            return;
        };
        self.look = true;
        if let Some(swarm) = self.swarms.get_mut(&peer.join) {
            swarm.closed(peer.addr, outcome);
        }
    }

    /// Once a round, however many events there were.
    fn look_after_swarms(&mut self) {
        if std::mem::take(&mut self.look) {
            self.dial_peers();
            let soon = self.reported + REPORT_INTERVAL;
            self.report_at = Some(self.report_at.map_or(soon, |at| at.min(soon)));
        }
    }

    /// Dials as many peers as the swarms want and the rates allow, the swarms in turn.
    fn dial_peers(&mut self) {
        let now = Instant::now();
        let joins: Vec<u32> = self.swarms.keys().copied().collect();
        while joins
            .iter()
            .filter(|join| self.dial_next(**join, now))
            .count()
            > 0
        {}
        let due = self
            .swarms
            .values()
            .filter_map(Swarm::next_due)
            .min()
            .filter(|_| self.may_dial());
        self.dial_at = due.map(|due| due.max(self.dialling.next_at(now).unwrap_or(due)));
    }

    fn may_dial(&self) -> bool {
        let limits = &self.bridge.config.limits;
        self.drain_until.is_none()
            && self.dialling.count() < limits.half_open_per_session
            && self.peers_in_hand() < usize::from(limits.peers_per_session)
    }

    fn peers_in_hand(&self) -> usize {
        self.dialling.count() + self.relay.peers().len()
    }

    /// Dials one peer of a swarm, or puts it off; false if there is none or it is not the time.
    fn dial_next(&mut self, join: u32, now: Instant) -> bool {
        if !self.may_dial() || self.dialling.next_at(now).is_some() {
            return false;
        }
        let Some(swarm) = self.swarms.get_mut(&join) else {
            return false;
        };
        let Some(addr) = swarm.take(now) else {
            return false;
        };
        let handshake = swarm.handshake;
        let begun = match addr {
            PeerAddr::Tab(tab) => {
                let limit = self.bridge.config.limits.handshake_timeout.0;
                self.dialling.visit(join, tab, swarm.visit(tab), limit);
                Ok(())
            }
            PeerAddr::Ip(ip) => self.dialling.begin(&self.bridge, join, ip, handshake),
        };
        match begun {
            Ok(()) => {}
            Err(PutOff::Address(until)) => swarm.dial_failed(addr, Outcome::NotNow(until)),
            Err(PutOff::Host(until)) => swarm.put_off(addr, until),
        }
        true
    }

    /// Tells the tab what has changed in its swarms.
    fn report(&mut self) {
        self.report_at = None;
        self.reported = Instant::now();
        for (join, swarm) in &mut self.swarms {
            swarm.tell(&self.bridge, *join, &mut self.tunnel);
        }
        self.report_at = self
            .swarms
            .values()
            .filter_map(|swarm| swarm.tell_at(&self.bridge))
            .min();
    }

    /// The bridge is stopping: say so, leave the swarms, and let the streams go on for a while.
    fn drain(&mut self) {
        // A second less than the bridge waits, for the goodbyes.
        let within = self.bridge.config.limits.drain.0.saturating_sub(GOODBYE);
        self.drain_until = Some(
            Instant::now()
                + if self.relay.peers().is_empty() {
                    Duration::ZERO
                } else {
                    within
                },
        );
        self.dialling.abort_all();
        self.tunnel.draining(within);
    }

    /// Sends what is packed and closes the WebSocket so that the tab learns why.
    async fn say_goodbye(self, end: End) {
        let close = match end {
            End::Tab => None,
            End::Refused(refusal) => {
                self.bridge.metrics.refused_total.add(1);
                Some(CloseFrame {
                    code: refusal.close_code().into(),
                    reason: Utf8Bytes::from(refusal.to_string()),
                })
            }
            End::Broken(code) => Some(CloseFrame {
                code,
                reason: Utf8Bytes::default(),
            }),
        };
        // All that is held for the tab is given up before its last word is waited for.
        let Self {
            relay,
            mut tunnel,
            swarms,
            ..
        } = self;
        drop(swarms);
        let _ = timeout(
            GOODBYE,
            close_socket(relay.into_socket(), &mut tunnel, close),
        )
        .await;
    }
}

fn outcome(error: &DialError) -> Outcome {
    match error {
        DialError::Denied(Denied::Busy(wait) | Denied::Resting(wait)) => {
            Outcome::NotNow(Instant::now() + *wait)
        }
        DialError::Ourselves => Outcome::Ourselves,
        DialError::Gone => Outcome::Gone,
        _ => Outcome::Failed,
    }
}

/// Waits until discovery has told one of the swarms something.
async fn news(swarms: &mut BTreeMap<u32, Swarm>, bridge: &Bridge) {
    poll_fn(|cx| {
        match swarms
            .values_mut()
            .any(|swarm| swarm.poll_news(cx, bridge).is_ready())
        {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// Says goodbye: with this close frame, or with the answer to the tab's own, which the library has
/// packed already (RFC 6455, 5.5.1).
///
/// A socket that is dropped while bytes of the tab are unread is reset, and the close frame may be
/// lost with it: read to the end first.
async fn close_socket<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<Outlet<S>>,
    tunnel: &mut Server,
    close: Option<CloseFrame>,
) {
    if close.is_some() {
        while let Some(message) = tunnel.poll_message() {
            if socket.send(Message::Binary(message)).await.is_err() {
                break;
            }
        }
    }
    let closed = if close.is_some() {
        socket.close(close).await
    } else {
        socket.flush().await
    };
    if closed.is_ok() {
        // The library's buffers, with what is there of a message, are gone with it.
        let mut rest = socket.into_inner();
        let _ = rest.shutdown().await;
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    }
}

fn tunnel_config(bridge: &Bridge) -> ServerConfig {
    let limits = &bridge.config.limits;
    ServerConfig {
        limits: Limits {
            joins: limits.joins_per_session,
            streams: limits.peers_per_session,
        },
        windows: Windows {
            stream: limits.stream_window,
            session: limits.session_window,
        },
        keepalive: Keepalive {
            interval: limits.ping_interval.0,
            silence: limits.silence.0,
        },
        hello_timeout: limits.hello_timeout.0,
    }
}
