//! Starts a bridge, accepts connections, and stops in order.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_native::discovery::{self, DhtOptions, Options, PUBLIC_NODES};
use aqueduct_native::net::{Bind, Policy};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::accept::accept;
use crate::bridge::Bridge;
use crate::config::{Config, ConfigError};
use crate::descriptors;
use crate::gate::{Clients, Targets};
use crate::http;
use crate::incoming;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::policy::Filter;
use crate::registry::Registry;
use crate::rewound::Rewound;
use crate::tls::{self, TlsError};
use crate::tokens::Tokens;
use crate::tracker::http::Patience;
use crate::tracker::{self, Tracking};

/// Longest head of a request: 16 KiB.
const MAX_HEAD: usize = 16 * 1024;
/// How long an HTTP connection may last unless it becomes a session: whoever reads the page more slowly holds a socket for nothing.
const LONGEST_CONNECTION: Duration = Duration::from_secs(120);
/// How often the machine's own addresses are looked up anew.
const OWN_ADDRESSES: Duration = Duration::from_secs(60);

/// The sockets a bridge listens on. Made from a web listener alone, it opens a peer port of the system's choice at the same address.
#[derive(Debug)]
pub struct Listeners {
    /// The page and the tunnel.
    pub web: TcpListener,
    /// Peers that dial in; its port is told to trackers.
    pub peers: Option<TcpListener>,
}

impl From<TcpListener> for Listeners {
    fn from(web: TcpListener) -> Self {
        Self { web, peers: None }
    }
}

/// Held by a connection, and by the session it may become.
pub(crate) struct Alive {
    _counted: mpsc::Sender<Infallible>,
    _permit: Result<OwnedSemaphorePermit, AcquireError>,
}

impl Alive {
    pub(crate) const fn new(counted: mpsc::Sender<Infallible>, permit: Result<OwnedSemaphorePermit, AcquireError>) -> Self {
        Self { _counted: counted, _permit: permit }
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
    #[error("UDP port {0} cannot be used by the tracker: {1}; choose another port with --listen, or do without it with --no-tracker")]
    Tracker(u16, String),
}

/// Runs a bridge until `shutdown` is ready; then tells its tabs, lets them end for [`Limits::drain`], and returns.
///
/// The caller owns port and stop signal: tests bind port 0 and stop when they are done.
///
/// # Errors
/// It could not start. Once it runs, no fault of a client, peer or tracker ends it.
pub async fn run(listeners: impl Into<Listeners>, config: Config, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    config.check()?;
    let Listeners { web, peers } = listeners.into();
    let peers = match peers {
        Some(peers) => peers,
        None => TcpListener::bind(SocketAddr::new(web.local_addr()?.ip(), 0)).await?,
    };
    let acceptor = tls::acceptor(&config)?;
    let (stop, draining) = watch::channel(false);
    let bridge = Arc::new(start(config, web.local_addr()?, peers.local_addr()?, draining)?);
    // Every connection and session holds a sender; nothing is ever sent. Once all are gone, `recv` returns.
    let (alive, mut all_gone) = mpsc::channel::<Infallible>(1);
    let peers_at = peers.local_addr()?;
    let peer_port = tokio::spawn(incoming::listen(peers, Arc::clone(&bridge)));
    let own = tokio::spawn(watch_own_addresses(Arc::clone(&bridge), peers_at));
    let tracker = track(&bridge, web.local_addr()?)?;
    let (scheme, page) = (if acceptor.is_some() { "https" } else { "http" }, web.local_addr()?);
    let mut door = accept(web, acceptor, Arc::clone(&bridge), alive.clone())?;
    tracing::info!(peer_port = peers_at.port(), "serving {scheme}://{page}/");
    shutdown.await;
    tracing::info!("stopping");
    // A closed port is refused at once, so that a load balancer goes elsewhere.
    door.shutdown().await;
    peer_port.abort();
    own.abort();
    drop(tracker);
    drop(alive);
    stop.send_replace(true);
    let limit = bridge.config.limits.drain.0;
    let _ = tokio::join!(timeout(limit, all_gone.recv()), bridge.discovery.shut_down(limit.min(Duration::from_secs(3))));
    Ok(())
}

fn start(config: Config, web: SocketAddr, peers: SocketAddr, draining: watch::Receiver<bool>) -> Result<Bridge, StartError> {
    let filter = Arc::new(Filter::new(config.allow.clone()));
    let metrics = Arc::<Metrics>::default();
    let tracking =
        if config.no_tracker { None } else { Some(Arc::new(Tracking::new(&config, web.port(), Arc::clone(&filter), Arc::clone(&metrics))?)) };
    let policy: Arc<dyn Policy> = Arc::<Filter>::clone(&filter);
    let sockets = descriptors::sockets();
    let start = Instant::now();
    let options = Options { config: discovery_config(&config.limits), policy, bind: Bind::default(), dht: dht(&config, peers.port()) };
    let bridge = Bridge {
        clients: Clients::new(&config.limits),
        targets: Targets::new(&config.limits),
        registry: Arc::<Registry>::default(),
        metrics,
        tracking,
        tokens: Tokens::read(config.token_file.as_deref())?,
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

/// Runs the tracker for as long as what this returns is kept.
fn track(bridge: &Bridge, addr: SocketAddr) -> Result<JoinSet<()>, StartError> {
    let mut tasks = JoinSet::new();
    if let Some(tracking) = &bridge.tracking {
        let sockets = tracker::udp::bind(addr).map_err(|error| StartError::Tracker(addr.port(), error.to_string()))?;
        tasks.spawn(tracker::udp::serve(sockets, Arc::clone(tracking)));
        tasks.spawn(Arc::clone(tracking).look_after());
    }
    Ok(tasks)
}

/// BEP 43: a bridge asks and announces for its tabs, but is nobody's node: it would answer for machines that it does not know.
fn dht(config: &Config, port: u16) -> Option<DhtOptions> {
    let own: Vec<_> = config.dht_bootstrap.iter().map(|node| (node.host.clone(), node.port)).collect();
    let public = || PUBLIC_NODES.map(|(host, port)| (host.to_owned(), port)).to_vec();
    let keep_bootstrap = !own.is_empty();
    let bootstrap = if keep_bootstrap { own } else { public() };
    (!config.no_dht).then_some(DhtOptions { bootstrap, keep_bootstrap, read_only: true, port, state: None })
}

fn discovery_config(limits: &Limits) -> aqueduct_core::discovery::Config {
    aqueduct_core::discovery::Config {
        max_queries: 500,
        lookups: Some((limits.lookups_per_session, limits.lookup_interval.0)),
        min_interval_floor: limits.announce_interval.0,
        ..aqueduct_core::discovery::Config::default()
    }
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
    if_addrs::get_if_addrs().unwrap_or_default().iter().map(if_addrs::Interface::ip).collect()
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
    tls: Option<TlsAcceptor>,
    bridge: Arc<Bridge>,
    alive: Arc<Alive>,
) {
    if let Some(tls) = tls {
        return Box::pin(secure(socket, remote, tls, bridge, alive)).await;
    }
    if let Some(read) = announces(&mut socket, read, remote, &bridge).await {
        let _ = socket.set_nodelay(true);
        // In a box, so that the many connections that only announce need no room for it.
        Box::pin(converse(Rewound::new(read, socket), remote, bridge, alive)).await;
    }
}

async fn secure(socket: TcpStream, remote: SocketAddr, tls: TlsAcceptor, bridge: Arc<Bridge>, alive: Arc<Alive>) {
    let _ = socket.set_nodelay(true);
    let Ok(Ok(mut socket)) = timeout(bridge.config.limits.upgrade_timeout.0, tls.accept(socket)).await else { return };
    if let Some(read) = announces(&mut socket, Vec::new(), remote, &bridge).await {
        converse(Rewound::new(read, socket), remote, bridge, alive).await;
    }
}

/// The tracker, for clients that come without a proxy: behind one their addresses stand among the fields, which are read elsewhere.
pub(crate) fn direct(remote: SocketAddr, bridge: &Bridge) -> Option<&Tracking> {
    let from = remote.ip().to_canonical();
    bridge.tracking.as_deref().filter(|_| !bridge.config.trusted_proxies.iter().any(|range| range.contains(from)))
}

/// Answers what is for the tracker; gives back what was read of anything else.
async fn announces<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut S, read: Vec<u8>, remote: SocketAddr, bridge: &Bridge) -> Option<Vec<u8>> {
    let Some(tracking) = direct(remote, bridge) else { return Some(read) };
    let patience = Patience { head: bridge.config.limits.upgrade_timeout.0, end: Instant::now() + LONGEST_CONNECTION };
    tracker::http::serve(socket, read, remote.ip(), tracking, patience).await
}

/// Speaks HTTP until the connection is idle for too long, broken, or upgraded.
async fn converse<S>(socket: S, remote: SocketAddr, bridge: Arc<Bridge>, alive: Arc<Alive>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut draining = bridge.draining.clone();
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(bridge.config.limits.upgrade_timeout.0).max_buf_size(MAX_HEAD);
    let service = service_fn(|request| http::answer(request, remote, Arc::clone(&bridge), Arc::clone(&alive)));
    let connection = builder.serve_connection(TokioIo::new(socket), service).with_upgrades();
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
