//! The bridge: joins BitTorrent swarms on behalf of browser tabs, and serves them the page.
//!
//! A tab names an info-hash; the bridge finds peers, dials them through its address [`policy`],
//! writes the handshake itself, and only when a remote has answered for the same info-hash does the
//! tab get a stream to it. There is no way to ask for a host and port, so that a bridge can be run
//! in public. Everything that strangers can make it do has a limit, and every limit is in the
//! [`Limits`].
//!
//! [`run`] takes the sockets, the configuration and the stop signal from its caller. One task
//! serves one tab: it owns the WebSocket and the sockets of all the tab's peers, so that a byte
//! passes through no channel and no lock.
#![forbid(unsafe_code)]

mod bridge;
mod config;
mod limits;
mod metrics;
mod session;
mod swarm;
mod tracker;
mod web;

pub use config::node::{Node, NodeError};
pub use config::{Config, ConfigError, DEFAULT_PEER_PORT};
pub use limits::cidr::{Cidr, CidrError};
pub use limits::policy;
pub use limits::{Limits, Seconds};
pub use web::server::{Listeners, StartError, listen, run, run_rereading};
pub use web::tls::TlsError;
