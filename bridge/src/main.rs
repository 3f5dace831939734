//! `aqueduct-bridge`: flags, file, sockets, signals, exit code.

mod trim;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use aqueduct_bridge::{Cidr, Config, DEFAULT_PEER_PORT, Listeners, Node, listen, run_rereading};
use aqueduct_native::descriptors;
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

/// Joins BitTorrent swarms on behalf of browser tabs, and serves them the page.
///
/// Every limit is a key of the configuration file; --print-config shows them all.
#[derive(Debug, Parser)]
#[command(name = "aqueduct-bridge", version)]
struct Flags {
    /// Where the page and the tunnel are served [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Where peers dial in; 0: any free port [default: 6881, or any free one]
    #[arg(long, value_name = "PORT")]
    peer_port: Option<u16>,
    /// Address on which the peer port listens [default: all]
    #[arg(long, value_name = "ADDRESS")]
    peer_bind: Option<IpAddr>,
    /// A TOML file with the same keys as these flags, and a [limits] table
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The page's origin as browsers see it, if a proxy or a name stands before the bridge
    #[arg(long, value_name = "ORIGIN")]
    public_url: Option<String>,
    /// A further origin whose pages may use the bridge
    #[arg(long, value_name = "ORIGIN")]
    origin: Vec<String>,
    /// A file of tokens, one a line; clients must show one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// An address range to dial although the filter would refuse it
    #[arg(long, value_name = "CIDR")]
    allow: Vec<Cidr>,
    /// A proxy whose X-Forwarded-For is believed
    #[arg(long, alias = "trusted-proxy", value_name = "CIDR")]
    trusted_proxies: Vec<Cidr>,
    /// Do not ask the DHT
    #[arg(long)]
    no_dht: bool,
    /// A node of the DHT to ask first, instead of the well-known public ones
    #[arg(long, value_name = "HOST:PORT")]
    dht_bootstrap: Vec<Node>,
    /// A name server to ask for the names of trackers, instead of those of /etc/resolv.conf
    #[arg(long, value_name = "ADDRESS:PORT")]
    name_server: Vec<SocketAddr>,
    /// Run no tracker of the bridge's own, which is at /announce and on the same port over UDP
    #[arg(long)]
    no_tracker: bool,
    /// An address at which peers reach the bridge, if it is not one of the machine's own
    #[arg(long, value_name = "ADDRESS")]
    public_address: Vec<IpAddr>,
    /// The certificate chain, PEM; with --tls-key the bridge speaks TLS
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Print every setting with its comment and value, and stop
    #[arg(long)]
    print_config: bool,
}

fn main() -> ExitCode {
    match start(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aqueduct-bridge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(flags: Flags) -> Result<()> {
    let print = flags.print_config;
    let config = configure(flags)?;
    if print {
        print!("{}", config.print());
        return Ok(());
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    descriptors::raise_limit();
    trim::now_and_then().context("no thread can be started")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    // As a task of a worker: what it accepts is then served there, without waking another thread
    // for each connection.
    runtime.block_on(async { tokio::spawn(serve(config)).await? })
}

/// The file, then what was typed.
fn configure(flags: Flags) -> Result<Config> {
    let mut config = flags
        .config
        .as_deref()
        .map(Config::read)
        .transpose()?
        .unwrap_or_default();
    config.listen = flags.listen.unwrap_or(config.listen);
    config.peer_port = flags.peer_port.or(config.peer_port);
    config.peer_bind = flags.peer_bind.unwrap_or(config.peer_bind);
    config.public_url = flags.public_url.or(config.public_url);
    config.origin.extend(flags.origin);
    config.token_file = flags.token_file.or(config.token_file);
    config.allow.extend(flags.allow);
    config.trusted_proxies.extend(flags.trusted_proxies);
    config.no_dht |= flags.no_dht;
    config.dht_bootstrap.extend(flags.dht_bootstrap);
    config.name_server.extend(flags.name_server);
    config.no_tracker |= flags.no_tracker;
    config.public_address.extend(flags.public_address);
    config.tls_cert = flags.tls_cert.or(config.tls_cert);
    config.tls_key = flags.tls_key.or(config.tls_key);
    config.check()?;
    Ok(config)
}

async fn serve(config: Config) -> Result<()> {
    let web = listen(config.listen).await;
    let web = web.with_context(|| {
        format!(
            "{} cannot be listened on; choose another address with --listen",
            config.listen
        )
    })?;
    let peers = bind_peer_port(&config).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    run_rereading(
        Listeners {
            web,
            peers: Some(peers),
        },
        config,
        hangups()?,
        shutdown,
    )
    .await?;
    Ok(())
}

/// SIGHUP, by old custom: read anew what may have changed.
fn hangups() -> io::Result<mpsc::Receiver<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(
        async move { while hangup.recv().await.is_some() && sender.send(()).await.is_ok() {} },
    );
    Ok(receiver)
}

/// A port that was asked for must be free; the usual one may be taken by another client on this
/// machine.
async fn bind_peer_port(config: &Config) -> Result<TcpListener> {
    match config.peer_port {
        Some(port) => bind(config.peer_bind, port).await.with_context(|| {
            let at = SocketAddr::new(config.peer_bind, port);
            format!("peers cannot be listened for at {at}; choose another address with --peer-bind or another port with --peer-port")
        }),
        None => match bind(config.peer_bind, DEFAULT_PEER_PORT).await {
            Ok(listener) => Ok(listener),
            Err(_taken) => bind(config.peer_bind, 0).await.context("no peer port can be opened"),
        },
    }
}

/// On a machine without IPv6, all addresses are all of IPv4.
async fn bind(ip: IpAddr, port: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((ip, port)).await {
        Err(error)
            if ip.is_unspecified() && ip.is_ipv6() && error.kind() != io::ErrorKind::AddrInUse =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        other => other,
    }
}
