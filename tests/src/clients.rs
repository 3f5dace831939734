//! Other BitTorrent clients as child processes on loopback. Each has its own folder, no DHT, no
//! local discovery, and only the test's tracker.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::{Program, START, command, free_port, system};

/// Starts libtorrent through its Python binding. `AQUEDUCT_PY` names the folder that contains the
/// package.
///
/// # Panics
/// Python or the package is missing; the message says how to install it.
#[must_use]
pub fn libtorrent(source: &str, folder: &Path) -> Program {
    libtorrent_with(source, folder, &[]).0
}

/// Starts libtorrent with additional arguments to its script. Also returns its listening port.
///
/// # Panics
/// As [`libtorrent`].
#[must_use]
pub fn libtorrent_with(source: &str, folder: &Path, more: &[&str]) -> (Program, u16) {
    let mut program = Program::start(
        python("libtorrent_peer.py")
            .arg(source)
            .arg(folder)
            .args(more),
    );
    let line = program.wait_for_line("\"listening\"", START);
    let port = line
        .rsplit_once("\"port\": ")
        .and_then(|(_, rest)| rest.trim_end_matches('}').parse().ok());
    (program, port.expect("it says at which port"))
}

/// Starts a DHT of this many libtorrent sessions on loopback. `more` are arguments of
/// `clients/libtorrent_dht.py`, which documents its output.
///
/// # Panics
/// Python or the package is missing; the message says how to install it.
#[must_use]
pub fn libtorrent_dht(nodes: usize, more: &[&str]) -> Program {
    Program::start(
        python("libtorrent_dht.py")
            .arg(nodes.to_string())
            .args(more),
    )
}

/// Starts libtorrent to scrape the first tracker of a torrent once. `clients/libtorrent_scrape.py`
/// documents its output.
///
/// # Panics
/// Python or the package is missing; the message says how to install it.
#[must_use]
pub fn libtorrent_scrape(source: &str, folder: &Path) -> Program {
    Program::start(python("libtorrent_scrape.py").arg(source).arg(folder))
}

/// A client of several torrents that reports how it is connected to their peers.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// `libtorrent`, `transmission`, `aria2`, `rtorrent` or `qbittorrent`.
    pub client: &'a str,
    /// A folder for its settings.
    pub state: &'a Path,
    /// Where it accepts peers.
    pub listen: SocketAddr,
    /// `off`, `allow`, `prefer` or `require`, as far as it has them.
    pub encryption: &'a str,
    /// The folder of its data.
    pub folder: &'a Path,
    /// Its .torrent files, each named by its info-hash.
    pub torrents: &'a [PathBuf],
}

/// Starts a client that reports its connections. `more` are options of
/// `clients/observed_client.py`, which documents its output.
///
/// # Panics
/// The client is missing; the message names its package.
#[must_use]
pub fn observed_client(observed: &Observed<'_>, more: &[&str]) -> Program {
    match observed.client {
        "transmission" => drop(system("transmission-daemon", "transmission-daemon")),
        "aria2" => drop(system("aria2c", "aria2")),
        "rtorrent" => drop(system("rtorrent", "rtorrent")),
        "qbittorrent" => drop(system("qbittorrent-nox", "qbittorrent-nox")),
        _ => {}
    }
    Program::start(
        python("observed_client.py")
            .arg(observed.client)
            .arg(observed.state)
            .args(["--listen", &observed.listen.to_string()])
            .args(["--encryption", observed.encryption])
            .arg("--folder")
            .arg(observed.folder)
            .args(more)
            .args(observed.torrents),
    )
}

/// A command that runs a script of `clients`.
fn python(script: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(script);
    let mut python = Command::new(system("python3", "python3"));
    python.arg(script);
    let packages = std::env::var_os("AQUEDUCT_PY")
        .map(PathBuf::from)
        .or_else(default_packages);
    if let Some(packages) = packages {
        python.env("PYTHONPATH", packages);
    }
    python
}

/// The folder in which `cargo xtask` installs Python packages.
fn default_packages() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("aqueduct/py")).filter(|path| path.is_dir())
}

/// Starts aria2. It exits when the download is complete, unless `seed` is true.
#[must_use]
pub fn aria2(torrent: &Path, folder: &Path, seed: bool) -> Program {
    aria2_with(torrent, folder, seed, &[])
}

/// The same with more arguments.
#[must_use]
pub fn aria2_with(torrent: &Path, folder: &Path, seed: bool, more: &[&str]) -> Program {
    let port = free_port().to_string();
    let mut aria2 = command(
        system("aria2c", "aria2"),
        [
            "--no-conf",
            "--enable-dht=false",
            "--enable-dht6=false",
            "--bt-enable-lpd=false",
            "--enable-peer-exchange=false",
            "--file-allocation=none",
            "--check-integrity=true",
            "--allow-overwrite=true",
            "--summary-interval=1",
            "--console-log-level=notice",
        ],
    );
    aria2
        .arg(format!("--listen-port={port}"))
        .arg("--dir")
        .arg(folder);
    aria2.args(if seed {
        ["--seed-ratio=0.0", "--bt-seed-unverified=false"]
    } else {
        ["--seed-time=0", "--bt-stop-timeout=60"]
    });
    Program::start(aria2.args(more).arg(torrent))
}

/// Starts Transmission's command-line client. It accepts peers from 127.0.0.0/8 but never dials
/// them. Its settings are in `config`.
///
/// # Panics
/// Its settings cannot be written.
#[must_use]
pub fn transmission(torrent: &Path, folder: &Path, config: &Path) -> Program {
    transmission_at(None, torrent, folder, config)
}

/// The same, which connects with peers that encrypt alone.
///
/// # Panics
/// Its settings cannot be written.
#[must_use]
pub fn transmission_requiring_encryption(torrent: &Path, folder: &Path, config: &Path) -> Program {
    transmission_with("0.0.0.0", 2, torrent, folder, config)
}

/// As [`transmission`], bound to one address.
///
/// # Panics
/// Its settings cannot be written.
#[must_use]
pub fn transmission_at(
    bind: Option<IpAddr>,
    torrent: &Path,
    folder: &Path,
    config: &Path,
) -> Program {
    let bind = bind.map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
    transmission_with(&bind, 1, torrent, folder, config)
}

/// `encryption`: 1, it prefers encrypted connections; 2, it requires them.
fn transmission_with(
    bind: &str,
    encryption: u8,
    torrent: &Path,
    folder: &Path,
    config: &Path,
) -> Program {
    let settings = format!(
        r#"{{"dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false, "bind-address-ipv4": "{bind}",
        "port-forwarding-enabled": false, "encryption": {encryption}, "ratio-limit-enabled": false, "speed-limit-up-enabled": false}}"#
    );
    std::fs::create_dir_all(config)
        .and_then(|()| std::fs::write(config.join("settings.json"), settings))
        .expect("settings can be written");
    let mut transmission = Command::new(system("transmission-cli", "transmission-cli"));
    transmission.args(["--no-portmap", "--no-uplimit", "--no-downlimit"]);
    transmission
        .arg("--port")
        .arg(free_port().to_string())
        .arg("--config-dir")
        .arg(config);
    Program::start(transmission.arg("--download-dir").arg(folder).arg(torrent))
}
