//! Test infrastructure: a simulated world, torrents with computed data, a tracker, scripted peers,
//! real clients and a real browser. The tests themselves are in `tests/`, one binary per area.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, and so does its library"
)]

pub use aqueduct_testkit::{
    bencode, bridge, closed_port, http, journal, namespace, peer, process, programs, socks,
    torrent, tracker,
};

pub mod clients;
pub mod devtools;
pub mod fuzz;
pub mod network;
pub mod page;
pub mod relay;
pub mod sample;
pub mod sim;
pub mod wave;
