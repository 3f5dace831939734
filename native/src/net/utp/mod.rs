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
