//! uTP (BEP 29): connections over datagrams that give way to other traffic.
//!
//! [`Socket`] holds all connections of one UDP port. Its parts own their fields: `half_open` and
//! `answers` handle unverified addresses, and each `connection` has a `sender`, a `receive_buffer`
//! and `timers`. A sender has a `send_buffer`, `rtt`, `delay`, `congestion` (LEDBAT), `reordering`
//! (which packets are lost), `tail_loss` and `mtu`.
//!
//! Guarantees against hostile datagrams:
//!
//! - No answer to an address that is not proven is longer than what it answers, or repeated.
//! - Memory follows what came, never a declared length, and is bounded per connection, for all
//!   connections, and for those that are not yet proven.
//! - A reset is believed only if it names one of three of the 65,536 numbers, and one of two ids.

mod answers;
mod close;
mod config;
mod congestion;
mod connection;
mod delay;
mod half_open;
mod mtu;
mod packet;
mod receive_buffer;
mod reordering;
mod resets;
mod rtt;
mod send_buffer;
mod sender;
mod sequence;
mod socket;
mod tail_loss;
#[cfg(test)]
mod tests;
mod timers;

pub use close::CloseReason;
pub use config::Config;
pub use packet::{Header, Kind, Packet, PacketError};
pub use resets::Resets;
pub use socket::{Closed, ConnectionId, Event, Full, Read, Socket, Transmit};
