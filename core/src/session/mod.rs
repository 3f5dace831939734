//! All activity of a program for its torrents, as one state machine: the [`Engine`], trackers, the
//! DHT and local discovery ([`Discovery`]), and the rules for private torrents (BEP 27).
//!
//! A driver adds a torrent once, with [`Session::add`], and passes in all events; the exchange
//! between engine and discovery is internal. The crate's front page shows the loop.

mod io;
mod machine;
#[cfg(test)]
mod tests;
mod torrent;

pub use io::{Identity, Output, Reason};
pub use machine::Session;

#[cfg(doc)]
use crate::Engine;
#[cfg(doc)]
use crate::discovery::Discovery;
