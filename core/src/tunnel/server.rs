//! The bridge's half of the tunnel.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::buf::Limit;
use bytes::{BufMut, Bytes, BytesMut};

use super::credit::Windows;
use super::error::{Fault, Side, TunnelError};
use super::flow::Flow;
use super::frame::{self, Frame, Kind, MAX_PAYLOAD};
use super::hello::{Hello, Limits, VERSION, Welcome};
use super::hint;
use super::join::{JoinRequest, JoinUpdate};
use super::keepalive::Keepalive;
use super::outbox::Outbox;
use super::reader::Reader;
use super::refusal::{JoinRefusal, Refusal};
use super::status::{DhtCounts, PeerCounts, TrackerCounts, write_dht};
use super::stream::{Opened, StreamClose};
use crate::types::Instant;

/// Events for which room is kept: a message of a hundred thousand tiny frames must not cost memory
/// once it is dealt with.
const KEPT_EVENTS: usize = 64;

/// The bridge's settings for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// What the session may have at a time. Default 32 joins, 50 streams.
    pub limits: Limits,
    /// Bytes taken from the tab before any is consumed.
    pub windows: Windows,
    /// Pings, and when the tab counts as gone.
    pub keepalive: Keepalive,
    /// Time for the tab's first message. Default 30 s.
    pub hello_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            limits: Limits {
                joins: 32,
                streams: 50,
            },
            windows: Windows::default(),
            keepalive: Keepalive::default(),
            hello_timeout: Duration::from_secs(30),
        }
    }
}

/// What happened on the bridge's side.
#[derive(Clone, Debug)]
pub enum ServerEvent {
    /// The tab introduced itself: answer with [`Server::welcome`] or [`Server::refuse`].
    Hello {
        /// What it shows; empty if nothing.
        token: Bytes,
    },
    /// It wants to be in a swarm.
    Join {
        /// The join's name.
        join: u32,
        /// Which swarm, and how.
        request: JoinRequest,
    },
    /// It wants to be in more swarms than agreed: answer with [`Server::refuse_join`].
    JoinBeyondLimit {
        /// The join's name.
        join: u32,
    },
    /// A join changed.
    Update {
        /// Which.
        join: u32,
        /// How it stands now.
        update: JoinUpdate,
    },
    /// It heard of further peers of a join: strangers' words, to be filtered and counted before any
    /// is dialled.
    Hint {
        /// Of which join.
        join: u32,
        /// Where they may be; at most [`super::MAX_HINTS`].
        addrs: Vec<SocketAddr>,
    },
    /// It leaves a swarm: close the join's streams.
    Leave {
        /// Which.
        join: u32,
    },
    /// Bytes for a peer, a slice of the message. Give the credit back with [`Server::consumed`].
    Data {
        /// For which.
        stream: u32,
        /// Never empty.
        bytes: Bytes,
    },
    /// The tab ended a stream. Not sent after [`Server::close`].
    StreamClosed {
        /// Which.
        stream: u32,
    },
    /// The session is over, by [`Server::refuse`] or because of silence: send what is packed and
    /// close the WebSocket with [`Refusal::close_code`].
    Ended(Refusal),
}

/// The bridge's half. Bytes from peers are read straight into the message being packed, see
/// [`Server::fill`].
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    out: Outbox,
    /// `None` until the tab's `Hello`.
    flow: Option<Flow>,
    joins: BTreeSet<u32>,
    newest_join: u32,
    events: VecDeque<ServerEvent>,
    started: Instant,
    heard: Instant,
    pinged: Instant,
}

impl Server {
    /// A new session for a WebSocket that has just been accepted.
    #[must_use]
    pub fn new(config: ServerConfig, now: Instant) -> Self {
        Self {
            config,
            out: Outbox::default(),
            flow: None,
            joins: BTreeSet::new(),
            newest_join: 0,
            events: VecDeque::new(),
            started: now,
            heard: now,
            pinged: now,
        }
    }

    /// Accepts the session. `peer_port`: where peers dial in; 0: nowhere.
    pub fn welcome(&mut self, observed: SocketAddr, peer_port: u16) {
        let welcome = Welcome {
            limits: self.config.limits,
            windows: self.config.windows,
            observed,
            peer_port,
        };
        self.out.put(Kind::Welcome, 0, |out| welcome.write(out));
    }

    /// Refuses or ends the session: [`ServerEvent::Ended`] is the next event. What the tab asked
    /// for in the same message is void, or joins of a tab without a token would be carried out
    /// before it is sent away.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.out
            .put(Kind::Refused, 0, |out| out.put_u8(refusal.number()));
        self.events.clear();
        self.events.push_back(ServerEvent::Ended(refusal));
    }

    /// Refuses a join.
    pub fn refuse_join(&mut self, join: u32, refusal: JoinRefusal) {
        self.joins.remove(&join);
        self.out
            .put(Kind::JoinRefused, join, |out| refusal.write(out));
    }

    /// Whether [`Server::open`] would succeed.
    #[must_use]
    pub fn can_open(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| !flow.is_full())
    }

    /// Opens a stream to a peer that has answered the handshake. `None` if there are as many as
    /// agreed, or the join is over.
    pub fn open(&mut self, opened: &Opened) -> Option<u32> {
        let flow = self
            .flow
            .as_mut()
            .filter(|_| self.joins.contains(&opened.join))?;
        let stream = flow.newest().checked_add(1)?;
        flow.open(stream).ok()?;
        self.out.put(Kind::Open, stream, |out| opened.write(out));
        Some(stream)
    }

    /// Bytes of this stream that the message being packed can take now: bounded by credit, by a
    /// frame's and by the message's length.
    #[must_use]
    pub fn room(&self, stream: u32) -> usize {
        let credit = self.flow.as_ref().map_or(0, |flow| flow.room(stream));
        credit.min(MAX_PAYLOAD).min(self.out.room())
    }

    /// Lets `read` append bytes of a stream to the message being packed, at most [`Server::room`]
    /// of them: a socket is read without a copy in between. Returns how many it appended, and what
    /// it returned; `None`, without calling it, if there is no room.
    pub fn fill<R>(
        &mut self,
        stream: u32,
        read: impl FnOnce(&mut Limit<&mut BytesMut>) -> R,
    ) -> Option<(usize, R)> {
        let room = Some(self.room(stream)).filter(|&room| room > 0)?;
        let flow = self.flow.as_mut()?;
        self.out.reserve();
        let before = self.out.len();
        let (bytes, result) = self.out.put(Kind::Data, stream, |out| {
            let start = out.len();
            let result = read(&mut out.limit(room));
            (out.len() - start, result)
        });
        if bytes == 0 {
            self.out.undo(before);
        }
        flow.sent(stream, bytes);
        Some((bytes, result))
    }

    /// Gives credit back for bytes of [`ServerEvent::Data`] that are done with.
    pub fn consumed(&mut self, stream: u32, bytes: usize) {
        if let Some(flow) = &mut self.flow {
            flow.consumed(stream, bytes);
        }
    }

    /// Ends a stream; nothing more is heard of it.
    pub fn close(&mut self, stream: u32, reason: StreamClose) {
        if self.flow.as_mut().is_some_and(|flow| flow.close(stream)) {
            self.out.put(Kind::Close, stream, |out| reason.write(out));
        }
    }

    /// Tells what the trackers of a join said. Meant for changes, at most one a second a join.
    pub fn trackers(&mut self, join: u32, counts: &TrackerCounts) {
        if self.joins.contains(&join) {
            self.out.put(Kind::Trackers, join, |out| counts.write(out));
        }
    }

    /// Tells how the search for peers of a join stands. Meant for changes, at most one a second a
    /// join.
    pub fn peers(&mut self, join: u32, counts: &PeerCounts) {
        if self.joins.contains(&join) {
            self.out.put(Kind::Peers, join, |out| counts.write(out));
        }
    }

    /// Tells how the search for peers of a join in the DHT stands. Meant for changes, at most one a
    /// second a join.
    pub fn dht(&mut self, join: u32, counts: &DhtCounts) {
        if self.joins.contains(&join) {
            self.out.put(Kind::Dht, join, |out| write_dht(counts, out));
        }
    }

    /// Tells that the bridge stops within this time.
    pub fn draining(&mut self, within: Duration) {
        let millis = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
        self.out.put(Kind::Draining, 0, |out| out.put_u32(millis));
    }

    /// Takes in a message.
    ///
    /// # Errors
    /// The tab broke the rules: close the WebSocket with [`Refusal::Protocol`] and drop this
    /// machine.
    pub fn handle_message(&mut self, now: Instant, message: Bytes) -> Result<(), TunnelError> {
        self.heard = now;
        self.handle_frames(message).map_err(|fault| TunnelError {
            by: Side::Tab,
            fault,
        })
    }

    /// Looks at the clock; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Keepalive { interval, silence } = self.config.keepalive;
        let late = self.flow.is_none() && now.since(self.started) >= self.config.hello_timeout;
        if late || now.since(self.heard) >= silence {
            self.heard = now;
            self.refuse(Refusal::Silent);
        } else if now.since(self.pinged) >= interval && self.flow.is_some() {
            self.pinged = now;
            self.out.shrink();
            self.out.put(Kind::Ping, 0, |_| ());
        }
    }

    /// When to call [`Server::handle_timeout`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let Keepalive { interval, silence } = self.config.keepalive;
        match self.flow {
            None => self.started + self.config.hello_timeout,
            Some(_) => (self.pinged + interval).min(self.heard + silence),
        }
    }

    /// The next message to send, at most 320 KiB. `None`: nothing to send now.
    pub fn poll_message(&mut self) -> Option<Bytes> {
        if let Some(flow) = &mut self.flow {
            flow.write_credit(&mut self.out);
        }
        self.out.pop()
    }

    /// Bytes that wait to be sent.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.out.backlog()
    }

    /// What happened, in order, until `None`.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        let event = self.events.pop_front();
        if self.events.is_empty() && self.events.capacity() > KEPT_EVENTS {
            self.events = VecDeque::new();
        }
        event
    }

    fn handle_frames(&mut self, mut message: Bytes) -> Result<(), Fault> {
        frame::check_message(&message)?;
        self.out.check_backlog()?;
        while let Some(frame) = frame::next(&mut message)? {
            self.handle_frame(frame)?;
        }
        Ok(())
    }

    fn handle_frame(&mut self, frame: Frame) -> Result<(), Fault> {
        let Some(flow) = &mut self.flow else {
            return self.handle_first(frame);
        };
        let id = frame.id;
        match frame.kind {
            Kind::Data => {
                if flow.received(id, frame.payload.len())? {
                    self.events.push_back(ServerEvent::Data {
                        stream: id,
                        bytes: frame.payload,
                    });
                }
            }
            Kind::Credit => flow.credited(id, Reader::new(frame))?,
            Kind::Close => {
                StreamClose::read(Reader::new(frame))?;
                if flow.is_open(id)? && flow.close(id) {
                    self.events
                        .push_back(ServerEvent::StreamClosed { stream: id });
                }
            }
            Kind::Join => return self.handle_join(id, JoinRequest::read(Reader::new(frame))?),
            Kind::Update => {
                let update = JoinUpdate::read(Reader::new(frame))?;
                if self.joins.contains(&id) {
                    self.events
                        .push_back(ServerEvent::Update { join: id, update });
                }
            }
            Kind::Hint => {
                let addrs = hint::read(Reader::new(frame))?;
                if self.joins.contains(&id) {
                    self.events.push_back(ServerEvent::Hint { join: id, addrs });
                }
            }
            Kind::Leave => {
                Reader::new(frame).end()?;
                if self.joins.remove(&id) {
                    self.events.push_back(ServerEvent::Leave { join: id });
                }
            }
            Kind::Pong => Reader::new(frame).end()?,
            other => return Err(Fault::OutOfTurn(other)),
        }
        Ok(())
    }

    /// The tab's first frame must be its `Hello`.
    fn handle_first(&mut self, frame: Frame) -> Result<(), Fault> {
        if frame.kind != Kind::Hello {
            return Err(Fault::OutOfTurn(frame.kind));
        }
        let hello = Hello::read(Reader::new(frame))?;
        self.flow = Some(Flow::new(
            self.config.windows,
            hello.windows,
            self.config.limits,
        ));
        if hello.version == VERSION {
            self.events
                .push_back(ServerEvent::Hello { token: hello.token });
        } else {
            self.refuse(Refusal::Version);
        }
        Ok(())
    }

    /// Numbers of joins only grow, so that the names of late frames are never mistaken.
    fn handle_join(&mut self, join: u32, request: JoinRequest) -> Result<(), Fault> {
        if join <= self.newest_join {
            return Err(Fault::DuplicateJoin(join));
        }
        self.newest_join = join;
        if self.joins.len() >= usize::from(self.config.limits.joins) {
            self.events.push_back(ServerEvent::JoinBeyondLimit { join });
        } else {
            self.joins.insert(join);
            self.events.push_back(ServerEvent::Join { join, request });
        }
        Ok(())
    }
}
