//! The engine: every swarm of one program, driven from outside.

mod check;
mod conn;
mod data;
mod exchange;
mod extended;
mod hub;
mod receive;
mod recheck;
mod request;
mod snapshot;
mod store;
mod swarm;
mod tick;
mod upload;

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use self::hub::{Hub, Pending};
use self::swarm::Swarm;
use crate::config::Config;
use crate::io::{
    CloseReason, Command, CommandError, Event, Handshaken, Input, OpError, OpResult, Output, PeerSnapshot, Reason, Resumed, Snapshot, TorrentSnapshot,
};
use crate::meta::{Info, Magnet};
use crate::types::{ConnId, InfoHash, InfoHashV1, Instant, PeerId, PeerSource, RequestId, TorrentId};
use crate::wire::Reserved;

/// The engine. See the crate's first page for the loop that drives it.
#[derive(Debug)]
pub struct Engine {
    hub: Hub,
    swarms: BTreeMap<TorrentId, Swarm>,
    by_hash: BTreeMap<InfoHashV1, TorrentId>,
    routes: BTreeMap<ConnId, TorrentId>,
    tick_at: Option<Instant>,
    dial_at: Option<Instant>,
    rate_at: Option<Instant>,
    said_shut_down: bool,
    /// The last time told.
    now: Instant,
}

impl Engine {
    /// An engine without torrents, which calls itself `peer_id`. The same `seed` and the same calls give the same outputs.
    #[must_use]
    pub fn new(config: Config, peer_id: PeerId, seed: [u8; 32], now: Instant) -> Self {
        Self {
            hub: Hub::new(config, peer_id, ChaCha8Rng::from_seed(seed)),
            swarms: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            routes: BTreeMap::new(),
            tick_at: None,
            dial_at: None,
            rate_at: None,
            said_shut_down: false,
            now,
        }
    }

    /// Says where peers can dial us (`p` of BEP 10), when that is learnt only after the start: it is told to peers that connect from now on.
    /// 0: nowhere.
    pub fn set_listen_port(&mut self, port: u16) {
        self.hub.config.listen_port = port;
    }

    /// Carries out a wish of the user.
    ///
    /// # Errors
    /// See [`CommandError`]; nothing was changed then.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), CommandError> {
        if self.hub.shutting_down {
            return Err(CommandError::ShuttingDown);
        }
        match command {
            Command::Add { torrent, info, resumed, wanted, paused } => self.add(now, torrent, info, resumed, wanted.as_deref(), paused)?,
            Command::AddMagnet { torrent, magnet, paused } => self.add_magnet(now, torrent, &magnet, paused)?,
            Command::Remove(torrent) => self.remove(now, torrent)?,
            Command::Pause(torrent) => self.pause(now, torrent)?,
            Command::Resume(torrent) => self.resume(now, torrent)?,
            Command::Want(torrent, flags) => self.want(now, torrent, &flags)?,
            Command::Sequential(torrent, on) => {
                self.swarm(torrent)?.data.iter_mut().for_each(|d| d.sequential = on);
            }
            Command::SeedOnly(torrent) => self.seed_only(torrent)?,
            Command::Limits { download, upload } => {
                self.hub.down.set(now, download);
                self.hub.up.set(now, upload);
            }
            Command::ShutDown => self.shut_down(now),
        }
        self.settle(now);
        Ok(())
    }

    /// Opens a magnet's torrent for data, after [`Event::Metadata`]: says what is known of the data on disk. Which files are wanted may be said
    /// before, with [`Command::Want`].
    ///
    /// # Errors
    /// The torrent is not there, or waits for no data.
    pub fn attach(&mut self, now: Instant, torrent: TorrentId, resumed: Resumed) -> Result<(), CommandError> {
        let swarm = self.swarms.get_mut(&torrent).ok_or(CommandError::NoSuchTorrent(torrent))?;
        let info = swarm.fetched.take().ok_or(CommandError::NoSuchTorrent(torrent))?;
        let wanted = swarm.wanted_early.take();
        swarm.open(&mut self.hub, now, info, resumed, wanted.as_deref());
        swarm.apply_early_haves(&mut self.hub, now);
        self.settle(now);
        Ok(())
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Timeout => self.on_timeout(now),
            Input::Message { conn, message } => self.with_conn(conn, |s, hub| s.on_message(hub, now, conn, message)),
            Input::Sent { conn, bytes } => self.with_conn(conn, |s, hub| s.on_sent(hub, now, conn, bytes)),
            Input::Connected { conn, handshake } => self.with_conn(conn, |s, hub| s.on_connected(hub, now, conn, &handshake)),
            Input::Closed { conn, reason } => self.with_conn(conn, |s, hub| s.on_closed(hub, now, conn, &reason)),
            Input::Accepted { conn, addr, dialled, handshake } => self.on_accepted(now, conn, (addr, dialled), &handshake),
            Input::Peers { torrent, source, addrs } => self.on_peers(now, torrent, source, addrs),
            Input::ExternalIp(ip) => self.hub.external.told(ip),
            Input::FileChanged { torrent, file, change } => {
                if let Some(swarm) = self.swarms.get_mut(&torrent) {
                    swarm.on_file_changed(&mut self.hub, now, file, change);
                }
            }
            Input::Done { id, result } => self.on_done(now, id, result),
        }
        self.settle(now);
    }

    /// The next thing to do, in order, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.hub.poll_output()
    }

    /// When to call [`Engine::handle`] with [`Input::Timeout`] at the latest, and what for. `None`: nothing waits for time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let timers = [(self.tick_at, Reason::Tick), (self.dial_at, Reason::Dial), (self.rate_at, Reason::RateLimit)];
        timers.into_iter().filter_map(|(at, reason)| Some((at?, reason))).min()
    }

    /// What our handshake says in its reserved bytes for this swarm, dialling or answering. A private torrent's peers hear nothing of a DHT (BEP 27).
    #[must_use]
    pub fn reserved(&self, info_hash: InfoHashV1) -> Reserved {
        let private = self.by_hash.get(&info_hash).and_then(|id| self.swarms.get(id)).is_some_and(Swarm::is_private);
        if self.hub.config.dht_port.is_some() && !private { Reserved::OURS.with_dht() } else { Reserved::OURS }
    }

    /// Whether a torrent's peers may come from its trackers alone (BEP 27), as far as that is known: a magnet's metadata must have come.
    #[must_use]
    pub fn is_private(&self, torrent: TorrentId) -> bool {
        self.swarms.get(&torrent).is_some_and(Swarm::is_private)
    }

    /// All torrents, for screens: at most a few times a second.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { torrents: self.swarms.values().map(|s| s.snapshot(self.now)).collect() }
    }

    /// One torrent.
    #[must_use]
    pub fn snapshot_of(&self, torrent: TorrentId) -> Option<TorrentSnapshot> {
        self.swarms.get(&torrent).map(|s| s.snapshot(self.now))
    }

    /// The peers of one torrent, for screens.
    #[must_use]
    pub fn peers(&self, torrent: TorrentId) -> Vec<PeerSnapshot> {
        self.swarms.get(&torrent).map(|s| s.peer_snapshots(self.now)).unwrap_or_default()
    }

    fn swarm(&mut self, torrent: TorrentId) -> Result<&mut Swarm, CommandError> {
        self.swarms.get_mut(&torrent).ok_or(CommandError::NoSuchTorrent(torrent))
    }

    /// Runs a handler with the torrent of a connection; what comes for one that has ended is late, and dropped.
    fn with_conn(&mut self, conn: ConnId, handler: impl FnOnce(&mut Swarm, &mut Hub)) {
        let swarm = self.routes.get(&conn).and_then(|t| self.swarms.get_mut(t));
        if let Some(swarm) = swarm {
            handler(swarm, &mut self.hub);
        }
    }

    fn register(&mut self, torrent: TorrentId, hash: InfoHash, paused: bool) -> Result<&mut Swarm, CommandError> {
        let limit = self.hub.config.max_torrents;
        if self.swarms.len() >= limit {
            return Err(CommandError::TooMany(limit));
        }
        if self.swarms.contains_key(&torrent) || self.by_hash.contains_key(&hash.wire()) {
            return Err(CommandError::Duplicate(hash));
        }
        if hash.v1().is_none() {
            return Err(CommandError::V2Only);
        }
        self.by_hash.insert(hash.wire(), torrent);
        let swarm = Swarm::new(torrent, hash, paused, self.hub.config.max_candidates);
        Ok(self.swarms.entry(torrent).or_insert(swarm))
    }

    fn add(
        &mut self,
        now: Instant,
        torrent: TorrentId,
        info: Arc<Info>,
        resumed: Resumed,
        wanted: Option<&[bool]>,
        paused: bool,
    ) -> Result<(), CommandError> {
        check_flags(&info, wanted)?;
        self.register(torrent, info.info_hash, paused)?;
        let Some(swarm) = self.swarms.get_mut(&torrent) else { return Ok(()) };
        swarm.open(&mut self.hub, now, info, resumed, wanted);
        Ok(())
    }

    fn add_magnet(&mut self, now: Instant, torrent: TorrentId, magnet: &Magnet, paused: bool) -> Result<(), CommandError> {
        self.register(torrent, magnet.info_hash, paused)?;
        let Some(swarm) = self.swarms.get_mut(&torrent) else { return Ok(()) };
        swarm.start(&mut self.hub, now);
        swarm.on_peers(&mut self.hub, now, PeerSource::Link, magnet.peers.clone());
        Ok(())
    }

    fn remove(&mut self, now: Instant, torrent: TorrentId) -> Result<(), CommandError> {
        let Some(mut swarm) = self.swarms.remove(&torrent) else { return Err(CommandError::NoSuchTorrent(torrent)) };
        self.by_hash.remove(&swarm.info_hash.wire());
        swarm.paused = true;
        swarm.stop(&mut self.hub, now);
        swarm.drop_partials(&mut self.hub);
        swarm.data.iter_mut().flat_map(|d| d.stuck.drain(..)).for_each(|(_, rope)| self.hub.release(rope.len() as u64));
        self.hub.cancel_all(torrent);
        Ok(())
    }

    fn pause(&mut self, now: Instant, torrent: TorrentId) -> Result<(), CommandError> {
        let swarm = self.swarms.get_mut(&torrent).ok_or(CommandError::NoSuchTorrent(torrent))?;
        swarm.paused = true;
        swarm.stop(&mut self.hub, now);
        swarm.flush_if_due(&mut self.hub, now);
        Ok(())
    }

    fn resume(&mut self, now: Instant, torrent: TorrentId) -> Result<(), CommandError> {
        let swarm = self.swarms.get_mut(&torrent).ok_or(CommandError::NoSuchTorrent(torrent))?;
        swarm.paused = false;
        swarm.failure = None;
        swarm.data.iter_mut().for_each(|d| d.stuck_until = now);
        swarm.retry_stuck(&mut self.hub, now);
        swarm.check_more(&mut self.hub, now);
        swarm.start(&mut self.hub, now);
        swarm.fill_all(&mut self.hub, now);
        Ok(())
    }

    fn want(&mut self, now: Instant, torrent: TorrentId, flags: &[bool]) -> Result<(), CommandError> {
        let swarm = self.swarms.get_mut(&torrent).ok_or(CommandError::NoSuchTorrent(torrent))?;
        if let (None, Some(info)) = (&swarm.data, &swarm.fetched) {
            check_flags(info, Some(flags))?;
            swarm.wanted_early = Some(flags.to_vec());
            return Ok(());
        }
        let Some(data) = &mut swarm.data else { return Err(CommandError::Files { expected: 0, received: flags.len() }) };
        check_flags(&data.info, Some(flags))?;
        data.set_wanted(flags, &mut self.hub.rng);
        data.said_finished &= data.lacking == 0;
        swarm.recount_peers(&mut self.hub);
        swarm.fill_all(&mut self.hub, now);
        if swarm.downloading() {
            swarm.candidates.wake(now);
        }
        if swarm.complete() {
            swarm.on_complete(&mut self.hub, now);
            swarm.flush_if_due(&mut self.hub, now);
        }
        Ok(())
    }

    fn seed_only(&mut self, torrent: TorrentId) -> Result<(), CommandError> {
        let swarm = self.swarms.get_mut(&torrent).ok_or(CommandError::NoSuchTorrent(torrent))?;
        match &mut swarm.data {
            // What is there turns out when the check is over.
            Some(data) if data.checking.is_some() => data.seed_only = true,
            Some(data) => data.want_what_is_had(&mut self.hub.rng),
            None => {}
        }
        swarm.recount_peers(&mut self.hub);
        Ok(())
    }

    /// Closes everything and writes everything out.
    fn shut_down(&mut self, now: Instant) {
        self.hub.shutting_down = true;
        for swarm in self.swarms.values_mut() {
            swarm.stop(&mut self.hub, now);
            swarm.drop_partials(&mut self.hub);
            swarm.data.iter_mut().for_each(|data| {
                data.checking = None;
                data.recheck.abandon();
            });
            swarm.flush_if_due(&mut self.hub, now);
        }
    }

    fn on_accepted(&mut self, now: Instant, conn: ConnId, from: (std::net::SocketAddr, bool), handshake: &Handshaken) {
        let torrent = self.by_hash.get(&handshake.info_hash);
        match torrent.and_then(|t| self.swarms.get_mut(t)) {
            Some(swarm) => swarm.on_accepted(&mut self.hub, now, conn, from.0, from.1, handshake),
            None => self.hub.close(conn, CloseReason::Inactive),
        }
    }

    fn on_peers(&mut self, now: Instant, torrent: TorrentId, source: PeerSource, addrs: Vec<std::net::SocketAddr>) {
        if let Some(swarm) = self.swarms.get_mut(&torrent) {
            swarm.on_peers(&mut self.hub, now, source, addrs);
            let later = swarm.dial_some(&mut self.hub, now);
            self.dial_at = later.into_iter().chain(self.dial_at).min();
        }
    }

    fn on_done(&mut self, now: Instant, id: RequestId, result: Result<OpResult, OpError>) {
        let Some((torrent, pending)) = self.hub.answered(id) else { return };
        let hub = &mut self.hub;
        let Some(swarm) = self.swarms.get_mut(&torrent) else {
            // The torrent was removed meanwhile; the memory of its pieces was not yet given back.
            if let Pending::Hash { data, .. } | Pending::Write { data, .. } = pending {
                hub.release(data.len() as u64);
            }
            return;
        };
        match pending {
            Pending::Hash { piece, data, from } => swarm.on_hashed(hub, now, piece, data, &from, result),
            Pending::Write { piece, data } => swarm.on_written(hub, now, piece, data, result),
            Pending::Check { piece } => swarm.on_checked(hub, now, piece, result),
            Pending::Flush { have } => swarm.on_flushed(hub, now, have, result),
            Pending::Save { complete } => swarm.on_saved(hub, now, complete, result),
            Pending::Read { conn, blocks } => match (result, blocks.first()) {
                (Ok(OpResult::Bytes(bytes)), _) => swarm.on_read(hub, now, conn, &blocks, &bytes),
                (_, Some(first)) => swarm.on_unreadable(hub, now, conn, &blocks, first.piece()),
                _ => {}
            },
        }
        self.unstarve(now);
    }

    /// Memory may have become free: torrents that waited for it go on.
    fn unstarve(&mut self, now: Instant) {
        for torrent in mem::take(&mut self.hub.starved) {
            self.swarms.get_mut(&torrent).into_iter().for_each(|swarm| swarm.fill_all(&mut self.hub, now));
        }
    }

    fn on_timeout(&mut self, now: Instant) {
        if self.rate_at.is_some_and(|at| at <= now) {
            // Also when nobody wants anything: a bucket that stays empty would ask for its time again and again.
            self.hub.down.ready(now);
            self.hub.up.ready(now);
            for swarm in self.swarms.values_mut() {
                swarm.fill_all(&mut self.hub, now);
                swarm.serve_all(&mut self.hub, now);
            }
        }
        if self.dial_at.is_some_and(|at| at <= now) {
            self.dial_all(now);
        }
        if self.tick_at.is_some_and(|at| at <= now) {
            let later: Vec<_> = self.swarms.values_mut().filter_map(|s| s.tick(&mut self.hub, now)).collect();
            self.dial_at = later.into_iter().chain(self.dial_at).min();
            self.tick_at = None;
        }
    }

    /// Dials for every torrent, as the pace allows.
    fn dial_all(&mut self, now: Instant) {
        self.dial_at = self.swarms.values_mut().filter_map(|s| s.dial_some(&mut self.hub, now)).min();
    }

    /// After every call: ways to connections, timers, the end of a shutdown.
    fn settle(&mut self, now: Instant) {
        self.now = now;
        for (conn, torrent) in self.hub.routes.drain(..) {
            match torrent {
                Some(torrent) => self.routes.insert(conn, torrent),
                None => self.routes.remove(&conn),
            };
        }
        let limits = [self.hub.down.ready_at(), self.hub.up.ready_at()];
        self.rate_at = limits.into_iter().flatten().min().filter(|_| !self.routes.is_empty());
        if self.tick_at.is_none() && !self.swarms.values().all(Swarm::idle) {
            self.tick_at = Some(now + tick::TICK);
        }
        self.end_shut_down();
    }

    fn end_shut_down(&mut self) {
        let quiet = self.hub.shutting_down && !self.hub.waits();
        if quiet && !mem::replace(&mut self.said_shut_down, true) {
            self.hub.event(Event::ShutDown);
        }
    }
}

fn check_flags(info: &Info, wanted: Option<&[bool]>) -> Result<(), CommandError> {
    match wanted {
        Some(flags) if flags.len() != info.files.len() => Err(CommandError::Files { expected: info.files.len(), received: flags.len() }),
        _ => Ok(()),
    }
}
