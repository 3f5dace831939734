//! The bridge's side of the tunnel.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use bytes::buf::Limit;
use bytes::{BufMut, Bytes, BytesMut};

use super::credit::Windows;
use super::error::{Fault, Side, TunnelError};
use super::flow::{Directions, Flow};
use super::frame::{self, Frame, Kind, MAX_PAYLOAD};
use super::hello::{Hello, Limits, VERSION, Welcome};
use super::hint;
use super::join::{JoinRequest, JoinUpdate};
use super::keepalive::{self, Keepalive};
use super::offer::{OfferedFile, Offers, PlayerToken, ReadRequest};
use super::outbox::Outbox;
use super::reader::Reader;
use super::refusal::{JoinRefusal, Refusal};
use super::server_event::ServerEvent;
use super::status::{DhtCounts, PeerCounts, TrackerCounts, write_dht};
use super::stream::{Opened, StreamClose};
use super::tracker_report::TrackerReport;
use crate::types::Instant;

/// The number of events for which capacity is kept, so that a message of a hundred thousand tiny
/// frames does not occupy memory permanently.
const KEPT_EVENTS: usize = 64;

/// The bridge's configuration for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The limits of the session. Default: 32 joins, 50 streams, no offers.
    pub limits: Limits,
    /// The number of bytes accepted from the tab before any is consumed.
    pub windows: Windows,
    /// The interval of pings, and when the tab counts as gone.
    pub keepalive: Keepalive,
    /// The timeout for the tab's first message. Default: 30 s.
    pub hello_timeout: Duration,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            limits: Limits {
                joins: 32,
                streams: 50,
                offers: 0,
                reads: 0,
            },
            windows: Windows::default(),
            keepalive: Keepalive::default(),
            hello_timeout: Duration::from_secs(30),
        }
    }
}

/// The bridge's side. Bytes from peers are read directly into the message being packed; see
/// [`Server::fill`].
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    out: Outbox,
    /// `None` until the tab's `Hello` arrives.
    flow: Option<Flow>,
    joins: BTreeSet<u32>,
    newest_join: u32,
    offers: Offers,
    events: VecDeque<ServerEvent>,
    /// Frames received since they were last counted.
    frames: usize,
    started: Instant,
    heard: Instant,
    pinged: Instant,
    /// How long the last ping and its answer took.
    round_trip: Option<Duration>,
}

impl Server {
    /// A new session for a WebSocket that has just been accepted.
    #[must_use]
    pub fn new(config: ServerConfig, now: Instant) -> Self {
        Self {
            out: Outbox::default(),
            flow: None,
            joins: BTreeSet::new(),
            newest_join: 0,
            offers: Offers::new(config.limits.offers),
            config,
            events: VecDeque::new(),
            frames: 0,
            started: now,
            heard: now,
            pinged: now,
            round_trip: None,
        }
    }

    /// Accepts the session. `peer_port` is the port at which peers can dial; 0: none.
    pub fn welcome(&mut self, observed: SocketAddr, peer_port: u16) {
        let welcome = Welcome {
            limits: self.config.limits,
            windows: self.config.windows,
            observed,
            peer_port,
        };
        self.out.put(Kind::Welcome, 0, |out| welcome.write(out));
    }

    /// Refuses or ends the session: [`ServerEvent::Ended`] is the next event. Other events of the
    /// same message are dropped, so that joins of a tab without a valid token are not carried out.
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

    /// Opens a stream to a peer whose handshake is complete. `None` if the maximum number of
    /// streams is open, or the join has ended.
    pub fn open(&mut self, opened: &Opened) -> Option<u32> {
        let flow = self
            .flow
            .as_mut()
            .filter(|_| self.joins.contains(&opened.join))?;
        let stream = flow.newest().checked_add(1)?;
        flow.open(stream, Directions::Both).ok()?;
        self.out.put(Kind::Open, stream, |out| opened.write(out));
        Some(stream)
    }

    /// Tells the tab by which token players reach an offer.
    pub fn offered(&mut self, offer: u32, token: PlayerToken) {
        if self.offers.contain(offer) {
            let write = |out: &mut BytesMut| out.put_slice(&token.0);
            self.out.put(Kind::Offered, offer, write);
        }
    }

    /// Opens a stream that reads these bytes of an offered file, which the tab then sends. `None` if
    /// the maximum number of reads is open, the offer was withdrawn, or the file lacks these bytes.
    pub fn read(&mut self, offer: u32, bytes: Range<u64>) -> Option<u32> {
        let request = ReadRequest { offer, bytes };
        let flow = self.flow.as_mut()?;
        self.offers.have(&request).filter(|have| *have)?;
        let stream = flow.newest().checked_add(1)?;
        flow.open(stream, Directions::In).ok()?;
        self.out.put(Kind::Read, stream, |out| request.write(out));
        Some(stream)
    }

    /// The number of bytes of this stream that fit into the message being packed, limited by
    /// credit, the frame's maximum and the message's length.
    #[must_use]
    pub fn room(&self, stream: u32) -> usize {
        let credit = self.flow.as_ref().map_or(0, |flow| flow.room(stream));
        credit.min(MAX_PAYLOAD).min(self.out.room())
    }

    /// Lets `read` append bytes of a stream to the message being packed, at most [`Server::room`],
    /// so that a socket is read without an extra copy. Returns the number of appended bytes and the
    /// result of `read`; `None`, without calling it, if there is no room.
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

    /// Returns credit for bytes of [`ServerEvent::Data`] that have been processed.
    pub fn consumed(&mut self, stream: u32, bytes: usize) {
        if let Some(flow) = &mut self.flow {
            flow.consumed(stream, bytes);
        }
    }

    /// Closes a stream. No more events follow for it.
    pub fn close(&mut self, stream: u32, reason: StreamClose) {
        if self.flow.as_mut().is_some_and(|flow| flow.close(stream)) {
            self.out.put(Kind::Close, stream, |out| reason.write(out));
        }
    }

    /// Sends the results of a join's trackers. Call it for changes, at most once per second and
    /// join.
    pub fn trackers(&mut self, join: u32, counts: &TrackerCounts) {
        if self.joins.contains(&join) {
            self.out.put(Kind::Trackers, join, |out| counts.write(out));
        }
    }

    /// Sends the state of one of a join's trackers. Call it for changes, at most once per second,
    /// join and tracker.
    pub fn tracker(&mut self, join: u32, report: &TrackerReport) {
        if self.joins.contains(&join) {
            self.out.put(Kind::Tracker, join, |out| report.write(out));
        }
    }

    /// Sends the counts of a join's peers. Call it for changes, at most once per second and join.
    pub fn peers(&mut self, join: u32, counts: &PeerCounts) {
        if self.joins.contains(&join) {
            self.out.put(Kind::Peers, join, |out| counts.write(out));
        }
    }

    /// Sends the counts of a join's DHT lookups. Call it for changes, at most once per second and
    /// join.
    pub fn dht(&mut self, join: u32, counts: &DhtCounts) {
        if self.joins.contains(&join) {
            self.out.put(Kind::Dht, join, |out| write_dht(counts, out));
        }
    }

    /// Announces that the bridge stops within this time.
    pub fn draining(&mut self, within: Duration) {
        let millis = u32::try_from(within.as_millis()).unwrap_or(u32::MAX);
        self.out.put(Kind::Draining, 0, |out| out.put_u32(millis));
    }

    /// Processes a message.
    ///
    /// # Errors
    /// The tab violated the protocol. Close the WebSocket with [`Refusal::Protocol`] and drop the
    /// server.
    pub fn handle_message(&mut self, now: Instant, message: Bytes) -> Result<(), TunnelError> {
        self.heard = now;
        self.handle_frames(message).map_err(|fault| TunnelError {
            by: Side::Tab,
            fault,
        })
    }

    /// Handles timeouts. An early call is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Keepalive { interval, silence } = self.config.keepalive;
        let late = self.flow.is_none() && now.since(self.started) >= self.config.hello_timeout;
        if late || now.since(self.heard) >= silence {
            self.heard = now;
            self.refuse(Refusal::Silent);
        } else if now.since(self.pinged) >= interval && self.flow.is_some() {
            self.pinged = now;
            self.out.shrink();
            let round_trip = self.round_trip;
            self.out.put(Kind::Ping, 0, |out| {
                keepalive::write_round_trip(round_trip, out)
            });
        }
    }

    /// The time by which [`Server::handle_timeout`] must be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        let Keepalive { interval, silence } = self.config.keepalive;
        match self.flow {
            None => self.started + self.config.hello_timeout,
            Some(_) => (self.pinged + interval).min(self.heard + silence),
        }
    }

    /// The next message to send, at most 320 KiB. `None`: there is nothing to send now.
    pub fn poll_message(&mut self) -> Option<Bytes> {
        if let Some(flow) = &mut self.flow {
            flow.write_credit(&mut self.out);
        }
        self.out.pop()
    }

    /// The number of frames received since the last call, of which some cause no event.
    pub fn take_frames(&mut self) -> usize {
        std::mem::take(&mut self.frames)
    }

    /// The number of bytes that wait to be sent.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.out.backlog()
    }

    /// Returns the next event, in order; `None` if there is none.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        let event = self.events.pop_front();
        if self.events.is_empty() && self.events.capacity() > KEPT_EVENTS {
            self.events = VecDeque::new();
        }
        event
    }

    fn handle_frames(&mut self, mut message: Bytes) -> Result<(), Fault> {
        frame::check_length(message.len())?;
        self.out.check_backlog()?;
        while let Some(frame) = frame::next(&mut message)? {
            self.frames += 1;
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
            Kind::Exhausted => flow.exhausted(id, Reader::new(frame))?,
            Kind::Widen => flow.widened(id, Reader::new(frame))?,
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
            Kind::Offer => {
                let file = OfferedFile::read(Reader::new(frame))?;
                self.offers.add(id, file.size)?;
                self.events
                    .push_back(ServerEvent::Offer { offer: id, file });
            }
            Kind::Withdraw => {
                Reader::new(frame).end()?;
                if self.offers.remove(id) {
                    self.events.push_back(ServerEvent::Withdrawn { offer: id });
                }
            }
            Kind::Pong => {
                Reader::new(frame).end()?;
                self.round_trip = Some(self.heard.since(self.pinged));
            }
            other => return Err(Fault::OutOfTurn(other)),
        }
        Ok(())
    }

    /// Handles the tab's first frame, which must be its `Hello`.
    fn handle_first(&mut self, frame: Frame) -> Result<(), Fault> {
        if frame.kind != Kind::Hello {
            return Err(Fault::OutOfTurn(frame.kind));
        }
        let hello = Hello::read(Reader::new(frame))?;
        self.flow = Some(Flow::new(
            self.config.windows,
            // A bridge's memory is not the tab's to claim.
            self.config.windows.stream,
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

    /// The numbers of joins must increase, so that late frames cannot refer to a newer join.
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
