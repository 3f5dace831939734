//! The commands with which each client downloads a torrent or serves it.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::payload::Payload;

/// A downloading client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Client {
    Aqueduct,
    Libtorrent,
    Aria2,
    Transmission,
}

/// A seeding client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Seed {
    Aqueduct,
    Libtorrent,
}

/// The connection of seed and downloader: transport and encryption.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Line {
    /// TCP in the clear.
    Tcp,
    /// TCP with RC4.
    TcpRc4,
    /// uTP in the clear.
    Utp,
    /// uTP with RC4.
    UtpRc4,
}

impl Line {
    /// Its name, also for libtorrent's script.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::TcpRc4 => "tcp-rc4",
            Self::Utp => "utp",
            Self::UtpRc4 => "utp-rc4",
        }
    }

    /// Whether its transport is uTP.
    pub(crate) const fn is_utp(self) -> bool {
        matches!(self, Self::Utp | Self::UtpRc4)
    }

    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Tcp => &["--no-utp", "--encryption", "off"],
            Self::TcpRc4 => &["--no-utp", "--encryption", "require"],
            Self::Utp => &["--no-tcp", "--encryption", "off"],
            Self::UtpRc4 => &["--no-tcp", "--encryption", "require"],
        }
    }
}

impl Client {
    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Aqueduct => "aqueduct",
            Self::Libtorrent => "libtorrent",
            Self::Aria2 => "aria2",
            Self::Transmission => "transmission",
        }
    }

    /// The command that downloads `torrent` into `folder` over `line` and exits.
    pub(crate) fn download(self, torrent: &Path, folder: &Path, line: Line) -> Result<Command> {
        let mut command = match self {
            Client::Aqueduct => get(folder, line)?,
            Client::Libtorrent => libtorrent("leech"),
            Client::Aria2 => with("aria2c".into(), &ARIA2),
            Client::Transmission => transmission(folder)?,
        };
        match self {
            Client::Libtorrent => command.arg(torrent).arg(folder).args(["6882", line.name()]),
            Client::Aqueduct => command.arg(torrent),
            Client::Aria2 | Client::Transmission => command.arg(folder).arg(torrent),
        };
        without_state(&mut command, folder);
        Ok(command)
    }
}

const ARIA2: [&str; 7] = [
    "--enable-dht=false",
    "--bt-enable-lpd=false",
    "--seed-time=0",
    "--file-allocation=none",
    "--listen-port=6882",
    "--quiet",
    "--dir",
];

/// Transmission over TCP in the clear, ended by a script that it starts once it is complete, since it
/// would seed: it exits cleanly at SIGINT only. The arguments end with the option for the folder.
fn transmission(folder: &Path) -> Result<Command> {
    let script = folder.join("complete.sh");
    fs::write(&script, "#!/bin/sh\nkill -INT $PPID\n")?;
    fs::set_permissions(&script, Permissions::from_mode(0o755))?;
    let config = folder.join("transmission");
    fs::create_dir_all(&config)?;
    let settings =
        r#"{"dht-enabled":false,"lpd-enabled":false,"utp-enabled":false,"encryption":0}"#;
    fs::write(config.join("settings.json"), settings)?;
    let mut command = with("transmission-cli".into(), &TRANSMISSION);
    command.arg("--config-dir").arg(config);
    command.arg("--finish").arg(script).arg("--download-dir");
    // It logs each step.
    command.stderr(Stdio::null());
    Ok(command)
}

const TRANSMISSION: [&str; 4] = ["--no-portmap", "--no-downlimit", "--port", "6882"];

impl Seed {
    /// Its name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Aqueduct => "aqueduct",
            Self::Libtorrent => "libtorrent",
        }
    }

    /// The last argument of a seed that sends at most this many bytes per second.
    pub(crate) fn upload_limit(self, limit: u64) -> String {
        match self {
            Self::Aqueduct => format!("--upload-limit={limit}"),
            Self::Libtorrent => limit.to_string(),
        }
    }

    /// The command that serves `payload` on `port` over `line` until it is stopped.
    pub(crate) fn serve(self, payload: &Payload, port: u16, line: Line) -> Result<Command> {
        Ok(match self {
            Seed::Aqueduct => {
                let paths = (&*payload.torrent(), &*payload.file());
                let mut command = seed(paths, port, line)?;
                command.arg("--quiet");
                command.env("XDG_STATE_HOME", payload.folder());
                command
            }
            Seed::Libtorrent => {
                let mut command = libtorrent("seed");
                command
                    .arg(payload.torrent())
                    .arg(payload.folder())
                    .args([&port.to_string(), line.name()]);
                command
            }
        })
    }
}

/// Aqueduct's command that downloads torrents, which are to be added, into `folder` over `line` and
/// exits.
pub(crate) fn get(folder: &Path, line: Line) -> Result<Command> {
    let mut command = with(
        aqueduct()?,
        &["get", "--quiet", "--no-dht", "--no-port-mapping"],
    );
    command.args(line.options()).arg("--output").arg(folder);
    without_state(&mut command, folder);
    Ok(command)
}

/// Aqueduct's command that serves the data at `path` on `port` over `line` until it is stopped.
pub(crate) fn seed((torrent, path): (&Path, &Path), port: u16, line: Line) -> Result<Command> {
    let mut command = with(
        aqueduct()?,
        &[
            "seed",
            "--no-trackers",
            "--no-dht",
            "--no-lsd",
            "--no-port-mapping",
            "--port",
        ],
    );
    command.arg(port.to_string()).args(line.options());
    command.arg(torrent).arg(path);
    Ok(command)
}

/// Has a client keep its state in `folder`, so that it does not reuse that of an earlier run.
fn without_state(command: &mut Command, folder: &Path) {
    command
        .env("HOME", folder)
        .env("XDG_STATE_HOME", folder)
        .env("XDG_CACHE_HOME", folder);
}

/// The path of the program under test.
pub(crate) fn aqueduct() -> Result<PathBuf> {
    program("AQUEDUCT_BIN")
}

/// The path in the environment variable `name`, which `cargo xtask bench` sets.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    env::var_os(name)
        .map(PathBuf::from)
        .with_context(|| format!("{name} is not set: start the measurement by `cargo xtask bench`"))
}

/// Starts a script that uses libtorrent's Python module, in this mode.
pub(crate) fn libtorrent(mode: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/measure/libtorrent_client.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(mode);
    command
}

fn with(program: PathBuf, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
