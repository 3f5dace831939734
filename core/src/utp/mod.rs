//! uTP (BEP 29): a reliable stream over UDP. It is not supported yet, only rejected, so that a
//! client that tries it first, as many do, switches to TCP immediately instead of waiting for a
//! timeout.

mod packet;
mod resets;

pub use packet::{Header, Kind, Packet, PacketError};
pub use resets::Resets;
