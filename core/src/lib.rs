//! Aqueduct's engine: everything BitTorrent, nothing of the machine it runs on.
#![forbid(unsafe_code)]

pub mod bencode;
pub mod config;
pub mod discovery;
pub mod engine;
pub mod ext;
pub mod io;
pub mod link;
pub mod meta;
mod peer;
pub mod resume;
mod torrent;
pub mod tunnel;
pub mod types;
pub mod wire;

pub use config::Config;
pub use engine::Engine;
pub use io::{
    CheckRange, CloseReason, Command, CommandError, DiscoverRequest, Event, Failure, Handshaken, Input, Op, OpError, OpResult, Output, PeerSnapshot,
    Phase, Reason, Resumed, Rope, Snapshot, TorrentSnapshot,
};
pub use types::{Instant, TorrentId};
