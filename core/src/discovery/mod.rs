//! Who is in the swarm: a machine without I/O that asks trackers (BEP 3, 7, 12, 15, 23, 24, 31, 41,
//! 48).
//!
//! The loop of its driver:
//! 1. [`Discovery::add`] a torrent with its tiers of trackers, then [`Discovery::request`] what the
//!    engine asks for.
//! 2. Drain [`Discovery::poll_output`] until `None`: fetch, resolve, send; hand peers to the
//!    engine.
//! 3. Wait for the first of: an answer, a datagram, the time that [`Discovery::poll_timeout`]
//!    names.
//! 4. [`Discovery::handle`] it and go on with 2.
//!
//! The same seed and the same calls give the same outputs.

mod budget;
pub mod dht;
pub mod lsd;
mod timers;
pub mod trackers;
pub mod url;

pub use trackers::{
    AddError, Amounts, Config, DhtCounts, Fetched, Input, Key, Output, QueryId, Reason, ResolveFor,
    Summary, Swarm, TrackerError, TrackerState, TrackerStatus, Trackers, failures,
};
