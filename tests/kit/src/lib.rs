//! Shared by the integration tests of every crate: torrents with computed data, peers, trackers and
//! web servers that follow a script, and programs as child processes.
//!
//! # How a test begins
//!
//! A test of a whole program makes a torrent, starts a seed of it, and starts the program:
//!
//! ```no_run
//! use std::sync::Arc;
//! use aqueduct_testkit::peer::{Manner, ScriptedSeed};
//! use aqueduct_testkit::programs::{self, Program, START, command};
//! use aqueduct_testkit::torrent::Recipe;
//! use aqueduct_testkit::tracker::Tracker;
//!
//! let torrent = Arc::new(Recipe::single("some.bin", 1, 1 << 20, 64 * 1024).build());
//! let tracker = Tracker::start();
//! let seed = ScriptedSeed::start(Arc::clone(&torrent), Manner::Honest);
//! tracker.introduce(torrent.info().info_hash.wire(), seed.addr);
//! let magnet = torrent.magnet(&[tracker.http()]);
//! let mut get = Program::start(&mut command(programs::aqueduct(), ["get", &magnet]));
//! get.wait_for_success(START);
//! ```
//!
//! Each server listens on a free port of loopback, runs in its own threads, and stops when it is
//! dropped. Tests wait for entries of a [`journal::Journal`]: announces to a tracker, requests to a
//! server, lines of a program. Nothing waits longer than [`PATIENCE`] unless the test says so.
//!
//! # Why this is a crate of its own
//!
//! `core`, `native` and `bridge` have it as a development dependency: their tests should not have
//! to compile the browser's driver and the simulator. Those are in `aqueduct-tests`, which
//! re-exports all of this.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and so does its library"
)]

pub mod bencode;
pub mod bridge;
pub mod gateway;
pub mod http;
pub mod journal;
pub mod namespace;
pub mod peer;
pub mod process;
pub mod programs;
pub mod socks;
pub mod torrent;
pub mod tracker;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

/// The default limit for everything that a test waits for. It is long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Awaits `future`, and fails the test if that takes longer than [`PATIENCE`].
///
/// # Panics
/// The limit is exceeded.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

/// A UDP port of loopback at which nothing listened when this was called.
///
/// # Panics
/// There is no free port.
#[must_use]
pub fn free_udp_port() -> u16 {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|socket| socket.local_addr())
        .expect("a free port")
        .port()
}

/// An address of 127.0.0.1 at which nothing listened when this was called.
///
/// # Panics
/// There is no free port.
#[must_use]
pub fn closed_port() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}
