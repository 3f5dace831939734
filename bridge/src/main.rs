//! `aqueduct-bridge`: flags, file, sockets, signals, exit code.

mod flags;
mod log;
mod release_memory;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context, Result};
use aqueduct_bridge::{Config, Listeners, listen, listen_for_peers, run_rereading};
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
    let web = listen(config.listen);
    let web = web.with_context(|| {
        format!(
            "{} cannot be listened on; choose another address with --listen",
            config.listen
        )
    })?;
    let peers = bind_peer_port(&config)?;
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
fn bind_peer_port(config: &Config) -> Result<TcpListener> {
    let ip = config.peer_bind;
    listen_for_peers(ip, config.peer_port).with_context(|| match config.peer_port {
        Some(port) => {
            let at = SocketAddr::new(ip, port);
            format!("peers cannot be listened for at {at}; choose another address with --peer-bind or another port with --peer-port")
        }
        None => format!("peers cannot be listened for at {ip}; choose another address with --peer-bind"),
    })
}
