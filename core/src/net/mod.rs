//! Addresses, rates and limits that every part of the crate needs, each once.

mod addr;
pub(crate) mod disclosure;
mod external;
mod limiter;
mod priority;
mod rate;
mod token_bucket;

pub(crate) use addr::{Network, ip_network, is_local, is_shared, network, usable};
pub(crate) use external::ExternalAddress;
pub(crate) use limiter::Limiter;
pub(crate) use priority::Ranking;
pub(crate) use rate::Rate;
pub(crate) use token_bucket::TokenBucket;
