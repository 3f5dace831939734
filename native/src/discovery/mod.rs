//! Discovery with real sockets: one task runs one [`aqueduct_core::discovery::trackers::Trackers`]
//! for any number of torrents and owners.
//!
//! Whoever wants peers [joins](Handle::join) and gets a [`Membership`] (what it wants, how far it
//! is) and a receiver of [`News`]. Dropping the membership leaves the swarm: trackers are told.

mod driver;
mod farewell;
mod inbox;
pub mod lsd;
mod node;
mod node_file;
mod outbox;
mod port;
mod public_nodes;
mod until;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::DiscoverRequest;
use aqueduct_core::discovery::{AddError, Amounts, Config, DhtCounts, Key, Swarm, TrackerStatus};
use aqueduct_core::types::PeerSource;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};

use crate::net::utp::Rest;
use crate::net::{Bind, Policy, Resolver};
use driver::DiscoveryDriver;
use farewell::Closing;
use inbox::Shared;
pub use public_nodes::PUBLIC_NODES;

/// News a member may leave unread before more is dropped; half of them are kept for peers, which
/// come again only with the next announce. [`Membership::trackers`] is always up to date.
pub const MAX_NEWS: usize = 64;

/// What the task runs with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Limits of the machine.
    pub config: Config,
    /// Which trackers may be asked.
    pub policy: Arc<dyn Policy>,
    /// Our addresses.
    pub bind: Bind,
    /// `None`: the DHT is not used.
    pub dht: Option<DhtOptions>,
    /// Looks up the names of trackers.
    pub resolver: Resolver,
}

/// How the DHT is used (BEP 5).
#[derive(Clone, Debug, Default)]
pub struct DhtOptions {
    /// Host and port of nodes that are asked as long as we know few others.
    pub bootstrap: Vec<(String, u16)>,
    /// Whether the nodes of `bootstrap` are ordinary ones, to be remembered like others. False for
    /// public routers, which serve everybody.
    pub keep_bootstrap: bool,
    /// We ask and announce, but answer nobody and are nobody's node (BEP 43).
    pub read_only: bool,
    /// UDP port to bind on the addresses of [`Options::bind`]; any free one if it is taken or 0.
    pub port: u16,
    /// File in which our ids and nodes outlive the program. One process at a time uses it, others
    /// go without. `None`: they do not.
    pub state: Option<PathBuf>,
}

/// Something of interest to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// Peers of its swarm; it may be among them itself.
    Peers {
        /// Who says so.
        source: PeerSource,
        /// Where they are.
        addrs: Vec<SocketAddr>,
    },
    /// Our own address, as a tracker sees it (BEP 24).
    ExternalIp(IpAddr),
    /// What the DHT knows of this swarm changed; [`Membership::dht`] says what that is.
    Dht,
    /// A tracker's state changed.
    Tracker {
        /// Position in [`Membership::trackers`].
        index: usize,
        /// Its state now.
        status: TrackerStatus,
        /// As in [`aqueduct_core::discovery::trackers::Output::Status`].
        ended: bool,
    },
}

/// Starts the task on the current tokio runtime. It ends when every handle and membership is gone,
/// or by [`Handle::shut_down`], which alone waits for farewells.
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
    // The handle counts before the task looks for the first time, or the task might find itself
    // abandoned and end.
    let client = inbox::Client::new(Arc::clone(&shared));
    let driver = DiscoveryDriver::new(options, port, shared)?;
    let dht_port = driver.dht_port();
    tokio::spawn(async move {
        driver.run().await;
        drop(alive);
    });
    Ok(Handle {
        shared: client,
        finished,
        dht_port,
    })
}

/// The task, seen from outside.
#[derive(Clone, Debug)]
pub struct Handle {
    shared: inbox::Client,
    finished: watch::Receiver<()>,
    dht_port: Option<u16>,
}

impl Handle {
    /// Becomes a member of a swarm. Nobody is asked before [`DiscoverRequest::Start`].
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

    /// The UDP port of our node in the DHT, for PORT messages (BEP 5); `None`: we have none.
    #[must_use]
    pub const fn dht_port(&self) -> Option<u16> {
        self.dht_port
    }

    /// A peer's PORT message (BEP 5) named a DHT node. Cheap; it is asked before anything is
    /// believed.
    pub fn dht_node(&self, addr: SocketAddr) {
        self.shared.dht_node(addr);
    }

    /// Leaves every swarm and ends the task, after at most `limit`: trackers that answer late are
    /// not waited for.
    pub async fn shut_down(&self, limit: Duration) {
        self.end(limit, false).await;
    }

    /// The same, but trackers are not waited for when all of them keep silent for longer than their
    /// answers took so far.
    pub async fn leave(&self, limit: Duration) {
        self.end(limit, true).await;
    }

    async fn end(&self, limit: Duration, brief: bool) {
        let asked = Instant::now();
        self.shared.close(Closing {
            asked,
            deadline: asked + limit,
            brief,
        });
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
    /// Hands on a wish of the engine, with the amounts that the next announce is to tell.
    pub fn request(&self, request: DiscoverRequest, amounts: Amounts) {
        self.shared.wish(self.key, amounts, Some(request));
    }

    /// Says how far the torrent is. Cheap: wakes nobody, announces nothing.
    pub fn update(&self, amounts: Amounts) {
        self.shared.wish(self.key, amounts, None);
    }

    /// What the DHT knows; `None`: it is not used, or not for this torrent, which is private.
    #[must_use]
    pub fn dht(&self) -> Option<DhtCounts> {
        self.shared.dht(self.key)
    }

    /// The torrent is private (BEP 27), as its metadata say: from now on only its trackers hear of
    /// it.
    pub fn set_private(&self) {
        self.shared.set_private(self.key);
    }

    /// Asks every tracker for counts of seeds and leeches, without becoming one of them (BEP 48);
    /// the answers come as [`News::Tracker`]. Only before [`DiscoverRequest::Start`].
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
