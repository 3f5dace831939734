//! The state of one connected peer that is independent of the direction of data.

use bytes::Bytes;

use super::idle_messages::{IdleMessages, Progress};
use super::outgoing::Outgoing;
use crate::connection::{Line, Transport};
use crate::context::{Context, Verdict, misbehaved};
use crate::extensions::Extensions;
use crate::io::{CloseReason, Handshaken, Output};
use crate::net::disclosure;
use crate::types::{Bitfield, ConnId, Instant, PeerAddr, PeerId, PeerIdentity};
use crate::wire::{Message, RawBlock};

/// The maximum number of pieces that a peer may announce before the torrent's size is known. More
/// are ignored.
const MAX_EARLY_HAVES: usize = 10_000;

/// What a peer announced before the torrent's size was known (magnet links).
#[derive(Debug, Default)]
pub(crate) struct EarlyHave {
    pub(crate) all: bool,
    pub(crate) bitfield: Option<Bytes>,
    pub(crate) indices: Vec<u32>,
}

/// What it announced.
#[derive(Debug, Default)]
struct Announced {
    /// Whether it has announced its pieces, which is permitted once, as the first message.
    any: bool,
    early: EarlyHave,
}

/// How a connection came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// By the peer.
    Accepted,
    /// By us or the bridge, so that others can dial the peer, too.
    Dialled,
    /// By both at the same time, after an introduction (BEP 55).
    Introduced,
}

/// A connected peer of a torrent.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) addr: PeerAddr,
    /// Its listening address, if known: it may be dialled and told to others.
    pub(crate) listens: Option<PeerAddr>,
    /// How its bytes travel.
    pub(crate) line: Line,
    pub(crate) peer_id: PeerId,
    pub(crate) opened: Opened,
    /// Whether both sides support the fast extension (BEP 6).
    pub(crate) fast: bool,
    pub(crate) connected_at: Instant,

    pub(crate) am_choking: bool,
    pub(crate) am_interested: bool,
    pub(crate) peer_choking: bool,
    pub(crate) peer_interested: bool,

    pub(crate) have: Bitfield,
    announced: Announced,

    idle: IdleMessages,
    pub(crate) outgoing: Outgoing,
    pub(crate) extensions: Extensions,
}

impl Peer {
    /// A peer with a complete handshake. `listens`: its address, if it was dialled.
    pub(crate) fn new(
        now: Instant,
        identity: PeerIdentity,
        (opened, listens): (Opened, Option<PeerAddr>),
        handshake: &Handshaken,
        pieces: u32,
    ) -> Self {
        Self {
            addr: identity.addr,
            listens,
            line: handshake.line,
            peer_id: identity.peer_id,
            opened,
            fast: handshake.reserved.fast(),
            connected_at: now,
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            have: Bitfield::none(pieces),
            announced: Announced::default(),
            idle: IdleMessages::new(),
            outgoing: Outgoing::new(now),
            extensions: Extensions::new(handshake.reserved),
        }
    }

    /// Its identity across connections.
    pub(crate) fn identity(&self) -> PeerIdentity {
        PeerIdentity {
            addr: self.listens.unwrap_or(self.addr),
            peer_id: self.peer_id,
        }
    }

    /// The address at which others can try to reach it (BEP 55). Over uTP it is the source address:
    /// the port at which its NAT, if it has one, maps the UDP port that also accepts connections.
    pub(crate) fn contact(&self) -> PeerAddr {
        match self.line.transport {
            Transport::Utp => self.addr,
            _ => self.listens.unwrap_or(self.addr),
        }
    }

    /// Whether it has every piece.
    pub(crate) fn is_seed(&self) -> bool {
        self.have.is_all() && !self.have.is_empty()
    }

    /// Whether it requests no data: a seed or a partial seed (BEP 21).
    pub(crate) fn is_upload_only(&self) -> bool {
        self.extensions.upload_only() || self.is_seed()
    }

    /// Queues a message for the peer.
    pub(crate) fn send(&mut self, cx: &mut Context, conn: ConnId, message: Message) {
        self.outgoing.queue(message.wire_len());
        cx.send(conn, message);
    }

    /// BEP 6: rejects a request. Without the extension nothing is sent.
    pub(crate) fn reject(&mut self, cx: &mut Context, conn: ConnId, raw: RawBlock) {
        if self.fast {
            self.send(cx, conn, Message::Reject(raw));
        }
    }

    /// Counts a message against the budget for those that move nothing forward.
    pub(crate) fn count_message(&mut self, now: Instant, progress: Progress) -> Verdict {
        self.idle.count(now, progress)
    }

    /// Checks the send queue: a peer that keeps requesting and does not read the answers would fill
    /// memory. `max_unsent`: [`crate::Config::max_unsent`].
    pub(crate) fn check_reading(&self, max_unsent: u64) -> Verdict {
        if self.outgoing.is_overfull(max_unsent) {
            return misbehaved("it does not read what it is sent");
        }
        Ok(())
    }

    /// Handles the port of the peer's DHT node (BEP 5).
    pub(crate) fn handle_port(&self, cx: &mut Context, port: u16) {
        if cx.config().dht_port.is_some()
            && let Some(node) = disclosure::to_dht(self.addr, port)
        {
            cx.shared.outbox.push(Output::DhtNode(node));
        }
    }

    /// Records that the peer announced its pieces. Returns whether it is the first time.
    pub(crate) fn note_have(&mut self) -> bool {
        !std::mem::replace(&mut self.announced.any, true)
    }

    /// BEP 6: `have all` and `have none` must come first.
    pub(crate) fn note_first_have(&mut self) -> Verdict {
        if self.note_have() {
            Ok(())
        } else {
            misbehaved("it said twice what it has")
        }
    }

    /// Handles a message that arrived before the torrent's size was known. Announcements of pieces
    /// are stored until then.
    pub(crate) fn handle_early(&mut self, message: Message) -> Result<Progress, CloseReason> {
        match message {
            Message::Choke => self.peer_choking = true,
            Message::Unchoke => self.peer_choking = false,
            Message::HaveNone => self.note_first_have()?,
            Message::HaveAll => {
                self.note_first_have()?;
                self.announced.early.all = true;
            }
            Message::Bitfield(bytes) => {
                self.note_have();
                self.announced.early.bitfield = Some(bytes);
            }
            Message::Have(index) => {
                self.note_have();
                let indices = &mut self.announced.early.indices;
                if indices.len() < MAX_EARLY_HAVES {
                    indices.push(index);
                    return Ok(Progress::Made);
                }
            }
            _ => {}
        }
        Ok(Progress::None)
    }

    /// What it announced before the torrent's size was known.
    pub(crate) fn take_early_have(&mut self) -> EarlyHave {
        std::mem::take(&mut self.announced.early)
    }
}
