//! The tab's side of the tunnel.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::client_config::ClientConfig;
use super::error::{Fault, Side, TunnelError};
use super::event::Event;
use super::flow::{Directions, Flow};
use super::frame::{self, Frame, Kind, MAX_PAYLOAD};
use super::hello::{Hello, MAX_TOKEN, VERSION, Welcome};
use super::hint;
use super::join::{JoinRequest, JoinUpdate};
use super::keepalive;
use super::offer::{OfferedFile, Offers, PlayerToken, ReadRequest};
use super::outbox::Outbox;
use super::reader::Reader;
use super::refusal::{JoinRefusal, Refusal};
use super::send_queues::{SendError, SendQueues};
use super::status::{PeerCounts, TrackerCounts, read_dht};
use super::stream::{Opened, StreamClose};
use super::tracker_report::TrackerReport;
use crate::io::Handshaken;
use crate::types::{InfoHashV1, Instant, SortedMap};

/// The time without messages after a suspension of the tab after which the bridge counts as gone. A
/// tab that downloads hears from it at once.
const RESUMPTION: Duration = Duration::from_secs(2);

/// The tab's side. Send the messages of [`Client::poll_message`], pass in received messages, and
/// take the events.
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
    joins: SortedMap<u32, InfoHashV1>,
    newest_join: u32,
    offers: Offers,
    queues: SendQueues,
    events: VecDeque<Event>,
    started: Instant,
    /// How long a message and its answer took when that was measured last.
    round_trip: Option<Duration>,
    /// When the bridge counts as gone, unless a message arrives before.
    gone_at: Instant,
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
            gone_at: now + config.keepalive.silence,
            config,
            out,
            flow: None,
            joins: SortedMap::new(),
            newest_join: 0,
            offers: Offers::default(),
            queues,
            events: VecDeque::new(),
            started: now,
            round_trip: None,
        }
    }

    /// How long a message to the bridge and its answer take: first those that began the session,
    /// then the bridge's pings. `None` until the session is accepted.
    #[must_use]
    pub const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Joins a swarm. May be called before [`Event::Welcome`]. Returns the number of the join,
    /// which is never reused within a session.
    pub fn join(&mut self, request: &JoinRequest) -> u32 {
        self.newest_join += 1;
        let join = self.newest_join;
        self.joins.insert(join, request.info_hash);
        self.out.put(Kind::Join, join, |out| request.write(out));
        join
    }

    /// Updates a join. This is cheap, but should be called for changes and every few seconds, not
    /// for every block.
    pub fn update(&mut self, join: u32, update: &JoinUpdate) {
        if self.joins.contains_key(&join) {
            self.out.put(Kind::Update, join, |out| update.write(out));
        }
    }

    /// Sends addresses of further peers of a swarm, at most [`super::MAX_HINTS`]; more are ignored.
    /// These are hints: the bridge accepts few, filters them, and decides which to dial and when.
    pub fn hint(&mut self, join: u32, addrs: &[SocketAddr]) {
        if self.joins.contains_key(&join) && !addrs.is_empty() {
            self.out
                .put(Kind::Hint, join, |out| hint::write(addrs, out));
        }
    }

    /// Leaves a swarm. The bridge closes its streams, each of which is reported.
    pub fn leave(&mut self, join: u32) {
        if self.joins.remove(&join).is_some() {
            self.out.put(Kind::Leave, join, |_| ());
        }
    }

    /// Offers a file to media players on this machine: [`Event::Offered`] follows. Returns the number
    /// of the offer, which is never reused within a session; `None` if the bridge has not accepted
    /// the session, or permits no more offers ([`super::Limits::offers`]).
    pub fn offer(&mut self, file: &OfferedFile) -> Option<u32> {
        let offer = self.offers.next()?;
        self.offers.add(offer, file.size).ok()?;
        self.out.put(Kind::Offer, offer, |out| file.write(out));
        Some(offer)
    }

    /// Withdraws an offer. The bridge forgets its token and closes its streams, each of which is
    /// reported.
    pub fn withdraw(&mut self, offer: u32) {
        if self.offers.remove(offer) {
            self.out.put(Kind::Withdraw, offer, |_| ());
        }
    }

    /// Queues bytes for a peer or a player. They are sent as credit permits, with streams taking turns;
    /// [`Event::Sent`] reports progress.
    ///
    /// # Errors
    /// The stream is closed, or [`ClientConfig::max_queued`] is exceeded because the caller did not
    /// wait for [`Event::Sent`].
    pub fn send(&mut self, stream: u32, bytes: Bytes) -> Result<(), SendError> {
        self.queues.push(stream, bytes)
    }

    /// Returns credit for bytes of [`Event::Data`] that have been processed.
    pub fn consumed(&mut self, stream: u32, bytes: usize) {
        if let Some(flow) = &mut self.flow {
            flow.consumed(stream, bytes);
        }
    }

    /// Closes a stream. Queued bytes are dropped, and no more events follow for it.
    pub fn close(&mut self, stream: u32) {
        if self.forget(stream) {
            self.out
                .put(Kind::Close, stream, |out| StreamClose::Tab.write(out));
        }
    }

    /// Processes a message.
    ///
    /// # Errors
    /// The bridge violated the protocol. Close the WebSocket and drop the client.
    pub fn handle_message(&mut self, now: Instant, message: Bytes) -> Result<(), TunnelError> {
        self.gone_at = now + self.config.keepalive.silence;
        self.handle_frames(now, message).map_err(by_bridge)
    }

    /// As [`Client::handle_message`] with a single `Data` frame, whose payload of `bytes` the caller
    /// takes from the message itself, so that it is copied once. Returns whether the stream is
    /// open; the payload must be dropped otherwise.
    ///
    /// # Errors
    /// As [`Client::handle_message`].
    pub fn handle_data(
        &mut self,
        now: Instant,
        stream: u32,
        bytes: usize,
    ) -> Result<bool, TunnelError> {
        self.gone_at = now + self.config.keepalive.silence;
        let Some(flow) = &mut self.flow else {
            return Err(by_bridge(Fault::OutOfTurn(Kind::Data)));
        };
        flow.received(stream, bytes).map_err(by_bridge)
    }

    /// Handles that this side was suspended, so that the connection may have broken without notice:
    /// the bridge counts as gone if no message arrives within two seconds.
    pub fn handle_suspension(&mut self, now: Instant) {
        self.gone_at = now + RESUMPTION;
    }

    /// Handles timeouts. An early call is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.gone_at <= now {
            self.gone_at = now + self.config.keepalive.silence;
            self.events.push_back(Event::Silent);
        }
        self.out.shrink();
    }

    /// The time by which [`Client::handle_timeout`] must be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Instant {
        self.gone_at
    }

    /// The next message to send, with all frames that are ready, at most 320 KiB. `None`: there is
    /// nothing to send now.
    ///
    /// Call it only when the transport can send, since frames that arrive later cannot be added to
    /// a packed message.
    pub fn poll_message(&mut self) -> Option<Bytes> {
        if let Some(flow) = &mut self.flow {
            flow.write_credit(&mut self.out);
        }
        while self.pack_round() {}
        self.out.pop()
    }

    /// Returns the next event, in order; `None` if there is none.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Packs one `Data` frame from each stream that may send, starting after the one served last.
    /// Returns whether there was any.
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

    fn handle_frames(&mut self, now: Instant, mut message: Bytes) -> Result<(), Fault> {
        frame::check_length(message.len())?;
        self.out.check_backlog()?;
        while let Some(frame) = frame::next(&mut message)? {
            self.handle_frame(now, frame)?;
        }
        Ok(())
    }

    fn handle_frame(&mut self, now: Instant, frame: Frame) -> Result<(), Fault> {
        let Some(flow) = &mut self.flow else {
            return self.handle_first(now, frame);
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
            Kind::Exhausted => flow.exhausted(id, Reader::new(frame))?,
            Kind::Widen => flow.widened(id, Reader::new(frame))?,
            Kind::Close => return self.handle_close(id, Reader::new(frame)),
            Kind::Open => return self.handle_open(id, Opened::read(Reader::new(frame))?),
            Kind::Offered => return self.handle_offered(id, Reader::new(frame)),
            Kind::Read => return self.handle_read(id, ReadRequest::read(Reader::new(frame))?),
            Kind::Ping => {
                let measured = keepalive::read_round_trip(Reader::new(frame))?;
                self.round_trip = measured.or(self.round_trip);
                self.out.put(Kind::Pong, 0, |_| ());
            }
            Kind::Refused => return self.handle_refused(Reader::new(frame)),
            Kind::JoinRefused => return self.handle_join_refused(id, Reader::new(frame)),
            Kind::Trackers => {
                let counts = TrackerCounts::read(Reader::new(frame))?;
                self.events.push_back(Event::Trackers { join: id, counts });
            }
            Kind::Tracker => {
                let report = TrackerReport::read(Reader::new(frame))?;
                self.events.push_back(Event::Tracker { join: id, report });
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
            | Kind::Offer
            | Kind::Withdraw
            | Kind::Welcome => {
                return Err(Fault::OutOfTurn(frame.kind));
            }
        }
        Ok(())
    }

    /// Handles the bridge's first frame, which accepts or refuses the session.
    fn handle_first(&mut self, now: Instant, frame: Frame) -> Result<(), Fault> {
        match frame.kind {
            Kind::Welcome => {
                let welcome = Welcome::read(Reader::new(frame))?;
                self.flow = Some(Flow::new(
                    self.config.windows,
                    self.config.widest,
                    welcome.windows,
                    welcome.limits,
                ));
                self.offers = Offers::new(welcome.limits.offers);
                self.round_trip = Some(now.since(self.started));
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
        flow.open(stream, Directions::Both)?;
        self.queues.open(stream);
        let Some(&info_hash) = self.joins.get(&opened.join) else {
            // It was opened before the bridge received our leave.
            self.close(stream);
            return Ok(());
        };
        let Opened {
            join,
            addr,
            dialled,
            peer_id,
            reserved,
            line,
        } = opened;
        let handshake = Handshaken {
            info_hash,
            peer_id,
            reserved,
            line,
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

    fn handle_offered(&mut self, offer: u32, mut r: Reader) -> Result<(), Fault> {
        let token = PlayerToken(r.array()?);
        r.end()?;
        if self.offers.contain(offer) {
            self.events.push_back(Event::Offered { offer, token });
        }
        Ok(())
    }

    fn handle_read(&mut self, stream: u32, request: ReadRequest) -> Result<(), Fault> {
        let Some(flow) = &mut self.flow else {
            return Ok(());
        };
        flow.open(stream, Directions::Out)?;
        self.queues.open(stream);
        match self.offers.have(&request) {
            Some(true) => {
                let ReadRequest { offer, bytes } = request;
                self.events.push_back(Event::Read {
                    stream,
                    offer,
                    bytes,
                });
                Ok(())
            }
            Some(false) => Err(Fault::Malformed(Kind::Read)),
            None => {
                // It was opened before the bridge received our withdrawal.
                self.close(stream);
                Ok(())
            }
        }
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

const fn by_bridge(fault: Fault) -> TunnelError {
    TunnelError {
        by: Side::Bridge,
        fault,
    }
}

fn read_refusal(mut r: Reader) -> Result<Refusal, Fault> {
    let refusal = Refusal::from_number(r.u8()?).ok_or(r.fault())?;
    r.end()?;
    Ok(refusal)
}
