//! uTP (BEP 29): connections over datagrams that give way to other traffic.
//!
//! [`Socket`] holds all connections of one UDP port. Its parts own their fields: `syn_cookies`,
//! `syn_limiter` and `answers` handle unverified addresses, and each `connection` has a `sender`, a
//! `receive_buffer`, an `acknowledgement` that it owes, and `timers`. A sender has a `send_buffer`,
//! `rtt`, `delay`, `congestion` (LEDBAT), `reordering` (which packets are lost), `tail_loss` and
//! `mtu`.
//!
//! Guarantees against hostile datagrams:
//!
//! - No answer to an address that is not proven is longer than what it answers, or repeated.
//! - Memory follows what came, never a declared length, and is bounded per connection and for all
//!   connections. Those that are not yet proven take none, so that forged SYNs displace nobody.
//! - A reset is believed only if it names one of three of the 65,536 numbers, and one of two ids.

mod acknowledgement;
mod answers;
mod close;
mod config;
mod congestion;
mod connection;
mod delay;
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
mod syn_cookies;
mod syn_limiter;
mod tail_loss;
#[cfg(test)]
mod tests;
mod timers;
mod unsent;

pub use close::CloseReason;
pub use config::Config;
pub use packet::{Header, Kind, Packet, PacketError};
pub use resets::Resets;
pub use socket::{Closed, ConnectionId, Event, Full, Read, Socket, Transmit};
