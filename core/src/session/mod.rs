//! Everything that one program does for its torrents, as one machine: the [`Engine`], trackers, the
//! DHT and local discovery ([`Discovery`]), and the rules of private torrents (BEP 27).
//!
//! A driver adds a torrent once, with [`Session::add`], and passes on what happens in the world;
//! what the engine and discovery have to say to each other stays inside. The crate's first page
//! shows the loop.

mod io;
mod machine;
#[cfg(test)]
mod tests;
mod torrent;

pub use io::{Identity, NewTorrent, Output, Reason, Source};
pub use machine::Session;

#[cfg(doc)]
use crate::Engine;
#[cfg(doc)]
use crate::discovery::Discovery;
