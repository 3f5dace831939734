//! The tunnel between a tab and its bridge: one WebSocket, many peer connections, credit in both
//! directions.
//!
//! Each binary WebSocket message contains whole frames ([`frame`]). A frame consists of a kind
//! (u8), a join or stream number (u32), a length (u32) and that many bytes, all big-endian. The tab
//! speaks first:
//!
//! ```text
//! tab                                     bridge
//! Hello{version, token, windows}   ->
//! Join{info-hash, peer id, trackers} ->   finds peers, dials them, shakes hands with the tab's peer id
//!                                  <-     Welcome{version, limits, windows, observed address, peer port}
//!                                  <-     Open{join, address, peer id, reserved, line}: only after the remote named the same info-hash
//! Data, Credit, Exhausted, Widen, Close <-> Data, Credit, Exhausted, Widen, Close
//! Update{amounts, want}, Hint, Leave ->
//! Offer{size, media type}, Withdraw ->
//!                                  <-     Offered{token}, Read{offer, bytes}: answered by Data, from the tab alone
//!                                  <-     Trackers, Tracker, Dht, Peers: what discovery came to; Ping, answered by Pong; Draining
//! ```
//!
//! No frame lets a tab choose a host and port to dial, so a public bridge is not an open relay.
//! `Hint` does not either. It passes on addresses from peer exchange, which the bridge does not
//! trust: the address filter and the list of refused ports apply; few hints per minute are
//! accepted, and at most a quarter of the stored addresses come from them; the rates and delays of
//! dials apply to all sessions together; they are dialled for that one info-hash, at a time of the
//! bridge's choice; and a stream opens only after the remote side has answered with the same
//! info-hash. Until then only 40 bytes chosen by the tab have reached it: info-hash and peer id, at
//! the end of the bridge's handshake (BEP 3), after its fixed 28 bytes. Hints for a private torrent
//! (BEP 27) are ignored.
//!
//! Two tabs of one bridge are connected inside it. Each sees the other as a peer at
//! [`crate::types::PeerAddr::Tab`].
//!
//! A bridge that runs on the tab's machine also serves the tab's files to media players there: the
//! tab offers a file, a player that has its token requests bytes of it over HTTP, and the bridge
//! reads them from the tab, by a stream that carries data in that direction alone. No other bridge
//! permits offers ([`Limits::offers`]).
//!
//! **Credit.** A browser's WebSocket has no back-pressure for received data, so each side sends
//! only as many bytes as it was granted. Each side announces how much it accepts per stream and for
//! the session ([`Windows`]). Half of the session's bytes are divided evenly between the maximum
//! number of streams, the other half is shared: a few stalled streams can use up the shared half,
//! but never another stream's own share.
//!
//! The window of a stream follows the path's bandwidth times its delay: a side that has as many
//! bytes in flight as the window permits says so (`Exhausted`), and the other side doubles the
//! window (`Widen`) up to its limit ([`ClientConfig::widest`]). No delay needs to be measured, and a
//! peer that is slower than the path keeps a small window.
//!
//! Both state machines, [`Client`] and [`Server`], perform no I/O: they take messages and the time,
//! and return messages and events.

mod backoff;
mod client;
mod client_config;
mod credit;
mod error;
mod event;
mod flow;
pub mod frame;
mod hello;
mod hint;
mod join;
mod keepalive;
mod kind;
mod offer;
mod outbox;
mod reader;
mod refusal;
mod send_queues;
mod server;
mod server_event;
mod status;
mod stream;
#[cfg(test)]
mod tests;
mod tracker_report;

pub use backoff::Backoff;
pub use client::Client;
pub use client_config::ClientConfig;
pub use credit::Windows;
pub use error::{Fault, Side, TunnelError};
pub use event::Event;
pub use hello::{Limits, VERSION, Welcome};
pub use hint::MAX_HINTS;
pub use join::{Amounts, JoinRequest, JoinUpdate, MAX_TRACKER_URL, MAX_TRACKERS};
pub use keepalive::Keepalive;
pub use offer::{OfferedFile, PLAYER_PATH, PlayerToken, player_path};
pub use refusal::{JoinRefusal, Refusal};
pub use send_queues::SendError;
pub use server::{Server, ServerConfig};
pub use server_event::ServerEvent;
pub use status::{DhtCounts, PeerCounts, TrackerCounts, TrackerFailure};
pub use stream::{Opened, StreamClose};
pub use tracker_report::{TrackerAnswer, TrackerReport};

/// The WebSocket subprotocol that both sides must negotiate.
pub const SUBPROTOCOL: &str = "aqueduct.v1";
