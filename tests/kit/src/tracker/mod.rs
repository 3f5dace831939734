//! A small tracker: HTTP (BEP 3, 23) and UDP (BEP 15) on one port of loopback.

mod http;
mod udp;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use aqueduct_core::types::{InfoHashV1, PeerId};
use tokio::sync::oneshot;

use crate::http::{Server, in_thread, listener};
use crate::journal::{Journal, Silence, Writer};
use crate::soon;

/// The maximum number of peers in an answer.
const NUMWANT: usize = 50;

/// An announce that the tracker received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The swarm's info-hash.
    pub info_hash: InfoHashV1,
    /// The client's peer id.
    pub peer_id: PeerId,
    /// The client's peer address.
    pub addr: SocketAddr,
    /// The number of bytes that the client still needs.
    pub left: u64,
    /// `started`, `completed`, `stopped`, or empty.
    pub event: String,
    /// The tracker's address that received the announce.
    pub at: SocketAddr,
    /// Path and query of the request; `None` for UDP.
    pub target: Option<String>,
}

impl Announce {
    /// The value of a query parameter, still percent-encoded; empty if there is no such parameter.
    #[must_use]
    pub fn argument(&self, name: &str) -> &str {
        let target = self.target.as_deref().unwrap_or_default();
        crate::http::argument(target, name).unwrap_or_default()
    }
}

/// Which peers the tracker returns.
#[derive(Clone, Debug)]
pub enum ReturnedPeers {
    /// Peers that announced or were introduced, except the client itself. The interval is two
    /// seconds.
    Announcers,
    /// These peers, to every client and for every swarm, with a count of one seed. The interval is
    /// half an hour.
    Only(Vec<SocketAddr>),
    /// As `Only`, with a count of no seeds. Transmission takes every peer of an answer that counts
    /// seeds alone for a seed, and never unchokes it.
    Leechers(Vec<SocketAddr>),
}

/// The configuration of a tracker.
#[derive(Clone, Debug)]
pub struct Options {
    /// The IP addresses to listen at, with the same port at each.
    pub ips: Vec<IpAddr>,
    /// The port; 0 chooses a free one.
    pub port: u16,
    /// Which peers the tracker returns.
    pub knows: ReturnedPeers,
    /// Whether to send two forged answers before each answer over UDP: one from another socket with
    /// the right transaction id, and one from the tracker's socket with a wrong one.
    pub forged: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ips: vec![Ipv4Addr::LOCALHOST.into()],
            port: 0,
            knows: ReturnedPeers::Announcers,
            forged: false,
        }
    }
}

/// A tracker in its own threads; it stops when this is dropped.
#[derive(Debug)]
pub struct Tracker {
    addr: SocketAddr,
    shared: Arc<Shared>,
    announces: Journal<Announce>,
    /// The number of announces that [`Tracker::next`] has returned.
    read: usize,
    _http: Server,
    /// Dropping it ends the UDP thread.
    _stop: oneshot::Sender<()>,
}

impl Tracker {
    /// Starts a tracker on a free port of 127.0.0.1. It returns the peers that announced.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    /// Starts a tracker on a free port of this address. It returns the peers that announced.
    #[must_use]
    pub fn start_at(ip: IpAddr) -> Self {
        Self::with(Options {
            ips: vec![ip],
            ..Options::default()
        })
    }

    /// Starts a tracker on a free port of 127.0.0.1. It returns exactly these peers.
    #[must_use]
    pub fn naming(peers: &[SocketAddr]) -> Self {
        Self::with(Options {
            knows: ReturnedPeers::Only(peers.to_vec()),
            ..Options::default()
        })
    }

    /// Starts a tracker with these options.
    ///
    /// # Panics
    /// No port is free for TCP and UDP at all addresses.
    #[must_use]
    pub fn with(options: Options) -> Self {
        let (tcp, udp) = (0..100)
            .find_map(|_| sockets(&options))
            .unwrap_or_else(|| panic!("no port is free for TCP and UDP at {:?}", options.ips));
        let addr = tcp[0].local_addr().unwrap();
        let (announces, writer) = Journal::new();
        let shared = Arc::new(Shared {
            knows: options.knows,
            swarms: Mutex::default(),
            announces: writer,
        });
        let (stop, stopped) = oneshot::channel();
        in_thread(
            stopped,
            udp::serve(udp, options.forged, Arc::clone(&shared)),
        );
        let http = Arc::clone(&shared);
        Self {
            addr,
            shared,
            announces,
            read: 0,
            _http: Server::start_on(tcp, move |request| http::reply(request, &http)),
            _stop: stop,
        }
    }

    /// The tracker's first address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The HTTP announce URL.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://{}/announce", self.addr)
    }

    /// The UDP announce URL.
    #[must_use]
    pub fn udp(&self) -> String {
        format!("udp://{}/announce", self.addr)
    }

    /// Adds a peer to a swarm, as if it had announced.
    pub fn introduce(&self, info_hash: InfoHashV1, addr: SocketAddr) {
        self.shared
            .lock()
            .entry(info_hash)
            .or_default()
            .insert(addr, 0);
    }

    /// All announces received so far.
    #[must_use]
    pub fn announces(&self) -> Vec<Announce> {
        self.announces.all()
    }

    /// Waits for the next announce that was not returned yet.
    ///
    /// # Panics
    /// None arrives within [`crate::PATIENCE`].
    pub async fn next(&mut self) -> Announce {
        let announce = soon("an announce", self.announces.entry(self.read)).await;
        self.read += 1;
        announce.expect("a tracker takes announces until it is dropped")
    }

    /// Blocks until an announce fulfils `holds`. Earlier announces count.
    ///
    /// # Panics
    /// None does in time; the message lists those that arrived.
    pub fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Announce) -> bool,
    ) -> Announce {
        self.announces
            .find(limit, holds)
            .unwrap_or_else(|silence: Silence| {
                panic!(
                    "no announce within {limit:?} ({silence:?}): {what}; there were {:?}",
                    self.announces()
                )
            })
    }
}

impl Drop for Tracker {
    /// A failing test shows what was announced.
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the tracker heard {:#?}", self.announces());
        }
    }
}

/// Binds one port at all addresses, for TCP and UDP. `None` if the port that was tried is in use.
fn sockets(options: &Options) -> Option<(Vec<TcpListener>, Vec<UdpSocket>)> {
    let (mut tcp, mut udp, mut port) = (Vec::new(), Vec::new(), options.port);
    for ip in &options.ips {
        let stream = listener(SocketAddr::new(*ip, port)).ok()?;
        let addr = stream.local_addr().ok()?;
        port = addr.port();
        let datagrams = UdpSocket::bind(addr).ok()?;
        datagrams.set_nonblocking(true).ok()?;
        tcp.push(stream);
        udp.push(datagrams);
    }
    Some((tcp, udp))
}

/// The answer to an announce.
struct Answer {
    seeders: u32,
    leechers: u32,
    /// Seconds until the next regular announce.
    interval: u32,
    /// The minimum number of seconds between announces.
    min_interval: Option<u32>,
    peers: Vec<SocketAddr>,
}

/// State shared by both protocols.
#[derive(Debug)]
struct Shared {
    knows: ReturnedPeers,
    /// The announced peers of each swarm, with the number of bytes that each still needs.
    swarms: Mutex<BTreeMap<InfoHashV1, BTreeMap<SocketAddr, u64>>>,
    announces: Writer<Announce>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<InfoHashV1, BTreeMap<SocketAddr, u64>>> {
        self.swarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an announce and returns its answer.
    fn announce(&self, announce: Announce) -> Answer {
        let answer = match &self.knows {
            ReturnedPeers::Only(peers) => fixed(1, 0, peers),
            ReturnedPeers::Leechers(peers) => fixed(0, u32::try_from(peers.len()).unwrap(), peers),
            ReturnedPeers::Announcers => self.update(&announce),
        };
        self.announces.push(announce);
        answer
    }

    fn update(&self, announce: &Announce) -> Answer {
        let mut swarms = self.lock();
        let swarm = swarms.entry(announce.info_hash).or_default();
        if announce.event == "stopped" {
            swarm.remove(&announce.addr);
        } else {
            swarm.insert(announce.addr, announce.left);
        }
        let seeders = u32::try_from(swarm.values().filter(|left| **left == 0).count()).unwrap();
        let others = swarm.keys().copied().filter(|addr| *addr != announce.addr);
        Answer {
            seeders,
            leechers: u32::try_from(swarm.len()).unwrap() - seeders,
            interval: 2,
            min_interval: Some(1),
            peers: others.take(NUMWANT).collect(),
        }
    }
}

/// The answer that always names the same peers.
fn fixed(seeders: u32, leechers: u32, peers: &[SocketAddr]) -> Answer {
    Answer {
        seeders,
        leechers,
        interval: 1800,
        min_interval: None,
        peers: peers.to_vec(),
    }
}

/// Compact IPv4 peers, six bytes each (BEP 23). IPv6 peers are left out.
fn compact(peers: &[SocketAddr]) -> Vec<u8> {
    let v4 = peers.iter().filter_map(|addr| match addr {
        SocketAddr::V4(v4) => Some([&v4.ip().octets()[..], &v4.port().to_be_bytes()].concat()),
        SocketAddr::V6(_) => None,
    });
    v4.flatten().collect()
}
