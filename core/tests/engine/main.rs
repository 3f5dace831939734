//! The engine from outside: what it asks of peers, and what it lets them do.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "in a test a failure is a panic"
)]

mod harness;
mod info_hashes;
mod peer_limits;
mod requests;
