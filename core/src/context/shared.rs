//! State shared by all torrents of an engine: outputs, pending requests and budgets.

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;

use super::rate_limit::RateLimit;
use super::unasked::Unasked;
use crate::config::Config;
use crate::io::{Op, Output, Rope};
use crate::net::{ExternalAddress, Ranking};
use crate::types::{
    BLOCK_SIZE, Bitfield, Block, ConnId, InfoHashV1, Instant, PeerId, PeerIdentity, Piece,
    RequestId, SortedMap, SortedSet, TorrentId,
};

/// The number of blocks that each peer may be asked for at a time, however many peers there are.
const LEAST_SHARE: usize = 8;

/// The subject of a pending request.
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

/// Outputs in order, and the requests among them that the driver has not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    outputs: VecDeque<Output>,
    /// In boxes, since thousands of them move when the oldest one is answered.
    pending: SortedMap<RequestId, Box<(TorrentId, Pending)>>,
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
        self.pending.insert(id, Box::new((torrent, pending)));
        self.outputs.push_back(Output::Request { id, torrent, op });
    }

    /// Removes a pending request that was answered.
    pub(crate) fn take_pending(&mut self, id: RequestId) -> Option<(TorrentId, Pending)> {
        self.pending.remove(&id).map(|pending| *pending)
    }

    /// Whether a pending request affects a torrent's data. All do except reads for peers.
    pub(crate) fn awaits_storage(&self) -> bool {
        self.pending
            .values()
            .any(|pending| !matches!(pending.1, Pending::Read { .. }))
    }

    /// Bytes of pieces of all torrents that wait for their digest or for being written.
    pub(crate) fn storing_bytes(&self) -> u64 {
        let pending = self.pending.values().map(|pending| &pending.1);
        let bytes = pending.map(|pending| match pending {
            Pending::Hash { data, .. } | Pending::Write { data, .. } => data.len() as u64,
            _ => 0,
        });
        bytes.sum()
    }

    /// Cancels all pending requests of a torrent.
    pub(crate) fn cancel_all(&mut self, torrent: TorrentId) {
        let of_torrent = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.0 == torrent);
        let cancels = of_torrent.map(|(id, _)| Output::Cancel(*id));
        self.outputs.extend(cancels);
    }
}

/// Memory for pieces that are in progress, being hashed or being written. It is reserved when a
/// piece is opened, so that an opened piece can always be completed.
#[derive(Debug, Default)]
pub(crate) struct PieceMemory {
    bytes: u64,
    pieces: usize,
}

impl PieceMemory {
    /// Whether `bytes` more fit below `limit`. Two pieces always fit, whatever their length.
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

    /// The number of blocks that one of `peers` may be asked for at a time. Fast peers have windows of
    /// eight MiB, and eight of them would leave nothing to others; so once half of the memory is in
    /// use, each gets an equal share.
    pub(crate) fn share(&self, peers: usize, limit: u64) -> usize {
        if self.bytes <= limit / 2 {
            return usize::MAX;
        }
        let blocks = usize::try_from(limit / u64::from(BLOCK_SIZE)).unwrap_or(usize::MAX);
        (blocks / peers.max(1)).max(LEAST_SHARE)
    }

    /// Releases the memory reserved for a piece.
    pub(crate) fn release(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
        self.pieces = self.pieces.saturating_sub(1);
    }
}

/// The number of connections and dials over all torrents, and the rate of dials.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCount {
    pub(crate) connected: usize,
    pub(crate) dialling: usize,
    /// When the rate allows the next dial.
    next_dial_at: Instant,
    next_dial: u64,
}

impl ConnectionCount {
    /// Whether the limits on dials leave room. `Err`: the rate allows it only at that time.
    pub(crate) fn may_dial(&self, now: Instant, config: &Config) -> Result<bool, Instant> {
        // A burst of the dials of a tenth of a second keeps the rate without a timer per dial.
        const BURST: Duration = Duration::from_millis(100);
        let total = self.connected + self.dialling;
        let room = self.dialling < config.max_dialling && total < config.max_peers_total;
        if room && self.next_dial_at > now + BURST {
            Err(self.next_dial_at)
        } else {
            Ok(room)
        }
    }

    /// Counts a dial that starts now, and assigns its id.
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
    pub(crate) unasked: Unasked,
    pub(crate) download_limit: RateLimit,
    pub(crate) upload_limit: RateLimit,
    /// Our own address as reported by others.
    pub(crate) external: ExternalAddress,
    /// Torrents whose peers could have been asked for more if memory had been available.
    pub(crate) starved: SortedSet<TorrentId>,
    pub(crate) outbox: Outbox,
    /// Connections opened (with their torrent) or closed (`None`) since the engine last updated its
    /// map from connections to torrents.
    pub(crate) routes: Vec<(ConnId, Option<TorrentId>)>,
    /// Further info-hashes of a magnet link's torrent, learned from its metadata (BEP 52) since the
    /// engine last looked.
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
            unasked: Unasked::default(),
            download_limit: RateLimit::default(),
            upload_limit: RateLimit::default(),
            external: ExternalAddress::default(),
            starved: SortedSet::new(),
            outbox: Outbox::default(),
            routes: Vec::new(),
            learnt_names: Vec::new(),
        }
    }

    /// Our addresses for ranking peers (BEP 40).
    pub(crate) fn ranking(&self) -> Ranking {
        Ranking::new(&self.external, self.config.listen_port)
    }
}
