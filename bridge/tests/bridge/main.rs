//! A real bridge on loopback, with a tracker, peers and tabs that follow a script.
#![allow(clippy::cast_possible_truncation, reason = "test sizes fit every type")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod attack;
mod crowd;
mod dht;
mod drain;
mod hint;
mod hose;
mod http;
mod limits;
mod meet;
mod operator;
mod program;
mod relay;
mod starve;
mod support;
mod swarm;
mod tls;
mod tracker;
mod utp;
