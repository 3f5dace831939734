//! The bridge's own tracker, which answers over HTTP and UDP and lists the bridge's tabs.

pub(crate) mod http;
mod listing;
mod own_urls;
mod service;
mod tab_swarms;
pub(crate) mod udp;

pub(crate) use listing::Listing;
pub(crate) use service::{TrackerService, reachable};
