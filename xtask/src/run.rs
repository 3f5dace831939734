//! `cargo xtask run`: a bridge with the page, and a small swarm, all on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use crate::build;
use crate::process;
use crate::profile::Profile;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The port of the bridge's address; the next free one is taken if it is in use
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Quick to compile, slow to run
    #[arg(long)]
    debug: bool,
}

/// Longer than the ten seconds that the bridge may take to drain its sessions.
const GRACE: Duration = Duration::from_secs(12);
const START: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(100);

/// Builds and starts everything, and waits for Ctrl-C.
pub(crate) fn until_stopped(arguments: &Arguments) -> Result<()> {
    let profile = if arguments.debug {
        Profile::Debug
    } else {
        Profile::Release
    };
    build::all(profile)?;
    let stop = on_interrupt()?;
    let address = free_address(arguments.port)?;
    let mut bridge = Service::start("the bridge", bridge(profile, address))?;
    bridge.wait_until(&stop, || is_ready(address))?;
    let mut swarm = Service::start("the sample swarm", swarm(profile))?;
    let sample = Sample::read(swarm.output()?)?;
    announce(address, &sample);
    wait(&stop, &mut [&mut bridge, &mut swarm])
}

fn bridge(profile: Profile, address: SocketAddr) -> Command {
    let mut command = Command::new(profile.program("aqueduct-bridge"));
    // The sample swarm is on loopback, which a bridge refuses to dial by default.
    command.args([
        "--listen",
        &address.to_string(),
        "--allow",
        "127.0.0.0/8",
        "--peer-port",
        "0",
        "--no-dht",
    ]);
    command
}

fn swarm(profile: Profile) -> Command {
    let mut command = Command::new(profile.program("sample-swarm"));
    command
        .arg("--aqueduct")
        .arg(profile.program("aqueduct"))
        .stdout(Stdio::piped());
    command
}

/// What the sample swarm prints about its torrent.
struct Sample {
    torrent: String,
    magnet: String,
}

impl Sample {
    /// Reads lines until both the file and the magnet link are known.
    fn read(output: ChildStdout) -> Result<Self> {
        let (mut torrent, mut magnet) = (None, None);
        let mut lines = BufReader::new(output).lines();
        while torrent.is_none() || magnet.is_none() {
            let line = lines
                .next()
                .context("the sample swarm stopped before it named its torrent")??;
            let word = line.split_whitespace().next_back().unwrap_or_default();
            if word.starts_with("magnet:") {
                magnet = Some(word.to_owned());
            } else if word.ends_with(".torrent") {
                torrent = Some(word.to_owned());
            }
        }
        // Keep reading, since the swarm would block once the pipe is full.
        thread::spawn(move || lines.for_each(drop));
        Ok(Self {
            torrent: torrent.unwrap_or_default(),
            magnet: magnet.unwrap_or_default(),
        })
    }
}

fn announce(address: SocketAddr, sample: &Sample) {
    println!("\nAqueduct is ready. Open this address and press Download:\n");
    println!("    http://{address}/#{}\n", sample.magnet);
    println!(
        "The sample torrent, for the page's file input or for `aqueduct get`:\n\n    {}\n",
        sample.torrent
    );
    println!("Ctrl-C stops everything.");
}

/// A child process in its own process group, so that Ctrl-C reaches only this program, which stops
/// its children in order.
struct Service {
    name: &'static str,
    child: Child,
}

impl Service {
    fn start(name: &'static str, mut command: Command) -> Result<Self> {
        let child = command.process_group(0).spawn();
        Ok(Self {
            name,
            child: child.with_context(|| format!("starting `{}`", process::describe(&command)))?,
        })
    }

    fn output(&mut self) -> Result<ChildStdout> {
        self.child
            .stdout
            .take()
            .with_context(|| format!("{} has no standard output to read", self.name))
    }

    fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!(
                "{} stopped by itself ({status}); what it printed above says why",
                self.name
            ),
            None => Ok(()),
        }
    }

    fn wait_until(&mut self, stop: &Receiver<()>, ready: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + START;
        while !ready() {
            self.check()?;
            if Instant::now() > deadline || stop.recv_timeout(TICK).is_ok() {
                bail!(
                    "{} did not become ready within {} s",
                    self.name,
                    START.as_secs()
                );
            }
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Fails only if the whole group has exited already.
            rustix::process::kill_process_group(group, signal).ok();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let deadline = Instant::now() + GRACE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(TICK);
        }
        self.signal(Signal::KILL);
        self.child.wait().ok();
    }
}

fn on_interrupt() -> Result<Receiver<()>> {
    let (sender, receiver) = mpsc::channel();
    // A second Ctrl-C during shutdown finds no receiver and has no effect.
    ctrlc::set_handler(move || sender.send(()).unwrap_or_default())
        .context("listening for Ctrl-C")?;
    Ok(receiver)
}

fn wait(stop: &Receiver<()>, services: &mut [&mut Service]) -> Result<()> {
    while stop.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        services
            .iter_mut()
            .try_for_each(|service| service.check())?;
    }
    println!("\nStopping.");
    Ok(())
}

/// The first free port of the twenty ports starting at `first`.
fn free_address(first: u16) -> Result<SocketAddr> {
    let addresses = (first..=first.saturating_add(19))
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let free = addresses
        .into_iter()
        .find(|address| TcpListener::bind(address).is_ok());
    free.with_context(|| {
        format!(
            "the ports {first} to {} are all in use; choose another with --port",
            first.saturating_add(19)
        )
    })
}

/// Whether the bridge reports that it is ready.
fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, TICK)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(
            stream,
            "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}
