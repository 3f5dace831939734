//! The session's end of what players read from its tab.

use std::collections::BTreeMap;
use std::sync::Arc;

use aqueduct_core::tunnel::{OfferedFile, Server, StreamClose};
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::player::addresses::{Addresses, Offered};
use crate::player::body::{Body, BodyEvent};
use crate::player::request::Request;

/// The addresses of a session's tab, and the reads in progress.
#[derive(Debug)]
pub(crate) struct Reads {
    session: u64,
    addresses: Arc<Addresses>,
    open: BTreeMap<u32, Read>,
    /// Bounded by the reads that may be in progress over all sessions.
    requests: Channel<Request>,
    /// Bounded by the tab's credit.
    bodies: Channel<BodyEvent>,
}

/// Both ends of a channel.
#[derive(Debug)]
struct Channel<T> {
    sender: mpsc::UnboundedSender<T>,
    receiver: mpsc::UnboundedReceiver<T>,
}

impl<T> Default for Channel<T> {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver }
    }
}

/// A read in progress.
#[derive(Debug)]
struct Read {
    offer: u32,
    /// Bytes that the tab has not sent.
    left: u64,
    /// Bytes that the player's connection has not taken.
    held: usize,
    data: mpsc::UnboundedSender<Bytes>,
}

/// What players do.
#[derive(Debug)]
pub(crate) enum ReadEvent {
    /// One requests a file.
    Request(Request),
    /// Something became of the body of an answer.
    Body(BodyEvent),
}

impl Reads {
    /// For the session with this number.
    pub(crate) fn new(session: u64, addresses: Arc<Addresses>) -> Self {
        Self {
            session,
            addresses,
            open: BTreeMap::new(),
            requests: Channel::default(),
            bodies: Channel::default(),
        }
    }

    /// The next event. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<ReadEvent> {
        tokio::select! {
            request = self.requests.receiver.recv() => request.map(ReadEvent::Request),
            event = self.bodies.receiver.recv() => event.map(ReadEvent::Body),
        }
    }

    /// Bytes that wait for players.
    pub(crate) fn held(&self) -> usize {
        self.open.values().map(|read| read.held).sum()
    }

    /// Whether a player reads anything.
    pub(crate) fn are_open(&self) -> bool {
        !self.open.is_empty()
    }

    pub(crate) fn handle(&mut self, event: ReadEvent, tunnel: &mut Server) {
        match event {
            ReadEvent::Request(request) => self.start(request, tunnel),
            ReadEvent::Body(BodyEvent::Taken { stream, bytes }) => {
                tunnel.consumed(stream, bytes);
                if let Some(read) = self.open.get_mut(&stream) {
                    read.held = read.held.saturating_sub(bytes);
                }
            }
            ReadEvent::Body(BodyEvent::Over { stream }) => {
                self.end(stream, StreamClose::Player, tunnel)
            }
        }
    }

    fn start(&mut self, request: Request, tunnel: &mut Server) {
        let Request {
            offer,
            bytes,
            held,
            answer,
        } = request;
        let length = bytes.end.saturating_sub(bytes.start);
        let Some(stream) = tunnel.read(offer, bytes) else {
            return;
        };
        let (data, received) = mpsc::unbounded_channel();
        let read = Read {
            offer,
            left: length,
            held: 0,
            data,
        };
        self.open.insert(stream, read);
        let body = Body::new(stream, length, received, self.bodies.sender.clone(), held);
        // If nobody waits for it, the body is dropped, which ends the read.
        let _ = answer.send(body);
    }

    /// The tab offers a file. The token is sent to it, unless there are no random numbers.
    pub(crate) fn offer(&self, offer: u32, file: OfferedFile, tunnel: &mut Server) {
        let offered = Offered {
            offer,
            file,
            requests: self.requests.sender.clone(),
        };
        match self.addresses.add(self.session, offered) {
            Ok(token) => tunnel.offered(offer, token),
            Err(error) => {
                tracing::error!(session = self.session, %error, "a file has no address for players");
            }
        }
    }

    /// The tab withdraws an offer.
    pub(crate) fn withdraw(&mut self, offer: u32, tunnel: &mut Server) {
        self.addresses.remove(self.session, offer);
        let of_offer = self.open.iter().filter(|(_, read)| read.offer == offer);
        let streams: Vec<u32> = of_offer.map(|(stream, _)| *stream).collect();
        for stream in streams {
            self.end(stream, StreamClose::Left, tunnel);
        }
    }

    /// Passes data of the tab on, if the stream reads. They are copied, since the message that they
    /// are a part of would stay in memory otherwise.
    pub(crate) fn receive(&mut self, stream: u32, bytes: &Bytes, tunnel: &mut Server) -> bool {
        let Some(read) = self.open.get_mut(&stream) else {
            return false;
        };
        let length = bytes.len() as u64;
        if length > read.left {
            // More than was requested: what is missing of the answer would be wrong, too.
            self.end(stream, StreamClose::Broken, tunnel);
            return true;
        }
        read.left -= length;
        read.held += bytes.len();
        // A player that is gone says so, too.
        let _ = read.data.send(Bytes::copy_from_slice(bytes));
        true
    }

    /// The tab closed a stream. Returns whether it read.
    pub(crate) fn closed(&mut self, stream: u32) -> bool {
        self.open.remove(&stream).is_some()
    }

    fn end(&mut self, stream: u32, reason: StreamClose, tunnel: &mut Server) {
        if self.closed(stream) {
            tunnel.close(stream, reason);
        }
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        self.addresses.remove_session(self.session);
    }
}
