//! uTP (BEP 29): TCP's work over datagrams. So far it is only turned away: who tries it first, as
//! many clients do, goes on with TCP at once instead of waiting until its tries have timed out.

mod packet;
mod resets;

pub use packet::{Header, Kind, Packet, PacketError};
pub use resets::Resets;
