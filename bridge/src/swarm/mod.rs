//! Swarms that tabs have joined: their members, and how the bridge connects to them.

pub(crate) mod candidates;
pub(crate) mod connected;
pub(crate) mod context;
mod dial;
pub(crate) mod dials;
pub(crate) mod incoming;
pub(crate) mod joined;
pub(crate) mod left;
pub(crate) mod pipe;
mod places;
mod privacy;
pub(crate) mod registry;
mod reports;
mod tab_dial;
mod tracker_reports;
pub(crate) mod udp_port;
