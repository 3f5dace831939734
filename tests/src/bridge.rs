//! The bridge as a child process on loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
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

    /// What it counts, in Prometheus' words.
    ///
    /// # Errors
    /// It does not answer.
    pub fn metrics(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port)?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
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

impl Drop for Bridge {
    /// A failing test shows what the bridge counted.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the bridge's metrics: {}", self.metrics().unwrap_or_else(|e| e.to_string()));
        }
    }
}

fn launch(path: &Path, port: u16) -> Program {
    let mut bridge = command(path, ["--peer-port", "0", "--peer-bind", "127.0.0.1", "--allow", "127.0.0.0/8", "--no-dht"]);
    bridge.arg("--listen").arg(format!("127.0.0.1:{port}")).env("RUST_LOG", "aqueduct=debug");
    let mut program = Program::start(&mut bridge);
    program.wait_for_line("serving", Duration::from_secs(15));
    program
}
