//! One tab: its WebSocket, its swarms, its peers.

mod close;
pub(crate) mod context;
mod frames;
pub(crate) mod inflow;
mod read_ahead;
mod relay;
mod swarms;
pub(crate) mod tab_socket;
pub(crate) mod tokens;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::net::Limit;
use aqueduct_core::tunnel::{
    JoinRefusal, JoinRequest, JoinUpdate, Keepalive, Limits, Opened, Refusal, Server, ServerConfig,
    ServerEvent, StreamClose, Windows,
};
use aqueduct_core::wire::Handshake;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;

use crate::limits;
use crate::limits::bucket::Bucket;
use crate::limits::clients::SessionPlace;
use crate::player::reads::{ReadEvent, Reads};
use crate::swarm::candidates::Outcome;
use close::{End, close};
use context::SessionContext;
use relay::{Peer, Relay, RelayEvent};
use swarms::{NewPeer, SwarmEvent, Swarms};
use tab_socket::TabSocket;

/// Time for closing a session in order.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The client that opened the WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocketClient {
    /// For the rates, and to be told to the tab.
    pub(crate) ip: IpAddr,
    /// A client without an Origin that the bridge knows must show a token.
    pub(crate) needs_token: bool,
    /// Whether it is known to run on the bridge's machine.
    pub(crate) is_this_machine: bool,
    /// Its place, or why it has none.
    pub(crate) admission: Result<SessionPlace, Refusal>,
}

/// Serves one tab until it leaves, breaks the rules, or the bridge stops.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    context: Arc<SessionContext>,
    socket: WebSocketStream<TabSocket<S>>,
    client: WebSocketClient,
    number: u64,
) {
    let metrics = Arc::clone(&context.swarms.metrics);
    metrics.sessions.total.add(1);
    // Refused sessions do not count as open.
    let _counted = client
        .admission
        .is_ok()
        .then(|| metrics.sessions.open.add_while_held());
    let logged = client.admission.is_ok() || context.logs_refusal();
    if logged {
        tracing::info!(session = number, client = %client.ip, "a tab connected");
    }
    let end = Session::new(context, socket, client, number).run().await;
    if logged {
        tracing::info!(session = number, ?end, "a tab is gone");
    }
}

struct Session<S> {
    context: Arc<SessionContext>,
    number: u64,
    client: WebSocketClient,
    tunnel: Server,
    relay: Relay<S>,
    swarms: Swarms,
    /// What players read; `None` if this tab offers nothing to them.
    reads: Option<Reads>,
    join_rate: Bucket,
    shutdown: Shutdown,
    end: Option<End>,
}

/// What the session knows of the bridge's end.
struct Shutdown {
    draining: watch::Receiver<bool>,
    /// Once the bridge is stopping: when the session must have ended.
    deadline: Option<Instant>,
}

/// What woke the session.
enum Wakeup {
    Relay(RelayEvent),
    Swarm(SwarmEvent),
    Read(ReadEvent),
    Draining,
    Timeout,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(
        context: Arc<SessionContext>,
        socket: WebSocketStream<TabSocket<S>>,
        client: WebSocketClient,
        number: u64,
    ) -> Self {
        let (swarms, limits) = (&context.swarms, &context.swarms.limits);
        let players = context.players.as_ref().filter(|_| client.is_this_machine);
        let reads = players.map(|addresses| Reads::new(number, Arc::clone(addresses)));
        let config = tunnel_config(limits, reads.is_some());
        let mut tunnel = Server::new(config, swarms.clock.now());
        if let Err(refusal) = client.admission {
            tunnel.refuse(refusal);
        }
        Self {
            reads,
            swarms: Swarms::new(swarms, number, client.ip),
            join_rate: Bucket::new(
                Limit::per_minute(limits.joins_per_minute.into())
                    .with_burst(limits.joins_per_session.into()),
                Instant::now(),
            ),
            shutdown: Shutdown {
                draining: context.draining.clone(),
                deadline: None,
            },
            context,
            number,
            client,
            tunnel,
            relay: Relay::new(socket),
            end: None,
        }
    }

    async fn run(mut self) -> End {
        loop {
            self.handle_events();
            self.swarms.settle(self.relay.peers().len());
            self.report_memory();
            if let Some(end) = self.end {
                self.close(end).await;
                return end;
            }
            match self.wait().await {
                Wakeup::Relay(event) => self.handle_relay(event),
                Wakeup::Swarm(event) => {
                    let peer = self.swarms.handle(event, self.relay.peers().len());
                    peer.into_iter().for_each(|peer| self.open(peer));
                }
                Wakeup::Read(event) => {
                    if let Some(reads) = &mut self.reads {
                        reads.handle(event, &mut self.tunnel);
                    }
                }
                Wakeup::Draining => self.drain(),
                Wakeup::Timeout => self.handle_timeout(),
            }
        }
    }

    async fn wait(&mut self) -> Wakeup {
        let due = self.poll_timeout();
        let metrics = &self.context.swarms.metrics;
        let Shutdown { draining, deadline } = &mut self.shutdown;
        tokio::select! {
            event = self.relay.next(&mut self.tunnel, metrics) => Wakeup::Relay(event),
            event = self.swarms.next() => Wakeup::Swarm(event),
            Some(event) = next_read(&mut self.reads) => Wakeup::Read(event),
            _ = draining.wait_for(|draining| *draining), if deadline.is_none() => Wakeup::Draining,
            () = sleep_until(due) => Wakeup::Timeout,
        }
    }

    fn poll_timeout(&self) -> Instant {
        let clock = self.context.swarms.clock;
        [self.swarms.poll_timeout(), self.shutdown.deadline]
            .into_iter()
            .flatten()
            .fold(clock.instant(self.tunnel.poll_timeout()), Instant::min)
    }

    fn handle_timeout(&mut self) {
        let now = Instant::now();
        self.tunnel.handle_timeout(self.context.swarms.clock.now());
        if self.shutdown.deadline.is_some_and(|end| end <= now) {
            self.tunnel.refuse(Refusal::Draining);
        }
        let streams = self.relay.peers().len();
        self.swarms.handle_timeout(now, streams, &mut self.tunnel);
    }

    fn handle_relay(&mut self, event: RelayEvent) {
        match event {
            RelayEvent::Message(message) => self.handle_message(message),
            RelayEvent::Ended(stream, reason) => {
                self.tunnel.close(stream, reason);
                self.remove_peer(stream, Outcome::Lost);
            }
            RelayEvent::WebSocketOver(code) => self.end = Some(code.map_or(End::Tab, End::Broken)),
        }
    }

    fn handle_message(&mut self, message: Bytes) {
        let now = self.context.swarms.clock.now();
        if let Err(error) = self.tunnel.handle_message(now, message) {
            tracing::info!(session = self.number, %error, "a session is closed");
            self.tunnel.refuse(Refusal::Protocol);
        }
    }

    /// A session that holds more than its share is ended when the bridge's memory is full.
    fn report_memory(&mut self) {
        let reads = self.reads.as_ref().map_or(0, Reads::held);
        let bytes = self.relay.held() + self.tunnel.backlog() + self.swarms.memory() + reads;
        self.relay.socket().get_mut().inflow().set_held(bytes);
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.tunnel.poll_event().filter(|_| self.end.is_none()) {
            match event {
                ServerEvent::Data { stream, bytes } => self.handle_data(stream, bytes),
                ServerEvent::Hello { token } => self.handle_hello(&token),
                ServerEvent::Join { join, request } => self.handle_join(join, request),
                ServerEvent::JoinBeyondLimit { join } => {
                    self.tunnel.refuse_join(join, JoinRefusal::NoPlace)
                }
                ServerEvent::Update { join, update } => self.handle_update(join, &update),
                ServerEvent::Hint { join, addrs } => self.swarms.hint(join, &addrs),
                ServerEvent::Leave { join } => self.handle_leave(join),
                ServerEvent::Offer { offer, file } => {
                    if let Some(reads) = &self.reads {
                        reads.offer(offer, file, &mut self.tunnel);
                    }
                }
                ServerEvent::Withdrawn { offer } => {
                    if let Some(reads) = &mut self.reads {
                        reads.withdraw(offer, &mut self.tunnel);
                    }
                }
                ServerEvent::StreamClosed { stream } => {
                    if !self
                        .reads
                        .as_mut()
                        .is_some_and(|reads| reads.closed(stream))
                    {
                        self.remove_peer(stream, |_| Outcome::Unwanted);
                    }
                }
                ServerEvent::Ended(refusal) => self.end = Some(End::Refused(refusal)),
            }
        }
        let frames = self.tunnel.take_frames();
        self.relay.socket().get_mut().inflow().charge(frames);
    }

    /// Passes data of the tab to a player or a peer.
    fn handle_data(&mut self, stream: u32, bytes: Bytes) {
        let (reads, tunnel) = (self.reads.as_mut(), &mut self.tunnel);
        if !reads.is_some_and(|reads| reads.receive(stream, &bytes, tunnel)) {
            self.relay.send(stream, bytes);
        }
    }

    fn handle_hello(&mut self, token: &[u8]) {
        let tokens = &self.context.tokens;
        let required = self.client.needs_token || tokens.are_required();
        if required && !tokens.contain(token) {
            self.tunnel.refuse(Refusal::Token);
        } else {
            // The port means nothing to a tab, and behind a proxy it is the proxy's.
            let client = SocketAddr::new(self.client.ip, 0);
            self.tunnel.welcome(client, self.context.swarms.peer_port);
        }
    }

    fn handle_join(&mut self, join: u32, request: JoinRequest) {
        let joined = self.take_join(Instant::now()).and_then(|()| {
            let joined = self.swarms.join(join, request);
            joined.map_err(|_duplicate| JoinRefusal::Duplicate)
        });
        if let Err(refusal) = joined {
            self.tunnel.refuse_join(join, refusal);
        }
    }

    /// Takes one join off the budgets of the session and of its address. Nothing is taken if either
    /// has none left.
    fn take_join(&mut self, now: Instant) -> Result<(), JoinRefusal> {
        let too_fast = |at: Instant| JoinRefusal::TooFast {
            retry_after: at.saturating_duration_since(now),
        };
        if self.shutdown.deadline.is_some() {
            return Err(JoinRefusal::Draining);
        }
        self.join_rate.check(now).map_err(too_fast)?;
        let Ok(place) = &self.client.admission else {
            return Err(JoinRefusal::NoPlace);
        };
        place.take_join(now).map_err(too_fast)?;
        self.join_rate.take(now).map_err(too_fast)
    }

    fn handle_update(&mut self, join: u32, update: &JoinUpdate) {
        if let Some(dropped) = self.swarms.update(join, update) {
            let is_dropped = |peer: &Peer| dropped.contain(peer.addr);
            self.close_streams(join, StreamClose::Private, is_dropped);
        }
    }

    fn handle_leave(&mut self, join: u32) {
        self.swarms.leave(join);
        self.close_streams(join, StreamClose::Left, |_| true);
    }

    /// Closes the streams of a join whose peers are meant.
    fn close_streams(&mut self, join: u32, reason: StreamClose, is_meant: impl Fn(&Peer) -> bool) {
        let peers = self.relay.peers().iter();
        let closing = peers.filter(|peer| peer.join == join && is_meant(peer));
        let streams: Vec<u32> = closing.map(|peer| peer.stream).collect();
        for stream in streams {
            self.tunnel.close(stream, reason);
            self.remove_peer(stream, Outcome::Lost);
        }
    }

    /// Opens a stream for a new peer.
    fn open(&mut self, peer: NewPeer) {
        let NewPeer {
            join,
            addr,
            dialled,
            connected,
        } = peer;
        let Handshake {
            reserved, peer_id, ..
        } = connected.theirs;
        match self.tunnel.open(&Opened {
            join,
            addr,
            dialled,
            peer_id,
            reserved,
            line: connected.line,
        }) {
            Some(stream) => {
                connected.count(&self.context.swarms.metrics.peers);
                self.relay.add(Peer::new(stream, join, addr, connected));
            }
            None => {
                self.swarms
                    .disconnected(join, addr, Outcome::Lost(Instant::now()));
            }
        }
    }

    /// Removes the peer of a stream that is closed. `outcome`: from when the connection began.
    fn remove_peer(&mut self, stream: u32, outcome: impl FnOnce(Instant) -> Outcome) {
        if let Some(peer) = self.relay.remove(stream) {
            let outcome = outcome(peer.since);
            self.swarms.disconnected(peer.join, peer.addr, outcome);
        }
    }

    /// The bridge is stopping: tells the tab so, and lets the streams go on for a while.
    fn drain(&mut self) {
        // Less than the bridge waits, to leave time for closing.
        let limits = &self.context.swarms.limits;
        let within = limits.drain.0.saturating_sub(CLOSE_TIMEOUT);
        let is_read = self.reads.as_ref().is_some_and(Reads::are_open);
        let wait = if self.relay.peers().is_empty() && !is_read {
            Duration::ZERO
        } else {
            within
        };
        self.shutdown.deadline = Some(Instant::now() + wait);
        self.swarms.stop();
        self.tunnel.draining(within);
    }

    /// Sends what is packed and closes the WebSocket in such a way that the tab learns why.
    async fn close(self, end: End) {
        let Self {
            context,
            relay,
            tunnel,
            swarms,
            reads,
            ..
        } = self;
        let refused = &context.swarms.metrics.sessions.refused_total;
        refused.add(usize::from(matches!(end, End::Refused(_))));
        // All that is held for the tab is released before its last message is waited for.
        drop((swarms, reads));
        let _ = timeout(CLOSE_TIMEOUT, close(relay.into_socket(), tunnel, end)).await;
    }
}

/// Waits for a player. Without players, it waits forever.
async fn next_read(reads: &mut Option<Reads>) -> Option<ReadEvent> {
    match reads {
        Some(reads) => reads.next().await,
        None => std::future::pending().await,
    }
}

fn tunnel_config(limits: &limits::Limits, has_players: bool) -> ServerConfig {
    let of_players = |limit: u16| if has_players { limit } else { 0 };
    ServerConfig {
        limits: Limits {
            joins: limits.joins_per_session,
            streams: limits.peers_per_session,
            offers: of_players(limits.player_addresses_per_session),
            reads: of_players(limits.player_reads_per_session),
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
