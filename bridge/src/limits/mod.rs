//! Limits on what clients can make the bridge do: the address filter, rates, shares and bounds.

pub(crate) mod address_rate;
pub(crate) mod bucket;
pub(crate) mod cidr;
pub(crate) mod clients;
pub(crate) mod connection_time;
pub(crate) mod descriptors;
pub(crate) mod fair_queue;
pub(crate) mod guard;
pub(crate) mod half_open;
pub(crate) mod key_exchanges;
pub(crate) mod memory;
pub(crate) mod network;
pub mod policy;
mod pruned_map;
pub(crate) mod quota;
mod settings;
pub(crate) mod targets;

pub use settings::{Limits, Seconds};
