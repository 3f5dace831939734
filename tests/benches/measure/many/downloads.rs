//! Downloads from one or many seeds, which are libtorrent's.

use std::fmt;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use aqueduct_tests::programs::{Program, free_port};
use tempfile::TempDir;

use super::memory::Memory;
use super::shape::Shape;
use crate::clients::{self, Client, Line};
use crate::measured::Measured;
use crate::process;

const START: Duration = Duration::from_secs(60);

/// Sessions of libtorrent that serve a shape, until this is dropped.
pub(super) struct Seeds {
    count: u32,
    port: u16,
    _program: Program,
}

impl Seeds {
    /// Starts this many, and waits until they serve.
    pub(super) fn start(shape: &Shape, count: u32) -> Result<Self> {
        let port = free_port();
        let mut command = clients::libtorrent("seeds");
        command.arg(count.to_string()).arg(shape.folder());
        command.arg(port.to_string()).args(&shape.torrents);
        let mut program = Program::start(&mut command);
        program.wait_for_line("ready", START);
        Ok(Self {
            count,
            port,
            _program: program,
        })
    }

    fn addresses(&self) -> impl Iterator<Item = String> {
        let port = self.port;
        (1..=self.count).map(move |host| format!("127.0.0.{host}:{port}"))
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => f.write_str("one seed"),
            count => write!(f, "{count} seeds"),
        }
    }
}

/// A download of everything in a shape.
pub(super) struct Download<'a> {
    pub(super) client: Client,
    pub(super) shape: &'a Shape,
}

impl Download<'_> {
    /// Downloads into `folder`, and compares what was downloaded.
    pub(super) fn run(&self, seeds: &Seeds, folder: &TempDir) -> Result<(Measured, Memory)> {
        let mut memory = Memory::default();
        let mut command = self.command(seeds, folder)?;
        let measured = process::watch(&mut command, |id| memory.sample(id))?;
        self.shape.check(folder.path())?;
        Ok((measured, memory))
    }

    fn command(&self, seeds: &Seeds, folder: &TempDir) -> Result<Command> {
        if self.client != Client::Aqueduct {
            let mut command = clients::libtorrent("leeches");
            let peers: Vec<_> = seeds.addresses().collect();
            command.arg("1").arg(folder.path());
            command.arg(peers.join(",")).args(&self.shape.torrents);
            return Ok(command);
        }
        let mut command = clients::get(folder.path(), Line::Tcp)?;
        command.args(["--no-trackers", "--no-lsd"]);
        for peer in seeds.addresses() {
            command.args(["--peer", &peer]);
        }
        command.args(&self.shape.torrents);
        Ok(command)
    }
}
