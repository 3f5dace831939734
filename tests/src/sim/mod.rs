//! A world without sockets, files or clocks: engines, their links and their disks in one process,
//! in virtual time, the same for the same seed.
//!
//! [`World`] holds the hosts and the queue of what happens next. A [`Host`] is a session (an engine,
//! trackers, and if wanted the DHT and local discovery) with one torrent or several, and a driver that keeps the contract of `core/src/io.rs` to the letter; what it breaks, it breaks as
//! networks and disks do. Misbehavior is a filter on what a host says ([`Misbehavior`]). After every step the
//! rules of `check` are applied to what the engines want; a broken rule panics, and the world
//! prints its seed.

mod check;
mod clock;
mod conn;
pub mod dht;
mod disk;
mod host;
mod misbehavior;
mod nat;
mod net;
mod network;
mod plan;
mod running;
mod tcp;
mod trace;
mod tracker;
mod transports;
mod udp;
pub mod utp;
mod world;

pub use disk::{Disk, Fault, Saved};
pub use host::{Host, HostId, TORRENT};
pub use misbehavior::Misbehavior;
pub use nat::{Dependence, NatKind};
pub use net::Access;
pub use plan::Plan;
pub use tcp::{Growth, Tcp};
pub use world::World;
