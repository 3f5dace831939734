//! The bridge as a child process on loopback.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::http;
use crate::programs::{self, Program, START};

/// A running bridge. Its address stays the same over restarts.
#[derive(Debug)]
pub struct Bridge {
    /// Where it serves the page, the sessions of tabs, and its tracker.
    pub addr: SocketAddr,
    /// The process; its lines are its log.
    pub program: Program,
    /// What to start, without the address to listen at.
    command: Command,
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

    /// Starts `aqueduct-bridge` with these arguments and any free peer port.
    #[must_use]
    pub fn start_with(arguments: &[&str]) -> Self {
        let mut command = Command::new(programs::bridge());
        command
            .args(["--peer-port", "0"])
            .args(arguments)
            .env("RUST_LOG", "aqueduct=debug");
        Self::launch(command)
    }

    /// Starts this command, which ends in the bridge's program and its arguments, at any free port
    /// of 127.0.0.1.
    ///
    /// # Panics
    /// It does not say that it serves; shows its log.
    #[must_use]
    pub fn launch(command: Command) -> Self {
        let (addr, program) = launch(&command, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Self {
            addr,
            program,
            command,
        }
    }

    /// Where the page is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    /// What it counts, in Prometheus' format.
    ///
    /// # Errors
    /// It does not answer.
    pub fn metrics(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.addr)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(
            stream,
            "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.addr
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    /// One HTTP exchange, with more header lines (each with its line end); returns the answer's head
    /// and body.
    ///
    /// # Panics
    /// There is no whole answer within [`crate::PATIENCE`].
    pub async fn get(&self, path: &str, headers: &str) -> (String, Vec<u8>) {
        let stream = tokio::net::TcpStream::connect(self.addr).await.unwrap();
        http::get(stream, &self.addr.to_string(), path, headers).await
    }

    /// One of its counters, by its name without the prefix.
    ///
    /// # Panics
    /// It does not answer, or lacks such a counter.
    #[must_use]
    pub fn counted(&self, name: &str) -> u64 {
        counter(&self.metrics().expect("the bridge answers"), name)
    }

    /// Ends it as an operator does, waits, and starts it again at the same address.
    pub fn restart(&mut self) {
        self.program.signal("TERM");
        self.program.wait_for_success(Duration::from_secs(15));
        self.revive();
    }

    /// Ends it as a crash does; nothing listens at its address until [`Bridge::revive`].
    pub fn crash(&mut self) {
        self.program.signal("KILL");
        let _killed = self.program.wait(Duration::from_secs(15));
    }

    /// Starts it again at the same address.
    pub fn revive(&mut self) {
        self.program = launch(&self.command, self.addr).1;
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

/// A counter of the bridge, by its name without the prefix.
///
/// # Panics
/// There is none of this name.
#[must_use]
pub fn counter(metrics: &str, name: &str) -> u64 {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("aqueduct_bridge_{name} ")));
    line.and_then(|number| number.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

/// Starts the bridge and waits until it serves; returns where.
fn launch(template: &Command, listen: SocketAddr) -> (SocketAddr, Program) {
    let mut command = Command::new(template.get_program());
    command
        .args(template.get_args())
        .arg("--listen")
        .arg(listen.to_string());
    for (name, value) in template.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut program = Program::start(&mut command);
    let addr = program.wait_for("serving http", START, |line| {
        let (_, url) = line.split_once("serving http")?;
        let (_, rest) = url.split_once("://")?;
        rest.split('/').next()?.parse().ok()
    });
    (addr, program)
}
