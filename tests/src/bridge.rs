//! The bridge as a child process on loopback.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::programs::{self, Program, command, free_port};

/// A running bridge. Its address stays the same over restarts.
#[derive(Debug)]
pub struct Bridge {
    path: PathBuf,
    port: u16,
    program: Program,
}

impl Bridge {
    /// Starts `aqueduct-bridge` with loopback allowed, so that the swarms of tests can be joined.
    #[must_use]
    pub fn start() -> Self {
        let (path, port) = (programs::bridge(), free_port());
        let program = launch(&path, port);
        Self { path, port, program }
    }

    /// Where the page is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Ends it as an operator does, waits, and starts it again at the same address.
    pub fn restart(&mut self) {
        self.program.signal("TERM");
        self.program.wait_for_success(Duration::from_secs(15));
        self.program = launch(&self.path, self.port);
    }

    /// Ends it as a crash does; the port stays free until [`Bridge::revive`].
    pub fn crash(&mut self) {
        self.program.signal("KILL");
        let _killed = self.program.wait(Duration::from_secs(15));
    }

    /// Starts it again at the same address.
    pub fn revive(&mut self) {
        self.program = launch(&self.path, self.port);
    }
}

fn launch(path: &Path, port: u16) -> Program {
    let mut bridge = command(path, ["--peer-port", "0", "--peer-bind", "127.0.0.1", "--allow", "127.0.0.0/8"]);
    bridge.arg("--listen").arg(format!("127.0.0.1:{port}")).env("RUST_LOG", "aqueduct_bridge=debug");
    let mut program = Program::start(&mut bridge);
    program.wait_for_line("serving", Duration::from_secs(15));
    program
}
