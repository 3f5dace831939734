//! A BitTorrent tracker as a state machine without I/O (BEP 3, 7, 15, 23, 41, 48).
//!
//! The driver owns the sockets. It passes each datagram to [`Tracker::answer_udp`] and each query
//! to [`Tracker::answer_announce`] or [`Tracker::answer_scrape`], sends the answers, and calls
//! [`Tracker::tick`] about once per second. The client side is in [`crate::discovery`].
//!
//! The same seed and the same calls give the same answers.

mod config;
mod connection;
mod creators;
mod entropy;
pub mod http;
mod machine;
mod peers;
mod rates;
mod request;
mod swarms;
#[cfg(test)]
mod tests;
pub mod udp;

pub use config::Config;
pub use machine::Tracker;
pub use request::{Admission, Announce, AnnounceAnswer, Counts, Event, Refusal};
