//! The engine: all swarms of a program, as a state machine.

mod timers;

use std::mem;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::config::Config;
use crate::connection::obfuscated;
use crate::context::{Context, Pending, Shared};
use crate::io::{
    CloseReason, Command, CommandError, Event, Handshaken, Input, NewTorrent, OpError, OpResult,
    Output, PeerSnapshot, Reason, Resumed, Snapshot, TorrentSnapshot, TorrentSource,
};
use crate::meta::Info;
use crate::swarm::{Swarm, TICK};
use crate::types::{
    ConnId, InfoHash, InfoHashV1, Instant, PeerAddr, PeerId, PeerSource, RequestId, SortedMap,
    TorrentId,
};
use crate::wire::Reserved;

/// The engine. The crate's front page describes the loop that drives it.
#[derive(Debug)]
pub struct Engine {
    shared: Shared,
    swarms: SortedMap<TorrentId, Swarm>,
    by_hash: SortedMap<InfoHashV1, TorrentId>,
    routes: SortedMap<ConnId, TorrentId>,
    tick_at: Option<Instant>,
    dial_at: Option<Instant>,
    rate_at: Option<Instant>,
    said_shut_down: bool,
    /// The last time that the driver passed.
    now: Instant,
}

impl Engine {
    /// Creates an engine without torrents, with this peer id. It is deterministic: the same `seed`
    /// and the same calls give the same outputs.
    #[must_use]
    pub fn new(config: Config, peer_id: PeerId, seed: [u8; 32], now: Instant) -> Self {
        Self {
            shared: Shared::new(config, peer_id, ChaCha8Rng::from_seed(seed)),
            swarms: SortedMap::new(),
            by_hash: SortedMap::new(),
            routes: SortedMap::new(),
            tick_at: None,
            dial_at: None,
            rate_at: None,
            said_shut_down: false,
            now,
        }
    }

    /// Sets the port at which peers can dial us (`p` of BEP 10), if it becomes known only after the
    /// start. It is announced to peers that connect from now on. 0: none.
    pub fn set_listen_port(&mut self, port: u16) {
        self.shared.config.listen_port = port;
    }

    /// Executes a command of the user.
    ///
    /// # Errors
    /// See [`CommandError`]; the state is unchanged.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), CommandError> {
        if self.shared.shutting_down {
            return Err(CommandError::ShuttingDown);
        }
        match command {
            Command::Add(new) => self.add(now, new)?,
            Command::Remove(torrent) => self.remove(now, torrent)?,
            Command::Pause(torrent) => self.with(now, torrent, Swarm::pause)?,
            Command::Resume(torrent) => self.with(now, torrent, Swarm::resume)?,
            Command::Want(torrent, flags) => {
                self.with(now, torrent, |swarm, cx| swarm.want(cx, &flags))??;
            }
            Command::Prioritise(torrent, ranges) => {
                self.with(now, torrent, |swarm, cx| swarm.prioritise(cx, &ranges))?;
            }
            Command::SeedOnly(torrent) => self.with(now, torrent, Swarm::set_seed_only)?,
            Command::Limits { download, upload } => {
                self.shared.download_limit.set(now, download);
                self.shared.upload_limit.set(now, upload);
            }
            Command::TorrentLimits {
                torrent,
                download,
                upload,
            } => {
                self.with(now, torrent, |_, cx| cx.set_limits(download, upload))?;
            }
            Command::MaxPeers(limit) => {
                self.shared.config.max_peers = limit;
                self.with_all(now, Swarm::observe_max_peers);
            }
            Command::ShutDown => self.shut_down(now),
        }
        self.settle(now);
        Ok(())
    }

    /// Opens the storage of a magnet's torrent after [`Event::Metadata`]; `resumed` is what is
    /// known of the data on disk. Files can be selected before with [`Command::Want`].
    ///
    /// # Errors
    /// The torrent does not exist, or does not wait for its storage.
    pub fn attach(
        &mut self,
        now: Instant,
        torrent: TorrentId,
        resumed: Resumed,
    ) -> Result<(), CommandError> {
        let waited = self.with(now, torrent, |swarm, cx| swarm.attach(cx, resumed))?;
        self.settle(now);
        if waited {
            Ok(())
        } else {
            Err(CommandError::NoSuchTorrent(torrent))
        }
    }

    /// Processes an input.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Timeout => self.handle_timeout(now),
            Input::Message { conn, message } => {
                self.with_conn(now, conn, |swarm, cx| {
                    swarm.handle_message(cx, conn, message)
                });
            }
            Input::Sent { conn, bytes } => {
                self.with_conn(now, conn, |swarm, cx| swarm.handle_sent(cx, conn, bytes));
            }
            Input::Connected { conn, handshake } => {
                self.with_conn(now, conn, |swarm, cx| {
                    swarm.handle_connected(cx, conn, &handshake)
                });
            }
            Input::Closed { conn, reason } => {
                self.with_conn(now, conn, |swarm, cx| {
                    swarm.handle_closed(cx, conn, &reason)
                });
            }
            Input::Accepted {
                conn,
                addr,
                dialled,
                handshake,
            } => {
                self.handle_accepted(now, conn, (addr, dialled), &handshake);
            }
            Input::Peers {
                torrent,
                source,
                addrs,
            } => {
                self.handle_peers(now, torrent, source, addrs);
            }
            Input::FileChanged {
                torrent,
                file,
                change,
            } => {
                let changed = |swarm: &mut Swarm, cx: &mut Context| {
                    swarm.handle_file_changed(cx, file, change)
                };
                self.with(now, torrent, changed).unwrap_or_default();
            }
            Input::ExternalIp(ip) => self.shared.external.add_report(ip),
            Input::Done { id, result } => self.handle_done(now, id, result),
        }
        self.settle(now);
    }

    /// Returns the next output, in order; `None` if there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.shared.outbox.poll()
    }

    /// The time by which [`Engine::handle`] must be called with [`Input::Timeout`], and the reason.
    /// `None`: nothing waits for time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let timers = [
            (self.tick_at, Reason::Tick),
            (self.dial_at, Reason::Dial),
            (self.rate_at, Reason::RateLimit),
        ];
        timers
            .into_iter()
            .filter_map(|(at, reason)| Some((at?, reason)))
            .min()
    }

    /// The torrent for the info-hash of a handshake: its v1 hash, or its v2 hash truncated to 20
    /// bytes (BEP 52). A hybrid torrent has both.
    #[must_use]
    pub fn find(&self, info_hash: InfoHashV1) -> Option<TorrentId> {
        self.by_hash.get(&info_hash).copied()
    }

    /// The info-hash, of either version, with this [`obfuscated`] form, which identifies the swarm
    /// on an encrypted connection. This is a linear search: hashing a few hundred info-hashes costs
    /// less than the preceding key exchange.
    #[must_use]
    pub fn find_obfuscated(&self, swarm: [u8; 20]) -> Option<InfoHashV1> {
        let mut known = self.by_hash.keys().copied();
        known.find(|info_hash| obfuscated(*info_hash) == swarm)
    }

    /// The reserved bytes of our handshake for this swarm. Peers of a private torrent are not told
    /// of a DHT node (BEP 27).
    #[must_use]
    pub fn reserved(&self, info_hash: InfoHashV1) -> Reserved {
        let private = self
            .find(info_hash)
            .is_some_and(|torrent| self.is_private(torrent));
        if self.shared.config.dht_port.is_some() && !private {
            Reserved::OURS.with_dht()
        } else {
            Reserved::OURS
        }
    }

    /// Whether a torrent is private (BEP 27), as far as that is known: a magnet's metadata must
    /// have arrived.
    #[must_use]
    pub fn is_private(&self, torrent: TorrentId) -> bool {
        self.swarms.get(&torrent).is_some_and(Swarm::is_private)
    }

    /// A snapshot of all torrents for display. It is expensive: take it at most a few times per
    /// second.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            torrents: self
                .swarms
                .values()
                .map(|s| s.snapshot(self.now, &self.shared))
                .collect(),
        }
    }

    /// A snapshot of one torrent.
    #[must_use]
    pub fn snapshot_of(&self, torrent: TorrentId) -> Option<TorrentSnapshot> {
        let swarm = self.swarms.get(&torrent)?;
        Some(swarm.snapshot(self.now, &self.shared))
    }

    /// Snapshots of one torrent's peers, for display.
    #[must_use]
    pub fn peers(&self, torrent: TorrentId) -> Vec<PeerSnapshot> {
        self.swarms
            .get(&torrent)
            .map(|s| s.peers(self.now))
            .unwrap_or_default()
    }

    /// Calls a handler with a torrent and its context.
    fn with<R>(
        &mut self,
        now: Instant,
        torrent: TorrentId,
        handler: impl FnOnce(&mut Swarm, &mut Context) -> R,
    ) -> Result<R, CommandError> {
        let swarm = self.swarms.get_mut(&torrent);
        let swarm = swarm.ok_or(CommandError::NoSuchTorrent(torrent))?;
        let mut cx = swarm.context(&mut self.shared, now);
        Ok(handler(swarm, &mut cx))
    }

    /// As `with`, for the torrent of a connection. Inputs for a closed connection are ignored.
    fn with_conn(
        &mut self,
        now: Instant,
        conn: ConnId,
        handler: impl FnOnce(&mut Swarm, &mut Context),
    ) {
        if let Some(torrent) = self.routes.get(&conn).copied() {
            self.with(now, torrent, handler).unwrap_or_default();
        }
    }

    fn register(
        &mut self,
        torrent: TorrentId,
        hash: InfoHash,
        paused: bool,
    ) -> Result<(), CommandError> {
        let limit = self.shared.config.max_torrents;
        if self.swarms.len() >= limit {
            return Err(CommandError::TooMany(limit));
        }
        let known = hash
            .wire_names()
            .any(|name| self.by_hash.contains_key(&name));
        if self.swarms.contains_key(&torrent) || known {
            return Err(CommandError::Duplicate(hash));
        }
        if hash.v1().is_none() {
            return Err(CommandError::V2Only);
        }
        let names = hash.wire_names().map(|name| (name, torrent));
        self.by_hash.extend(names);
        let swarm = Swarm::new(torrent, hash, paused, &self.shared.config);
        self.swarms.insert(torrent, swarm);
        Ok(())
    }

    fn add(&mut self, now: Instant, new: NewTorrent) -> Result<(), CommandError> {
        let NewTorrent {
            torrent,
            source,
            paused,
        } = new;
        match source {
            TorrentSource::Info {
                info,
                resumed,
                wanted,
            } => {
                check_flags(&info, wanted.as_deref())?;
                self.register(torrent, info.info_hash, paused)?;
                self.with(now, torrent, |swarm, cx| {
                    swarm.open(cx, info, resumed, wanted.as_deref());
                })
            }
            TorrentSource::Magnet(magnet) => {
                self.register(torrent, magnet.info_hash, paused)?;
                self.with(now, torrent, |swarm, cx| {
                    swarm.start(cx);
                    let peers = magnet.peers.into_iter().map(PeerAddr::from);
                    swarm.handle_peers(cx, PeerSource::Link, peers.collect());
                })
            }
        }
    }

    fn remove(&mut self, now: Instant, torrent: TorrentId) -> Result<(), CommandError> {
        let swarm = self.swarms.remove(&torrent);
        let swarm = swarm.ok_or(CommandError::NoSuchTorrent(torrent))?;
        self.by_hash.retain(|_, other| *other != torrent);
        let mut cx = swarm.context(&mut self.shared, now);
        cx.set_limits(None, None);
        swarm.remove(&mut cx);
        Ok(())
    }

    /// Closes all connections and saves all torrents.
    fn shut_down(&mut self, now: Instant) {
        self.shared.shutting_down = true;
        self.with_all(now, Swarm::shut_down);
    }

    fn handle_accepted(
        &mut self,
        now: Instant,
        conn: ConnId,
        from: (PeerAddr, bool),
        handshake: &Handshaken,
    ) {
        let torrent = self.find(handshake.info_hash);
        let accept = |swarm: &mut Swarm, cx: &mut Context| {
            swarm.handle_accepted(cx, conn, from, handshake);
        };
        if torrent.is_none_or(|torrent| self.with(now, torrent, accept).is_err()) {
            self.shared.outbox.push(Output::Close {
                conn,
                reason: CloseReason::Inactive,
            });
        }
    }

    fn handle_peers(
        &mut self,
        now: Instant,
        torrent: TorrentId,
        source: PeerSource,
        addrs: Vec<PeerAddr>,
    ) {
        let later = self.with(now, torrent, |swarm, cx| {
            swarm.handle_peers(cx, source, addrs)
        });
        self.dial_at = later.ok().flatten().into_iter().chain(self.dial_at).min();
    }

    fn handle_done(&mut self, now: Instant, id: RequestId, result: Result<OpResult, OpError>) {
        let Some((torrent, pending)) = self.shared.outbox.take_pending(id) else {
            return;
        };
        if self.swarms.contains_key(&torrent) {
            let done = |swarm: &mut Swarm, cx: &mut Context| swarm.handle_done(cx, pending, result);
            self.with(now, torrent, done).unwrap_or_default();
            self.unstarve(now);
        } else if let Pending::Hash { data, .. } | Pending::Write { data, .. } = pending {
            // The torrent was removed in the meantime; only the memory of its pieces remains to be
            // released.
            self.shared.memory.release(data.len() as u64);
        }
    }

    /// Continues torrents that waited for memory, if some has become free.
    fn unstarve(&mut self, now: Instant) {
        for torrent in mem::take(&mut self.shared.starved) {
            self.with(now, torrent, Swarm::fill_all).unwrap_or_default();
        }
    }

    /// Finishes each call: the map of connections, timers, the end of a shutdown.
    fn settle(&mut self, now: Instant) {
        self.now = now;
        for (conn, torrent) in self.shared.routes.drain(..) {
            match torrent {
                Some(torrent) => self.routes.insert(conn, torrent),
                None => self.routes.remove(&conn),
            };
        }
        for (name, torrent) in self.shared.learnt_names.drain(..) {
            self.by_hash.get_or_insert_with(name, || torrent);
        }
        let limits = [
            self.shared.download_limit.ready_at(),
            self.shared.upload_limit.ready_at(),
        ];
        self.rate_at = limits
            .into_iter()
            .flatten()
            .min()
            .filter(|_| !self.routes.is_empty());
        if self.tick_at.is_none() && !self.swarms.values().all(Swarm::is_idle) {
            self.tick_at = Some(now + TICK);
        }
        self.end_shut_down();
    }

    fn end_shut_down(&mut self) {
        let quiet = self.shared.shutting_down && !self.shared.outbox.awaits_storage();
        if quiet && !mem::replace(&mut self.said_shut_down, true) {
            self.shared.outbox.push(Output::Event(Event::ShutDown));
        }
    }
}

fn check_flags(info: &Info, wanted: Option<&[bool]>) -> Result<(), CommandError> {
    match wanted {
        Some(flags) if flags.len() != info.files.len() => Err(CommandError::Files {
            expected: info.files.len(),
            received: flags.len(),
        }),
        _ => Ok(()),
    }
}
