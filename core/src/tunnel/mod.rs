//! The tunnel between a tab and its bridge: one WebSocket, many peer connections, credit in both
//! directions.
//!
//! Each binary WebSocket message holds whole frames ([`frame`]); a frame is a kind (u8), a join or
//! stream number (u32), a length (u32) and so many bytes, all big-endian. The tab speaks first:
//!
//! ```text
//! tab                                     bridge
//! Hello{version, token, windows}   ->
//! Join{info-hash, peer id, trackers} ->   finds peers, dials them, shakes hands with the tab's peer id
//!                                  <-     Welcome{version, limits, windows, observed address, peer port}
//!                                  <-     Open{join, address, peer id, reserved}: only after the remote named the same info-hash
//! Data, Credit, Close             <->     Data, Credit, Close
//! Update{amounts, want}, Hint, Leave ->
//!                                  <-     Trackers, Dht, Peers: what discovery came to; Ping, answered by Pong; Draining
//! ```
//!
//! There is no frame by which a tab could name a host and port to dial: a bridge can stand in
//! public without being an open relay. `Hint` is none either. It hands on what the tab's peers said
//! in peer exchange, as they say it to everybody, and the bridge treats it like a stranger's word:
//! the address filter and the list of refused ports apply; few hints a minute are taken, and no
//! more than a quarter of the addresses that are remembered come from them; the rates and rests of
//! dials are those of all sessions together; they are dialled for that one info-hash, at a time of
//! the bridge's choice; and a stream opens only after the remote has answered with the same
//! info-hash. Until then 40 bytes of the tab's choosing have reached it, and no others: info-hash
//! and peer id, at the end of the bridge's handshake (BEP 3), behind its fixed 28 bytes. Nothing of
//! a private torrent (BEP 27) is taken.
//!
//! Two tabs of one bridge meet inside it. Each sees the other as a peer at
//! [`crate::types::PeerAddr::Tab`].
//!
//! **Credit.** A browser's WebSocket cannot push back on what it receives, so neither side sends a
//! byte that was not granted. Each side says how much it takes for a stream and for the session
//! ([`Windows`]). Half of the session's bytes are split evenly over all streams there may be, the
//! other half is shared: a few streams that stall can use up the shared half, never another
//! stream's own.
//!
//! Both machines, [`Client`] and [`Server`], do no I/O: messages and time go in, messages and
//! events come out.

mod backoff;
mod client;
mod credit;
mod error;
mod flow;
pub mod frame;
mod hello;
mod hint;
mod join;
mod keepalive;
mod kind;
mod outbox;
mod reader;
mod refusal;
mod send_queues;
mod server;
mod status;
mod stream;
#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use client::{Client, ClientConfig, Event};
pub use credit::Windows;
pub use error::{Fault, Side, TunnelError};
pub use hello::{Limits, VERSION, Welcome};
pub use hint::MAX_HINTS;
pub use join::{Amounts, JoinRequest, JoinUpdate, MAX_TRACKER_URL, MAX_TRACKERS};
pub use keepalive::Keepalive;
pub use refusal::{JoinRefusal, Refusal};
pub use send_queues::SendError;
pub use server::{Server, ServerConfig, ServerEvent};
pub use status::{DhtCounts, PeerCounts, TrackerCounts, TrackerFailure};
pub use stream::{Opened, StreamClose};

/// The WebSocket subprotocol both sides must name.
pub const SUBPROTOCOL: &str = "aqueduct.v1";
