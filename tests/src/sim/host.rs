//! One simulated machine: an engine, its disk, its line, and what is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::{ConnId, InfoHashV1, PeerId, RequestId, TorrentId};
use aqueduct_core::{
    Command, Config, Engine, Event, Instant, Op, OpError, OpResult, Reason, Resumed,
    TorrentSnapshot,
};
use bytes::Bytes;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::disk::Disk;
use super::malice::Malice;
use super::net::{Access, Line};
use super::tracker::Announces;
use crate::torrent::Computed;

/// A host of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub usize);

/// The one torrent that every host has.
pub const TORRENT: TorrentId = TorrentId(1);

/// What a host is to be like.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) torrent: Arc<Computed>,
    pub(super) complete: bool,
    pub(super) access: Access,
    pub(super) config: Config,
    pub(super) malice: Malice,
    pub(super) wanted: Option<Vec<bool>>,
    pub(super) sequential: bool,
    pub(super) magnet: bool,
    pub(super) reachable: bool,
    pub(super) tracker: bool,
}

impl Plan {
    /// Has nothing and wants everything.
    #[must_use]
    pub fn leech(torrent: &Arc<Computed>) -> Self {
        Self {
            torrent: Arc::clone(torrent),
            complete: false,
            access: Access::FAST,
            config: Config::default(),
            malice: Malice::None,
            wanted: None,
            sequential: false,
            magnet: false,
            reachable: true,
            tracker: true,
        }
    }
    /// Has everything.
    #[must_use]
    pub fn seed(torrent: &Arc<Computed>) -> Self {
        Self {
            complete: true,
            ..Self::leech(torrent)
        }
    }
    /// Its line.
    #[must_use]
    pub fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }
    /// Its engine's settings.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }
    /// How it cheats.
    #[must_use]
    pub fn malice(self, malice: Malice) -> Self {
        Self { malice, ..self }
    }
    /// Which files it wants.
    #[must_use]
    pub fn wanted(self, wanted: Vec<bool>) -> Self {
        Self {
            wanted: Some(wanted),
            ..self
        }
    }
    /// Pieces in order.
    #[must_use]
    pub fn sequential(self) -> Self {
        Self {
            sequential: true,
            ..self
        }
    }
    /// It knows only the info-hash.
    #[must_use]
    pub fn magnet(self) -> Self {
        Self {
            magnet: true,
            ..self
        }
    }
    /// It asks no tracker.
    #[must_use]
    pub fn trackerless(self) -> Self {
        Self {
            tracker: false,
            ..self
        }
    }
    /// Nobody can dial it.
    #[must_use]
    pub fn unreachable(self) -> Self {
        Self {
            reachable: false,
            ..self
        }
    }
}

/// An engine with its driver.
#[derive(Debug)]
pub struct Host {
    pub(super) id: HostId,
    pub(super) plan: Plan,
    pub(super) engine: Engine,
    pub(super) disk: Disk,
    pub(super) line: Line,
    pub(super) alive: bool,
    /// Counts starts, so that what was meant for an earlier life is not taken for this one.
    pub(super) life: u32,
    pub(super) peer_id: PeerId,
    /// Which link, and which end of it.
    pub(super) conns: BTreeMap<ConnId, (u64, usize)>,
    pub(super) accepted: u64,
    pub(super) pending: BTreeMap<RequestId, Op>,
    pub(super) timer: Option<Instant>,
    pub(super) spins: (Instant, u32),
    /// The machine sleeps until then.
    pub(super) asleep: Instant,
    pub(super) announces: Announces,
    pub(super) blocks_sent: u32,
    /// Addresses that a private torrent may dial: the tracker's and the user's.
    pub(super) named: BTreeSet<SocketAddr>,
    pub(super) hints: Vec<SocketAddr>,
    pub(super) heard: Vec<(u8, Bytes)>,
    pub(super) dht_nodes: Vec<SocketAddr>,
    news: Vec<(Instant, Event)>,
}

impl Host {
    pub(super) fn new(id: HostId, plan: Plan, now: Instant, rng: &mut ChaCha8Rng) -> Self {
        let mut disk = Disk::new(Arc::clone(&plan.torrent));
        if plan.complete {
            disk.fill(plan.torrent.lengths().iter());
        }
        let (engine, peer_id) = engine(&plan, now, rng);
        let line = Line::new(plan.access);
        Self {
            id,
            plan,
            engine,
            disk,
            line,
            alive: true,
            life: 0,
            peer_id,
            conns: BTreeMap::new(),
            accepted: 0,
            pending: BTreeMap::new(),
            timer: None,
            spins: (now, 0),
            asleep: Instant::ZERO,
            announces: Announces::default(),
            blocks_sent: 0,
            named: BTreeSet::new(),
            hints: Vec::new(),
            heard: Vec::new(),
            dht_nodes: Vec::new(),
            news: Vec::new(),
        }
    }

    /// A new engine on the same disk.
    pub(super) fn reborn(&mut self, now: Instant, rng: &mut ChaCha8Rng) {
        (self.engine, self.peer_id) = engine(&self.plan, now, rng);
        self.alive = true;
        self.timer = None;
        self.announces = Announces::default();
    }

    /// What was running is gone, and perhaps what was not flushed.
    pub(super) fn dies(&mut self, rng: &mut ChaCha8Rng) {
        self.disk.crash(rng);
        self.alive = false;
        self.life += 1;
        self.pending.clear();
        self.conns.clear();
    }

    /// How its torrent is added: as the disk's record says.
    pub(super) fn first_command(&self) -> Command {
        if self.plan.magnet && self.disk.record().is_none() {
            let info_hash = self.plan.torrent.info().info_hash;
            let magnet = aqueduct_core::meta::Magnet {
                info_hash,
                name: None,
                trackers: vec![],
                web_seeds: vec![],
                peers: vec![],
                select: None,
            };
            return Command::AddMagnet {
                torrent: TORRENT,
                magnet,
                paused: false,
            };
        }
        let info = Arc::clone(self.plan.torrent.info());
        Command::Add {
            torrent: TORRENT,
            info,
            resumed: self.resumed(),
            wanted: self.plan.wanted.clone(),
            paused: false,
        }
    }

    fn resumed(&self) -> Resumed {
        match self.disk.record() {
            Some(saved) => Resumed::Record {
                have: saved.have.clone(),
                check: vec![],
                sample: vec![],
                uploaded: saved.uploaded,
                downloaded: saved.downloaded,
            },
            None if self.plan.complete || self.life > 0 => Resumed::Check,
            None => Resumed::Nothing,
        }
    }

    pub(super) fn note(&mut self, now: Instant, event: Event) {
        self.news.push((now, event));
    }

    pub(super) fn name(&self) -> String {
        format!("host {} ({})", self.id.0, self.addr())
    }
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }
    pub(super) fn config(&self) -> &Config {
        &self.plan.config
    }
    pub(super) fn swarm(&self) -> InfoHashV1 {
        self.plan.torrent.info().info_hash.wire()
    }
    /// Bytes being hashed or written.
    pub(super) fn unwritten(&self) -> u64 {
        let bytes = self.pending.values().map(|op| match op {
            Op::Hash(data) | Op::Write { data, .. } => data.len() as u64,
            _ => 0,
        });
        bytes.sum()
    }

    /// Carries out what was asked for under this id, if it was not answered yet.
    pub(super) fn perform(
        &mut self,
        id: RequestId,
        rng: &mut ChaCha8Rng,
    ) -> Option<Result<OpResult, OpError>> {
        let op = self.pending.remove(&id)?;
        Some(self.disk.perform(op, rng))
    }

    /// The torrent's data as they should be.
    #[must_use]
    pub fn torrent(&self) -> &Arc<Computed> {
        &self.plan.torrent
    }
    /// A public address of its own.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        let [_, b, c, d] = u32::try_from(self.id.0 + 1).unwrap().to_be_bytes();
        SocketAddr::from(([45, b, c, d], 6881))
    }
    /// Its line.
    #[must_use]
    pub fn access(&self) -> Access {
        self.plan.access
    }
    /// Its storage.
    #[must_use]
    pub fn disk(&self) -> &Disk {
        &self.disk
    }
    /// Its storage, to break it.
    pub fn disk_mut(&mut self) -> &mut Disk {
        &mut self.disk
    }
    /// What its screen would show; `None` if the torrent is not there.
    #[must_use]
    pub fn snapshot(&self) -> Option<TorrentSnapshot> {
        self.alive
            .then(|| self.engine.snapshot_of(TORRENT))
            .flatten()
    }
    /// All its news, from all its lives.
    #[must_use]
    pub fn news(&self) -> &[(Instant, Event)] {
        &self.news
    }
    /// When it first said that all was there.
    #[must_use]
    pub fn finished(&self) -> Option<Duration> {
        self.news
            .iter()
            .find(|(_, event)| matches!(event, Event::Finished(_)))
            .map(|(at, _)| at.since(Instant::ZERO))
    }
    /// Whom it banned.
    #[must_use]
    pub fn banned(&self) -> Vec<SocketAddr> {
        let banned = self.news.iter().filter_map(|(_, event)| match event {
            Event::Banned(_, addr) => addr.socket_addr(),
            _ => None,
        });
        banned.collect()
    }
    /// Peers that its engine heard of and left to others to dial.
    #[must_use]
    pub fn hints(&self) -> &[SocketAddr] {
        &self.hints
    }
    /// What its peers said in one of our extensions (BEP 10), which is known to them by `id`.
    #[must_use]
    pub fn heard(&self, id: u8) -> Vec<&[u8]> {
        self.heard
            .iter()
            .filter(|(other, _)| *other == id)
            .map(|(_, payload)| &payload[..])
            .collect()
    }
    /// Nodes of the DHT that its peers named.
    #[must_use]
    pub fn dht_nodes(&self) -> &[SocketAddr] {
        &self.dht_nodes
    }
    /// Whom it is connected with, by address without port.
    #[must_use]
    pub fn neighbours(&self) -> BTreeSet<IpAddr> {
        self.engine
            .peers(TORRENT)
            .iter()
            .filter_map(|peer| peer.addr.ip())
            .collect()
    }
    /// Whether it knows that its torrent is private (BEP 27).
    pub(super) fn keeps_private(&self) -> bool {
        let known = !self.plan.magnet
            || self
                .news
                .iter()
                .any(|(_, event)| matches!(event, Event::Metadata(..)));
        known && self.plan.torrent.info().private
    }
    /// Pieces that failed their hash.
    #[must_use]
    pub fn corrupt_pieces(&self) -> usize {
        self.news
            .iter()
            .filter(|(_, event)| matches!(event, Event::Corrupt(..)))
            .count()
    }
    /// Blocks it sent to others.
    #[must_use]
    pub fn blocks_sent(&self) -> u32 {
        self.blocks_sent
    }

    /// Counts wake-ups at one instant: an engine that asks for its own past would spin for ever.
    pub(super) fn count_wake_up(&mut self, now: Instant, reason: Reason) {
        let count = if self.spins.0 == now {
            self.spins.1 + 1
        } else {
            0
        };
        self.spins = (now, count);
        assert!(
            count < 100,
            "{} asks to be woken at once again and again, for {reason:?}",
            self.name()
        );
    }
}

fn engine(plan: &Plan, now: Instant, rng: &mut ChaCha8Rng) -> (Engine, PeerId) {
    let peer_id = PeerId::ours(rng.random());
    // Who cannot be dialled does not know that, and tells its port all the same.
    let config = Config {
        listen_port: 6881,
        ..plan.config.clone()
    };
    (Engine::new(config, peer_id, rng.random(), now), peer_id)
}
