//! A small real tracker: HTTP (BEP 3, 23) and UDP (BEP 15) on one port of loopback, with intervals
//! short enough for tests.

mod http;
mod udp;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aqueduct_core::types::{InfoHashV1, PeerId};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::oneshot;

/// Seconds between announces, as told to clients.
const INTERVAL: u32 = 2;
/// Seconds below which clients must not ask again.
const MIN_INTERVAL: u32 = 1;
/// Most peers in an answer.
const NUMWANT: usize = 50;

/// What a client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// Its swarm.
    pub info_hash: InfoHashV1,
    /// Who it says it is.
    pub peer_id: PeerId,
    /// Where it can be dialled.
    pub addr: SocketAddr,
    /// Bytes it still lacks.
    pub left: u64,
    /// `started`, `completed`, `stopped`, or nothing.
    pub event: String,
}

#[derive(Debug, Default)]
struct State {
    swarms: BTreeMap<InfoHashV1, BTreeMap<SocketAddr, u64>>,
    announces: Vec<Announce>,
}

/// What an announce is answered with.
struct Answer {
    seeders: u32,
    leechers: u32,
    peers: Vec<SocketAddr>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    news: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in an announce and picks peers for it.
    fn announce(&self, said: Announce) -> Answer {
        let mut state = self.lock();
        let swarm = state.swarms.entry(said.info_hash).or_default();
        if said.event == "stopped" {
            swarm.remove(&said.addr);
        } else {
            swarm.insert(said.addr, said.left);
        }
        let seeders = u32::try_from(swarm.values().filter(|left| **left == 0).count()).unwrap();
        let leechers = u32::try_from(swarm.len()).unwrap() - seeders;
        let peers = swarm
            .keys()
            .copied()
            .filter(|addr| *addr != said.addr)
            .take(NUMWANT)
            .collect();
        state.announces.push(said);
        self.news.notify_all();
        Answer {
            seeders,
            leechers,
            peers,
        }
    }
}

/// A tracker in a thread of its own, until it is dropped.
#[derive(Debug)]
pub struct Tracker {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Tracker {
    /// On 127.0.0.1, any free port.
    ///
    /// # Panics
    /// Without a port for both TCP and UDP.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into())
    }

    /// On this address, any free port.
    ///
    /// # Panics
    /// Without a port for both TCP and UDP.
    #[must_use]
    pub fn start_at(ip: IpAddr) -> Self {
        let (tcp, udp) = (0..50)
            .find_map(|_| sockets(ip))
            .expect("a port that is free for TCP and UDP");
        let addr = tcp.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let (stop, stopped) = oneshot::channel();
        let serving = Arc::clone(&shared);
        thread::spawn(move || serve(tcp, udp, serving, stopped));
        Self {
            addr,
            shared,
            _stop: stop,
        }
    }

    /// Its announce URL over HTTP.
    #[must_use]
    pub fn http(&self) -> String {
        format!("http://{}/announce", self.addr)
    }
    /// Its announce URL over UDP.
    #[must_use]
    pub fn udp(&self) -> String {
        format!("udp://{}/announce", self.addr)
    }
    /// Everything that clients said so far.
    #[must_use]
    pub fn announces(&self) -> Vec<Announce> {
        self.shared.lock().announces.clone()
    }
    /// Adds a peer that does not announce itself.
    pub fn introduce(&self, info_hash: InfoHashV1, addr: SocketAddr) {
        self.shared
            .lock()
            .swarms
            .entry(info_hash)
            .or_default()
            .insert(addr, 0);
    }

    /// Waits for an announce for which this holds.
    ///
    /// # Panics
    /// None came in time; says which did.
    pub fn wait_for(
        &self,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Announce) -> bool,
    ) -> Announce {
        let deadline = Instant::now() + limit;
        let mut state = self.shared.lock();
        loop {
            if let Some(found) = state.announces.iter().find(|said| holds(said)) {
                return found.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no announce within {limit:?}: {what}; there were {:?}",
                state.announces
            );
            state = self
                .shared
                .news
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

impl Drop for Tracker {
    /// A failing test shows who asked.
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the tracker heard {:#?}", self.announces());
        }
    }
}

fn sockets(ip: IpAddr) -> Option<(std::net::TcpListener, std::net::UdpSocket)> {
    let tcp = std::net::TcpListener::bind((ip, 0)).ok()?;
    let udp = std::net::UdpSocket::bind(tcp.local_addr().ok()?).ok()?;
    tcp.set_nonblocking(true).ok()?;
    udp.set_nonblocking(true).ok()?;
    Some((tcp, udp))
}

fn serve(
    tcp: std::net::TcpListener,
    udp: std::net::UdpSocket,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tcp = http::serve(TcpListener::from_std(tcp).unwrap(), Arc::clone(&shared));
        let udp = udp::serve(UdpSocket::from_std(udp).unwrap(), shared);
        tokio::select! { () = tcp => {}, () = udp => {}, _ = stopped => {} }
    });
}
