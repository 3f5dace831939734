//! Who is in the swarm: a machine without I/O that asks trackers (BEP 3, 7, 12, 15, 23, 24, 31, 41,
//! 48), the DHT (BEP 5) and the local network (BEP 14), and keeps private torrents to their trackers
//! (BEP 27).
//!
//! [`Discovery`] is the whole; [`trackers`], [`dht`] and [`lsd`] are its parts, each of which can be
//! driven alone. Most programs drive neither, but a [`crate::session::Session`], which holds one.
//!
//! The loop of a driver:
//! 1. [`Discovery::add`] a torrent with its tiers of trackers. That gives a [`Membership`], with
//!    which [`Discovery::request`] takes what the engine asks for.
//! 2. Drain [`Discovery::poll_output`] until `None`: do what each [`NetRequest`] asks for, hand
//!    peers to the engine.
//! 3. Wait for the first of: an answer, a datagram, the time that [`Discovery::poll_timeout`]
//!    names.
//! 4. [`Discovery::handle`] it and go on with 2.
//!
//! The same seed and the same calls give the same outputs.

mod budget;
pub mod dht;
mod io;
pub mod lsd;
mod machine;
mod swarm;
#[cfg(test)]
mod tests;
mod timers;
pub mod trackers;
pub mod url;

pub use dht::DhtCounts;
pub use io::{Input, NetRequest, Output, Reason};
pub use machine::{Discovery, Membership};
pub use swarm::{AddError, Amounts, Key, Swarm};
pub use trackers::{
    Config, Fetched, QueryId, ResolveFor, Summary, TrackerError, TrackerState, TrackerStatus,
    failures,
};
