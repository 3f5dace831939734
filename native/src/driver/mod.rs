//! The session with real sockets, files and time: one thread runs the session and all sockets, a
//! few touch files.
//!
//! Every socket has a small task that waits for readiness and then calls straight into the session,
//! with up to 256 KiB of messages at a time; a block passes through no channel. All tasks live in
//! one [`tokio::task::LocalSet`] and share one `State` that is never borrowed across an await.
//!
//! `router` passes what happens to the session (`state`) and what the session wants to the part
//! that owns it: `connections`, `dials`, `torrents`, `network` (trackers, the DHT and the local
//! network), `reports`, and the threads of [`Pool`]. `tasks` are those that run as long as the
//! driver.

mod clock;
mod conn;
mod connections;
mod dials;
mod farewell;
mod listen;
mod network;
mod orders;
mod outage;
mod ports;
mod queue;
mod reach;
mod reports;
mod router;
mod slab;
mod state;
mod tasks;
mod timer;
mod torrents;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::connection::Encryption;
use aqueduct_core::discovery::{DhtCounts, Discovery, TrackerStatus};
use aqueduct_core::meta::{Info, Magnet};
use aqueduct_core::session::Identity;
use aqueduct_core::types::{PeerAddr, PeerId, PeerSource};
use aqueduct_core::{
    Command, CommandError, Config, Engine, Event, Input, Instant, PeerSnapshot, Resumed, Session,
    Snapshot, TorrentId, TorrentSnapshot, TorrentSource,
};
use tokio::task::spawn_local;

use self::clock::Clock;
use self::connections::Connections;
use self::dials::Dials;
use self::network::NetworkTask;
use self::ports::Ports;
use self::reach::Reach;
pub use self::reports::Report;
use self::router::Router;
use self::state::State;
use self::torrents::{Torrent, Torrents};
use crate::discovery::{DhtOptions, Options, Parts};
use crate::net::utp;
use crate::net::{Bind, Blocking, Outbound, Policy, TypedTrackers};
use crate::port_mapping::{self, Reachability, Wanted};
use crate::random::random;
use crate::storage::pool::Pool;
use crate::storage::stored::Stored;

/// The number of threads that hash and access files. With the engine's thread they keep a few cores
/// busy; more would wait for the same disk.
const STORAGE_THREADS: usize = 2;
/// The number of pieces that are checked at the same time: two at each thread, and two that wait for
/// it, so that it always finds two to digest together.
const CHECKS_IN_FLIGHT: usize = 4 * STORAGE_THREADS;

/// The port that trackers are told if nobody can connect to us, since many refuse 0.
const UNREACHABLE_PORT: u16 = 1;

/// The settings of a driver.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The engine's limits. `listen_port`, `dht_port` and `utp` are filled in.
    pub config: Config,
    /// How the network is reached. With a proxy peers are dialled and cannot connect, and uTP, the
    /// DHT and local discovery are not used, whatever else is set.
    pub outbound: Outbound,
    /// The listening TCP port; 0: any free port; `None`: 6881 or the next free one.
    pub port: Option<u16>,
    /// Whether peers are dialled and accepted over TCP.
    pub tcp: bool,
    /// Whether peers are dialled and accepted over uTP (BEP 29), at the UDP port of the same
    /// number. If another program uses that port, uTP is not used.
    pub utp: bool,
    /// Whether trackers are asked.
    pub trackers: bool,
    /// The trackers that the user gave. On private networks they are asked whatever their path.
    pub typed_trackers: Vec<String>,
    /// `None` if the DHT is not used. Its port is filled in with the listening port.
    pub dht: Option<DhtOptions>,
    /// Whether peers are looked for on the local network (BEP 14).
    pub lsd: bool,
    /// Whether connections to peers are encrypted.
    pub encryption: Encryption,
    /// How the gateway is asked to map the listening port; `None`: it is not asked.
    pub port_mapping: Option<port_mapping::Options>,
    /// Accepted connections that have not completed their handshake; see
    /// [`crate::descriptors::Shares`].
    pub half_open: usize,
}

/// A running engine. Clones are the same one. Lives on one thread, within a
/// [`tokio::task::LocalSet`].
#[derive(Clone, Debug)]
pub struct Driver {
    router: Rc<Router>,
    port: u16,
    asks_trackers: bool,
}

impl Driver {
    /// Binds the sockets and starts the threads and tasks.
    ///
    /// # Errors
    /// A port is taken, or the system gives no socket, thread or randomness.
    pub fn start(mut settings: Settings) -> io::Result<Self> {
        let policy = Arc::new(policy(&settings));
        let ports = Ports::open(&settings, Arc::<Blocking>::clone(&policy))?;
        settings.config.utp = ports.ways.utp.is_some();
        let port = ports.number;
        let options = discovery_options(&settings, port, Arc::<Blocking>::clone(&policy));
        let Parts {
            machine,
            network,
            node_file,
        } = Parts::open(options, ports.rest)?;
        let node_port = network.node_port().map(|port| port.sockets().port());
        if node_port.is_none() && ports.ways.utp.is_none() {
            spawn_local(turn_away_utp(
                settings.outbound.bind(),
                port,
                Arc::<Blocking>::clone(&policy),
            ));
        }
        let (orders, network) = NetworkTask::new(network, node_file);
        let (half_open, encryption) = (settings.half_open, settings.encryption);
        let source = settings.outbound.source();
        let asks_trackers = settings.trackers;
        let wanted = Wanted {
            port,
            tcp: settings.tcp,
            udp: ports.ways.utp.is_some() || node_port == Some(port),
        };
        let reach = Reach::new(wanted, settings.port_mapping, settings.outbound.bind());
        let storage = Pool::start(STORAGE_THREADS)?;
        let state = state(settings, port, node_port, machine)?;
        let (out, by) = ((orders, policy), (ports.ways, encryption, source));
        let router = Router::new(state, storage, out, by, reach);
        tasks::spawn(&router, network, ports.listeners, half_open, source);
        Ok(Self {
            router,
            port,
            asks_trackers,
        })
    }

    /// The TCP port where we listen; 0: nobody can connect to us.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
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
        let source = TorrentSource::Info {
            info,
            resumed,
            wanted,
        };
        let trackers = self.asked(trackers);
        self.router.add(Some(stored), source, trackers)
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
        let source = TorrentSource::Magnet(magnet);
        let trackers = self.asked(trackers);
        self.router.add(None, source, trackers)
    }

    /// Those trackers that are asked: all of them or none.
    fn asked(&self, trackers: Vec<Vec<String>>) -> Vec<Vec<String>> {
        if self.asks_trackers {
            trackers
        } else {
            Vec::new()
        }
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
        self.router.turn(|state, now| {
            state.torrents.attach(id, stored);
            state.session.attach(now, id, resumed)
        })
    }

    /// Carries out a command for one torrent that was added, or for all.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub fn command(&self, command: Command) -> Result<(), CommandError> {
        self.router
            .turn(|state, now| state.session.command(now, command))
    }

    /// Adds peers that the user named.
    pub fn add_peers(&self, torrent: TorrentId, addrs: Vec<SocketAddr>) {
        self.router.handle(Input::Peers {
            torrent,
            source: PeerSource::User,
            addrs: addrs.into_iter().map(PeerAddr::from).collect(),
        });
    }

    /// All torrents, for screens.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.router.state().session.engine().snapshot()
    }

    /// One torrent, for screens.
    #[must_use]
    pub fn snapshot_of(&self, torrent: TorrentId) -> Option<TorrentSnapshot> {
        self.router.state().session.engine().snapshot_of(torrent)
    }

    /// One torrent's peers, for screens.
    #[must_use]
    pub fn peers(&self, torrent: TorrentId) -> Vec<PeerSnapshot> {
        self.router.state().session.engine().peers(torrent)
    }

    /// The state of each of one torrent's trackers.
    #[must_use]
    pub fn trackers(&self, torrent: TorrentId) -> Vec<TrackerStatus> {
        self.router.state().session.trackers(torrent)
    }

    /// What the DHT knows for one torrent; `None`: it is not asked for this one.
    #[must_use]
    pub fn dht(&self, torrent: TorrentId) -> Option<DhtCounts> {
        self.router.state().session.dht_counts(torrent)
    }

    /// The number of one torrent's peers that were banned for wrong data.
    #[must_use]
    pub fn banned(&self, torrent: TorrentId) -> usize {
        let state = self.router.state();
        state.torrents.get(torrent).map_or(0, Torrent::banned)
    }

    /// The next event. Pieces, corruption and bans are only logged. Cancel-safe.
    pub async fn event(&self) -> Event {
        self.router.events.next().await
    }

    /// The next report. Of those that are not fetched, the last 256 are kept. Cancel-safe.
    pub async fn report(&self) -> Report {
        self.router.reports.next().await
    }

    /// The number of connections that the blocklist refused.
    #[must_use]
    pub fn refused_by_blocklist(&self) -> u64 {
        self.router.policy.refused()
    }

    /// How the peers of one torrent failed, in one sentence; `None`: none did.
    #[must_use]
    pub fn peer_failures(&self, torrent: TorrentId) -> Option<String> {
        self.router.reports.peer_failures(torrent)
    }

    /// Whether peers on the internet can connect to us, as far as can be told.
    #[must_use]
    pub fn reachability(&self) -> Reachability {
        self.router.reach.reachability()
    }

    /// Removes the mappings of our port at the gateway, for at most `limit`.
    pub async fn unmap(&self, limit: Duration) {
        self.router.reach.unmap(limit).await;
    }

    /// Tells the trackers that we leave, for at most `limit`; those that do not answer are not
    /// waited for that long. Call it after [`Event::ShutDown`].
    pub async fn leave(&self, limit: Duration) {
        self.router.turn(|state, now| state.session.leave(now));
        self.router.network.leave(limit).await;
    }
}

/// A session, and the parts around it. `node_port`: the port of our DHT node.
fn state(
    settings: Settings,
    port: u16,
    node_port: Option<u16>,
    discovery: Discovery,
) -> io::Result<State> {
    let peer_id = PeerId::ours(random()?);
    let config = Config {
        listen_port: port,
        dht_port: node_port,
        checks_in_flight: CHECKS_IN_FLIGHT,
        ..settings.config
    };
    let is_proxied = settings.outbound.proxy().is_some();
    let discovery = if settings.lsd && !is_proxied {
        discovery.with_lsd(port, random()?)
    } else {
        discovery
    };
    let announced = if port == 0 { UNREACHABLE_PORT } else { port };
    let identity = Identity {
        peer_id,
        port: announced,
    };
    let engine = Engine::new(config, peer_id, random()?, Instant::ZERO);
    Ok(State {
        clock: Clock::start(),
        session: Session::new(engine, discovery, identity, Instant::ZERO),
        peer_id,
        torrents: Torrents::default(),
        connections: Connections::default(),
        dials: Dials::default(),
    })
}

/// Which addresses may be reached, and reach us.
fn policy(settings: &Settings) -> Blocking {
    let trackers = TypedTrackers::new(&settings.typed_trackers);
    Blocking::new(Arc::new(trackers), Arc::clone(&settings.config.blocklist))
}

/// What is used to find peers at other places than the local network.
fn discovery_options(settings: &Settings, port: u16, policy: Arc<dyn Policy>) -> Options {
    let dht = settings.dht.clone().map(|dht| DhtOptions { port, ..dht });
    Options {
        config: Default::default(),
        policy,
        outbound: settings.outbound.clone(),
        dht: dht.filter(|_| settings.outbound.proxy().is_none()),
    }
}

/// Rejects uTP connection attempts at our UDP port if there is no DHT node. If another program uses
/// that port, this is left to it.
async fn turn_away_utp(bind: Bind, port: u16, policy: Arc<dyn Policy>) {
    let Err(error) = utp::turn_away(bind, port, policy).await;
    tracing::debug!(%error, port, "attempts to connect over uTP are not answered");
}
