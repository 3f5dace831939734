//! uTP (BEP 29) over our UDP port, which the DHT shares.

mod endpoint;
mod local_addresses;
mod port;
mod readiness;
mod refusal;
mod stream;
#[cfg(test)]
mod tests;
mod unsent;

pub use endpoint::{Endpoint, Rest};
pub use refusal::turn_away;
pub use stream::UtpStream;

/// The receive buffer of a connection whose handshake is not complete, in bytes. It is more than
/// peers send before they have received ours.
pub const STRANGERS_BUFFER: usize = 64 * 1024;
