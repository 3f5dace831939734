//! The engine with real sockets, files and time: one thread runs the engine and all sockets, a few
//! touch files.
//!
//! Every socket has a small task that waits for readiness and then calls straight into the engine,
//! with up to 256 KiB of messages at a time; there is no channel on a block's way. All tasks live
//! in one [`tokio::task::LocalSet`] and share one `State` that is never borrowed across an await.

mod conn;
mod listen;
mod neighbours;
mod outbox;
mod reports;
mod slab;
mod state;
mod tasks;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{self, Duration};

use aqueduct_core::discovery::lsd::Lsd;
use aqueduct_core::discovery::{DhtCounts, Key, Swarm, TrackerStatus};
use aqueduct_core::meta::{Info, Magnet};
use aqueduct_core::types::{InfoHash, PeerId, PeerSource};
use aqueduct_core::{
    Command, CommandError, Config, DiscoverRequest, Engine, Event, Input, Instant, Output,
    PeerSnapshot, Resumed, Snapshot, TorrentId, TorrentSnapshot,
};
use tokio::sync::Notify;
use tokio::task::spawn_local;

pub use self::reports::Report;
use self::state::{State, Torrent};
use crate::discovery::{self, DhtOptions, Handle, Membership, Options};
use crate::net::{Bind, OwnUser, Resolver, TypedTrackers, utp};
use crate::storage::pool::Pool;
use crate::storage::stored::Stored;

/// Threads that hash and touch files: with the engine's own they keep a few cores busy; more would
/// only wait for the same disk.
const STORAGE_THREADS: usize = 2;

/// What a driver runs with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The engine's limits. `listen_port` and `dht_port` are filled in.
    pub config: Config,
    /// Our addresses.
    pub bind: Bind,
    /// Where we listen; 0: any free port; `None`: 6881 or the next free one.
    pub port: Option<u16>,
    /// Whether trackers are asked.
    pub trackers: bool,
    /// Those of them that the user typed: in the private network they are asked whatever their
    /// path.
    pub typed_trackers: Vec<String>,
    /// `None`: the DHT is not used. Its port is filled in: the one where we listen for peers, too.
    pub dht: Option<DhtOptions>,
    /// Whether peers are looked for on the local network (BEP 14).
    pub lsd: bool,
    /// Accepted connections before their handshake is through; see [`crate::descriptors::Shares`].
    pub half_open: usize,
}

/// A running engine. Clones are the same one. Lives on one thread, within a
/// [`tokio::task::LocalSet`].
#[derive(Clone, Debug)]
pub struct Driver(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    state: RefCell<State>,
    pool: Pool,
    discovery: Option<Handle>,
    ask_trackers: bool,
    bind: Bind,
    port: u16,
    peer_id: PeerId,
    earlier: Notify,
    news: Notify,
    /// There is a report.
    reported: Notify,
    /// There is something new to announce on the local network.
    joined: Notify,
}

impl Driver {
    /// Binds the sockets and starts the threads and tasks.
    ///
    /// # Errors
    /// A port is taken, or the system gives no socket, thread or randomness.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let (listeners, port) = listen::bind(settings.bind, settings.port)?;
        let peer_id = PeerId::ours(random()?);
        let discovery = discover(&settings, port)?;
        let dht_port = discovery.as_ref().and_then(Handle::dht_port);
        if dht_port.is_none() {
            spawn_local(turn_away_utp(settings.bind, port));
        }
        let engine = Engine::new(
            Config {
                listen_port: port,
                dht_port,
                ..settings.config
            },
            peer_id,
            random()?,
            Instant::ZERO,
        );
        let mut state = State::new(engine, peer_id, time::Instant::now());
        state.neighbours = settings
            .lsd
            .then(random)
            .transpose()?
            .map(|seed| Lsd::new(port, seed));
        let driver = Self(Rc::new(Shared {
            state: RefCell::new(state),
            pool: Pool::start(STORAGE_THREADS)?,
            discovery,
            ask_trackers: settings.trackers,
            bind: settings.bind,
            port,
            peer_id,
            earlier: Notify::new(),
            news: Notify::new(),
            reported: Notify::new(),
            joined: Notify::new(),
        }));
        driver.spawn_tasks(listeners, settings.half_open);
        Ok(driver)
    }

    /// Where we listen.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Adds a torrent. `trackers` are tiers (BEP 12).
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn add(
        &self,
        info: Arc<Info>,
        stored: Arc<Stored>,
        resumed: Resumed,
        wanted: Option<Vec<bool>>,
        trackers: Vec<Vec<String>>,
    ) -> Result<TorrentId, CommandError> {
        let info_hash = info.info_hash;
        self.adding(
            info_hash,
            Some(stored),
            (trackers, info.private),
            |torrent| Command::Add {
                torrent,
                info,
                resumed,
                wanted,
                paused: false,
            },
        )
    }

    /// Adds a torrent of which only the hash is known. After [`Event::Metadata`] the caller
    /// [attaches](Driver::attach) storage.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn add_magnet(
        &self,
        magnet: Magnet,
        trackers: Vec<Vec<String>>,
    ) -> Result<TorrentId, CommandError> {
        let info_hash = magnet.info_hash;
        self.adding(info_hash, None, (trackers, false), |torrent| {
            Command::AddMagnet {
                torrent,
                magnet,
                paused: false,
            }
        })
    }

    /// Opens a magnet's torrent for data.
    ///
    /// # Errors
    /// It is not there, or has storage already.
    pub fn attach(
        &self,
        id: TorrentId,
        stored: Arc<Stored>,
        resumed: Resumed,
    ) -> Result<(), CommandError> {
        self.turn(|state, now| {
            if let Some(torrent) = state.torrents.get_mut(&id) {
                torrent.stored = Some(stored);
                torrent.found = transferred(&resumed);
            }
            state.engine.attach(now, id, resumed)
        })
    }

    /// A wish about a torrent that is there, or about all.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn command(&self, command: Command) -> Result<(), CommandError> {
        self.turn(|state, now| state.engine.command(now, command))
    }

    /// Tells of peers that the user knows.
    pub fn add_peers(&self, torrent: TorrentId, addrs: Vec<SocketAddr>) {
        self.turn(|state, now| {
            state.engine.handle(
                now,
                Input::Peers {
                    torrent,
                    source: PeerSource::User,
                    addrs,
                },
            )
        });
    }

    /// All torrents, for screens.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.state.borrow().engine.snapshot()
    }

    /// One torrent, for screens.
    #[must_use]
    pub fn snapshot_of(&self, torrent: TorrentId) -> Option<TorrentSnapshot> {
        self.0.state.borrow().engine.snapshot_of(torrent)
    }

    /// One torrent's peers, for screens.
    #[must_use]
    pub fn peers(&self, torrent: TorrentId) -> Vec<PeerSnapshot> {
        self.0.state.borrow().engine.peers(torrent)
    }

    /// How one torrent's trackers are doing.
    #[must_use]
    pub fn trackers(&self, torrent: TorrentId) -> Vec<TrackerStatus> {
        let state = self.0.state.borrow();
        let membership = state
            .torrents
            .get(&torrent)
            .and_then(|torrent| torrent.membership.as_ref());
        membership.map(Membership::trackers).unwrap_or_default()
    }

    /// What the DHT knows for one torrent; `None`: it is not asked for this one.
    #[must_use]
    pub fn dht(&self, torrent: TorrentId) -> Option<DhtCounts> {
        let state = self.0.state.borrow();
        state
            .torrents
            .get(&torrent)
            .and_then(|torrent| torrent.membership.as_ref()?.dht())
    }

    /// Peers of one torrent that were shut out for wrong data.
    #[must_use]
    pub fn banned(&self, torrent: TorrentId) -> usize {
        self.0
            .state
            .borrow()
            .torrents
            .get(&torrent)
            .map_or(0, |torrent| torrent.banned)
    }

    /// The next news, except pieces, corruption and bans, which are only logged. Cancel-safe.
    pub async fn event(&self) -> Event {
        loop {
            if let Some(event) = self.0.state.borrow_mut().events.pop_front() {
                return event;
            }
            self.0.news.notified().await;
        }
    }

    /// Says good-bye to the trackers, for at most `limit`, and not long to those that keep silent.
    /// After [`Event::ShutDown`].
    pub async fn leave(&self, limit: Duration) {
        if let Some(discovery) = &self.0.discovery {
            discovery.leave(limit).await;
        }
    }

    fn adding(
        &self,
        info_hash: InfoHash,
        stored: Option<Arc<Stored>>,
        sources: (Vec<Vec<String>>, bool),
        command: impl FnOnce(TorrentId) -> Command,
    ) -> Result<TorrentId, CommandError> {
        self.turn(|state, now| {
            let id = TorrentId(state.added);
            state.engine.command(now, command(id))?;
            state.added += 1;
            state.routes.insert(info_hash.wire(), id);
            let membership = self.join(id, info_hash, sources);
            state.torrents.insert(
                id,
                Torrent {
                    info_hash: info_hash.wire(),
                    stored,
                    membership,
                    banned: 0,
                    found: (0, 0),
                },
            );
            Ok(id)
        })
    }

    /// Becomes a member of the swarm for the trackers, and unless it is private for the DHT.
    fn join(
        &self,
        id: TorrentId,
        info_hash: InfoHash,
        (trackers, private): (Vec<Vec<String>>, bool),
    ) -> Option<Membership> {
        let key = Key {
            info_hash: info_hash.wire(),
            owner: u64::from(id.0),
        };
        let trackers = if self.0.ask_trackers {
            trackers
        } else {
            Vec::new()
        };
        let swarm = Swarm {
            trackers,
            peer_id: self.0.peer_id,
            port: self.0.port,
            amounts: Default::default(),
            private,
        };
        let (membership, news) = self.0.discovery.as_ref()?.join(key, swarm).ok()?;
        spawn_local(self.clone().listen_to_discovery(id, news));
        Some(membership)
    }

    /// Lets `act` tell the engine something, then does what the engine wants until it wants nothing
    /// more.
    fn turn<R>(&self, act: impl FnOnce(&mut State, Instant) -> R) -> R {
        let state = &mut *self.0.state.borrow_mut();
        let now = state.now();
        let result = act(state, now);
        loop {
            while let Some(output) = state.engine.poll_output() {
                self.carry_out(state, output);
            }
            if !state.write(now) {
                break;
            }
        }
        self.rearm(state);
        result
    }

    /// Wakes the timer's task if it would sleep too long. A timer that is too early costs less than
    /// a wake-up for every change.
    fn rearm(&self, state: &State) {
        let deadline = state.engine.poll_timeout().map(|(at, _)| at);
        if deadline.is_some_and(|at| state.armed.is_none_or(|armed| at < armed)) {
            self.0.earlier.notify_one();
        }
    }

    fn carry_out(&self, state: &mut State, output: Output) {
        match output {
            Output::Dial {
                conn,
                info_hash,
                addr,
                ..
            } => {
                let dial = spawn_local(self.clone().dial(conn, addr, state.handshake(info_hash)));
                state.dials.insert(conn, dial.abort_handle());
            }
            Output::Send { conn, message } => state.send(conn, &message),
            Output::Close { conn, reason } => state.close(conn, &reason),
            Output::Request { id, torrent, op } => {
                let stored = state
                    .torrents
                    .get(&torrent)
                    .and_then(|torrent| torrent.stored.clone());
                self.0
                    .pool
                    .submit(id, stored.map(|stored| (torrent, stored)), op);
            }
            Output::Cancel(id) => self.0.pool.cancel(id),
            Output::Discover { torrent, request } => {
                state.discover(torrent, request);
                if state.tell_of(torrent, request) {
                    self.0.joined.notify_one();
                }
            }
            // Only an engine that never dials hints.
            Output::Hint { .. } => {}
            Output::DhtNode(addr) => self
                .0
                .discovery
                .iter()
                .for_each(|discovery| discovery.dht_node(addr)),
            Output::Event(event) => self.publish(state, event),
        }
    }

    fn publish(&self, state: &mut State, event: Event) {
        match event {
            Event::Piece(torrent, piece) => {
                tracing::trace!(torrent = torrent.0, piece = piece.get(), "verified")
            }
            Event::Corrupt(torrent, piece) => tracing::info!(
                torrent = torrent.0,
                piece = piece.get(),
                "a piece did not match its hash"
            ),
            Event::Banned(id, addr) => {
                tracing::info!(torrent = id.0, %addr, "banned for corrupt pieces");
                state
                    .torrents
                    .get_mut(&id)
                    .into_iter()
                    .for_each(|torrent| torrent.banned += 1);
            }
            Event::PeerFailed(torrent, addr, reason) => {
                state.reports.peer_failed(torrent, addr, reason);
                self.0.reported.notify_one();
            }
            Event::PeerConnected(torrent, addr) => state.reports.peer_connected(torrent, addr),
            other => {
                if let Event::Metadata(id, info) = &other
                    && info.private
                {
                    state.set_private(*id);
                    state.tell_of(*id, DiscoverRequest::Stop);
                }
                state.events.push_back(other);
                self.0.news.notify_one();
            }
        }
    }
}

/// Starts what finds peers, unless nobody is to be asked.
fn discover(settings: &Settings, port: u16) -> io::Result<Option<Handle>> {
    let dht = settings.dht.clone().map(|dht| DhtOptions { port, ..dht });
    let wanted = settings.trackers || dht.is_some();
    let policy = TypedTrackers::new(&settings.typed_trackers);
    let options = Options {
        config: Default::default(),
        policy: Arc::new(policy),
        bind: settings.bind,
        dht,
        resolver: Resolver::default(),
    };
    wanted.then(|| discovery::spawn(options)).transpose()
}

/// What was sent and received in earlier runs.
const fn transferred(resumed: &Resumed) -> (u64, u64) {
    match *resumed {
        Resumed::Record {
            uploaded,
            downloaded,
            ..
        } => (uploaded, downloaded),
        Resumed::Nothing | Resumed::Check => (0, 0),
    }
}

/// Where there is no node of the DHT nobody else has our UDP port, or somebody else's program has:
/// then it is theirs to answer there.
async fn turn_away_utp(bind: Bind, port: u16) {
    let Err(error) = utp::turn_away(bind, port, Arc::new(OwnUser)).await;
    tracing::debug!(%error, port, "nobody is told that there is no uTP here");
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| io::Error::other(format!("the system has no randomness: {error}")))?;
    Ok(bytes)
}
