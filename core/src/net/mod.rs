//! Addresses, rates and limits that several parts use.

mod addr;
mod answer_limiter;
pub mod blocklist;
pub mod compact;
pub(crate) mod disclosure;
mod external;
mod history;
mod keyed_limiter;
mod loopback;
mod priority;
mod rate;
mod token_bucket;
mod votes;

pub(crate) use addr::{Network, is_shared, network};
pub use addr::{as_v6, ip_network, is_local, is_usable};
pub(crate) use answer_limiter::{AnswerLimiter, counted};
pub use blocklist::Blocklist;
pub(crate) use external::ExternalAddress;
pub use history::{DialHistory, takes_more};
pub use keyed_limiter::KeyedLimiter;
pub use loopback::{host_name, is_loopback};
pub(crate) use priority::Ranking;
pub(crate) use rate::Rate;
pub(crate) use token_bucket::{Level, Throttle};
pub use token_bucket::{Limit, TokenBucket};
pub(crate) use votes::Votes;
