//! A real bridge on loopback, with a scripted tracker, peers and tabs.
#![allow(clippy::cast_possible_truncation, reason = "test sizes fit every type")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod abuse;
mod configuration;
mod descriptors;
mod dht;
mod drain;
mod encryption;
mod fairness;
mod http;
mod logging;
mod memory;
mod peer_hints;
mod players;
mod port_probing;
mod program;
mod reconnection;
mod rejoining;
mod relay;
mod remote;
mod session_limits;
mod support;
mod swarm;
mod tab;
mod tab_to_tab;
mod tls;
mod tracker;
mod tracker_limits;
mod utp;
