//! Discovery with real sockets.
//!
//! `network` carries out the requests of [`aqueduct_core::discovery::Discovery`] and returns the
//! results. The driver of a session uses it directly. For programs that only look for peers, one
//! task drives one `Discovery` for any number of torrents and owners: a user of the task
//! [joins](Handle::join) a swarm and gets a [`Membership`], which sends requests and amounts, and a
//! receiver of [`News`]. Dropping the membership leaves the swarm, which trackers are told.

mod inbox;
mod lsd;
pub(crate) mod network;
pub(crate) mod node_file;
mod node_port;
mod outbox;
mod parts;
mod public_nodes;
mod task;
mod tracker_port;
mod work;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::DiscoverRequest;
use aqueduct_core::discovery::{AddError, Amounts, Config, DhtCounts, Key, Swarm, TrackerStatus};
use aqueduct_core::types::PeerSource;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use self::inbox::Shared;
pub(crate) use self::parts::Parts;
pub use self::public_nodes::PUBLIC_NODES;
use self::task::Task;
use crate::net::utp::Rest;
use crate::net::{Outbound, Policy};

/// The number of unread news of a member above which more are dropped. Half of it is reserved for
/// peers, which are repeated only by the next announce. [`Membership::trackers`] is always current.
pub const MAX_NEWS: usize = 64;

/// The options of the task.
#[derive(Clone, Debug)]
pub struct Options {
    /// The limits of the state machine.
    pub config: Config,
    /// The policy on addresses.
    pub policy: Arc<dyn Policy>,
    /// How the network is reached. With a proxy, UDP trackers are asked if it relays datagrams, and
    /// the DHT must not be used.
    pub outbound: Outbound,
    /// `None` if the DHT is not used.
    pub dht: Option<DhtOptions>,
}

/// The options of the DHT node (BEP 5).
#[derive(Clone, Debug, Default)]
pub struct DhtOptions {
    /// Host and port of nodes that are queried while few others are known.
    pub bootstrap: Vec<(String, u16)>,
    /// Whether the nodes of `bootstrap` are ordinary ones, which may be stored. False for public
    /// routers, which serve everyone.
    pub keep_bootstrap: bool,
    /// Whether we only query and announce, and answer no queries (BEP 43).
    pub read_only: bool,
    /// The UDP port to bind on the addresses of [`Options::outbound`]; any free one if it is in use
    /// or 0.
    pub port: u16,
    /// The file for our ids and nodes. Only one process uses it at a time; others have no saved
    /// state. `None`: no state is saved.
    pub state: Option<PathBuf>,
}

/// News for a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Peers of its swarm, possibly including itself.
    Peers {
        /// The source.
        source: PeerSource,
        /// The addresses.
        addrs: Vec<SocketAddr>,
    },
    /// The DHT's counts for this swarm changed; see [`Membership::dht`].
    Dht,
    /// A tracker's state changed.
    Tracker {
        /// The index in [`Membership::trackers`].
        index: usize,
        /// The new state.
        status: TrackerStatus,
        /// As in [`aqueduct_core::discovery::Output::Tracker`].
        ended: bool,
    },
}

/// Starts the task on the current tokio runtime. It ends when every handle and membership is
/// dropped, or after [`Handle::shut_down`], which also waits for trackers.
///
/// # Errors
/// No datagram socket could be bound, or the system has no randomness.
pub fn spawn(options: Options) -> io::Result<Handle> {
    spawn_sharing(options, None)
}

/// The same, with a node of the DHT at a port that is uTP's, too.
///
/// # Errors
/// As for [`spawn`].
pub fn spawn_sharing(options: Options, port: Option<Rest>) -> io::Result<Handle> {
    let (alive, finished) = watch::channel(());
    let shared = Arc::new(Shared::default());
    // The handle must be counted before the task runs for the first time, since the task would end
    // without one.
    let client = inbox::Client::new(Arc::clone(&shared));
    let task = Task::new(options, port, shared)?;
    tokio::spawn(async move {
        task.run().await;
        drop(alive);
    });
    Ok(Handle {
        shared: client,
        finished,
    })
}

/// A handle to the task.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: inbox::Client,
    finished: watch::Receiver<()>,
}

impl Handle {
    /// Joins a swarm. No request is sent before [`DiscoverRequest::Start`].
    ///
    /// # Errors
    /// A membership with this key exists.
    pub fn join(
        &self,
        key: Key,
        swarm: Swarm,
    ) -> Result<(Membership, mpsc::Receiver<News>), AddError> {
        let (sender, news) = mpsc::channel(MAX_NEWS);
        self.shared.join(key, swarm, sender)?;
        Ok((
            Membership {
                key,
                shared: self.shared.clone(),
            },
            news,
        ))
    }

    /// Leaves every swarm and ends the task within `limit`, without waiting for late trackers.
    pub async fn shut_down(&self, limit: Duration) {
        self.shared.close(Instant::now() + limit);
        let mut finished = self.finished.clone();
        let _ = timeout(limit, async { while finished.changed().await.is_ok() {} }).await;
    }
}

/// A membership in a swarm; ends when dropped.
#[derive(Debug)]
pub struct Membership {
    key: Key,
    shared: inbox::Client,
}

impl Membership {
    /// Passes on a request of the engine, with the amounts for the next announce.
    pub fn request(&self, request: DiscoverRequest, amounts: Amounts) {
        self.shared.request(self.key, amounts, Some(request));
    }

    /// Updates the amounts of the torrent. This is cheap: it wakes nothing and sends nothing.
    pub fn update(&self, amounts: Amounts) {
        self.shared.request(self.key, amounts, None);
    }

    /// The DHT's counts; `None` if the DHT is not used, or the torrent is private.
    #[must_use]
    pub fn dht(&self) -> Option<DhtCounts> {
        self.shared.dht(self.key)
    }

    /// Marks the torrent as private (BEP 27): from now on only its trackers are used.
    pub fn set_private(&self) {
        self.shared.set_private(self.key);
    }

    /// Asks every tracker for counts of seeds and leeches without joining the swarm (BEP 48). The
    /// answers arrive as [`News::Tracker`]. Only before [`DiscoverRequest::Start`].
    pub fn scrape(&self) {
        self.shared.scrape(self.key);
    }

    /// Every tracker's state.
    #[must_use]
    pub fn trackers(&self) -> Vec<TrackerStatus> {
        self.shared.statuses(self.key)
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.shared.leave(self.key);
    }
}
