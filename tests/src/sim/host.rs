//! A simulated host: an engine, its disk, its access line, and recorded observations.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::discovery::dht::krpc::Message;
use aqueduct_core::discovery::{self, Discovery, dht};
use aqueduct_core::session::{Identity, Reason, Session};
use aqueduct_core::types::{ConnId, InfoHashV1, PeerId, RequestId, TorrentId};
use aqueduct_core::{
    Config, Engine, Event, Instant, NewTorrent, Op, OpError, OpResult, Resumed, TorrentSnapshot,
    TorrentSource,
};
use bytes::Bytes;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::disk::Disk;
use super::net::{Access, Line};
use super::plan::Plan;
use super::{network, tracker};
use crate::torrent::Computed;

/// The index of a host in its world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub usize);

/// The torrent that every host has; some have more.
pub const TORRENT: TorrentId = TorrentId(1);

/// Where every host listens for peers.
const PORT: u16 = 6881;

/// Where every host's node of the DHT is, unless its configuration says otherwise.
pub(super) const DHT_PORT: u16 = 6882;

/// One torrent on one host: its data as they should be, and as they are on disk.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) torrent: Arc<Computed>,
    pub(super) disk: Disk,
    /// Addresses that a private torrent may dial: those from the tracker and from the user.
    pub(super) named: BTreeSet<SocketAddr>,
}

/// A session with its driver.
#[derive(Debug)]
pub struct Host {
    pub(super) id: HostId,
    pub(super) plan: Plan,
    pub(super) session: Session,
    pub(super) torrents: BTreeMap<TorrentId, Data>,
    pub(super) line: Line,
    pub(super) alive: bool,
    /// The number of starts. Events that were scheduled for an earlier start are ignored.
    pub(super) life: u32,
    pub(super) peer_id: PeerId,
    /// The link of each connection, and which end of it this host is.
    pub(super) conns: BTreeMap<ConnId, (u64, usize)>,
    /// Which torrent each connection is for.
    pub(super) routes: BTreeMap<ConnId, TorrentId>,
    pub(super) accepted: u64,
    pub(super) pending: BTreeMap<RequestId, (TorrentId, Op)>,
    pub(super) timer: Option<Instant>,
    pub(super) spins: (Instant, u32),
    /// The machine is suspended until this time.
    pub(super) asleep: Instant,
    pub(super) blocks_sent: u32,
    pub(super) hints: Vec<SocketAddr>,
    pub(super) heard: Vec<(u8, Bytes)>,
    /// Nodes of the DHT that it spoke to, in the order of the first words.
    dht_nodes: Vec<SocketAddr>,
    /// Swarms that it asked the DHT for, and those that it announced there.
    dht_swarms: BTreeSet<InfoHashV1>,
    dht_announced: BTreeSet<InfoHashV1>,
    news: Vec<(Instant, Event)>,
}

impl Host {
    pub(super) fn new(id: HostId, plan: Plan, now: Instant, rng: &mut ChaCha8Rng) -> Self {
        let (session, peer_id) = session(&plan, now, rng);
        let all = std::iter::once(&plan.torrent).chain(&plan.more);
        let torrents = (TORRENT.0..)
            .zip(all)
            .map(|(n, torrent)| (TorrentId(n), Data::new(torrent, plan.complete)))
            .collect();
        let line = Line::new(plan.access);
        Self {
            id,
            plan,
            session,
            torrents,
            line,
            alive: true,
            life: 0,
            peer_id,
            conns: BTreeMap::new(),
            routes: BTreeMap::new(),
            accepted: 0,
            pending: BTreeMap::new(),
            timer: None,
            spins: (now, 0),
            asleep: Instant::ZERO,
            blocks_sent: 0,
            hints: Vec::new(),
            heard: Vec::new(),
            dht_nodes: Vec::new(),
            dht_swarms: BTreeSet::new(),
            dht_announced: BTreeSet::new(),
            news: Vec::new(),
        }
    }

    /// A new session on the same disk.
    pub(super) fn reborn(&mut self, now: Instant, rng: &mut ChaCha8Rng) {
        (self.session, self.peer_id) = session(&self.plan, now, rng);
        self.alive = true;
        self.timer = None;
    }

    /// Stops the engine. Unflushed data may be lost.
    pub(super) fn dies(&mut self, rng: &mut ChaCha8Rng) {
        for data in self.torrents.values_mut() {
            data.disk.crash(rng);
        }
        self.alive = false;
        self.life += 1;
        self.pending.clear();
        self.conns.clear();
        self.routes.clear();
    }

    /// How a torrent is added: as the disk's record says, and with its trackers.
    pub(super) fn new_torrent(&self, torrent: TorrentId) -> (NewTorrent, Vec<Vec<String>>) {
        let data = &self.torrents[&torrent];
        let trackers = match (self.plan.tracker, self.plan.udp) {
            (false, _) => Vec::new(),
            (true, false) => vec![vec![tracker::HTTP.to_owned()]],
            (true, true) => vec![vec![tracker::UDP.to_owned()]],
        };
        let new = NewTorrent {
            torrent,
            source: self.source(torrent, data),
            paused: false,
        };
        (new, trackers)
    }

    fn source(&self, torrent: TorrentId, data: &Data) -> TorrentSource {
        if torrent == TORRENT && self.plan.magnet && data.disk.record().is_none() {
            return TorrentSource::Magnet(aqueduct_core::meta::Magnet {
                info_hash: data.torrent.info().info_hash,
                name: None,
                trackers: vec![],
                web_seeds: vec![],
                peers: vec![],
                select: None,
            });
        }
        let wanted = self.plan.wanted.clone().filter(|_| torrent == TORRENT);
        TorrentSource::Info {
            info: Arc::clone(data.torrent.info()),
            resumed: self.resumed(data),
            wanted,
        }
    }

    fn resumed(&self, data: &Data) -> Resumed {
        match data.disk.record() {
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

    /// Gives it one torrent more, of which nothing is there. It is not added yet.
    pub(super) fn insert(&mut self, torrent: &Arc<Computed>) -> TorrentId {
        let (last, _) = self.torrents.last_key_value().expect("every host has one");
        let id = TorrentId(last.0 + 1);
        self.torrents.insert(id, Data::new(torrent, false));
        id
    }

    /// A tracker named these peers for one of its torrents.
    pub(super) fn note_named(&mut self, swarm: InfoHashV1, addrs: &[SocketAddr]) {
        if let Some(id) = self.torrent_of(swarm)
            && let Some(data) = self.torrents.get_mut(&id)
        {
            data.named.extend(addrs);
        }
    }

    pub(super) fn note_dht_datagram(&mut self, to: SocketAddr, message: &Message<'_>) {
        if !self.dht_nodes.contains(&to) {
            self.dht_nodes.push(to);
        }
        self.dht_swarms.extend(network::named_swarm(message));
        self.dht_announced.extend(network::announced(message));
    }

    /// Which of its torrents this is.
    pub(super) fn torrent_of(&self, swarm: InfoHashV1) -> Option<TorrentId> {
        let mut torrents = self.torrents.iter();
        let (id, _) = torrents.find(|(_, data)| data.swarm() == swarm)?;
        Some(*id)
    }

    pub(super) fn note(&mut self, now: Instant, event: Event) {
        self.news.push((now, event));
    }

    pub(super) fn name(&self) -> String {
        format!("host {} ({})", self.id.0, self.addr())
    }
    pub(super) fn engine(&self) -> &Engine {
        self.session.engine()
    }
    pub(super) fn config(&self) -> &Config {
        &self.plan.config
    }
    pub(super) fn swarms(&self) -> Vec<InfoHashV1> {
        self.torrents.values().map(Data::swarm).collect()
    }
    /// The number of bytes that are being hashed or written.
    pub(super) fn unwritten(&self) -> u64 {
        let bytes = self.pending.values().map(|(_, op)| match op {
            Op::Hash(data) | Op::Write { data, .. } => data.len() as u64,
            _ => 0,
        });
        bytes.sum()
    }

    /// Executes the operation that was requested with this id, if it was not answered yet.
    pub(super) fn perform(
        &mut self,
        id: RequestId,
        rng: &mut ChaCha8Rng,
    ) -> Option<Result<OpResult, OpError>> {
        let (torrent, op) = self.pending.remove(&id)?;
        let data = self.torrents.get_mut(&torrent)?;
        Some(data.disk.perform(op, rng))
    }

    /// The torrent, with its correct data.
    #[must_use]
    pub fn torrent(&self) -> &Arc<Computed> {
        &self.plan.torrent
    }
    /// The host's public address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        let [_, b, c, d] = u32::try_from(self.id.0 + 1).unwrap().to_be_bytes();
        SocketAddr::from(([45, b, c, d], PORT))
    }
    /// Sets the access line.
    #[must_use]
    pub fn access(&self) -> Access {
        self.plan.access
    }
    /// Where its node of the DHT is, if it has one.
    pub(super) fn dht_addr(&self) -> Option<SocketAddr> {
        let port = self.plan.config.dht_port?;
        Some(SocketAddr::new(self.addr().ip(), port))
    }
    /// Its address on the local network.
    pub(super) fn local_addr(&self) -> SocketAddr {
        let [_, _, c, d] = u32::try_from(self.id.0 + 1).unwrap().to_be_bytes();
        SocketAddr::from(([192, 168, c, d], PORT))
    }
    /// Its storage of [`TORRENT`].
    #[must_use]
    pub fn disk(&self) -> &Disk {
        self.disk_of(TORRENT)
    }
    /// Its storage of one torrent.
    #[must_use]
    pub fn disk_of(&self, torrent: TorrentId) -> &Disk {
        &self.torrents[&torrent].disk
    }
    /// The host's disk, to inject faults.
    pub fn disk_mut(&mut self) -> &mut Disk {
        let data = self.torrents.get_mut(&TORRENT);
        &mut data.expect("every host has it").disk
    }
    /// The engine's snapshot of the torrent; `None` if the torrent is not added.
    #[must_use]
    pub fn snapshot(&self) -> Option<TorrentSnapshot> {
        self.alive
            .then(|| self.engine().snapshot_of(TORRENT))
            .flatten()
    }
    /// All events, from all starts.
    #[must_use]
    pub fn news(&self) -> &[(Instant, Event)] {
        &self.news
    }
    /// When the torrent was first reported complete.
    #[must_use]
    pub fn finished(&self) -> Option<Duration> {
        self.news
            .iter()
            .find(|(_, event)| matches!(event, Event::Finished(TORRENT)))
            .map(|(at, _)| at.since(Instant::ZERO))
    }
    /// The addresses that the host banned.
    #[must_use]
    pub fn banned(&self) -> Vec<SocketAddr> {
        let banned = self.news.iter().filter_map(|(_, event)| match event {
            Event::Banned(_, addr) => addr.socket_addr(),
            _ => None,
        });
        banned.collect()
    }
    /// Peers that the engine learned of and left to its driver to pass on.
    #[must_use]
    pub fn hints(&self) -> &[SocketAddr] {
        &self.hints
    }
    /// Payloads of extended messages (BEP 10) that peers sent to our extension `id`.
    #[must_use]
    pub fn heard(&self, id: u8) -> Vec<&[u8]> {
        self.heard
            .iter()
            .filter(|(other, _)| *other == id)
            .map(|(_, payload)| &payload[..])
            .collect()
    }
    /// Nodes of the DHT that it spoke to.
    #[must_use]
    pub fn dht_nodes(&self) -> &[SocketAddr] {
        &self.dht_nodes
    }
    /// Swarms that it asked the DHT for.
    #[must_use]
    pub fn dht_swarms(&self) -> &BTreeSet<InfoHashV1> {
        &self.dht_swarms
    }
    /// Swarms in which nodes of the DHT were told of it.
    #[must_use]
    pub fn dht_announced(&self) -> &BTreeSet<InfoHashV1> {
        &self.dht_announced
    }
    /// The addresses of connected hosts, without ports.
    #[must_use]
    pub fn neighbours(&self) -> BTreeSet<IpAddr> {
        self.engine()
            .peers(TORRENT)
            .iter()
            .filter_map(|peer| peer.addr.ip())
            .collect()
    }
    /// Whether it knows that a torrent is private (BEP 27).
    pub(super) fn keeps_private(&self, torrent: TorrentId) -> bool {
        let met = |event: &Event| matches!(event, Event::Metadata(id, _) if *id == torrent);
        let known = !(self.plan.magnet && torrent == TORRENT)
            || self.news.iter().any(|(_, event)| met(event));
        known && self.torrents[&torrent].torrent.info().private
    }
    /// The number of pieces that failed their hash.
    #[must_use]
    pub fn corrupt_pieces(&self) -> usize {
        self.news
            .iter()
            .filter(|(_, event)| matches!(event, Event::Corrupt(..)))
            .count()
    }
    /// The number of blocks sent.
    #[must_use]
    pub fn blocks_sent(&self) -> u32 {
        self.blocks_sent
    }

    /// Counts wake-ups at one instant, to detect an engine whose deadline stays in the past.
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

impl Data {
    fn new(torrent: &Arc<Computed>, complete: bool) -> Self {
        let mut disk = Disk::new(Arc::clone(torrent));
        if complete {
            disk.fill(torrent.lengths().iter());
        }
        Self {
            torrent: Arc::clone(torrent),
            disk,
            named: BTreeSet::new(),
        }
    }

    fn swarm(&self) -> InfoHashV1 {
        self.torrent.info().info_hash.wire()
    }
}

fn session(plan: &Plan, now: Instant, rng: &mut ChaCha8Rng) -> (Session, PeerId) {
    let peer_id = PeerId::ours(rng.random());
    // A host that cannot be dialled does not know that, and announces its port anyway.
    let identity = Identity {
        peer_id,
        port: PORT,
    };
    let config = Config {
        listen_port: PORT,
        ..plan.config.clone()
    };
    let engine = Engine::new(config, peer_id, rng.random(), now);
    let mut discovery = Discovery::new(discovery::Config::default(), rng.random());
    if plan.config.dht_port.is_some() {
        let names = [("nodes.example".to_owned(), DHT_PORT)];
        let config = dht::Config {
            v6: false,
            bootstrap: names.into_iter().filter(|_| plan.bootstrap).collect(),
            keep_bootstrap: true,
            ..dht::Config::default()
        };
        discovery = discovery.with_dht(config, dht::State::default(), rng.random(), now);
    }
    if plan.lsd {
        discovery = discovery.with_lsd(PORT, rng.random());
    }
    (Session::new(engine, discovery, identity, now), peer_id)
}
