//! `aqueduct-bridge`: flags, file, sockets, signals, exit code.

mod flags;
mod log;
mod release_memory;

use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::{Context, Result};
use aqueduct_bridge::{Config, DEFAULT_PEER_PORT, Listeners, listen, run_rereading};
use aqueduct_native::descriptors;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format;

use flags::Flags;
use log::Limited;

fn main() -> ExitCode {
    match start(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aqueduct-bridge: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(flags: &Flags) -> Result<()> {
    let config = flags.configure()?;
    if flags.print_config() {
        return print(&config.print());
    }
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .event_format(Limited::new(format()))
        .with_writer(io::stderr)
        .init();
    descriptors::require()?;
    release_memory::spawn_thread().context("no thread can be started")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    // In a task, so that it runs on a worker thread: connections that it accepts are then served
    // there, without waking another thread.
    runtime.block_on(async { tokio::spawn(serve(config)).await? })
}

/// Prints on standard output. A reader that has read enough is no failure.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        Ok(()) | Err(_) => Ok(()),
    }
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

/// SIGHUP requests that certificate and tokens are read again.
fn hangups() -> io::Result<mpsc::Receiver<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(
        async move { while hangup.recv().await.is_some() && sender.send(()).await.is_ok() {} },
    );
    Ok(receiver)
}

/// A configured port must be free; the default one may be in use by another client on this machine.
async fn bind_peer_port(config: &Config) -> Result<TcpListener> {
    match config.peer_port {
        Some(port) => bind(config.peer_bind, port).await.with_context(|| {
            let at = SocketAddr::new(config.peer_bind, port);
            format!("peers cannot be listened for at {at}; choose another address with --peer-bind or another port with --peer-port")
        }),
        None => match bind(config.peer_bind, DEFAULT_PEER_PORT).await {
            Ok(listener) => Ok(listener),
            Err(_taken) => bind(config.peer_bind, 0).await.with_context(|| {
                format!("peers cannot be listened for at {}; choose another address with --peer-bind", config.peer_bind)
            }),
        },
    }
}

/// On a machine without IPv6, "all addresses" are those of IPv4.
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
