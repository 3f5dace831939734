//! What the integration tests of every crate share: torrents whose data are computed, peers and
//! trackers that follow a script, and programs as child processes.
//!
//! This is a crate beside `aqueduct-tests` because core, the terminal program and the bridge have
//! it as a development dependency: their tests must not wait for the browser's driver and the
//! simulator to compile.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and so does its library"
)]

pub mod bencode;
pub mod bridge;
pub mod namespace;
pub mod peer;
pub mod programs;
pub mod torrent;
pub mod tracker;
