//! The processor time that a byte costs on its way through the bridge, beside the least that a
//! relay can do ([`splice`]), in both directions, for peers in the clear and encrypted.

mod load;
mod splice;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aqueduct_core::connection::Encryption;
use aqueduct_tests::process::{cpu, peak};
use aqueduct_tests::programs::free_port;
use tokio::net::TcpListener;
use tokio::time::timeout;

use self::load::{Direction, Tab};
pub(crate) use self::splice::{frame_head, serve};
use crate::clients;
use crate::download::wait_for;
use crate::measured::{self, Measured};
use crate::process::Background;

const LIMIT: Duration = Duration::from_secs(300);

/// Prints a row per relay, direction, kind of peer and run. `baseline`: another build of the bridge
/// that is measured in turn.
pub(crate) fn measure(size: NonZeroU32, runs: u32, baseline: Option<&Path>) -> Result<()> {
    let runtime = crate::runtime()?;
    measured::head(&format!(
        "Relay {size} MiB between a tab's WebSocket and a peer's TCP connection: the relay's own figures"
    ));
    let bridge = clients::program("AQUEDUCT_BRIDGE_BIN")?;
    for _ in 0..runs {
        for (direction, towards) in [
            (Direction::Down, "to the tab"),
            (Direction::Up, "to the peer"),
        ] {
            let load = Load { direction, size };
            let rival = runtime.block_on(load.run(&Relay::Splice))?;
            measured::row("plain splice", size.get(), &rival, towards);
            for (name, program) in bridges(&bridge, baseline) {
                for encryption in [Encryption::Off, Encryption::Require] {
                    let relay = Relay::Bridge(program, encryption);
                    let run = runtime.block_on(load.run(&relay))?;
                    let ratio = run.cpu.as_secs_f64() / rival.cpu.as_secs_f64();
                    let peer = match encryption {
                        Encryption::Require => "encrypted",
                        _ => "in the clear",
                    };
                    let note = format!("{towards}, peer {peer}: {ratio:.2} times the splice's CPU");
                    measured::row(name, size.get(), &run, &note);
                }
            }
        }
    }
    Ok(())
}

fn bridges<'a>(
    bridge: &'a Path,
    baseline: Option<&'a Path>,
) -> impl Iterator<Item = (&'static str, &'a Path)> {
    let baseline = baseline.map(|program| ("baseline", program));
    baseline.into_iter().chain([("bridge", bridge)])
}

/// A program that relays.
enum Relay<'a> {
    Splice,
    /// The bridge, and whether its peer requires encryption or forbids it.
    Bridge(&'a Path, Encryption),
}

impl Relay<'_> {
    fn start(&self, listen: SocketAddrV4, peer: SocketAddr) -> Result<Background> {
        let mut command = match self {
            Self::Splice => {
                let mut command = Command::new(program()?);
                command.args(["--splice", &listen.to_string(), &peer.to_string()]);
                command
            }
            Self::Bridge(program, _) => {
                let mut command = Command::new(program);
                command.args(["--listen", &listen.to_string(), "--no-dht"]);
                command.args(["--allow", "127.0.0.0/8", "--peer-port", "0"]);
                command
            }
        };
        Background::start(command.env("RUST_LOG", "error"))
    }

    /// Connects a tab and the peer to each other.
    async fn connect(
        &self,
        at: SocketAddrV4,
        peer: &TcpListener,
    ) -> Result<(Tab, tokio::net::TcpStream)> {
        let at = SocketAddr::V4(at);
        match self {
            Self::Splice => {
                let tab = Tab::plain(at).await?;
                Ok((tab, peer.accept().await?.0))
            }
            Self::Bridge(_, encryption) => tokio::try_join!(
                Tab::join(at, peer.local_addr()?),
                load::accept(peer, *encryption)
            ),
        }
    }
}

fn program() -> Result<PathBuf> {
    std::env::current_exe().context("finding the measuring program itself")
}

/// What goes through the relay.
struct Load {
    direction: Direction,
    size: NonZeroU32,
}

impl Load {
    async fn run(&self, relay: &Relay<'_>) -> Result<Measured> {
        let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free_port());
        let running = relay.start(at, peer.local_addr()?)?;
        wait_for(at)?;
        let (tab, peer) = timeout(LIMIT, relay.connect(at, &peer))
            .await
            .context("a tab and a peer were not connected")??;
        let (before, start) = (cpu(running.id()), Instant::now());
        timeout(LIMIT, self.exchange(tab, peer))
            .await
            .context("the bytes did not arrive")??;
        Ok(Measured {
            wall: start.elapsed(),
            cpu: cpu(running.id()).saturating_sub(before),
            peak: peak(running.id()),
        })
    }

    async fn exchange(&self, mut tab: Tab, peer: tokio::net::TcpStream) -> Result<()> {
        let (direction, bytes) = (self.direction, usize::try_from(self.size.get())? << 20);
        let peer = tokio::task::spawn_blocking(move || load::exchange(peer, direction, bytes));
        tab.exchange(direction, bytes).await?;
        Ok(peer.await??)
    }
}
