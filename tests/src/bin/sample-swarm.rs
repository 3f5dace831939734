//! A small swarm on loopback for trying Aqueduct: a tracker, and a seed of a sample torrent over
//! TCP. Prints the path of the .torrent file and its magnet link, and runs until it is stopped.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use aqueduct_tests::{programs, sample, tracker::Tracker};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: sample-swarm [--aqueduct PROGRAM] [--dir FOLDER]";

struct Arguments {
    aqueduct: PathBuf,
    /// The folder for the sample's files; a temporary one by default.
    folder: Option<PathBuf>,
}

impl Arguments {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let (mut aqueduct, mut folder) = (None, None);
        while let Some(flag) = args.next() {
            let value = args.next().map(PathBuf::from);
            match flag.as_str() {
                "--aqueduct" => aqueduct = Some(value.context(USAGE)?),
                "--dir" => folder = Some(value.context(USAGE)?),
                _ => bail!("{flag} is no flag; {USAGE}"),
            }
        }
        Ok(Self {
            aqueduct: aqueduct.unwrap_or_else(programs::aqueduct),
            folder,
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sample-swarm: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let arguments = Arguments::read(env::args().skip(1))?;
    let temporary = tempfile::Builder::new()
        .prefix("aqueduct-sample-")
        .tempdir()?;
    let folder = arguments.folder.as_deref().unwrap_or(temporary.path());
    let tracker = Tracker::start();
    let data = sample::write(folder)
        .with_context(|| format!("writing the sample to {}", folder.display()))?;
    let torrent = folder.join("sample.torrent");
    let magnet = create(&arguments.aqueduct, &data, &torrent, &tracker.http()).await?;
    let mut seed = seed(&arguments.aqueduct, &torrent, folder)?;
    println!("torrent {}", torrent.display());
    println!("magnet {magnet}");
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::select! {
        status = seed.wait() => bail!("the seed stopped by itself ({}); what it printed says why", status?),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    seed.kill().await.context("stopping the seed")
}

/// Creates the .torrent file. Returns its magnet link.
async fn create(aqueduct: &Path, data: &Path, torrent: &Path, tracker: &str) -> Result<String> {
    let mut create = Command::new(aqueduct);
    create.arg("create").arg(data).arg("-o").arg(torrent).args([
        "--force",
        "--tracker",
        tracker,
        "--comment",
        "A sample from Aqueduct",
    ]);
    let output = create
        .output()
        .await
        .with_context(|| format!("starting {}", aqueduct.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let magnet = said
        .split_whitespace()
        .find(|word| word.starts_with("magnet:"));
    match magnet.filter(|_| output.status.success()) {
        Some(magnet) => Ok(magnet.to_owned()),
        None => bail!(
            "making the torrent failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

fn seed(aqueduct: &Path, torrent: &Path, folder: &Path) -> Result<Child> {
    let mut seed = Command::new(aqueduct);
    seed.arg("seed").arg(torrent).arg(folder).args([
        "--port",
        "0",
        "--bind",
        "127.0.0.1",
        "--no-dht",
        "--no-lsd",
        "--quiet",
    ]);
    seed.kill_on_drop(true).spawn().context("starting the seed")
}
