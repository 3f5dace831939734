//! The bridge from the engine's point of view: peer connections, joins, reports. All of them use
//! one WebSocket.

pub(super) mod address;
mod credit;
mod reads;
mod received;
mod session;
mod socket;
mod streams;

use std::collections::VecDeque;
use std::net::SocketAddr;

use aqueduct_core::io::Handshaken;
use aqueduct_core::tunnel::frame::Kind;
use aqueduct_core::tunnel::{
    self, Client, JoinRequest, JoinUpdate, OfferedFile, Refusal, StreamClose, TunnelError, Welcome,
};
use aqueduct_core::types::{ConnId, InfoHashV1, PeerAddr, RequestId};
use aqueduct_core::wire::Message;
use aqueduct_core::{CloseReason, Input, Instant};
use bytes::Bytes;

use self::address::BridgeAddress;
use self::credit::Credit;
pub(super) use self::reads::PlayerEvent;
use self::reads::Reads;
use self::received::{Received, ReceivedFrame};
use self::session::Session;
pub(super) use self::socket::{Listener, SocketEvent};
use self::streams::Streams;
use super::swarms::JoinReport;
use crate::message::{BridgeLink, BridgeStatus};

/// The connection to the bridge and everything that uses it.
pub(super) struct Bridge {
    session: Session,
    streams: Streams,
    /// Streams to players outside the browser.
    reads: Reads,
    credit: Credit,
    /// The message whose frames are being handled.
    receiving: Option<Received>,
    /// The events that result from one event of the socket, one frame or one event of the tunnel;
    /// emptied before the next one is handled.
    events: VecDeque<Event>,
}

/// An event of the bridge.
#[derive(Debug)]
pub(super) enum Event {
    /// A session started; no swarm is joined yet.
    SessionStarted,
    /// The bridge has accepted the session.
    Welcome {
        /// The maximum number of swarms that the tab may join.
        joins: u16,
        /// The port at which the bridge accepts peers for the tab; 0: none.
        peer_port: u16,
    },
    /// The session ended, and with it every join.
    SessionEnded,
    /// An input for the engine.
    Engine(Input),
    /// The bridge dialled a peer and reached it.
    PeerReached(InfoHashV1, SocketAddr),
    /// A report on a join.
    Report(u32, JoinReport),
    /// An event of a player outside the browser.
    Player(PlayerEvent),
}

impl Bridge {
    /// A bridge to which [`Bridge::handle_timeout`] first connects. `token` is for bridges that
    /// require one.
    pub(super) fn new(address: &BridgeAddress, token: String, listener: Listener) -> Self {
        Self {
            session: Session::new(address, token, listener),
            streams: Streams::default(),
            reads: Reads::default(),
            credit: Credit::default(),
            receiving: None,
            events: VecDeque::new(),
        }
    }

    /// Handles an event of the socket with this number.
    pub(super) fn handle_socket(&mut self, now: Instant, socket: u64, event: SocketEvent) {
        if !self.session.is_present(socket) {
            return;
        }
        match event {
            SocketEvent::Open => {
                self.session.handle_open(now);
                self.events.push_back(Event::SessionStarted);
            }
            SocketEvent::Message(message) => {
                self.session.count_received(message.length() as usize);
                match Received::new(message) {
                    Ok(message) => self.receiving = Some(message),
                    Err(_) => self.retry_later(now),
                }
            }
            SocketEvent::Closed(code) => {
                self.session.handle_close(now, code);
                self.end_session();
            }
        }
    }

    /// Returns the next event, in order; `None` if there is none.
    pub(super) fn poll_event(&mut self, now: Instant) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if let Some(event) = self.session.tunnel()?.poll_event() {
                self.handle_tunnel(now, event);
            } else if !self.handle_next_frame(now)? {
                self.retry_later(now);
            }
        }
    }

    /// Handles the next received frame. Returns whether it was valid; `None` if there is none.
    fn handle_next_frame(&mut self, now: Instant) -> Option<bool> {
        match self.receiving.as_mut()?.next_frame() {
            Ok(Some(frame)) => Some(self.handle_frame(now, &frame).is_ok()),
            Ok(None) => {
                self.receiving = None;
                None
            }
            Err(_) => Some(false),
        }
    }

    fn handle_frame(&mut self, now: Instant, frame: &ReceivedFrame) -> Result<(), TunnelError> {
        let Some(tunnel) = self.session.tunnel() else {
            return Ok(());
        };
        let header = frame.header;
        if header.kind != Kind::Data {
            return tunnel.handle_message(now, frame.to_vec().into());
        }
        if tunnel.handle_data(now, header.id, header.length)? {
            self.streams.feed(header.id, header.length, |out| {
                frame.copy_payload_to(out);
            });
            self.handle_data(header.id, header.length);
        }
        Ok(())
    }

    /// Whether calls such as [`Bridge::send`] caused events since the last [`Bridge::poll_event`].
    pub(super) fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    fn handle_tunnel(&mut self, now: Instant, event: tunnel::Event) {
        match event {
            // Frames with data are handled before the tunnel would see them.
            tunnel::Event::Data { .. } => {}
            tunnel::Event::Sent { stream, bytes } => self.handle_sent(stream, bytes),
            tunnel::Event::Offered { offer, token } => {
                self.tell_player(PlayerEvent::Offered { offer, token });
            }
            tunnel::Event::Read {
                stream,
                offer,
                bytes,
            } => {
                self.reads.open(stream);
                self.tell_player(PlayerEvent::Read {
                    stream,
                    offer,
                    bytes,
                });
            }
            tunnel::Event::StreamClosed { stream, .. } if self.reads.close(stream) => {
                self.tell_player(PlayerEvent::Closed(stream));
            }
            tunnel::Event::StreamOpened {
                stream,
                addr,
                dialled,
                handshake,
                ..
            } => self.handle_stream(stream, addr, dialled, handshake),
            tunnel::Event::StreamClosed { stream, reason } => {
                let reason = match reason {
                    StreamClose::Peer => CloseReason::Remote,
                    other => CloseReason::Unreachable(other.to_string()),
                };
                self.lose_stream(stream, reason);
            }
            tunnel::Event::Welcome(welcome) => self.handle_welcome(welcome),
            tunnel::Event::Refused(refusal) => self.handle_refusal(now, refusal),
            tunnel::Event::Silent => self.retry_later(now),
            tunnel::Event::Trackers { join, counts } => {
                self.report(join, JoinReport::Trackers(counts))
            }
            tunnel::Event::Tracker { join, report } => {
                self.report(join, JoinReport::Tracker(report))
            }
            tunnel::Event::Dht { join, counts } => self.report(join, JoinReport::Dht(counts)),
            tunnel::Event::Peers { join, counts } => self.report(join, JoinReport::Peers(counts)),
            tunnel::Event::JoinRefused { join, refusal } => {
                self.report(join, JoinReport::Refused(refusal))
            }
            // The bridge closes the WebSocket when it stops; a new one is opened only then.
            tunnel::Event::Draining { .. } => {}
        }
    }

    fn handle_welcome(&mut self, welcome: Welcome) {
        let Welcome {
            limits, peer_port, ..
        } = welcome;
        self.session.handle_welcome();
        self.events.push_back(Event::Welcome {
            joins: limits.joins,
            peer_port,
        });
        self.tell_player(PlayerEvent::Started {
            offers: limits.offers,
        });
    }

    fn handle_sent(&mut self, stream: u32, bytes: u64) {
        match self.reads.sent(stream, bytes) {
            Some(true) => self.tell_player(PlayerEvent::Sent(stream)),
            Some(false) => {}
            None => {
                let conn = self.streams.conn(stream);
                let sent = conn.map(|conn| Event::Engine(Input::Sent { conn, bytes }));
                self.events.extend(sent);
            }
        }
    }

    fn tell_player(&mut self, event: PlayerEvent) {
        self.events.push_back(Event::Player(event));
    }

    /// Handles bytes that were added to a stream.
    fn handle_data(&mut self, stream: u32, bytes: usize) {
        while let Some((conn, read)) = self.streams.next(stream) {
            match read {
                Ok(message) => self
                    .events
                    .push_back(Event::Engine(Input::Message { conn, message })),
                Err(error) => self.end_stream(stream, CloseReason::Protocol(error)),
            }
        }
        if self.credit.received(stream, bytes)
            && let Some(tunnel) = self.session.tunnel()
        {
            tunnel.consumed(stream, bytes);
        }
    }

    fn handle_stream(&mut self, stream: u32, addr: PeerAddr, dialled: bool, handshake: Handshaken) {
        if let Some(addr) = addr.socket_addr().filter(|_| dialled) {
            self.events
                .push_back(Event::PeerReached(handshake.info_hash, addr));
        }
        let conn = self.streams.open(stream);
        self.events.push_back(Event::Engine(Input::Accepted {
            conn,
            addr,
            dialled,
            handshake,
        }));
    }

    fn handle_refusal(&mut self, now: Instant, refusal: Refusal) {
        self.session.handle_refusal(now, refusal);
        self.end_session();
    }

    fn report(&mut self, join: u32, report: JoinReport) {
        self.events.push_back(Event::Report(join, report));
    }

    /// Closes a stream at the bridge, and reports it to the engine.
    fn end_stream(&mut self, stream: u32, reason: CloseReason) {
        if let Some(tunnel) = self.session.tunnel() {
            tunnel.close(stream);
        }
        self.lose_stream(stream, reason);
    }

    /// Reports a closed stream to the engine.
    fn lose_stream(&mut self, stream: u32, reason: CloseReason) {
        if let Some(conn) = self.streams.close_stream(stream) {
            self.events
                .push_back(Event::Engine(Input::Closed { conn, reason }));
        }
    }

    /// Ends the session, and opens another one later.
    fn retry_later(&mut self, now: Instant) {
        self.session.retry_later(now);
        self.end_session();
    }

    /// Ends the session, and with it every stream and join.
    fn end_session(&mut self) {
        self.receiving = None;
        self.credit.end_session();
        self.reads.close_all();
        self.events.push_back(Event::SessionEnded);
        for conn in self.streams.close_all() {
            let reason = CloseReason::Unreachable("the connection to the bridge broke".to_owned());
            self.events
                .push_back(Event::Engine(Input::Closed { conn, reason }));
        }
    }

    /// Queues a message for a peer.
    pub(super) fn send(&mut self, conn: ConnId, message: &Message) {
        let (Some(stream), Some(tunnel)) =
            (self.streams.send(conn, message), self.session.tunnel())
        else {
            return;
        };
        while let Some(part) = self.streams.poll_part(stream) {
            if tunnel.send(stream, part).is_err() {
                let reason = CloseReason::Unreachable("it does not take the data".to_owned());
                self.end_stream(stream, reason);
                return;
            }
        }
    }

    /// Closes a connection for the engine, which receives no more events for it.
    pub(super) fn close(&mut self, conn: ConnId) {
        let is_its_end = |event: &Event| matches!(event, Event::Engine(Input::Closed { conn: ended, .. }) if *ended == conn);
        self.events.retain(|event| !is_its_end(event));
        if let (Some(stream), Some(tunnel)) = (self.streams.close_conn(conn), self.session.tunnel())
        {
            tunnel.close(stream);
        }
    }

    /// Joins a swarm and returns the number of the join; `None` without a session.
    pub(super) fn join(&mut self, request: &JoinRequest) -> Option<u32> {
        Some(self.session.tunnel()?.join(request))
    }

    /// Leaves a swarm.
    pub(super) fn leave(&mut self, join: u32) {
        self.with_tunnel(|tunnel| tunnel.leave(join));
    }

    /// Updates the state of a torrent.
    pub(super) fn update(&mut self, join: u32, update: &JoinUpdate) {
        self.with_tunnel(|tunnel| tunnel.update(join, update));
    }

    /// Passes on addresses of peers as hints.
    pub(super) fn hint(&mut self, join: u32, addrs: &[SocketAddr]) {
        self.with_tunnel(|tunnel| tunnel.hint(join, addrs));
    }

    /// Offers a file to players on this machine, and returns the number of the offer; `None` if the
    /// bridge permits no more.
    pub(super) fn offer(&mut self, file: &OfferedFile) -> Option<u32> {
        self.session.tunnel()?.offer(file)
    }

    /// Withdraws an offer.
    pub(super) fn withdraw(&mut self, offer: u32) {
        self.with_tunnel(|tunnel| tunnel.withdraw(offer));
    }

    /// Queues bytes for a player; [`PlayerEvent::Sent`] follows.
    pub(super) fn send_to_player(&mut self, stream: u32, bytes: Bytes) {
        self.reads.queued(stream, bytes.len());
        // Refused only for a stream that has ended: no more is queued than one chunk.
        self.with_tunnel(|tunnel| {
            let _ = tunnel.send(stream, bytes);
        });
    }

    /// Ends a stream to a player before it has all that it reads.
    pub(super) fn close_read(&mut self, stream: u32) {
        self.reads.close(stream);
        self.with_tunnel(|tunnel| tunnel.close(stream));
    }

    /// Whether a player outside the browser reads anything.
    pub(super) fn is_read(&self) -> bool {
        self.reads.are_open()
    }

    fn with_tunnel(&mut self, act: impl FnOnce(&mut Client)) {
        if let Some(tunnel) = self.session.tunnel() {
            act(tunnel);
        }
    }

    /// Records that a digest or a write of received bytes was started.
    pub(super) fn request_started(&mut self, id: RequestId, bytes: u64) {
        self.credit.request_started(id, bytes);
    }

    /// Records that a request is complete: streams may get credit again.
    pub(super) fn request_finished(&mut self, id: RequestId) {
        let credited = self.credit.request_finished(id);
        self.with_tunnel(|tunnel| {
            for (stream, bytes) in credited {
                tunnel.consumed(stream, bytes);
            }
        });
    }

    /// Whether a session is open.
    pub(super) const fn is_open(&self) -> bool {
        self.session.is_open()
    }

    /// The session's state for the page.
    pub(super) fn status(&self, now: Instant) -> BridgeStatus {
        self.session.status(now)
    }

    /// What passes through the bridge, for the page.
    pub(super) fn link(&self) -> BridgeLink {
        self.session.link()
    }

    /// Sets the token for the bridge.
    pub(super) fn set_token(&mut self, now: Instant, token: String) {
        self.session.set_token(now, token);
    }

    /// Handles that the worker was suspended: the connection may have broken without notice.
    pub(super) fn handle_suspension(&mut self, now: Instant) {
        self.session.handle_suspension(now);
    }

    /// Sends pending messages, as far as the browser accepts them. Returns whether anything was
    /// sent.
    pub(super) fn transmit(&mut self) -> bool {
        self.session.transmit()
    }

    /// The time by which [`Bridge::handle_timeout`] must be called.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        self.session.poll_timeout(now)
    }

    /// Passes the time to the session. An early call is harmless.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
    }
}
