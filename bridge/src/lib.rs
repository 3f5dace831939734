//! The bridge: joins BitTorrent swarms on behalf of browser tabs, and serves them the page.
//!
//! A tab names an info-hash. The bridge finds peers, dials them through its address [`policy`],
//! sends the handshake itself, and gives the tab a stream only to a remote side that has answered
//! for the same info-hash. There is no request to connect to a host and port, so a bridge can be
//! run in public. Everything that clients can cause is limited; all limits are in [`Limits`].
//!
//! [`run`] takes the sockets, the configuration and the stop signal from its caller. One task serves
//! one tab: it owns the WebSocket and the sockets of all the tab's peers, so that a byte passes
//! through no channel and no lock.
//!
//! Dependencies between the folders point one way: `web` (the page's port) uses `session` (one tab),
//! which uses `swarm` (peers), which uses `tracker`; `web` and `session` use `player` (media players on
//! this machine), and all use `config`, `limits` and `metrics`.
#![forbid(unsafe_code)]

mod clock;
mod compare;
mod config;
mod limits;
mod metrics;
mod option;
mod player;
mod ports;
mod run;
mod session;
mod swarm;
mod sync;
mod tracker;
mod web;

pub use config::{Config, ConfigError, DEFAULT_PEER_PORT, Node, NodeError};
pub use limits::cidr::{Cidr, CidrError};
pub use limits::policy;
pub use limits::{Limits, Seconds};
pub use option::{Declared, OptionKind};
pub use ports::{listen, listen_for_peers};
pub use run::{Listeners, StartError, run, run_rereading};
pub use web::tls::TlsError;
