//! Aqueduct's engine: everything BitTorrent, nothing of the machine it runs on.
//!
//! This crate opens no socket and no file, reads no clock and starts no thread. It holds state
//! machines; a driver owns the world around them. The same code runs in a terminal program, in a
//! browser's worker and in a simulator.
//!
//! # The run loop
//!
//! 1. Make an [`Engine`] with a [`Config`], a peer id, a seed for its randomness, and the time.
//! 2. Give it the user's wishes with [`Engine::command`].
//! 3. Drain [`Engine::poll_output`] until `None`, and do what every [`Output`] asks for.
//! 4. Wait for the first of: a message ([`connection::Connection`] makes messages of bytes), the end of a
//!    connection, the answer to a request, or the time that [`Engine::poll_timeout`] names.
//! 5. Tell the engine with [`Engine::handle`], together with the time, and go on with 3. After a
//!    batch of messages one drain is enough.
//! 6. To leave, give [`Command::ShutDown`] and go on until [`Event::ShutDown`].
//!
//! Every [`Output::Request`] is answered exactly once with [`Input::Done`]. Nothing else is owed.
//! Here is a whole driver, for a world with one disk, no network and a torrent whose data are
//! there:
//!
//! ```
//! use std::sync::Arc;
//! use aqueduct_core::{Command, Config, Engine, Event, Input, Instant, Op, OpError, OpResult, Output, Resumed, TorrentId};
//! use aqueduct_core::meta::{Content, Details, Draft};
//! use aqueduct_core::types::{PeerId, PieceDigest};
//! use sha1::{Digest, Sha1};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = b"all the data of a small torrent".to_vec();
//! let draft = Draft::new("small", Content::File(disk.len() as u64), None)?;
//! let torrent = draft.finish(&[Sha1::digest(&disk).into()], Details::default())?;
//!
//! // 1 and 2.
//! let mut now = Instant::ZERO;
//! let mut engine = Engine::new(Config::default(), PeerId::ours([7; 12]), [1; 32], now);
//! let (id, info) = (TorrentId(1), Arc::clone(&torrent.info));
//! engine.command(now, Command::Add { torrent: id, info, resumed: Resumed::Check, wanted: None, paused: false })?;
//!
//! let mut finished = false;
//! while !finished {
//!     // 3.
//!     let mut answers = Vec::new();
//!     while let Some(output) = engine.poll_output() {
//!         match output {
//!             Output::Request { id, op: Op::Check(range), .. } => {
//!                 let start = range.offset as usize;
//!                 let digest = Sha1::digest(&disk[start..start + range.length as usize]);
//!                 answers.push((id, Ok(OpResult::Digest(PieceDigest::V1(digest.into())))));
//!             }
//!             Output::Request { id, .. } => answers.push((id, Ok(OpResult::Unit))),
//!             Output::Event(Event::Finished(_)) => finished = true,
//!             _ => {}
//!         }
//!     }
//!     // 4 and 5.
//!     match engine.poll_timeout() {
//!         _ if !answers.is_empty() => {}
//!         Some((at, _reason)) => now = now.max(at),
//!         None => break,
//!     }
//!     for (id, result) in answers {
//!         engine.handle(now, Input::Done { id, result });
//!     }
//!     engine.handle(now, Input::Timeout);
//! }
//! assert!(finished);
//! # Ok(())
//! # }
//! ```
//!
//! # What else is here
//!
//! [`discovery::Trackers`] asks trackers, [`tracker::Tracker`] is one, [`tunnel`] is the session
//! between a tab and its bridge, [`meta`] reads and makes torrents and magnet links, [`resume`] is
//! the record that outlives a program, [`wire`] and [`extensions`] are what peers say, [`utp`]
//! turns away who would say it over datagrams.
#![forbid(unsafe_code)]

pub mod bencode;
pub mod config;
pub mod connection;
mod context;
pub mod discovery;
pub mod engine;
pub mod extensions;
pub mod io;

pub mod meta;
pub mod net;
mod peer_failure;
pub mod resume;
pub mod session;
mod swarm;
pub mod tracker;
pub mod tunnel;
pub mod types;
pub mod utp;
pub mod wire;

pub use config::Config;
pub use engine::Engine;
pub use io::{
    CheckRange, CloseReason, Command, CommandError, DiscoverRequest, Event, Failure, FileChange,
    Handshaken, Input, Op, OpError, OpResult, Output, PeerSnapshot, Phase, PriorityRange, Reason,
    Resumed, Rope, Snapshot, TorrentSnapshot,
};
pub use peer_failure::{PeerFailure, PeerFailures};
pub use session::Session;
pub use types::{Instant, TorrentId};
