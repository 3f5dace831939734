//! A tracker: a machine without I/O that tells clients of each other (BEP 3, 7, 15, 23, 41, 48).
//!
//! Its driver owns the sockets. It hands each datagram to [`Tracker::answer_udp`], each query to
//! [`Tracker::answer_announce`] or [`Tracker::answer_scrape`], sends what they write, and calls
//! [`Tracker::tick`] about once a second. The other half, which asks trackers, is in
//! [`crate::discovery`].
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
mod siphash;
mod swarms;
#[cfg(test)]
mod tests;
pub mod udp;

pub use config::Config;
pub use machine::Tracker;
pub use request::{Admission, Announce, Counts, Event, Refusal, Told};
