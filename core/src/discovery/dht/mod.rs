//! The DHT (BEP 5, 32, 42, 43, 51) as a state machine without I/O. It finds the peers of a swarm
//! without a tracker.
//!
//! A driver runs this loop:
//! 1. Create a [`Dht`] with a [`Config`], the [`State`] of an earlier run, a seed and the time. Add
//!    torrents with [`Dht::add`], and pass the engine's requests to [`Dht::request`]. Private
//!    torrents (BEP 27) must never be added.
//! 2. Call [`Dht::poll_output`] until it returns `None`: send datagrams, resolve names, pass peers
//!    to the engine.
//! 3. Wait for the first of: a datagram, the addresses of a name, the time that
//!    [`Dht::poll_timeout`] returns.
//! 4. Pass it to [`Dht::handle`] and continue with step 2.
//! 5. At intervals, and at the end, save [`Dht::state`].
//!
//! It is deterministic: the same seed and the same calls give the same outputs.
//!
//! ```
//! use aqueduct_core::Instant;
//! use aqueduct_core::discovery::dht::{Config, Dht, Input, Output, Request, State};
//!
//! let now = Instant::ZERO;
//! let config = Config { v6: false, bootstrap: vec![("router.example".to_owned(), 6881)], ..Config::default() };
//! let mut dht = Dht::new(config, State::default(), [7; 32], now);
//! dht.handle(now, Input::Timeout);
//! assert!(matches!(dht.poll_output(), Some(Output::Net(Request::Resolve { .. }))));
//! dht.handle(now, Input::Resolved(vec!["8.8.8.8:6881".parse()?]));
//! // The bootstrap node is asked for nodes close to us.
//! let output = dht.poll_output();
//! assert!(matches!(output, Some(Output::Net(Request::Send { to, .. })) if to.port() == 6881));
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
pub use io::{Family, Input, LookupEffort, Output, Reason, Request};
pub use machine::Dht;
pub use secure::{is_secure, secure_id};
pub use state::{MAX_STATE, State, StateError};
