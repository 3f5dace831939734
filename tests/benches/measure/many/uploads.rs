//! One seed and many peers that need it.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aqueduct_tests::process::{cpu, peak};
use aqueduct_tests::programs::{Program, free_port};

use super::memory::Memory;
use super::shape::Shape;
use crate::clients::{self, Client, Line};
use crate::measured::Measured;
use crate::{payload, process};

const START: Duration = Duration::from_secs(60);

/// What it costs `client` to serve the only torrent of `shape` to this many sessions of libtorrent.
pub(super) fn measure(client: Client, shape: &Shape, peers: u32) -> Result<(Measured, Memory)> {
    let port = free_port();
    let (mut seed, ready) = seed(client, shape, port)?;
    let mut seed = Program::start(&mut seed);
    seed.wait_for_line(ready, START);
    let folder = payload::in_memory()?;
    let mut leeches = clients::libtorrent("leeches");
    leeches.arg(peers.to_string()).arg(folder.path());
    leeches
        .arg(format!("127.0.0.1:{port}"))
        .args(&shape.torrents);
    let mut memory = Memory::default();
    let (before, start) = (cpu(seed.id()), Instant::now());
    process::watch(&mut leeches, |_| memory.sample(seed.id()))?;
    let measured = Measured {
        wall: start.elapsed(),
        cpu: cpu(seed.id()).saturating_sub(before),
        peak: peak(seed.id()),
    };
    (0..peers).try_for_each(|peer| shape.check(&folder.path().join(peer.to_string())))?;
    Ok((measured, memory))
}

/// The seed's command, and what it says when it serves.
fn seed(client: Client, shape: &Shape, port: u16) -> Result<(Command, &'static str)> {
    let torrent = shape.torrents.first().context("a shape has a torrent")?;
    if client == Client::Aqueduct {
        let paths = (torrent.as_path(), &*shape.first());
        let mut command = clients::seed(paths, port, Line::Tcp)?;
        command.arg("--json").env("XDG_STATE_HOME", shape.folder());
        return Ok((command, "\"seeding\""));
    }
    let mut command = clients::libtorrent("seeds");
    command.arg("1").arg(shape.folder());
    command.arg(port.to_string()).arg(torrent);
    Ok((command, "ready"))
}
