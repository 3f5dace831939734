//! Starts a bridge, accepts connections, and stops in order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use aqueduct_native::discovery::{self, DhtOptions, Options, PUBLIC_NODES};
use aqueduct_native::net::{Bind, Policy, Resolver, utp};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::bridge::Bridge;
use crate::config::{Config, ConfigError};
use crate::limits::Limits;
use crate::limits::bucket::Bucket;
use crate::limits::clients::Clients;
use crate::limits::descriptors::Descriptors;
use crate::limits::guard::Guard;
use crate::limits::half_open::HalfOpen;
use crate::limits::memory::Memory;
use crate::limits::policy::Filter;
use crate::limits::quota::{Quota, Share};
use crate::limits::targets::Targets;
use crate::metrics::Metrics;
use crate::swarm::incoming;
use crate::swarm::registry::Registry;
use crate::tracker::http::{Patience, Rest};
use crate::tracker::{self, Tracking};
use crate::web::accept::accept;
use crate::web::http;
use crate::web::prefixed::Rewound;
use crate::web::tls::{Tls, TlsError};
use crate::web::tokens::Tokens;

/// Longest head of a request: 16 KiB.
const MAX_HEAD: usize = 16 * 1024;
/// How long an HTTP connection may last unless it becomes a session: whoever reads the page more
/// slowly holds a socket for nothing.
const LONGEST_CONNECTION: Duration = Duration::from_secs(120);
/// How often the machine's own addresses are looked up anew.
const OWN_ADDRESSES: Duration = Duration::from_secs(60);
/// Lines a second of the log on sessions that are refused at the door.
const REFUSALS_TOLD: u32 = 5;

/// The sockets a bridge listens on. Made from a web listener alone, it opens a peer port of the
/// system's choice at the same address.
#[derive(Debug)]
pub struct Listeners {
    /// The page and the tunnel.
    pub web: TcpListener,
    /// Peers that dial in; its port is told to trackers.
    pub peers: Option<TcpListener>,
}

/// Ports of the system's choice that are tried until one is free for the tracker, too.
const PORTS_TRIED: usize = 20;

/// Opens the page's port. Where the system is to choose one (0), it is free over UDP as well: there
/// the tracker answers.
///
/// # Errors
/// The address cannot be listened on.
pub async fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let mut web = TcpListener::bind(addr).await?;
    for _ in 1..PORTS_TRIED {
        if addr.port() > 0 || tracker::udp::bind(web.local_addr()?).is_ok() {
            break;
        }
        web = TcpListener::bind(addr).await?;
    }
    Ok(web)
}

impl From<TcpListener> for Listeners {
    fn from(web: TcpListener) -> Self {
        Self { web, peers: None }
    }
}

/// A socket's share of those there may be.
pub(crate) type Permit = Result<OwnedSemaphorePermit, AcquireError>;

/// Held by a connection, and by the session it may become.
pub(crate) struct Alive {
    _counted: mpsc::Sender<Infallible>,
    _permit: Permit,
    _share: Option<Share>,
}

impl Alive {
    pub(crate) const fn new(
        counted: mpsc::Sender<Infallible>,
        permit: Permit,
        share: Option<Share>,
    ) -> Self {
        Self {
            _counted: counted,
            _permit: permit,
            _share: share,
        }
    }
}

/// Why a bridge did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A socket.
    #[error("a socket cannot be opened")]
    Socket(#[from] io::Error),
    /// The tracker's datagrams.
    #[error(
        "UDP port {0} cannot be used by the tracker: {1}; choose another port with --listen, or do without it with --no-tracker"
    )]
    Tracker(u16, String),
}

/// Runs a bridge until `shutdown` is ready; then tells its tabs, lets them end for
/// [`Limits::drain`], and returns.
///
/// The caller owns port and stop signal: tests bind port 0 and stop when they are done.
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

/// [`run`], and certificate and tokens are read anew whenever `reread` says so. What cannot be read
/// stays as it was, and sessions go on.
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
    let peers = match peers {
        Some(peers) => peers,
        None => TcpListener::bind(SocketAddr::new(web.local_addr()?.ip(), 0)).await?,
    };
    let (stop, draining) = watch::channel(false);
    let bridge = Arc::new(start(
        config,
        web.local_addr()?,
        peers.local_addr()?,
        draining,
    )?);
    // Every connection and session holds a sender; nothing is ever sent. Once all are gone, `recv`
    // returns.
    let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
    let peers_at = peers.local_addr()?;
    let tracker = track(&bridge, web.local_addr()?)?;
    let tasks = look_after(&bridge, peers, reread)?;
    let (scheme, page) = (
        if bridge.tls.is_some() {
            "https"
        } else {
            "http"
        },
        web.local_addr()?,
    );
    let mut door = accept(web, Arc::clone(&bridge), alive.clone())?;
    tracing::info!(peer_port = peers_at.port(), "serving {scheme}://{page}/");
    shutdown.await;
    tracing::info!("stopping");
    // A closed port is refused at once, so that a load balancer goes elsewhere.
    door.shutdown().await;
    drop((tasks, tracker));
    drop(alive);
    stop.send_replace(true);
    let limit = bridge.config.limits.drain.0;
    let _ = tokio::join!(
        timeout(limit, all_gone.recv()),
        bridge
            .discovery
            .shut_down(limit.min(Duration::from_secs(3)))
    );
    Ok(())
}

fn start(
    config: Config,
    web: SocketAddr,
    peers: SocketAddr,
    draining: watch::Receiver<bool>,
) -> Result<Bridge, StartError> {
    let filter = Arc::new(Filter::new(config.allow.clone()));
    let metrics = Arc::<Metrics>::default();
    let tracking = if config.no_tracker {
        None
    } else {
        Some(Arc::new(Tracking::new(
            &config,
            web.port(),
            Arc::clone(&filter),
            Arc::clone(&metrics),
        )?))
    };
    let targets = Targets::new(&config.limits);
    let policy: Arc<dyn Policy> = Arc::new(Guard {
        filter: Arc::clone(&filter),
        targets: Arc::clone(&targets),
    });
    let Descriptors { sockets, announces } = Descriptors::share_out(config.limits.announces);
    let start = Instant::now();
    let options = Options {
        config: discovery_config(&config.limits, announces),
        policy,
        bind: Bind::default(),
        dht: dht(&config, peers.port()),
        resolver: Resolver::asking(config.name_server.clone()),
    };
    let bridge = Bridge {
        clients: Clients::new(&config.limits),
        connections: Quota::new(
            config.limits.connections_per_address,
            config.limits.addresses_per_site,
        ),
        half_open: HalfOpen::new(&config.limits),
        memory: Memory::new(config.limits.memory),
        refusals_told: Mutex::new(Bucket::new(REFUSALS_TOLD, start)),
        tls: Tls::read(&config)?,
        targets,
        registry: Arc::<Registry>::default(),
        metrics,
        tracking,
        tokens: RwLock::new(Tokens::read(config.token_file.as_deref())?),
        discovery: discovery::spawn(options)?,
        filter,
        start,
        peer_port: peers.port(),
        sockets: Arc::new(Semaphore::new(sockets)),
        all_sockets: sockets,
        draining,
        config,
    };
    tell_addresses(&bridge, peers);
    Ok(bridge)
}

/// What goes on beside the page's port, for as long as what this returns is kept.
fn look_after(
    bridge: &Arc<Bridge>,
    peers: TcpListener,
    reread: mpsc::Receiver<()>,
) -> io::Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    tasks.spawn(watch_own_addresses(Arc::clone(bridge), peers.local_addr()?));
    if bridge.config.no_dht {
        tasks.spawn(turn_away_utp(Arc::clone(bridge)));
    }
    tasks.spawn(incoming::listen(peers, Arc::clone(bridge)));
    tasks.spawn(reread_when_told(reread, Arc::clone(bridge)));
    let watching = Arc::clone(bridge);
    tasks.spawn(async move { watching.memory.watch().await });
    Ok(tasks)
}

async fn reread_when_told(mut told: mpsc::Receiver<()>, bridge: Arc<Bridge>) {
    while let Some(()) = told.recv().await {
        bridge.reread();
    }
}

/// Runs the tracker for as long as what this returns is kept.
fn track(bridge: &Bridge, addr: SocketAddr) -> Result<JoinSet<()>, StartError> {
    let mut tasks = JoinSet::new();
    if let Some(tracking) = &bridge.tracking {
        let sockets = tracker::udp::bind(addr)
            .map_err(|error| StartError::Tracker(addr.port(), error.to_string()))?;
        tasks.spawn(tracker::udp::serve(sockets, Arc::clone(tracking)));
        tasks.spawn(Arc::clone(tracking).look_after());
    }
    Ok(tasks)
}

/// BEP 43: a bridge asks and announces for its tabs, but is nobody's node: it would answer for
/// machines that it does not know.
fn dht(config: &Config, port: u16) -> Option<DhtOptions> {
    let own: Vec<_> = config
        .dht_bootstrap
        .iter()
        .map(|node| (node.host.clone(), node.port))
        .collect();
    let public = || {
        PUBLIC_NODES
            .map(|(host, port)| (host.to_owned(), port))
            .to_vec()
    };
    let keep_bootstrap = !own.is_empty();
    let bootstrap = if keep_bootstrap { own } else { public() };
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
        lookups: Some((limits.lookups_per_session, limits.lookup_interval.0)),
        min_interval_floor: limits.announce_interval.0,
        ..aqueduct_core::discovery::Config::default()
    }
}

/// Without a node of the DHT, which does it otherwise. Where the port is taken, whoever has it
/// answers there.
async fn turn_away_utp(bridge: Arc<Bridge>) {
    let policy: Arc<dyn Policy> = Arc::<Filter>::clone(&bridge.filter);
    let Err(error) = utp::turn_away(Bind::default(), bridge.peer_port, policy).await;
    tracing::debug!(%error, "nobody is told that there is no uTP here");
}

async fn watch_own_addresses(bridge: Arc<Bridge>, peers: SocketAddr) {
    loop {
        sleep(OWN_ADDRESSES).await;
        tell_addresses(&bridge, peers);
    }
}

fn tell_addresses(bridge: &Bridge, peers: SocketAddr) {
    let own = own_addresses();
    bridge.filter.set_own(own.iter().copied());
    if let Some(tracking) = &bridge.tracking {
        tracking.set_addrs(tracker::reachable(&bridge.config, peers, &own), own);
    }
}

fn own_addresses() -> Vec<std::net::IpAddr> {
    if_addrs::get_if_addrs()
        .unwrap_or_default()
        .iter()
        .map(if_addrs::Interface::ip)
        .collect()
}

/// Returns once the bridge is stopping.
async fn stopping(draining: &mut watch::Receiver<bool>) {
    let _ = draining.wait_for(|draining| *draining).await;
}

/// Serves a connection of which `read` has been read already.
pub(crate) async fn connection(
    mut socket: TcpStream,
    read: Vec<u8>,
    remote: SocketAddr,
    bridge: Arc<Bridge>,
    alive: Arc<Alive>,
) {
    if let Some(tls) = &bridge.tls {
        if !bridge.is_proxy(remote.ip()) && !tls.admits(remote.ip()) {
            bridge.metrics.refused_handshakes_total.add(1);
            return;
        }
        let tls = tls.acceptor();
        return Box::pin(secure(socket, remote, tls, bridge, alive)).await;
    }
    if let Some(rest) = announces(&mut socket, read, remote, &bridge).await {
        let _ = socket.set_nodelay(true);
        // In a box, so that the many connections that only announce need no room for it.
        Box::pin(converse(socket, rest, remote, bridge, alive)).await;
    }
}

async fn secure(
    socket: TcpStream,
    remote: SocketAddr,
    tls: TlsAcceptor,
    bridge: Arc<Bridge>,
    alive: Arc<Alive>,
) {
    let _ = socket.set_nodelay(true);
    let Ok(Ok(mut socket)) =
        timeout(bridge.config.limits.upgrade_timeout.0, tls.accept(socket)).await
    else {
        return;
    };
    if let Some(rest) = announces(&mut socket, Vec::new(), remote, &bridge).await {
        converse(socket, rest, remote, bridge, alive).await;
    }
}

/// The tracker, for clients that come without a proxy: behind one their addresses stand among the
/// fields, which are read elsewhere.
pub(crate) fn direct(remote: SocketAddr, bridge: &Bridge) -> Option<&Tracking> {
    bridge
        .tracking
        .as_deref()
        .filter(|_| !bridge.is_proxy(remote.ip()))
}

/// Answers what is for the tracker; gives back what was read of anything else.
async fn announces<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut S,
    read: Vec<u8>,
    remote: SocketAddr,
    bridge: &Bridge,
) -> Option<Rest> {
    let (now, head) = (Instant::now(), bridge.config.limits.upgrade_timeout.0);
    let Some(tracking) = direct(remote, bridge) else {
        return Some(Rest {
            read,
            head_by: now + head,
        });
    };
    let patience = Patience {
        head,
        end: now + LONGEST_CONNECTION,
    };
    tracker::http::serve(socket, read, remote.ip(), tracking, patience).await
}

/// Speaks HTTP until the connection is idle for too long, broken, or upgraded.
async fn converse<S>(
    socket: S,
    rest: Rest,
    remote: SocketAddr,
    bridge: Arc<Bridge>,
    alive: Arc<Alive>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut draining = bridge.draining.clone();
    let mut builder = http1::Builder::new();
    // What is left of the first head's time. Whoever was slow with it is granted no more for the
    // next.
    let patience = rest.head_by.saturating_duration_since(Instant::now());
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(MAX_HEAD);
    let service = service_fn(|request| {
        http::answer(request, remote, Arc::clone(&bridge), Arc::clone(&alive))
    });
    let connection = builder
        .serve_connection(TokioIo::new(Rewound::new(rest.read, socket)), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = sleep(LONGEST_CONNECTION) => Ok(()),
        () = stopping(&mut draining) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
