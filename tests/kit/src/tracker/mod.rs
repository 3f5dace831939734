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

/// Most announcers in an answer.
const NUMWANT: usize = 50;

/// What a client announced.
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
    /// The tracker's address that was asked.
    pub at: SocketAddr,
    /// Path and query of the request; `None`: it came over UDP.
    pub target: Option<String>,
}

impl Announce {
    /// An argument of the query, as it was encoded; empty if there is none of this name.
    #[must_use]
    pub fn argument(&self, name: &str) -> &str {
        let target = self.target.as_deref().unwrap_or_default();
        crate::http::argument(target, name).unwrap_or_default()
    }
}

/// Which peers the tracker names.
#[derive(Clone, Debug)]
pub enum Knows {
    /// Those that announce themselves or are introduced, and the client itself never. Clients
    /// announce every two seconds.
    Announcers,
    /// These, to everyone, whatever the swarm: one seed, it says. Clients announce every half hour.
    Only(Vec<SocketAddr>),
}

/// What kind of tracker to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its addresses; it has the same port at each.
    pub ips: Vec<IpAddr>,
    /// 0: any that is free.
    pub port: u16,
    /// Which peers it names.
    pub knows: Knows,
    /// Before each answer over UDP come two forged ones: of another socket, with the right
    /// transaction id, and of the tracker's, with a wrong one.
    pub forged: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ips: vec![Ipv4Addr::LOCALHOST.into()],
            port: 0,
            knows: Knows::Announcers,
            forged: false,
        }
    }
}

/// A tracker in threads of its own, until it is dropped.
#[derive(Debug)]
pub struct Tracker {
    addr: SocketAddr,
    shared: Arc<Shared>,
    announces: Journal<Announce>,
    /// Announces that [`Tracker::next`] has returned.
    read: usize,
    _http: Server,
    /// Dropping it ends the thread of UDP.
    _stop: oneshot::Sender<()>,
}

impl Tracker {
    /// On any free port of 127.0.0.1; it names those that announce themselves.
    #[must_use]
    pub fn start() -> Self {
        Self::with(Options::default())
    }

    /// On any free port of this address; it names those that announce themselves.
    #[must_use]
    pub fn start_at(ip: IpAddr) -> Self {
        Self::with(Options {
            ips: vec![ip],
            ..Options::default()
        })
    }

    /// On any free port of 127.0.0.1; it names these peers and no others.
    #[must_use]
    pub fn naming(peers: &[SocketAddr]) -> Self {
        Self::with(Options {
            knows: Knows::Only(peers.to_vec()),
            ..Options::default()
        })
    }

    /// As the options say.
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

    /// Its first address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
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

    /// Adds a peer that does not announce itself.
    pub fn introduce(&self, info_hash: InfoHashV1, addr: SocketAddr) {
        self.shared
            .lock()
            .entry(info_hash)
            .or_default()
            .insert(addr, 0);
    }

    /// Everything that clients announced so far.
    #[must_use]
    pub fn announces(&self) -> Vec<Announce> {
        self.announces.all()
    }

    /// The next announce that was not returned yet.
    ///
    /// # Panics
    /// It does not come within [`crate::PATIENCE`].
    pub async fn next(&mut self) -> Announce {
        let announce = soon("an announce", self.announces.entry(self.read)).await;
        self.read += 1;
        announce.expect("a tracker takes announces until it is dropped")
    }

    /// Blocks until there is an announce for which this holds; those that came already count.
    ///
    /// # Panics
    /// None came in time; says which did.
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

/// One port at all addresses, for TCP and UDP; `None`: the port that was tried is not free.
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

/// What an announce is answered with.
struct Answer {
    seeders: u32,
    leechers: u32,
    /// Seconds until the next announce.
    interval: u32,
    /// Seconds below which clients must not ask again.
    min_interval: Option<u32>,
    peers: Vec<SocketAddr>,
}

/// What both protocols share.
#[derive(Debug)]
struct Shared {
    knows: Knows,
    /// Where each announcer is, and how many bytes it lacks.
    swarms: Mutex<BTreeMap<InfoHashV1, BTreeMap<SocketAddr, u64>>>,
    announces: Writer<Announce>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<InfoHashV1, BTreeMap<SocketAddr, u64>>> {
        self.swarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an announce and says what it is answered with.
    fn announce(&self, announce: Announce) -> Answer {
        let answer = match &self.knows {
            Knows::Only(peers) => Answer {
                seeders: 1,
                leechers: 0,
                interval: 1800,
                min_interval: None,
                peers: peers.clone(),
            },
            Knows::Announcers => self.update(&announce),
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

/// Six bytes per peer (BEP 23); IPv6 peers are left out.
fn compact(peers: &[SocketAddr]) -> Vec<u8> {
    let v4 = peers.iter().filter_map(|addr| match addr {
        SocketAddr::V4(v4) => Some([&v4.ip().octets()[..], &v4.port().to_be_bytes()].concat()),
        SocketAddr::V6(_) => None,
    });
    v4.flatten().collect()
}
