//! The session's state machine: the engine and discovery, and the exchange between them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::io::{Identity, Output, Reason};
use super::torrent::Torrent;
use crate::discovery::{self, DhtCounts, Discovery, Key, Membership, Swarm, TrackerStatus, dht};
use crate::engine::Engine;
use crate::io::{
    Command, CommandError, DiscoverRequest, Event, Input, NewTorrent, Resumed, TorrentSource,
};
use crate::types::{Instant, PeerAddr, TorrentId};

/// The interval at which discovery receives the amounts of all torrents, for its regular announces.
const AMOUNTS_INTERVAL: Duration = Duration::from_secs(10);

/// An engine together with the discovery of its peers.
///
/// A torrent is added once, here, and is known to discovery before the engine: requests of the
/// engine are therefore never for an unknown torrent, whatever the order in which torrents and
/// datagrams arrive.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    discovery: Discovery,
    identity: Identity,
    torrents: BTreeMap<TorrentId, Torrent>,
    /// When discovery receives the amounts next.
    amounts_due: Instant,
    /// The last time that the driver passed.
    now: Instant,
}

impl Session {
    /// Creates a session without torrents.
    #[must_use]
    pub fn new(engine: Engine, discovery: Discovery, identity: Identity, now: Instant) -> Self {
        Self {
            engine,
            discovery,
            identity,
            torrents: BTreeMap::new(),
            amounts_due: now + AMOUNTS_INTERVAL,
            now,
        }
    }

    /// Adds a torrent with its tiers of tracker URLs (BEP 12); empty: no tracker is used.
    ///
    /// # Errors
    /// See [`CommandError`]; the state is unchanged.
    pub fn add(
        &mut self,
        now: Instant,
        new: NewTorrent,
        trackers: Vec<Vec<String>>,
    ) -> Result<(), CommandError> {
        self.now = now;
        let torrent = new.torrent;
        let (info_hash, private, attached) = match &new.source {
            TorrentSource::Info { info, .. } => (info.info_hash, info.private, true),
            TorrentSource::Magnet(magnet) => (magnet.info_hash, false, false),
        };
        let key = Key {
            info_hash: info_hash.wire(),
            owner: u64::from(torrent.0),
        };
        let swarm = Swarm {
            trackers,
            peer_id: self.identity.peer_id,
            port: self.identity.port,
            amounts: Default::default(),
            private,
        };
        let membership = self
            .discovery
            .add(now, key, swarm)
            .map_err(|_| CommandError::Duplicate(info_hash))?;
        if let Err(refused) = self.engine.command(now, Command::Add(new)) {
            self.discovery.remove(now, membership);
            return Err(refused);
        }
        self.torrents
            .insert(torrent, Torrent::new(membership, attached));
        Ok(())
    }

    /// Executes a command of the user. [`Command::Add`] adds a torrent without trackers.
    ///
    /// # Errors
    /// See [`CommandError`]; the state is unchanged.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), CommandError> {
        self.now = now;
        match command {
            Command::Add(new) => self.add(now, new, Vec::new()),
            Command::Remove(torrent) => self.remove(now, torrent),
            other => self.engine.command(now, other),
        }
    }

    /// Opens the storage of a magnet's torrent after [`Event::Metadata`]; `resumed` is what is
    /// known of the data on disk.
    ///
    /// # Errors
    /// The torrent does not exist, or does not wait for its storage.
    pub fn attach(
        &mut self,
        now: Instant,
        torrent: TorrentId,
        resumed: Resumed,
    ) -> Result<(), CommandError> {
        self.now = now;
        let earlier = resumed.transferred();
        self.engine.attach(now, torrent, resumed)?;
        if let Some(torrent) = self.torrents.get_mut(&torrent) {
            torrent.attach(earlier);
        }
        Ok(())
    }

    /// Changes the port at which peers on the internet reach us, if a gateway maps another one to
    /// our listening port: for trackers, the DHT, and peers that connect from now on.
    pub fn set_port(&mut self, now: Instant, port: u16) {
        self.now = now;
        self.identity.port = port;
        self.engine.set_listen_port(port);
        for torrent in self.torrents.values() {
            self.discovery.set_port(now, &torrent.membership, port);
        }
    }

    /// Leaves all swarms: trackers that list us are told. Call it when the program ends, after
    /// [`Event::ShutDown`]; [`Session::has_left`] returns whether it is complete.
    pub fn leave(&mut self, now: Instant) {
        self.now = now;
        self.update_amounts();
        for torrent in std::mem::take(&mut self.torrents).into_values() {
            self.discovery.remove(now, torrent.membership);
        }
    }

    /// Whether no torrent is left, including those that are still telling their trackers.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.discovery.is_empty()
    }

    /// Processes an input about connections and storage, or a timeout.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = now;
        if matches!(input, Input::Timeout) {
            self.handle_timeout(now);
        } else {
            self.engine.handle(now, input);
        }
    }

    /// Processes an input from the network for trackers, the DHT or local discovery.
    pub fn handle_net(&mut self, now: Instant, input: discovery::Input) {
        self.now = now;
        self.discovery.handle(now, input);
    }

    /// Returns the next output, in order; `None` if there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        loop {
            let output = if let Some(output) = self.engine.poll_output() {
                self.pass_on(output)
            } else {
                let found = self.discovery.poll_output()?;
                self.pass_on_found(found)
            };
            if output.is_some() {
                return output;
            }
        }
    }

    /// The time by which [`Session::handle`] must be called with [`Input::Timeout`], and the
    /// reason.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        let engine = self.engine.poll_timeout();
        let discovery = self.discovery.poll_timeout();
        [
            engine.map(|(at, reason)| (at, Reason::Engine(reason))),
            discovery.map(|(at, reason)| (at, Reason::Discovery(reason))),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Read access to the engine: snapshots, peers, reserved bytes.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Read access to discovery: which requests are open, our DHT node.
    #[must_use]
    pub const fn discovery(&self) -> &Discovery {
        &self.discovery
    }

    /// The trackers of a torrent, tier by tier, in the order in which they were added.
    #[must_use]
    pub fn trackers(&self, torrent: TorrentId) -> Vec<TrackerStatus> {
        let member = self.membership(torrent);
        member
            .map(|member| self.discovery.tracker_status(member.key()))
            .unwrap_or_default()
    }

    /// The DHT's counts for a torrent; `None` if the DHT is not used, or not for this torrent.
    #[must_use]
    pub fn dht_counts(&self, torrent: TorrentId) -> Option<DhtCounts> {
        self.discovery.dht_counts(self.membership(torrent)?.key())
    }

    fn membership(&self, torrent: TorrentId) -> Option<&Membership> {
        Some(&self.torrents.get(&torrent)?.membership)
    }

    fn remove(&mut self, now: Instant, id: TorrentId) -> Result<(), CommandError> {
        self.update_amounts_of(id);
        self.engine.command(now, Command::Remove(id))?;
        if let Some(torrent) = self.torrents.remove(&id) {
            self.discovery.remove(now, torrent.membership);
        }
        Ok(())
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.engine.handle(now, Input::Timeout);
        let due = self.discovery.poll_timeout();
        if due.is_some_and(|(at, _)| at <= now) {
            if self.amounts_due <= now {
                self.update_amounts();
                self.amounts_due = now + AMOUNTS_INTERVAL;
            }
            self.discovery.handle(now, discovery::Input::Timeout);
        }
    }

    /// Handles outputs of the engine that are for discovery, and returns all others.
    fn pass_on(&mut self, output: crate::Output) -> Option<Output> {
        match output {
            crate::Output::Discover { torrent, request } => {
                self.discover(torrent, request);
                return None;
            }
            crate::Output::DhtNode(addr) => {
                let node = discovery::Input::Dht(dht::Input::Node(addr));
                self.discovery.handle(self.now, node);
                return None;
            }
            crate::Output::Event(Event::Metadata(torrent, ref info)) if info.private => {
                if let Some(torrent) = self.torrents.get(&torrent) {
                    self.discovery.set_private(self.now, &torrent.membership);
                }
            }
            _ => {}
        }
        Some(Output::Engine(output))
    }

    fn discover(&mut self, id: TorrentId, request: DiscoverRequest) {
        self.update_amounts_of(id);
        if let Some(torrent) = self.torrents.get(&id) {
            self.discovery
                .request(self.now, &torrent.membership, request);
        }
    }

    /// Handles outputs of discovery that are for the engine, and returns all others.
    fn pass_on_found(&mut self, output: discovery::Output) -> Option<Output> {
        match output {
            discovery::Output::Net(request) => return Some(Output::Net(request)),
            discovery::Output::Tracker {
                key,
                index,
                status,
                ended,
            } => {
                let torrent = torrent_of(key)?;
                return Some(Output::Tracker {
                    torrent,
                    index,
                    status,
                    ended,
                });
            }
            discovery::Output::Peers { key, source, addrs } => {
                let torrent = torrent_of(key)?;
                let addrs = addrs.into_iter().map(PeerAddr::from).collect();
                let input = Input::Peers {
                    torrent,
                    source,
                    addrs,
                };
                self.engine.handle(self.now, input);
            }
            discovery::Output::ExternalIp { ip, .. } => {
                self.engine.handle(self.now, Input::ExternalIp(ip));
            }
            discovery::Output::DhtChanged(_)
            | discovery::Output::DhtLookupEnded { .. }
            | discovery::Output::Left(_) => {}
        }
        None
    }

    fn update_amounts(&mut self) {
        let ids: Vec<TorrentId> = self.torrents.keys().copied().collect();
        for id in ids {
            self.update_amounts_of(id);
        }
    }

    fn update_amounts_of(&mut self, id: TorrentId) {
        let snapshot = self.engine.snapshot_of(id);
        if let (Some(torrent), Some(snapshot)) = (self.torrents.get(&id), snapshot) {
            let amounts = torrent.amounts(&snapshot);
            self.discovery.update(&torrent.membership, amounts);
        }
    }
}

/// The torrent of a key; a session's keys are owned by its torrents.
fn torrent_of(key: Key) -> Option<TorrentId> {
    u32::try_from(key.owner).ok().map(TorrentId)
}
