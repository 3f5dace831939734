//! The tab's half of the tunnel.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::credit::Windows;
use super::error::{Fault, Side, TunnelError};
use super::flow::Flow;
use super::frame::{self, Frame, Kind, MAX_PAYLOAD};
use super::hello::{Hello, MAX_TOKEN, VERSION, Welcome};
use super::hint;
use super::join::{JoinRequest, JoinUpdate};
use super::keepalive::Keepalive;
use super::outbox::Outbox;
use super::reader::Reader;
use super::refusal::{JoinRefusal, Refusal};
use super::send_queues::{SendError, SendQueues};
use super::status::{DhtCounts, PeerCounts, TrackerCounts, read_dht};
use super::stream::{Opened, StreamClose};
use crate::connection::Transport;
use crate::io::Handshaken;
use crate::types::{InfoHashV1, Instant, PeerAddr};

/// The tab's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Shown to bridges that want one; at most 256 bytes, the rest is cut. Default empty.
    pub token: String,
    /// Bytes taken before any is consumed.
    pub windows: Windows,
    /// Bytes queued per stream beyond which [`Client::send`] refuses. Default 4 MiB.
    pub max_queued: usize,
    /// When the bridge counts as gone; only `silence` matters here.
    pub keepalive: Keepalive,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            token: String::new(),
            windows: Windows::default(),
            max_queued: 4 << 20,
            keepalive: Keepalive::default(),
        }
    }
}

/// What happened on the tab's side.
#[derive(Clone, Debug)]
pub enum Event {
    /// The bridge accepted the session.
    Welcome(Welcome),
    /// The bridge refused or ends the session; it closes the WebSocket next.
    Refused(Refusal),
    /// The bridge refused this join; it is forgotten.
    JoinRefused {
        /// Which.
        join: u32,
        /// Why, and when to try again.
        refusal: JoinRefusal,
    },
    /// A peer is connected, handshake done.
    StreamOpened {
        /// Its name from now on. Never used twice in a session.
        stream: u32,
        /// For which join.
        join: u32,
        /// Where the peer is.
        addr: PeerAddr,
        /// Whether the bridge dialled it, so that `addr` is where it listens.
        dialled: bool,
        /// What it said.
        handshake: Handshaken,
    },
    /// Bytes from a peer, a slice of the message. Give the credit back with [`Client::consumed`].
    Data {
        /// From which.
        stream: u32,
        /// Never empty.
        bytes: Bytes,
    },
    /// Bytes queued with [`Client::send`] went into a message.
    Sent {
        /// On which stream.
        stream: u32,
        /// Since the last such event.
        bytes: u64,
    },
    /// A stream is over. Not sent after [`Client::close`].
    StreamClosed {
        /// Which.
        stream: u32,
        /// Why.
        reason: StreamClose,
    },
    /// What the trackers of a join said; only the newest matters.
    Trackers {
        /// Of which join.
        join: u32,
        /// What they said.
        counts: TrackerCounts,
    },
    /// How the search for peers of a join stands; only the newest matters.
    Peers {
        /// Of which join.
        join: u32,
        /// How it stands.
        counts: PeerCounts,
    },
    /// How the search for peers of a join in the DHT stands; only the newest matters. Never sent if
    /// the bridge has no DHT, or the join is private.
    Dht {
        /// Of which join.
        join: u32,
        /// How it stands.
        counts: DhtCounts,
    },
    /// The bridge stops within this time: connect anew after the WebSocket was closed.
    Draining {
        /// At the latest.
        within: Duration,
    },
    /// Nothing was heard for [`Keepalive::silence`]: close the WebSocket and connect anew.
    Silent,
}

/// The tab's half. Send what [`Client::poll_message`] gives, feed what comes, take the events.
///
/// ```
/// use aqueduct_core::{Instant, tunnel::{Client, ClientConfig}};
/// let mut client = Client::new(ClientConfig::default(), Instant::ZERO);
/// let hello = client.poll_message().expect("the tab speaks first");
/// assert!(client.poll_message().is_none());
/// # drop(hello);
/// ```
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    out: Outbox,
    flow: Option<Flow>,
    joins: BTreeMap<u32, InfoHashV1>,
    newest_join: u32,
    queues: SendQueues,
    events: VecDeque<Event>,
    heard: Instant,
}

impl Client {
    /// A new session for a WebSocket that has just been opened.
    #[must_use]
    pub fn new(config: ClientConfig, now: Instant) -> Self {
        let token = config.token.as_bytes();
        let token = Bytes::copy_from_slice(token.get(..MAX_TOKEN).unwrap_or(token));
        let mut out = Outbox::default();
        let hello = Hello {
            version: VERSION,
            token,
            windows: config.windows,
        };
        out.put(Kind::Hello, 0, |out| hello.write(out));
        let queues = SendQueues::new(config.max_queued);
        Self {
            config,
            out,
            flow: None,
            joins: BTreeMap::new(),
            newest_join: 0,
            queues,
            events: VecDeque::new(),
            heard: now,
        }
    }

    /// Enters a swarm. Allowed before [`Event::Welcome`]. Returns the join's name, never used twice
    /// in a session.
    pub fn join(&mut self, request: &JoinRequest) -> u32 {
        self.newest_join += 1;
        let join = self.newest_join;
        self.joins.insert(join, request.info_hash);
        self.out.put(Kind::Join, join, |out| request.write(out));
        join
    }

    /// Says how a join stands. Cheap, but meant for changes and once every few seconds, not for every
    /// block.
    pub fn update(&mut self, join: u32, update: &JoinUpdate) {
        if self.joins.contains_key(&join) {
            self.out.put(Kind::Update, join, |out| update.write(out));
        }
    }

    /// Tells where further peers of a swarm may be: at most [`super::MAX_HINTS`] addresses, the
    /// rest is left out. No request to dial them: the bridge takes few hints, filters what they
    /// say, and dials when and whom it likes.
    pub fn hint(&mut self, join: u32, addrs: &[SocketAddr]) {
        if self.joins.contains_key(&join) && !addrs.is_empty() {
            self.out
                .put(Kind::Hint, join, |out| hint::write(addrs, out));
        }
    }

    /// Leaves a swarm. The bridge closes its streams, which is reported one by one.
    pub fn leave(&mut self, join: u32) {
        if self.joins.remove(&join).is_some() {
            self.out.put(Kind::Leave, join, |_| ());
        }
    }

    /// Queues bytes for a peer. They go out as credit allows, all streams in turn; [`Event::Sent`]
    /// tells.
    ///
    /// # Errors
    /// The stream is closed, or so much is queued that the caller cannot have waited for
    /// [`Event::Sent`].
    pub fn send(&mut self, stream: u32, bytes: Bytes) -> Result<(), SendError> {
        self.queues.push(stream, bytes)
    }

    /// Gives credit back for bytes of [`Event::Data`] that are done with.
    pub fn consumed(&mut self, stream: u32, bytes: usize) {
        if let Some(flow) = &mut self.flow {
            flow.consumed(stream, bytes);
        }
    }

    /// Ends a stream; what is queued is dropped, nothing more is heard of it.
    pub fn close(&mut self, stream: u32) {
        if self.forget(stream) {
            self.out
                .put(Kind::Close, stream, |out| StreamClose::Tab.write(out));
        }
    }

    /// Takes in a message.
    ///
    /// # Errors
    /// The bridge broke the rules: close the WebSocket and drop this machine.
    pub fn handle_message(&mut self, now: Instant, message: Bytes) -> Result<(), TunnelError> {
        self.heard = now;
        self.handle_frames(message).map_err(|fault| TunnelError {
            by: Side::Bridge,
            fault,
        })
    }

    /// Looks at the clock; harmless when called early.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now.since(self.heard) >= self.config.keepalive.silence {
            self.heard = now;
            self.events.push_back(Event::Silent);
        }
        self.out.shrink();
    }

    /// When to call [`Client::handle_timeout`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.heard + self.config.keepalive.silence
    }

    /// The next message to send, packed with all frames that are ready, at most 320 KiB. `None`:
    /// nothing to send now.
    ///
    /// Call it when the transport takes more, not before: what is packed can no longer be overtaken
    /// by a grant.
    pub fn poll_message(&mut self) -> Option<Bytes> {
        if let Some(flow) = &mut self.flow {
            flow.write_credit(&mut self.out);
        }
        while self.pack_round() {}
        self.out.pop()
    }

    /// What happened, in order, until `None`.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// One `Data` frame from each stream that may send, beginning after the one served last.
    /// Returns whether any did.
    fn pack_round(&mut self) -> bool {
        let turn = self.queues.turn();
        turn.into_iter().filter(|&stream| self.pack(stream)).count() > 0
    }

    fn pack(&mut self, stream: u32) -> bool {
        let Some(flow) = &mut self.flow else {
            return false;
        };
        let bytes = self
            .queues
            .queued(stream)
            .min(flow.room(stream))
            .min(self.out.room())
            .min(MAX_PAYLOAD);
        if bytes == 0 {
            return false;
        }
        flow.sent(stream, bytes);
        self.out.reserve();
        self.out.put(Kind::Data, stream, |out| {
            self.queues.write(stream, bytes, out);
        });
        self.events.push_back(Event::Sent {
            stream,
            bytes: bytes as u64,
        });
        true
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
                    self.events.push_back(Event::Data {
                        stream: id,
                        bytes: frame.payload,
                    });
                }
            }
            Kind::Credit => flow.credited(id, Reader::new(frame))?,
            Kind::Close => return self.handle_close(id, Reader::new(frame)),
            Kind::Open => return self.handle_open(id, Opened::read(Reader::new(frame))?),
            Kind::Ping => self.out.put(Kind::Pong, 0, |_| ()),
            Kind::Refused => return self.handle_refused(Reader::new(frame)),
            Kind::JoinRefused => return self.handle_join_refused(id, Reader::new(frame)),
            Kind::Trackers => {
                let counts = TrackerCounts::read(Reader::new(frame))?;
                self.events.push_back(Event::Trackers { join: id, counts });
            }
            Kind::Peers => {
                let counts = PeerCounts::read(Reader::new(frame))?;
                self.events.push_back(Event::Peers { join: id, counts });
            }
            Kind::Dht => {
                let counts = read_dht(Reader::new(frame))?;
                self.events.push_back(Event::Dht { join: id, counts });
            }
            Kind::Draining => {
                let within = Duration::from_millis(Reader::new(frame).u32()?.into());
                self.events.push_back(Event::Draining { within });
            }
            Kind::Hello
            | Kind::Join
            | Kind::Update
            | Kind::Leave
            | Kind::Pong
            | Kind::Hint
            | Kind::Welcome => {
                return Err(Fault::OutOfTurn(frame.kind));
            }
        }
        Ok(())
    }

    /// The bridge's first frame accepts or refuses.
    fn handle_first(&mut self, frame: Frame) -> Result<(), Fault> {
        match frame.kind {
            Kind::Welcome => {
                let welcome = Welcome::read(Reader::new(frame))?;
                self.flow = Some(Flow::new(
                    self.config.windows,
                    welcome.windows,
                    welcome.limits,
                ));
                self.events.push_back(Event::Welcome(welcome));
                Ok(())
            }
            Kind::Refused => self.handle_refused(Reader::new(frame)),
            other => Err(Fault::OutOfTurn(other)),
        }
    }

    fn handle_refused(&mut self, r: Reader) -> Result<(), Fault> {
        let refusal = read_refusal(r)?;
        self.events.push_back(Event::Refused(refusal));
        Ok(())
    }

    fn handle_join_refused(&mut self, join: u32, r: Reader) -> Result<(), Fault> {
        let refusal = JoinRefusal::read(r)?;
        if self.joins.remove(&join).is_some() {
            self.events.push_back(Event::JoinRefused { join, refusal });
        }
        Ok(())
    }

    fn handle_open(&mut self, stream: u32, opened: Opened) -> Result<(), Fault> {
        let Some(flow) = &mut self.flow else {
            return Ok(());
        };
        flow.open(stream)?;
        self.queues.open(stream);
        let Some(&info_hash) = self.joins.get(&opened.join) else {
            // It was opened before the bridge heard that we left.
            self.close(stream);
            return Ok(());
        };
        let Opened {
            join,
            addr,
            dialled,
            peer_id,
            reserved,
        } = opened;
        let handshake = Handshaken {
            info_hash,
            peer_id,
            reserved,
            transport: Transport::Tunnel,
        };
        self.events.push_back(Event::StreamOpened {
            stream,
            join,
            addr,
            dialled,
            handshake,
        });
        Ok(())
    }

    fn handle_close(&mut self, stream: u32, r: Reader) -> Result<(), Fault> {
        let reason = StreamClose::read(r)?;
        if let Some(flow) = &self.flow {
            flow.is_open(stream)?;
        }
        if self.forget(stream) {
            self.events
                .push_back(Event::StreamClosed { stream, reason });
        }
        Ok(())
    }

    fn forget(&mut self, stream: u32) -> bool {
        self.queues.close(stream);
        self.flow.as_mut().is_some_and(|flow| flow.close(stream))
    }
}

fn read_refusal(mut r: Reader) -> Result<Refusal, Fault> {
    let refusal = Refusal::from_number(r.u8()?).ok_or(r.fault())?;
    r.end()?;
    Ok(refusal)
}
