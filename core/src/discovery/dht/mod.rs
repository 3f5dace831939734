//! The DHT (BEP 5, 32, 42, 43, 51) as a machine without I/O: who is in a swarm, known without a
//! tracker.
//!
//! The loop of its driver:
//! 1. Make a [`Dht`] with a [`Config`], the [`State`] of an earlier run, a seed and the time;
//!    [`Dht::add`] torrents and [`Dht::request`] what the engine asks for. Private torrents (BEP
//!    27) are never added.
//! 2. Drain [`Dht::poll_output`] until `None`: send, resolve names, hand peers to the engine.
//! 3. Wait for the first of: a datagram, the addresses of a name, the time that
//!    [`Dht::poll_timeout`] names.
//! 4. [`Dht::handle`] it and go on with 2.
//! 5. Now and then, and at the end, keep [`Dht::state`].
//!
//! The same seed and the same calls give the same outputs.
//!
//! ```
//! use aqueduct_core::Instant;
//! use aqueduct_core::discovery::dht::{Config, Dht, Input, Output, State};
//!
//! let now = Instant::ZERO;
//! let config = Config { v6: false, bootstrap: vec![("router.example".to_owned(), 6881)], ..Config::default() };
//! let mut dht = Dht::new(config, State::default(), [7; 32], now);
//! dht.handle(now, Input::Timeout);
//! assert!(matches!(dht.poll_output(), Some(Output::Resolve { .. })));
//! dht.handle(now, Input::Resolved(vec!["8.8.8.8:6881".parse()?]));
//! // The bootstrap node is asked for nodes close to us.
//! assert!(matches!(dht.poll_output(), Some(Output::Send { to, .. }) if to.port() == 6881));
//! # Ok::<(), std::net::AddrParseError>(())
//! ```

mod addr;
mod bootstrap;
mod config;
mod counts;
mod id;
mod io;
pub mod krpc;
mod local_node;
mod lookup;
mod machine;
mod queries;
mod questions;
mod rounds;
mod search;
mod searches;
mod secure;
mod server;
mod state;
mod table;
#[cfg(test)]
mod tests;
mod votes;
mod waits;

pub use config::Config;
pub use counts::DhtCounts;
pub use id::{BITS, Contact, Distance, NodeId};
pub use io::{Effort, Family, Input, Output, Reason};
pub use machine::Dht;
pub use secure::{is_secure, secure_id};
pub use state::{MAX_STATE, State, StateError};
