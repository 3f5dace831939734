//! Swarms of extreme shapes beside libtorrent: tiny and huge pieces, many files, many torrents at a
//! time, many peers, and more data than fit into memory. Everything runs on loopback, where any
//! number of peers may have one address.

mod downloads;
mod memory;
mod shape;
mod uploads;

use std::env;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use tempfile::TempDir;

use self::downloads::{Download, Seeds};
use self::memory::Memory;
use self::shape::{Content, MANY_FILES, Shape};
use crate::clients::Client;
use crate::measured::{self, Measured};
use crate::{Arguments, payload};

/// The clients that are compared; the first one is the rival.
const CLIENTS: [Client; 2] = [Client::Libtorrent, Client::Aqueduct];
/// Room that [`Swarm::Large`] leaves on the disk, in bytes.
const SPARE: u64 = 1 << 30;

/// The swarms that `many` measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Swarm {
    /// One file, with pieces of 16 KiB, 1 MiB and 16 MiB
    Pieces,
    /// 10,000 files of 100 KiB
    Files,
    /// 20 torrents of 50 MiB at a time
    Torrents,
    /// 50 seeds, with pieces of 16 KiB, 1 MiB and 16 MiB
    Seeds,
    /// One seed for 50 peers
    Leeches,
    /// A file of `--large` GiB, written to the folder for temporary files
    Large,
}

/// Prints a table for each swarm.
pub(crate) fn measure(arguments: &Arguments) -> Result<()> {
    let size = u64::from(arguments.size.get());
    for swarm in &arguments.swarms {
        match swarm {
            Swarm::Pieces => pieces(arguments, size, 1)?,
            Swarm::Seeds => pieces(arguments, size, 50)?,
            Swarm::Files => {
                let shape = Shape::create(1, MANY_FILES)?;
                download("10,000 files of 100 KiB", arguments.runs, &shape, 1)?;
            }
            Swarm::Torrents => {
                let shape = Shape::create(20, Content::file(50, 1024))?;
                download("20 torrents of 50 MiB", arguments.runs, &shape, 1)?;
            }
            Swarm::Leeches => {
                let shape = Shape::create(1, Content::file(20, 256))?;
                measured::head("Upload 20 MiB to each of 50 peers: the seed's own figures");
                compare(arguments.runs, &shape, 50, |client| {
                    uploads::measure(client, &shape, 50)
                })?;
            }
            Swarm::Large => large(arguments)?,
        }
    }
    Ok(())
}

/// One file with pieces of each length.
fn pieces(arguments: &Arguments, size: u64, seeds: u32) -> Result<()> {
    for (piece_length, name) in [(16, "16 KiB"), (1024, "1 MiB"), (16 * 1024, "16 MiB")] {
        let shape = Shape::create(1, Content::file(size, piece_length))?;
        let title = format!("{size} MiB in one file, pieces of {name}");
        download(&title, arguments.runs, &shape, seeds)?;
    }
    Ok(())
}

/// Each client downloads everything, into memory.
fn download(title: &str, runs: u32, shape: &Shape, seeds: u32) -> Result<()> {
    let seeds = Seeds::start(shape, seeds)?;
    measured::head(&format!("Download {title}, from {seeds}"));
    compare(runs, shape, 1, |client| {
        Download { client, shape }.run(&seeds, &payload::in_memory()?)
    })
}

fn large(arguments: &Arguments) -> Result<()> {
    let size = u64::from(arguments.large.get());
    let room = free(&env::temp_dir())?;
    ensure!(
        room >= (size << 30) + SPARE,
        "{} has {} GiB free, and {size} GiB with {} GiB to spare are needed: choose a smaller --large, or another folder by TMPDIR",
        env::temp_dir().display(),
        room >> 30,
        SPARE >> 30
    );
    let content = Content {
        sparse: true,
        ..Content::file(size * 1024, 4 * 1024)
    };
    let shape = Shape::create(1, content)?;
    let seeds = Seeds::start(&shape, 1)?;
    measured::head(&format!(
        "Download {size} GiB of zeros to a disk, from {seeds}"
    ));
    compare(1, &shape, 1, |client| {
        let folder = TempDir::new().context("making a folder for the download")?;
        Download {
            client,
            shape: &shape,
        }
        .run(&seeds, &folder)
    })
}

/// Prints a row per client and run. `copies`: how often the data are transferred.
fn compare(
    runs: u32,
    shape: &Shape,
    copies: u32,
    run: impl Fn(Client) -> Result<(Measured, Memory)>,
) -> Result<()> {
    for _ in 0..runs {
        let mut rival: Option<(&str, Measured)> = None;
        for client in CLIENTS {
            let (measured, memory) =
                run(client).with_context(|| format!("measuring {client:?}"))?;
            let beside = rival.map(|(name, rival)| format!("; {}", measured.beside(name, &rival)));
            let note = format!("{memory}{}", beside.unwrap_or_default());
            measured::row(client.name(), shape.mebibytes()? * copies, &measured, &note);
            rival = rival.or(Some((client.name(), measured)));
        }
    }
    Ok(())
}

/// The free bytes of a folder's file system.
fn free(folder: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(folder);
    let stat = stat.with_context(|| format!("reading the free space of {}", folder.display()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
