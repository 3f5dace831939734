//! A gateway that maps ports and opens pinholes by PCP, NAT-PMP and UPnP, or misbehaves as its script
//! says.
//!
//! It listens at an address of loopback of its own, keeps a table of mappings, and forwards nothing.

mod datagrams;
mod firewall;
mod upnp;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::journal::{Journal, Writer};

/// How often threads look whether the gateway was dropped.
const TICK: Duration = Duration::from_millis(50);

/// The ports of the protocols at real gateways: PCP and NAT-PMP, and UPnP's search.
pub const REAL_PORTS: (u16, u16) = (5351, 1900);

/// What a mapping forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// How the gateway behaves in a protocol of datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datagrams {
    /// It does not answer.
    Silent,
    /// It maps.
    Honest,
    /// It answers questions that map nothing, and refuses mappings with this result code.
    Refuses(u8),
    /// It answers everything with these bytes.
    Raw(Vec<u8>),
    /// It answers as if honest, from another port.
    ElsewhereFrom,
}

/// How the gateway behaves in UPnP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upnp {
    /// It does not answer the search.
    Silent,
    /// It maps.
    Honest,
    /// It makes only mappings that do not lapse.
    Permanent,
    /// It refuses mappings with this code and these words.
    Refuses(u16, &'static str),
    /// It answers the search with this address of its description.
    Location(String),
    /// It answers every HTTP request with these bytes.
    Http(Vec<u8>),
    /// It answers every HTTP request with one byte of a head per 50 ms, without end.
    Trickle,
    /// Its description names this control URL.
    Control(String),
    /// Its description names this control URL for a service that is preferred, and its own for
    /// another one.
    Preferred(String),
}

/// How the gateway treats pinholes by UPnP, whose search and description are those of [`Upnp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pinholes {
    /// Its description lacks the service.
    Absent,
    /// It opens them for the address that asks.
    Honest,
    /// It opens them for any address.
    ForAnyAddress,
    /// It tells these values of `FirewallEnabled` and `InboundPinholeAllowed`.
    Status(&'static str, &'static str),
    /// It refuses them with this code and these words.
    Refuses(u16, &'static str),
    /// It gives each this number.
    Number(&'static str),
}

/// How a gateway behaves.
#[derive(Clone, Debug)]
pub struct Behaviour {
    /// PCP.
    pub pcp: Datagrams,
    /// NAT-PMP.
    pub nat_pmp: Datagrams,
    /// UPnP.
    pub upnp: Upnp,
    /// UPnP's pinholes. If there are any, the search is answered though `upnp` is silent.
    pub pinholes: Pinholes,
    /// The external address that it claims.
    pub address: Ipv4Addr,
    /// The lifetime that it grants, in seconds.
    pub lifetime: u32,
    /// External ports that are in use by others.
    pub taken: Vec<(Transport, u16)>,
}

impl Behaviour {
    /// A gateway that answers nothing.
    #[must_use]
    pub const fn silent() -> Self {
        Self {
            pcp: Datagrams::Silent,
            nat_pmp: Datagrams::Silent,
            upnp: Upnp::Silent,
            pinholes: Pinholes::Absent,
            address: Ipv4Addr::new(203, 0, 113, 9),
            lifetime: 1200,
            taken: Vec::new(),
        }
    }

    /// A gateway that speaks PCP.
    #[must_use]
    pub fn pcp() -> Self {
        Self {
            pcp: Datagrams::Honest,
            ..Self::silent()
        }
    }

    /// A gateway that speaks NAT-PMP.
    #[must_use]
    pub fn nat_pmp() -> Self {
        Self {
            nat_pmp: Datagrams::Honest,
            ..Self::silent()
        }
    }

    /// A gateway that opens pinholes by UPnP.
    #[must_use]
    pub fn pinholes() -> Self {
        Self {
            pinholes: Pinholes::Honest,
            ..Self::silent()
        }
    }

    /// A gateway that speaks UPnP.
    #[must_use]
    pub fn upnp() -> Self {
        Self {
            upnp: Upnp::Honest,
            ..Self::silent()
        }
    }
}

/// What happened at the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was asked something that maps nothing.
    Asked,
    /// A mapping was made or renewed.
    Mapped {
        /// TCP or UDP.
        transport: Transport,
        /// The client's port.
        internal: u16,
        /// The gateway's port.
        external: u16,
        /// Whether the same mapping was in the table and had not lapsed.
        renewed: bool,
    },
    /// A mapping was removed by its client.
    Removed {
        /// TCP or UDP.
        transport: Transport,
        /// The client's port.
        internal: u16,
    },
    /// It refused a mapping.
    Refused,
}

#[derive(Debug)]
struct Entry {
    external: u16,
    lapses: Option<Instant>,
}

/// What the threads share.
#[derive(Debug)]
struct Shared {
    behaviour: Mutex<Behaviour>,
    /// Mappings by transport and the client's port.
    table: Mutex<BTreeMap<(Transport, u16), Entry>>,
    started: Mutex<Instant>,
    events: Writer<Event>,
    stopped: AtomicBool,
    /// The port of the description.
    http: SocketAddr,
    ip: IpAddr,
}

/// A gateway in its own threads; it stops when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    /// Its address.
    pub ip: IpAddr,
    /// The port of PCP and NAT-PMP.
    pub control: u16,
    /// The port of UPnP's search.
    pub search: u16,
    /// The port of UPnP's description and calls.
    pub http: u16,
    /// What happened.
    pub events: Journal<Event>,
    shared: Arc<Shared>,
}

impl Gateway {
    /// Starts a gateway at free ports.
    ///
    /// # Panics
    /// No port is free.
    #[must_use]
    pub fn start(behaviour: Behaviour) -> Self {
        Self::start_at((0, 0), behaviour)
    }

    /// Starts a gateway at these ports of PCP and NAT-PMP, and of UPnP's search, at an address of
    /// loopback where they are free.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn start_at((control, search): (u16, u16), behaviour: Behaviour) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let mut tries = (0..200).map(|_| {
            let number = STARTED.fetch_add(1, Ordering::Relaxed);
            let spread = std::process::id()
                .wrapping_add(number)
                .wrapping_mul(0x9e37_79b1);
            let [a, b, c, _] = spread.to_be_bytes();
            Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254))
        });
        let started = tries.find_map(|ip| Self::bind(ip.into(), (control, search), &behaviour));
        started.expect("an address of loopback with free ports")
    }

    /// Starts a gateway for IPv6 at free ports of `::1`.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn start_v6(behaviour: &Behaviour) -> Self {
        Self::bind(Ipv6Addr::LOCALHOST.into(), (0, 0), behaviour).expect("IPv6")
    }

    fn bind(ip: IpAddr, (control, search): (u16, u16), behaviour: &Behaviour) -> Option<Self> {
        let control = UdpSocket::bind((ip, control)).ok()?;
        let search = UdpSocket::bind((ip, search)).ok()?;
        let http = TcpListener::bind((ip, 0)).ok()?;
        let http_addr = http.local_addr().unwrap();
        let (events, writer) = Journal::new();
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(behaviour.clone()),
            table: Mutex::default(),
            started: Mutex::new(Instant::now()),
            events: writer,
            stopped: AtomicBool::new(false),
            http: http_addr,
            ip,
        });
        let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
        let gateway = Self {
            ip,
            control: port(&control),
            search: port(&search),
            http: http_addr.port(),
            events,
            shared: Arc::clone(&shared),
        };
        spawn_datagrams(control, &shared, datagrams::answer);
        spawn_datagrams(search, &shared, upnp::answer_search);
        thread::spawn(move || upnp::serve(&http, &shared));
        Some(gateway)
    }

    /// Changes how it behaves from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.shared.behaviour));
    }

    /// Restarts it: it forgets all mappings.
    pub fn forget(&self) {
        lock(&self.shared.table).clear();
        *lock(&self.shared.started) = Instant::now();
    }

    /// Announces a restart to a client's port, as NAT-PMP does.
    ///
    /// # Panics
    /// The system cannot send.
    pub fn announce_restart(&self, to: SocketAddr) {
        let socket = UdpSocket::bind((self.ip, 0)).unwrap();
        let [a, b, c, d] = lock(&self.shared.behaviour).address.octets();
        let announcement = [0, 128, 0, 0, 0, 0, 0, 0, a, b, c, d];
        socket.send_to(&announcement, to).unwrap();
    }

    /// The mappings that have not lapsed: transport, the client's port, the gateway's port.
    #[must_use]
    pub fn mappings(&self) -> Vec<(Transport, u16, u16)> {
        let table = lock(&self.shared.table);
        table
            .iter()
            .filter(|(_, entry)| entry.lapses.is_none_or(|lapses| lapses > Instant::now()))
            .map(|(&(transport, internal), entry)| (transport, internal, entry.external))
            .collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn_datagrams(
    socket: UdpSocket,
    shared: &Arc<Shared>,
    answer: fn(&Shared, &UdpSocket, SocketAddr, &[u8]),
) {
    let shared = Arc::clone(shared);
    socket.set_read_timeout(Some(TICK)).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while !shared.stopped.load(Ordering::Relaxed) {
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                answer(&shared, &socket, from, &buffer[..length]);
            }
        }
    });
}

impl Shared {
    fn behaviour(&self) -> Behaviour {
        lock(&self.behaviour).clone()
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Seconds since it started.
    fn epoch(&self) -> u32 {
        u32::try_from(lock(&self.started).elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    fn is_taken(&self, transport: Transport, external: u16) -> bool {
        lock(&self.behaviour).taken.contains(&(transport, external))
    }

    /// Makes or renews a mapping. Returns the external port.
    fn map(
        &self,
        transport: Transport,
        internal: u16,
        external: u16,
        lifetime: Option<u32>,
    ) -> u16 {
        let lapses =
            lifetime.map(|seconds| Instant::now() + Duration::from_secs(u64::from(seconds)));
        let mut table = lock(&self.table);
        let present = table.get(&(transport, internal));
        let present = present.filter(|one| one.lapses.is_none_or(|at| at > Instant::now()));
        let renewed = present.is_some();
        let external = present.map_or(external, |entry| entry.external);
        table.insert((transport, internal), Entry { external, lapses });
        drop(table);
        self.events.push(Event::Mapped {
            transport,
            internal,
            external,
            renewed,
        });
        external
    }

    fn unmap(&self, transport: Transport, internal: u16) -> bool {
        let was_there = lock(&self.table).remove(&(transport, internal)).is_some();
        if was_there {
            self.events.push(Event::Removed {
                transport,
                internal,
            });
        }
        was_there
    }
}
