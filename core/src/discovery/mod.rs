//! Peer discovery as a state machine without I/O. It uses trackers (BEP 3, 7, 12, 15, 23, 24, 31,
//! 41, 48), the DHT (BEP 5) and local discovery (BEP 14), and restricts private torrents to their
//! trackers (BEP 27).
//!
//! [`Discovery`] combines [`trackers`], [`dht`] and [`lsd`], each of which can also be driven
//! alone. Most programs drive a [`crate::session::Session`], which contains a [`Discovery`].
//!
//! A driver runs this loop:
//! 1. Add a torrent with its tiers of trackers by [`Discovery::add`]. It returns a [`Membership`],
//!    which is passed to [`Discovery::request`] with the engine's requests.
//! 2. Call [`Discovery::poll_output`] until it returns `None`: carry out each [`NetRequest`], and
//!    pass peers to the engine.
//! 3. Wait for the first of: a result, a datagram, the time that [`Discovery::poll_timeout`]
//!    returns.
//! 4. Pass it to [`Discovery::handle`] and continue with step 2.
//!
//! It is deterministic: the same seed and the same calls give the same outputs.

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
