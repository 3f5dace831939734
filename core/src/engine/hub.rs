//! What all torrents of one engine share: the way out, the names of requests, the budgets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::config::Config;
use crate::io::{CloseReason, DiscoverRequest, Event, Op, Output, Rope};
use crate::torrent::{Bucket, External, Ranking, Who};
use crate::types::{Bitfield, Block, ConnId, InfoHashV1, Instant, PeerAddr, PeerId, Piece, RequestId, TorrentId};
use crate::wire::Message;

/// What an answer from the driver will be about.
#[derive(Debug)]
pub(super) enum Pending {
    Hash { piece: Piece, data: Rope, from: Vec<Option<Who>> },
    Write { piece: Piece, data: Rope },
    Read { conn: ConnId, blocks: Vec<Block> },
    Check { piece: Piece },
    Flush { have: Bitfield },
    Save { complete: bool },
}

#[derive(Debug)]
pub(super) struct Hub {
    pub(super) config: Config,
    pub(super) peer_id: PeerId,
    pub(super) rng: ChaCha8Rng,
    pub(super) shutting_down: bool,
    /// Bytes of pieces under way, being hashed or being written: reserved when a piece is opened, so that what was begun can be finished.
    reserved: u64,
    reservations: usize,
    pub(super) down: Bucket,
    pub(super) up: Bucket,
    /// Our own address, as others see it.
    pub(super) external: External,
    /// Connected peers and dials under way, all torrents.
    pub(super) connected: usize,
    pub(super) dialling: usize,
    dial_at: Instant,
    /// Torrents of which a peer could be asked for more than there was to ask for, or memory for.
    pub(super) starved: BTreeSet<TorrentId>,
    outputs: VecDeque<Output>,
    pending: BTreeMap<RequestId, (TorrentId, Pending)>,
    next_request: u64,
    next_dial: u64,
    /// Connections that were opened or ended since the engine last looked: it keeps the way from connection to torrent.
    pub(super) routes: Vec<(ConnId, Option<TorrentId>)>,
}

impl Hub {
    pub(super) fn new(config: Config, peer_id: PeerId, rng: ChaCha8Rng) -> Self {
        Self {
            config,
            peer_id,
            rng,
            shutting_down: false,
            reserved: 0,
            reservations: 0,
            down: Bucket::default(),
            up: Bucket::default(),
            external: External::default(),
            connected: 0,
            dialling: 0,
            dial_at: Instant::ZERO,
            starved: BTreeSet::new(),
            outputs: VecDeque::new(),
            pending: BTreeMap::new(),
            next_request: 0,
            next_dial: 0,
            routes: Vec::new(),
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(super) fn send(&mut self, conn: ConnId, message: Message) {
        self.outputs.push_back(Output::Send { conn, message });
    }

    pub(super) fn close(&mut self, conn: ConnId, reason: CloseReason) {
        self.outputs.push_back(Output::Close { conn, reason });
    }

    pub(super) fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn discover(&mut self, torrent: TorrentId, request: DiscoverRequest) {
        self.outputs.push_back(Output::Discover { torrent, request });
    }

    pub(super) fn hint(&mut self, torrent: TorrentId, addrs: Vec<PeerAddr>) {
        self.outputs.push_back(Output::Hint { torrent, addrs });
    }

    pub(super) fn dht_node(&mut self, addr: SocketAddr) {
        self.outputs.push_back(Output::DhtNode(addr));
    }

    pub(super) fn request(&mut self, torrent: TorrentId, op: Op, pending: Pending) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, (torrent, pending));
        self.outputs.push_back(Output::Request { id, torrent, op });
    }

    pub(super) fn answered(&mut self, id: RequestId) -> Option<(TorrentId, Pending)> {
        self.pending.remove(&id)
    }

    /// Whether an answer that matters to a torrent's data is still to come.
    pub(super) fn waits(&self) -> bool {
        self.pending.values().any(|(_, p)| !matches!(p, Pending::Read { .. }))
    }

    /// Tells the driver that a torrent's answers are not needed any more.
    pub(super) fn cancel_all(&mut self, torrent: TorrentId) {
        let ids = self.pending.iter().filter(|(_, (t, _))| *t == torrent).map(|(id, _)| Output::Cancel(*id));
        self.outputs.extend(ids);
    }

    /// Whether there is memory for a piece. Two pieces always have room, however long they are.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.reserved + bytes <= self.config.max_unwritten || self.reservations < 2
    }

    /// Reserves memory for a piece, if there is room.
    pub(super) fn reserve(&mut self, bytes: u64) -> bool {
        let room = self.has_room(bytes);
        if room {
            self.reserved += bytes;
            self.reservations += 1;
        }
        room
    }

    pub(super) fn release(&mut self, bytes: u64) {
        self.reserved = self.reserved.saturating_sub(bytes);
        self.reservations = self.reservations.saturating_sub(1);
    }

    /// Starts a dial, if one may be started now.
    pub(super) fn dial(&mut self, now: Instant, torrent: TorrentId, info_hash: InfoHashV1, addr: SocketAddr) -> ConnId {
        let conn = ConnId::dialled(self.next_dial);
        self.next_dial += 1;
        self.dialling += 1;
        self.dial_at = self.dial_at.max(now) + Duration::from_micros(1_000_000 / u64::from(self.config.dials_per_second.max(1)));
        self.outputs.push_back(Output::Dial { conn, torrent, info_hash, addr });
        self.routes.push((conn, Some(torrent)));
        conn
    }

    /// What peers are ranked by (BEP 40).
    pub(super) fn ranking(&self) -> Ranking {
        Ranking::new(&self.external, self.config.listen_port)
    }

    /// Whether the bounds on dials leave room. `Err` tells when the pace will.
    pub(super) fn may_dial(&self, now: Instant) -> Result<bool, Instant> {
        // A burst of a tenth of a second's worth keeps the pace without a timer for every dial.
        const BURST: Duration = Duration::from_millis(100);
        let room = self.dialling < self.config.max_dialling && self.connected + self.dialling < self.config.max_peers_total;
        if room && self.dial_at > now + BURST { Err(self.dial_at) } else { Ok(room && !self.shutting_down) }
    }
}
