//! Tracker requests (BEP 3, 7, 12, 15, 23, 24, 31, 41, 48).

mod allowance;
mod announce;
mod answers;
mod asking;
mod config;
mod endpoint;
mod exchange;
pub mod http;
mod io;
mod machine;
mod member;
mod other_family;
mod peer_names;
mod queries;
mod question;
mod requests;
mod schedule;
mod status;
#[cfg(test)]
mod tests;
mod tracker;
pub mod udp;
mod wake;

pub use announce::{Announce, AnnounceEvent, Answer, MAX_NAMES, MAX_PEERS, MAX_TEXT};
pub use config::Config;
pub use endpoint::Endpoint;
pub use io::{Fetched, Input, Output, QueryId, Reason, Request, ResolveFor};
pub use machine::Trackers;
pub use status::{Summary, TrackerError, TrackerState, TrackerStatus, failures};
