//! What all torrents of one engine share: outputs, unanswered requests and budgets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use crate::config::Config;
use crate::io::{Op, Output, Rope};
use crate::net::{ExternalAddress, Ranking, Throttle};
use crate::types::{
    Bitfield, Block, ConnId, InfoHashV1, Instant, PeerId, PeerIdentity, Piece, RequestId, TorrentId,
};

/// What the answer to a request will be about.
#[derive(Debug)]
pub(crate) enum Pending {
    Hash {
        piece: Piece,
        data: Rope,
        from: Vec<Option<PeerIdentity>>,
    },
    Write {
        piece: Piece,
        data: Rope,
    },
    Read {
        conn: ConnId,
        blocks: Vec<Block>,
    },
    Check {
        piece: Piece,
    },
    Flush {
        have: Bitfield,
    },
    Save {
        complete: bool,
    },
}

/// Outputs in order, and the requests among them that the driver still has to answer.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    outputs: VecDeque<Output>,
    pending: BTreeMap<RequestId, (TorrentId, Pending)>,
    next_request: u64,
}

impl Outbox {
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(crate) fn request(&mut self, torrent: TorrentId, op: Op, pending: Pending) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, (torrent, pending));
        self.outputs.push_back(Output::Request { id, torrent, op });
    }

    /// An answer came: what it is about.
    pub(crate) fn take_pending(&mut self, id: RequestId) -> Option<(TorrentId, Pending)> {
        self.pending.remove(&id)
    }

    /// Whether an answer is missing that matters to a torrent's data: all but reads for peers do.
    pub(crate) fn awaits_storage(&self) -> bool {
        self.pending
            .values()
            .any(|(_, pending)| !matches!(pending, Pending::Read { .. }))
    }

    /// Tells the driver that the answers for a torrent are not needed any more.
    pub(crate) fn cancel_all(&mut self, torrent: TorrentId) {
        let of_torrent = self
            .pending
            .iter()
            .filter(|(_, (other, _))| *other == torrent);
        let cancels = of_torrent.map(|(id, _)| Output::Cancel(*id));
        self.outputs.extend(cancels);
    }
}

/// Memory for pieces that are in progress, being hashed or being written. It is reserved when a
/// piece is opened, so that what was begun can be finished.
#[derive(Debug, Default)]
pub(crate) struct PieceMemory {
    bytes: u64,
    pieces: usize,
}

impl PieceMemory {
    /// Whether `bytes` more fit below `limit`. Two pieces always fit, however long they are.
    pub(crate) fn has_room(&self, bytes: u64, limit: u64) -> bool {
        self.bytes + bytes <= limit || self.pieces < 2
    }

    /// Reserves memory for a piece, if there is room.
    pub(crate) fn reserve(&mut self, bytes: u64, limit: u64) -> bool {
        let room = self.has_room(bytes, limit);
        if room {
            self.bytes += bytes;
            self.pieces += 1;
        }
        room
    }

    /// Gives back what was reserved for a piece.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.pieces = self.pieces.saturating_sub(1);
    }
}

/// Connections and dials over all torrents, and the pace of dials.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCount {
    pub(crate) connected: usize,
    pub(crate) dialling: usize,
    /// When the pace allows the next dial.
    next_dial_at: Instant,
    next_dial: u64,
}

impl ConnectionCount {
    /// Whether the bounds on dials leave room. `Err`: not yet, the pace allows it at that time.
    pub(crate) fn may_dial(&self, now: Instant, config: &Config) -> Result<bool, Instant> {
        // A burst of a tenth of a second's dials keeps the pace without a timer for every dial.
        const BURST: Duration = Duration::from_millis(100);
        let total = self.connected + self.dialling;
        let room = self.dialling < config.max_dialling && total < config.max_peers_total;
        if room && self.next_dial_at > now + BURST {
            Err(self.next_dial_at)
        } else {
            Ok(room)
        }
    }

    /// Counts a dial that starts now, and names it.
    pub(crate) fn start_dial(&mut self, now: Instant, config: &Config) -> ConnId {
        let conn = ConnId::dialled(self.next_dial);
        self.next_dial += 1;
        self.dialling += 1;
        let pace = Duration::from_micros(1_000_000 / u64::from(config.dials_per_second.max(1)));
        self.next_dial_at = self.next_dial_at.max(now) + pace;
        conn
    }
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) peer_id: PeerId,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) shutting_down: bool,
    pub(crate) memory: PieceMemory,
    pub(crate) connections: ConnectionCount,
    pub(crate) download_limit: Throttle,
    pub(crate) upload_limit: Throttle,
    /// Our own address, as others see it.
    pub(crate) external: ExternalAddress,
    /// Torrents of which a peer could be asked for more than there was to ask for, or memory for.
    pub(crate) starved: BTreeSet<TorrentId>,
    pub(crate) outbox: Outbox,
    /// Connections opened (for a torrent) or ended (`None`) since the engine last looked: it keeps
    /// the map from connections to torrents.
    pub(crate) routes: Vec<(ConnId, Option<TorrentId>)>,
    /// What a magnet link's torrent turned out to be named by, too (BEP 52), since then.
    pub(crate) learnt_names: Vec<(InfoHashV1, TorrentId)>,
}

impl Shared {
    pub(crate) fn new(config: Config, peer_id: PeerId, rng: ChaCha8Rng) -> Self {
        Self {
            config,
            peer_id,
            rng,
            shutting_down: false,
            memory: PieceMemory::default(),
            connections: ConnectionCount::default(),
            download_limit: Throttle::default(),
            upload_limit: Throttle::default(),
            external: ExternalAddress::default(),
            starved: BTreeSet::new(),
            outbox: Outbox::default(),
            routes: Vec::new(),
            learnt_names: Vec::new(),
        }
    }

    /// What peers are ranked by (BEP 40).
    pub(crate) fn ranking(&self) -> Ranking {
        Ranking::new(&self.external, self.config.listen_port)
    }
}
