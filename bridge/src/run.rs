//! Starts a bridge from its configuration and sockets, and stops it gracefully.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aqueduct_native::dial::Ways;
use aqueduct_native::discovery::{self, DhtOptions, Options, PUBLIC_NODES};
use aqueduct_native::net::{Bind, Outbound, Policy, Resolver, utp};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::limits::Limits;
use crate::limits::clients::Clients;
use crate::limits::descriptors::{Descriptors, Sockets};
use crate::limits::guard::Guard;
use crate::limits::half_open::HalfOpen;
use crate::limits::key_exchanges::KeyExchanges;
use crate::limits::memory::Memory;
use crate::limits::policy::Filter;
use crate::limits::quota::Quota;
use crate::limits::targets::Targets;
use crate::metrics::Metrics;
use crate::player::addresses::Addresses;
use crate::ports::listen_for_peers;
use crate::session::context::SessionContext;
use crate::session::tokens::TokenStore;
use crate::swarm::context::SwarmContext;
use crate::swarm::incoming::PeerPort;
use crate::swarm::registry::Registry;
use crate::swarm::udp_port;
use crate::tracker::{self, TrackerService};
use crate::web::accept::accept;
use crate::web::context::WebContext;
use crate::web::origin::Origins;
use crate::web::proxies::Proxies;
use crate::web::tls::{Tls, TlsError};

/// How long an unanswered announce counts against its session's limit. It equals the time of a
/// silent UDP tracker and is the same for all, so that the time of the next request does not reveal
/// the state of a port to a tab.
const UNANSWERED_PLACE: Duration = Duration::from_secs(5);
/// The interval at which the machine's own addresses are updated.
const OWN_ADDRESSES_INTERVAL: Duration = Duration::from_secs(60);
/// The timeout for announcing to trackers that the tabs' torrents have stopped.
const MAX_FAREWELL: Duration = Duration::from_secs(3);

/// The sockets of a bridge. Created from a web listener alone, it opens a peer port chosen by the
/// system at the same address.
#[derive(Debug)]
pub struct Listeners {
    /// For the page and the tunnel.
    pub web: TcpListener,
    /// For dialling peers; its port is announced to trackers.
    pub peers: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(web: TcpListener) -> Self {
        Self { web, peers: None }
    }
}

/// Why a bridge did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting that cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A certificate that cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A socket that cannot be opened.
    #[error("a socket cannot be opened")]
    Socket(#[from] io::Error),
    /// The tracker's UDP port cannot be opened.
    #[error(
        "UDP port {0} cannot be used by the tracker: {1}; choose another port with --listen, or do without it with --no-tracker"
    )]
    Tracker(u16, String),
}

/// Runs a bridge until `shutdown` is ready; then tells its tabs, lets them end for
/// [`Limits::drain`], and returns.
///
/// The caller provides the port and the stop signal, so that tests can bind port 0 and stop the
/// bridge.
///
/// # Errors
/// It could not start. Once it runs, no fault of a client, peer or tracker ends it.
pub async fn run(
    listeners: impl Into<Listeners>,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    run_rereading(listeners, config, mpsc::channel(1).1, shutdown).await
}

/// As [`run`]; certificate and tokens are read again whenever `reread` receives a message. What
/// cannot be read stays unchanged, and sessions continue.
///
/// # Errors
/// It could not start.
pub async fn run_rereading(
    listeners: impl Into<Listeners>,
    config: Config,
    reread: mpsc::Receiver<()>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    config.check()?;
    let Listeners { web, peers } = listeners.into();
    let page = web.local_addr()?;
    let peers = match peers {
        Some(peers) => peers,
        None => listen_for_peers(page.ip(), Some(0))?,
    };
    let peer_port = peers.local_addr()?;
    let (stop, draining) = watch::channel(false);
    let context = Arc::new(start(&config, page, peer_port, draining)?);
    // Every connection and session holds a sender, and nothing is ever sent. Once all are dropped,
    // `recv` returns.
    let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
    let tracker = run_tracker(context.swarms(), page)?;
    let tasks = run_tasks(&context, config, peers, reread)?;
    let mut acceptors = accept(web, Arc::clone(&context), open.clone())?;
    let scheme = if context.tls.is_some() {
        "https"
    } else {
        "http"
    };
    tracing::info!(peer_port = peer_port.port(), "serving {scheme}://{page}/");
    shutdown.await;
    tracing::info!("stopping");
    // A closed port is refused immediately, so that a load balancer uses another server.
    acceptors.shutdown().await;
    drop((tasks, tracker, open));
    stop.send_replace(true);
    let swarms = context.swarms();
    let limit = swarms.limits.drain.0;
    let _ = tokio::join!(
        timeout(limit, all_closed.recv()),
        swarms.discovery.shut_down(limit.min(MAX_FAREWELL))
    );
    Ok(())
}

fn start(
    config: &Config,
    page: SocketAddr,
    peers: SocketAddr,
    draining: watch::Receiver<bool>,
) -> Result<WebContext, StartError> {
    let limits = &config.limits;
    let tls = Tls::read(config)?;
    let tokens = TokenStore::open(config.token_file.clone())?;
    let swarms = Arc::new(start_swarms(config, page, peers)?);
    set_addresses(&swarms, config, peers);
    let players = config
        .has_player_addresses()
        .then(|| Arc::new(Addresses::new(limits, Arc::clone(&swarms.metrics))));
    Ok(WebContext {
        sessions: Arc::new(SessionContext::new(swarms, tokens, players, draining)),
        clients: Clients::new(limits),
        memory: Memory::new(limits.memory),
        origins: Origins::new(config),
        proxies: Proxies(config.trusted_proxies.clone()),
        tls,
        connections: Quota::new(limits.connections_per_address, limits.addresses_per_site),
    })
}

fn start_swarms(
    config: &Config,
    page: SocketAddr,
    peers: SocketAddr,
) -> Result<SwarmContext, StartError> {
    let filter = Arc::new(Filter::new(config.allow.clone()));
    let metrics = Arc::<Metrics>::default();
    let tracker = (!config.no_tracker)
        .then(|| {
            let (filter, metrics) = (Arc::clone(&filter), Arc::clone(&metrics));
            TrackerService::new(config, page.port(), filter, metrics).map(Arc::new)
        })
        .transpose()?;
    let targets = Targets::new(&config.limits);
    let Descriptors { sockets, announces } = Descriptors::divide(config.limits.announces);
    let clock = Clock::starting_now();
    let policy: Arc<dyn Policy> = Arc::new(Guard {
        filter: Arc::clone(&filter),
        targets: Arc::clone(&targets),
    });
    let (utp, rest) = udp_port::open(config, peers, &policy).unzip();
    // A node of the DHT at the loopback interface would reach no others.
    let rest = rest.filter(|_| !peers.ip().is_loopback());
    let dht_port = if utp.is_some() && rest.is_none() {
        0
    } else {
        peers.port()
    };
    let options = Options {
        config: discovery_config(&config.limits, announces),
        policy,
        outbound: Outbound::default().resolving_with(Resolver::asking(config.name_server.clone())),
        dht: dht_options(config, dht_port),
    };
    let discovery = discovery::spawn_sharing(options, rest)?;
    Ok(SwarmContext {
        limits: config.limits.clone(),
        filter,
        targets,
        registry: Arc::<Registry>::default(),
        tracker,
        discovery,
        sockets: Arc::new(Sockets::new(sockets)),
        metrics,
        clock,
        ways: Ways {
            tcp: Some(Outbound::default()),
            utp,
        },
        encryption: config.encryption,
        key_exchanges: KeyExchanges::new(&config.limits),
        peer_port: peers.port(),
    })
}

/// Starts the background tasks, which run until the returned value is dropped.
fn run_tasks(
    context: &Arc<WebContext>,
    config: Config,
    peers: TcpListener,
    reread: mpsc::Receiver<()>,
) -> io::Result<JoinSet<()>> {
    let swarms = &context.sessions.swarms;
    let mut tasks = JoinSet::new();
    let port = PeerPort {
        half_open: HalfOpen::new(&swarms.limits),
        context: Arc::clone(swarms),
    };
    if let Some(endpoint) = swarms.ways.utp.clone() {
        tasks.spawn(port.clone().listen_utp(endpoint));
    } else if config.no_dht {
        tasks.spawn(turn_away_utp(Arc::clone(swarms)));
    }
    tasks.spawn(watch_own_addresses(
        Arc::clone(swarms),
        config,
        peers.local_addr()?,
    ));
    tasks.spawn(port.listen(peers));
    tasks.spawn(reread_on_request(reread, Arc::clone(context)));
    let memory = Arc::clone(&context.memory);
    tasks.spawn(async move { memory.watch().await });
    Ok(tasks)
}

async fn reread_on_request(mut requests: mpsc::Receiver<()>, context: Arc<WebContext>) {
    while let Some(()) = requests.recv().await {
        context.reread();
    }
}

/// Starts the tracker, which runs until the returned value is dropped.
fn run_tracker(swarms: &SwarmContext, addr: SocketAddr) -> Result<JoinSet<()>, StartError> {
    let mut tasks = JoinSet::new();
    if let Some(tracker) = &swarms.tracker {
        let sockets = tracker::udp::bind(addr)
            .map_err(|error| StartError::Tracker(addr.port(), error.to_string()))?;
        tasks.spawn(tracker::udp::serve(sockets, Arc::clone(tracker)));
        tasks.spawn(Arc::clone(tracker).run_timers());
    }
    Ok(tasks)
}

/// BEP 43: a bridge queries and announces for its tabs, but does not answer other nodes, since it
/// does not store their announces.
fn dht_options(config: &Config, port: u16) -> Option<DhtOptions> {
    let own: Vec<_> = config
        .dht_bootstrap
        .iter()
        .map(|node| (node.host.clone(), node.port))
        .collect();
    let public = || PUBLIC_NODES.map(|(host, port)| (host.to_owned(), port));
    let keep_bootstrap = !own.is_empty();
    let bootstrap = if keep_bootstrap {
        own
    } else {
        public().to_vec()
    };
    (!config.no_dht).then_some(DhtOptions {
        bootstrap,
        keep_bootstrap,
        read_only: true,
        port,
        state: None,
    })
}

fn discovery_config(limits: &Limits, announces: usize) -> aqueduct_core::discovery::Config {
    aqueduct_core::discovery::Config {
        max_queries: announces,
        max_queries_per_owner: limits.announces_per_session,
        unanswered_place: Some(UNANSWERED_PLACE),
        lookups: Some((limits.lookups_per_session, limits.lookup_interval.0)),
        min_interval_floor: limits.announce_interval.0,
        ..aqueduct_core::discovery::Config::default()
    }
}

/// Rejects uTP at the peer port's number over UDP, unless a DHT node does so. If the port is in
/// use, this is left to the program that uses it.
async fn turn_away_utp(swarms: Arc<SwarmContext>) {
    let policy: Arc<dyn Policy> = Arc::<Filter>::clone(&swarms.filter);
    let Err(error) = utp::turn_away(Bind::default(), swarms.peer_port, policy).await;
    tracing::debug!(%error, "uTP is not answered");
}

async fn watch_own_addresses(swarms: Arc<SwarmContext>, config: Config, peers: SocketAddr) {
    loop {
        sleep(OWN_ADDRESSES_INTERVAL).await;
        set_addresses(&swarms, &config, peers);
    }
}

/// Passes the machine's own addresses to the filter and the tracker.
fn set_addresses(swarms: &SwarmContext, config: &Config, peers: SocketAddr) {
    let own = own_addresses();
    swarms.filter.set_own(own.iter().copied());
    if let Some(tracker) = &swarms.tracker {
        tracker.set_addrs(tracker::reachable(config, peers, &own), own);
    }
}

fn own_addresses() -> Vec<IpAddr> {
    if_addrs::get_if_addrs()
        .unwrap_or_default()
        .iter()
        .map(if_addrs::Interface::ip)
        .collect()
}
