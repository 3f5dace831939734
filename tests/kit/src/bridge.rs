//! The bridge as a child process on loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::programs::{self, Program, START, command, free_port};

/// A running bridge. Its address stays the same over restarts.
#[derive(Debug)]
pub struct Bridge {
    path: PathBuf,
    port: u16,
    arguments: Vec<String>,
    program: Program,
}

impl Bridge {
    /// Starts `aqueduct-bridge` with loopback allowed, so that the swarms of tests can be joined.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[
            "--peer-bind",
            "127.0.0.1",
            "--allow",
            "127.0.0.0/8",
            "--no-dht",
        ])
    }

    /// Starts `aqueduct-bridge` with these arguments; its page is on 127.0.0.1, its peer port any
    /// free one.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        let (path, port) = (programs::bridge(), free_port());
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let program = launch(&path, port, &arguments);
        Self {
            path,
            port,
            arguments,
            program,
        }
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
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.port
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// One of its counters, by its name without the prefix.
    ///
    /// # Panics
    /// It does not answer, or has no such counter.
    #[must_use]
    pub fn counted(&self, name: &str) -> u64 {
        let metrics = self.metrics().expect("the bridge answers");
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(&format!("aqueduct_bridge_{name} ")));
        line.and_then(|number| number.trim().parse().ok())
            .unwrap_or_else(|| panic!("no {name} in {metrics}"))
    }

    /// Ends it as an operator does, waits, and starts it again at the same address.
    pub fn restart(&mut self) {
        self.program.signal("TERM");
        self.program.wait_for_success(Duration::from_secs(15));
        self.program = launch(&self.path, self.port, &self.arguments);
    }

    /// Ends it as a crash does; the port stays free until [`Bridge::revive`].
    pub fn crash(&mut self) {
        self.program.signal("KILL");
        let _killed = self.program.wait(Duration::from_secs(15));
    }

    /// Starts it again at the same address.
    pub fn revive(&mut self) {
        self.program = launch(&self.path, self.port, &self.arguments);
    }
}

impl Drop for Bridge {
    /// A failing test shows what the bridge counted.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the bridge's metrics: {}",
                self.metrics().unwrap_or_else(|e| e.to_string())
            );
        }
    }
}

fn launch(path: &Path, port: u16, arguments: &[String]) -> Program {
    let mut bridge = command(path, ["--peer-port", "0"]);
    bridge
        .args(arguments)
        .arg("--listen")
        .arg(format!("127.0.0.1:{port}"))
        .env("RUST_LOG", "aqueduct=debug");
    let mut program = Program::start(&mut bridge);
    program.wait_for_line("serving", START);
    program
}
