//! Aqueduct's BitTorrent engine, independent of the platform.
//!
//! This crate opens no socket and no file, reads no clock and starts no thread. It consists of
//! state machines; a driver performs all I/O for them. The same code runs in a terminal program, in
//! a browser's worker and in a simulator.
//!
//! # The run loop
//!
//! 1. Create an [`Engine`] with a [`Config`], a peer id, a seed for its randomness, and the time; a
//!    [`discovery::Discovery`], which finds peers; and a [`Session`] of both. (A program whose peers
//!    are found elsewhere, such as a tab, whose bridge finds them, drives an engine alone.)
//! 2. Add torrents with [`Session::add`], and pass the user's commands to [`Session::command`].
//! 3. Call [`Session::poll_output`] until it returns `None`, and carry out every
//!    [`session::Output`]: an [`Output`] of the engine concerns connections, storage or events, a
//!    [`discovery::NetRequest`] concerns trackers, the DHT or local discovery.
//! 4. Wait for the first of: a message ([`connection::Connection`] decodes the bytes), the end of a
//!    connection, the result of a request, a datagram, or the time that [`Session::poll_timeout`]
//!    returns.
//! 5. Pass it to [`Session::handle`] or [`Session::handle_net`], together with the time, and
//!    continue with step 3. After a batch of messages it is sufficient to do step 3 once.
//! 6. To exit, issue [`Command::ShutDown`] and continue until [`Event::ShutDown`]. Then call
//!    [`Session::leave`], and continue until all trackers were told ([`Session::has_left`]) or a
//!    timeout.
//!
//! Every [`Output::Request`] must be answered exactly once with [`Input::Done`]. Other outputs need
//! no answer. This is a complete driver, for one disk, a tracker that is unreachable, and a torrent
//! whose data are present:
//!
//! ```
//! use std::sync::Arc;
//! use aqueduct_core::{Config, Engine, Event, Input, Instant, NewTorrent, Op, OpError, OpResult, Output, Resumed, Session, TorrentId, TorrentSource};
//! use aqueduct_core::discovery::trackers::{self, Request};
//! use aqueduct_core::discovery::{self, Discovery, NetRequest, TrackerError};
//! use aqueduct_core::meta::{Content, Details, Draft};
//! use aqueduct_core::session::{self, Identity};
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
//! let identity = Identity { peer_id: PeerId::ours([7; 12]), port: 6881 };
//! let engine = Engine::new(Config::default(), identity.peer_id, [1; 32], now);
//! let discovery = Discovery::new(discovery::Config::default(), [2; 32]);
//! let mut session = Session::new(engine, discovery, identity, now);
//! let info = Arc::clone(&torrent.info);
//! let source = TorrentSource::Info { info, resumed: Resumed::Check, wanted: None };
//! let new = NewTorrent { torrent: TorrentId(1), source, paused: false };
//! session.add(now, new, vec![vec!["http://tracker.example/announce".to_owned()]])?;
//!
//! let (mut finished, mut announced) = (false, false);
//! while !finished {
//!     // 3.
//!     let (mut done, mut heard) = (Vec::new(), Vec::new());
//!     while let Some(output) = session.poll_output() {
//!         match output {
//!             session::Output::Engine(Output::Request { id, op: Op::Check(range), .. }) => {
//!                 let start = range.offset as usize;
//!                 let digest = Sha1::digest(&disk[start..start + range.length as usize]);
//!                 done.push((id, Ok(OpResult::Digest(PieceDigest::V1(digest.into())))));
//!             }
//!             session::Output::Engine(Output::Request { id, .. }) => done.push((id, Ok(OpResult::Unit))),
//!             session::Output::Engine(Output::Event(Event::Finished(_))) => finished = true,
//!             session::Output::Net(NetRequest::Trackers(Request::HttpGet { id, .. })) => {
//!                 announced = true;
//!                 let result = Err(TrackerError::Unreachable("there is no network".to_owned()));
//!                 let response = trackers::Input::HttpResponse { id, result };
//!                 heard.push(discovery::Input::Trackers(response));
//!             }
//!             _ => {}
//!         }
//!     }
//!     // 4 and 5.
//!     match session.poll_timeout() {
//!         _ if !done.is_empty() || !heard.is_empty() => {}
//!         Some((at, _reason)) => now = now.max(at),
//!         None => break,
//!     }
//!     for (id, result) in done {
//!         session.handle(now, Input::Done { id, result });
//!     }
//!     for input in heard {
//!         session.handle_net(now, input);
//!     }
//!     session.handle(now, Input::Timeout);
//! }
//! assert!(finished && announced);
//! # Ok(())
//! # }
//! ```
//!
//! # Other modules
//!
//! [`discovery`] finds peers, [`tracker`] implements a tracker, [`tunnel`] is the protocol between
//! a tab and its bridge, [`meta`] parses and creates torrents and magnet links, [`resume`] is the
//! format of resume records, [`wire`] and [`extensions`] implement the messages of peers, [`utp`]
//! carries a connection's bytes over datagrams, [`socks`] connects through a proxy, [`media`] answers
//! players.
#![forbid(unsafe_code)]

pub mod bencode;
pub mod config;
pub mod connection;
mod context;
pub mod discovery;
pub mod engine;
pub mod extensions;
pub mod io;

pub mod media;
pub mod meta;
pub mod net;
mod peer_failure;
pub mod resume;
pub mod session;
mod siphash;
pub mod socks;
mod swarm;
pub mod tracker;
pub mod tunnel;
pub mod types;
pub mod utp;
pub mod wire;

pub use config::Config;
pub use engine::Engine;
pub use io::{
    CheckRange, CloseReason, Command, CommandError, DialKind, DiscoverRequest, Event, Failure,
    FileChange, Handshaken, Input, NewTorrent, Op, OpError, OpResult, Output, PeerSnapshot, Phase,
    PriorityRange, Reason, Rechecked, Resumed, Rope, Snapshot, TorrentSnapshot, TorrentSource,
};
pub use peer_failure::{PeerFailure, PeerFailures};
pub use session::Session;
pub use types::{Instant, TorrentId};
