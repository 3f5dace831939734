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
    /// The address that serves the page, the tabs' sessions and the tracker.
    pub addr: SocketAddr,
    /// The bridge's process; its output lines are the log.
    pub program: Program,
    /// The command to start, without `--listen`.
    command: Command,
}

impl Bridge {
    /// Starts `aqueduct-bridge` with loopback allowed, so that tabs can join the swarms of tests.
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
    /// The bridge does not report that it is ready; the message includes its log.
    #[must_use]
    pub fn launch(command: Command) -> Self {
        let (addr, program) = launch(&command, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        Self {
            addr,
            program,
            command,
        }
    }

    /// The URL of the page.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.addr)
    }

    /// The bridge's metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// The bridge does not answer.
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

    /// Performs one HTTP exchange and returns the response's head and body. `headers` are
    /// additional header lines, each with its line end.
    ///
    /// # Panics
    /// No complete response arrives within [`crate::PATIENCE`].
    pub async fn get(&self, path: &str, headers: &str) -> (String, Vec<u8>) {
        let stream = tokio::net::TcpStream::connect(self.addr).await.unwrap();
        http::get(stream, &self.addr.to_string(), path, headers).await
    }

    /// The value of a counter, by its name without the prefix.
    ///
    /// # Panics
    /// The bridge does not answer, or has no such counter.
    #[must_use]
    pub fn counted(&self, name: &str) -> u64 {
        counter(&self.metrics().expect("the bridge answers"), name)
    }

    /// Stops the bridge as an operator would, waits for it to exit, and starts it again at the same
    /// address.
    pub fn restart(&mut self) {
        self.program.signal("TERM");
        self.program.wait_for_success(Duration::from_secs(15));
        self.revive();
    }

    /// Kills the bridge, as a crash would. Nothing listens at its address until [`Bridge::revive`].
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

/// The value of a counter in `metrics`, by its name without the prefix.
///
/// # Panics
/// There is no counter of this name.
#[must_use]
pub fn counter(metrics: &str, name: &str) -> u64 {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(&format!("aqueduct_bridge_{name} ")));
    line.and_then(|number| number.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {metrics}"))
}

/// Starts the bridge and waits until it is ready. Returns its address.
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
