//! The engine's public interface: what it requests from peers, and what it permits them to do.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "in a test a failure is a panic"
)]

mod awaited_data;
mod awaited_pieces;
mod harness;
mod holepunching;
mod idle_messages;
mod info_hashes;
mod memory;
mod peer_limits;
mod rate_limits;
mod rechecks;
mod records;
mod requests;
mod slots;
