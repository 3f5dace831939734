//! What a tracker is to be asked.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::announce::Ask;
#[cfg(doc)]
use super::config::Config;
use crate::discovery::dht::Family;
use crate::discovery::swarm::Key;

/// A request and its parameters.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) key: Key,
    /// The index of the tracker in its member.
    pub(super) tracker: usize,
    pub(super) ask: Ask,
    pub(super) destination: Destination,
    pub(super) wait: Wait,
    /// For the repeated announce in the other address family (BEP 7): the peers that the first one
    /// returned.
    pub(super) other_family: Option<BTreeSet<SocketAddr>>,
}

/// Where a request is sent.
#[derive(Debug)]
pub(super) enum Destination {
    /// A URL with all arguments, and the address family to use, if restricted.
    Http { url: String, family: Option<Family> },
    /// A UDP tracker whose name must be resolved first.
    Name {
        host: String,
        port: u16,
        path: String,
    },
    /// A UDP tracker at one of these addresses.
    Addrs {
        addrs: Vec<SocketAddr>,
        path: String,
    },
}

/// The timeout of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// [`Config::patience`]: the first request to the tracker.
    First,
    /// [`Config::silence`]: the tracker has answered before.
    Again,
    /// [`Config::farewell`], after which the request is cancelled.
    Farewell,
    /// [`Config::other_family`], after which the request is cancelled.
    OtherFamily,
}
