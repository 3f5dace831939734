//! The servers, each pinned to one processor.

use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use aqueduct_tests::programs;
use tempfile::TempDir;

use super::load;
use crate::process::Background;

/// The processor that servers run on.
pub(super) const PROCESSOR: usize = 0;
/// The limit for a server to open its port.
const START: Duration = Duration::from_secs(10);

/// A server that runs until this is dropped.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) addr: SocketAddr,
    process: Background,
    _folder: TempDir,
}

impl Server {
    fn start(
        name: &'static str,
        command: &mut Command,
        port: u16,
        folder: TempDir,
    ) -> Result<Self> {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let process = Background::start(command.current_dir(folder.path()))?;
        let deadline = Instant::now() + START;
        while TcpStream::connect(addr).is_err() {
            if Instant::now() > deadline {
                bail!("{name} does not listen on {addr}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(Self {
            name,
            addr,
            process,
            _folder: folder,
        })
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Starts the bridge without a per-address limit, since the load comes from a few addresses.
pub(super) fn aqueduct() -> Result<Server> {
    let (folder, port) = (TempDir::new()?, programs::free_port());
    std::fs::write(
        folder.path().join("bridge.toml"),
        "allow = [\"127.0.0.0/8\"]\n[limits]\ntracker-requests-per-address = 4294967295\n",
    )?;
    let mut command = pinned(programs::bridge());
    command
        .args([
            "--config",
            "bridge.toml",
            "--no-dht",
            "--peer-port",
            "0",
            "--listen",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .env("RUST_LOG", "warn");
    Server::start("aqueduct-bridge", &mut command, port, folder)
}

/// Starts opentracker. Debian's build serves only swarms on a whitelist.
pub(super) fn opentracker() -> Result<Server> {
    let (folder, port) = (TempDir::new()?, programs::free_port());
    let mut list = String::new();
    for byte in (0..load::SWARMS).flat_map(load::info_hash).enumerate() {
        write!(
            list,
            "{:02x}{}",
            byte.1,
            if byte.0 % 20 == 19 { "\n" } else { "" }
        )?;
    }
    std::fs::write(folder.path().join("swarms"), list)?;
    readable_by_all(&folder)?;
    let mut command = pinned(programs::system("opentracker", "opentracker"));
    command
        .args([
            "-i",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-P",
            &port.to_string(),
            "-w",
            "swarms",
            "-d",
        ])
        .arg(folder.path());
    Server::start("opentracker", &mut command, port, folder)
}

/// Makes the folder readable, since opentracker drops its privileges before it reads the whitelist.
fn readable_by_all(folder: &TempDir) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(
        folder.path(),
        std::fs::Permissions::from_mode(0o755),
    )?)
}

fn pinned(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command
        .args(["--cpu-list", &PROCESSOR.to_string()])
        .arg(program);
    command
}
