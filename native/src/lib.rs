//! Aqueduct for servers and terminals: the engine of `aqueduct-core` with sockets, files and time.
//! See ARCHITECTURE.md.

pub mod descriptors;
pub mod dial;
pub mod discovery;
pub mod driver;
pub mod half_open;
pub mod hash;
pub mod net;
pub mod port_mapping;
mod random;
pub mod storage;
pub mod transport;
mod until;
