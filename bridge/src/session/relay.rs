//! Moves bytes between one tab's WebSocket and its peers' sockets, all in one task. (A peer that is
//! another tab of this bridge has a pipe in memory instead of a socket.)
//!
//! What a peer sends is read from its socket directly into the message being packed, and decrypted
//! there. What a tab sends is written from the message it came in, or copied to be encrypted. Nothing
//! is read that cannot be passed on: a peer without credit is not read, and a tab has credit only for
//! what its peers have taken.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use aqueduct_core::tunnel::{Server, StreamClose};
use aqueduct_core::types::PeerAddr;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::metrics::Metrics;
use crate::session::inflow;
use crate::session::tab_socket::TabSocket;
use crate::swarm::connected::Connected;

/// Slices handed to one vectored write.
const MAX_SLICES: usize = 32;

/// The sockets of one session.
pub(crate) struct Relay<S> {
    socket: WebSocketStream<TabSocket<S>>,
    /// Ascending by stream.
    peers: Vec<Peer>,
    /// The peer that was read last, so that no peer is always first.
    last_read: usize,
    ended: Vec<(u32, StreamClose)>,
}

/// One stream's peer.
pub(crate) struct Peer {
    pub(crate) stream: u32,
    pub(crate) join: u32,
    pub(crate) addr: PeerAddr,
    /// Its socket, and what it sent right after its handshake.
    pub(crate) connected: Connected,
    pub(crate) since: Instant,
    /// What the tab sent and the socket has not taken yet, copied, and encrypted if the connection
    /// is; bounded by the tab's credit. It is written first.
    backlog: BytesMut,
    /// What the tab has just sent: slices of its messages, which would keep whole messages in memory
    /// if they stayed.
    fresh: VecDeque<Bytes>,
}

/// An event for the session.
#[derive(Debug)]
pub(crate) enum RelayEvent {
    /// The tab sent a message.
    Message(Bytes),
    /// A peer's connection ended.
    Ended(u32, StreamClose),
    /// The WebSocket is over: closed by the tab, or to be closed by us with this code because the
    /// tab broke the protocol.
    WebSocketOver(Option<CloseCode>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Relay<S> {
    pub(crate) const fn new(socket: WebSocketStream<TabSocket<S>>) -> Self {
        Self {
            socket,
            peers: Vec::new(),
            last_read: 0,
            ended: Vec::new(),
        }
    }

    pub(crate) const fn socket(&mut self) -> &mut WebSocketStream<TabSocket<S>> {
        &mut self.socket
    }

    /// Drops all peers and their connections.
    pub(crate) fn into_socket(self) -> WebSocketStream<TabSocket<S>> {
        self.socket
    }

    pub(crate) fn peers(&self) -> &[Peer] {
        &self.peers
    }

    /// Bytes that are on their way, in both directions.
    pub(crate) fn held(&self) -> usize {
        self.socket.get_ref().held() + self.peers.iter().map(Peer::held).sum::<usize>()
    }

    /// Adds the peer of a stream that has just been opened: its number is the highest.
    pub(crate) fn add(&mut self, peer: Peer) {
        self.peers.push(peer);
    }

    /// Removes a peer and its connection.
    pub(crate) fn remove(&mut self, stream: u32) -> Option<Peer> {
        let at = self.find(stream)?;
        Some(self.peers.remove(at))
    }

    /// Queues bytes for a peer.
    pub(crate) fn send(&mut self, stream: u32, bytes: Bytes) {
        if let Some(peer) = self.find(stream).and_then(|at| self.peers.get_mut(at)) {
            peer.queue(bytes);
        }
    }

    fn find(&self, stream: u32) -> Option<usize> {
        self.peers
            .binary_search_by_key(&stream, |peer| peer.stream)
            .ok()
    }

    /// Moves bytes in both directions until there is an event for the session. Nothing is lost if
    /// the future is dropped.
    pub(crate) async fn next(&mut self, tunnel: &mut Server, metrics: &Metrics) -> RelayEvent {
        std::future::poll_fn(|cx| self.poll(cx, tunnel, metrics)).await
    }

    /// Sends and receives one message at a time, so that neither direction starves the other.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        tunnel: &mut Server,
        metrics: &Metrics,
    ) -> Poll<RelayEvent> {
        loop {
            self.write_peers(cx, tunnel);
            let sent = match self.send_message(cx, tunnel, metrics) {
                Ok(sent) => sent,
                Err(error) => return Poll::Ready(RelayEvent::WebSocketOver(close_code(&error))),
            };
            if let Some((stream, reason)) = self.ended.pop() {
                return Poll::Ready(RelayEvent::Ended(stream, reason));
            }
            match self.socket.poll_next_unpin(cx) {
                Poll::Ready(received) => match self.receive(received, metrics) {
                    Some(happened) => return Poll::Ready(happened),
                    None => continue,
                },
                Poll::Pending if sent => {}
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn receive(
        &mut self,
        received: Option<Result<Message, Error>>,
        metrics: &Metrics,
    ) -> Option<RelayEvent> {
        match received {
            Some(Ok(Message::Binary(bytes))) => {
                metrics.sessions.up_bytes.add(bytes.len());
                Some(RelayEvent::Message(bytes))
            }
            Some(Ok(Message::Text(_))) => {
                Some(RelayEvent::WebSocketOver(Some(CloseCode::Unsupported)))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => None,
            Some(Ok(Message::Close(_))) | None => Some(RelayEvent::WebSocketOver(None)),
            Some(Err(error)) => Some(RelayEvent::WebSocketOver(close_code(&error))),
        }
    }

    /// Packs and sends one message if the WebSocket accepts it. Returns whether it did.
    fn send_message(
        &mut self,
        cx: &mut Context<'_>,
        tunnel: &mut Server,
        metrics: &Metrics,
    ) -> Result<bool, Error> {
        // Ready once the system has accepted the last message and what the library wrote.
        if self.socket.poll_flush_unpin(cx)?.is_pending() {
            return Ok(false);
        }
        self.read_peers(cx, tunnel);
        let Some(message) = tunnel.poll_message() else {
            return Ok(false);
        };
        metrics.sessions.down_bytes.add(message.len());
        self.socket.get_mut().begin_message(message);
        // Pending only means that the rest is sent when the socket accepts more.
        let _ = self.socket.get_mut().poll_complete(cx)?;
        Ok(true)
    }

    /// Fills the message being packed from all peers in turn, a frame each, until it is full or no
    /// peer has more.
    fn read_peers(&mut self, cx: &mut Context<'_>, tunnel: &mut Server) {
        let count = self.peers.len();
        let mut idle = 0;
        while idle < count {
            self.last_read = (self.last_read + 1) % count;
            let Some(peer) = self.peers.get_mut(self.last_read) else {
                return;
            };
            match peer.poll_read(cx, tunnel) {
                Poll::Ready(Ok(true)) => idle = 0,
                Poll::Ready(Ok(false)) | Poll::Pending => idle += 1,
                Poll::Ready(Err(reason)) => {
                    idle += 1;
                    self.ended.push((peer.stream, reason));
                }
            }
        }
    }

    fn write_peers(&mut self, cx: &mut Context<'_>, tunnel: &mut Server) {
        for peer in &mut self.peers {
            if let Poll::Ready(Err(_broken)) = peer.poll_write(cx, tunnel) {
                (peer.backlog, peer.fresh) = (BytesMut::new(), VecDeque::new());
                self.ended.push((peer.stream, StreamClose::Broken));
            }
        }
    }
}

impl Peer {
    pub(crate) fn new(stream: u32, join: u32, addr: PeerAddr, connected: Connected) -> Self {
        Self {
            stream,
            join,
            addr,
            connected,
            since: Instant::now(),
            backlog: BytesMut::new(),
            fresh: VecDeque::new(),
        }
    }

    /// Queues bytes to be sent. Encryption needs a copy, since the message may have more parts.
    fn queue(&mut self, bytes: Bytes) {
        let Some(ciphers) = &mut self.connected.ciphers else {
            return self.fresh.push_back(bytes);
        };
        let before = self.backlog.len();
        self.backlog.extend_from_slice(&bytes);
        ciphers.encrypt(&mut self.backlog[before..]);
    }

    /// Bytes that the tab sent and the socket has not taken, those that came with the handshake, and
    /// those of uTP.
    fn held(&self) -> usize {
        self.backlog.len()
            + self.fresh.iter().map(Bytes::len).sum::<usize>()
            + self.connected.leftover.len()
            + self.connected.pipe.held()
    }

    /// Appends one frame of its bytes to the message; false if there is no room for any.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        tunnel: &mut Server,
    ) -> Poll<Result<bool, StreamClose>> {
        let Connected {
            pipe,
            ciphers,
            leftover,
            ..
        } = &mut self.connected;
        if !leftover.is_empty() {
            let filled = tunnel.fill(self.stream, |out| {
                out.put(leftover.split_to(leftover.len().min(out.remaining_mut())))
            });
            return Poll::Ready(Ok(filled.is_some()));
        }
        if tunnel.room(self.stream) == 0 {
            return Poll::Ready(Ok(false));
        }
        ready!(pipe.poll_readable(cx)).map_err(|_| StreamClose::Broken)?;
        let filled = tunnel.fill(self.stream, |out| {
            let before = out.get_ref().len();
            let read = pipe.poll_read(cx, out);
            if let Some(ciphers) = ciphers {
                ciphers.decrypt(&mut out.get_mut()[before..]);
            }
            read
        });
        let Some((_, read)) = filled else {
            return Poll::Ready(Ok(false));
        };
        Poll::Ready(match ready!(read) {
            Ok(0) => Err(StreamClose::Peer),
            Ok(_) => Ok(true),
            Err(_) => Err(StreamClose::Broken),
        })
    }

    /// Writes what the tab sent, and gives the credit back for it. What the socket does not take is
    /// copied.
    fn poll_write(&mut self, cx: &mut Context<'_>, tunnel: &mut Server) -> Poll<io::Result<()>> {
        while !self.backlog.is_empty() || !self.fresh.is_empty() {
            let Poll::Ready(written) = self.write(cx)? else {
                self.copy_fresh();
                return Poll::Pending;
            };
            tunnel.consumed(self.stream, written);
            self.advance(written);
        }
        self.free();
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        ready!(self.connected.pipe.poll_writable(cx))?;
        let backlog = Some(&self.backlog[..]).filter(|backlog| !backlog.is_empty());
        let parts = backlog
            .into_iter()
            .chain(self.fresh.iter().map(|bytes| &bytes[..]));
        let slices: Vec<IoSlice<'_>> = parts.take(MAX_SLICES).map(IoSlice::new).collect();
        self.connected.pipe.poll_write(cx, &slices)
    }

    fn copy_fresh(&mut self) {
        self.fresh
            .drain(..)
            .for_each(|bytes| self.backlog.extend_from_slice(&bytes));
        self.free();
    }

    /// Releases memory after writing, since a session would otherwise keep the maximum that each of
    /// its peers ever needed.
    fn free(&mut self) {
        if self.backlog.is_empty() {
            self.backlog = BytesMut::new();
        }
        if self.fresh.is_empty() && self.fresh.capacity() > MAX_SLICES {
            self.fresh = VecDeque::new();
        }
    }

    fn advance(&mut self, written: usize) {
        let of_backlog = written.min(self.backlog.len());
        self.backlog.advance(of_backlog);
        let mut left = written - of_backlog;
        while let Some(front) = self.fresh.front_mut() {
            let part = left.min(front.len());
            front.advance(part);
            left -= part;
            if !front.is_empty() {
                return;
            }
            self.fresh.pop_front();
        }
    }
}

/// The close code for the tab, if the fault is its own.
fn close_code(error: &Error) -> Option<CloseCode> {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => Some(CloseCode::Size),
        Error::Io(error) => inflow::close_code(error),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        // The connection broke, which is not the tab's fault.
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        _ => None,
    }
}
