//! Two hosts that use uTP over a simulated path: a line with a rate, a queue, delay, loss,
//! reordering and duplicates, which a TCP connection may share.

use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_core::Instant;
use aqueduct_core::utp::{Config, ConnectionId, Event, Header, Kind, Read, Socket};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::clock::Agenda;
use super::tcp::Tcp;

/// The size of IP and UDP headers, which take time on the line.
const HEADERS: usize = 28;
/// The period of the sent data in bytes: a prime, so that every shift is detected.
const PERIOD: usize = 65_521;

/// The properties of each direction of the path.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// Bytes per second including headers, from the first host to the second.
    pub rate: u64,
    /// The size of the queue in bytes; datagrams beyond it are dropped.
    pub queue: u64,
    /// The one-way delay.
    pub delay: Duration,
    /// The maximum additional random delay per datagram, which causes reordering.
    pub jitter: Duration,
    /// The number of lost datagrams per 1,000.
    pub loss: u32,
    /// The number of duplicated datagrams per 1,000.
    pub duplicates: u32,
    /// Longer datagrams, without headers, are dropped if they must not be fragmented.
    pub max_datagram: usize,
}

impl Path {
    /// 10 Mbit/s, 20 ms each way, a queue of 300 ms, no faults.
    #[must_use]
    pub const fn clean() -> Self {
        Self {
            rate: 1_250_000,
            queue: 375_000,
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            loss: 0,
            duplicates: 0,
            max_datagram: 1472,
        }
    }
}

/// One direction.
#[derive(Debug)]
struct Line {
    path: Path,
    /// When the queue will be empty.
    free: Instant,
    random: ChaCha8Rng,
}

impl Line {
    /// Sends a datagram of this length, including headers. Returns its arrival times: none, one or
    /// two.
    fn send(&mut self, now: Instant, length: usize) -> Vec<Instant> {
        let waits = u64::try_from(self.free.since(now).as_micros()).unwrap();
        if waits * self.path.rate / 1_000_000 + length as u64 > self.path.queue {
            return Vec::new();
        }
        let micros = (length as u64 * 1_000_000).div_ceil(self.path.rate);
        self.free = self.free.max(now) + Duration::from_micros(micros);
        let mut chance = |permille| self.random.random_range(0..1000) < permille;
        let copies = match (chance(self.path.loss), chance(self.path.duplicates)) {
            (true, _) => 0,
            (false, twice) => 1 + usize::from(twice),
        };
        let jitter = u64::try_from(self.path.jitter.as_micros()).unwrap();
        (0..copies)
            .map(|_| {
                let late = Duration::from_micros(self.random.random_range(0..=jitter));
                self.free + self.path.delay + late
            })
            .collect()
    }
}

/// A host: its socket, and an application that sends a number of bytes and checks what it receives.
#[derive(Debug)]
struct Host {
    socket: Socket,
    /// How far its clock is ahead of the world's.
    ahead: Duration,
    id: Option<ConnectionId>,
    to_send: u64,
    sent: u64,
    received: u64,
    ended: bool,
    /// It starts to read at this time.
    reads_from: Instant,
    /// The scheduled timer.
    timer: Option<Instant>,
}

enum ScheduledEvent {
    Datagram {
        at: usize,
        bytes: Vec<u8>,
    },
    Timer(usize),
    /// A SYN with a forged source address, and more of them at this interval.
    ForgedSyn(Duration),
    Segment(u64),
    TcpAck(u64),
    TcpStart,
    TcpTimer,
}

/// A world with two hosts.
pub struct UtpWorld {
    agenda: Agenda<ScheduledEvent>,
    lines: [Line; 2],
    hosts: [Host; 2],
    tcp: Option<Tcp>,
    pattern: Vec<u8>,
    trace: u64,
    max_datagram: usize,
    /// The number of datagrams sent.
    pub datagrams: u64,
}

impl UtpWorld {
    /// The first host dials the second and sends it `bytes.0` bytes; the second sends `bytes.1`.
    #[must_use]
    pub fn new(path: Path, bytes: (u64, u64), seed: u64) -> Self {
        Self::with(path, bytes, seed, &Config::default())
    }

    /// As [`UtpWorld::new`], with this configuration for both hosts.
    #[must_use]
    pub fn with(path: Path, bytes: (u64, u64), seed: u64, config: &Config) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut line = |path| Line {
            path,
            free: Instant::ZERO,
            random: ChaCha8Rng::seed_from_u64(random.random()),
        };
        // The return path is never saturated.
        let back = Path {
            rate: path.rate.max(125_000_000),
            queue: 1 << 30,
            ..path
        };
        let lines = [line(path), line(back)];
        let mut random = ChaCha8Rng::seed_from_u64(!seed);
        let mut host = |to_send| {
            let ahead = Duration::from_micros(random.random_range(0..10_000_000_000));
            Host {
                socket: Socket::new(config.clone(), random.random()),
                ahead,
                id: None,
                to_send,
                sent: 0,
                received: 0,
                ended: false,
                reads_from: Instant::ZERO,
                timer: None,
            }
        };
        let hosts = [host(bytes.0), host(bytes.1)];
        let mut pattern: Vec<u8> = (0..PERIOD).map(|_| random.random()).collect();
        pattern.extend_from_within(..);
        Self {
            agenda: Agenda::new(),
            lines,
            hosts,
            tcp: None,
            pattern,
            trace: 0,
            max_datagram: path.max_datagram,
            datagrams: 0,
        }
    }

    /// Starts a TCP connection with unlimited data at `at`.
    pub fn start_tcp(&mut self, at: Duration, tcp: Tcp) {
        self.tcp = Some(tcp);
        self.agenda.at(Instant::ZERO + at, ScheduledEvent::TcpStart);
    }

    /// The second host reads nothing before `at`.
    pub fn pause_reader(&mut self, at: Duration) {
        self.hosts[1].reads_from = Instant::ZERO + at;
    }

    /// SYNs with forged source addresses reach the second host from now on.
    pub fn flood(&mut self, per_second: u32) {
        let interval = Duration::from_secs(1) / per_second;
        let now = self.agenda.now();
        self.agenda.at(now, ScheduledEvent::ForgedSyn(interval));
    }

    /// The first host dials.
    pub fn dial(&mut self) {
        let now = self.clock(0);
        let id = self.hosts[0].socket.connect(now, address(1)).unwrap();
        self.hosts[0].id = Some(id);
        self.drain(0);
    }

    /// Runs until `until`, or until both hosts have read the end of the other's stream.
    ///
    /// # Panics
    /// The received data differ from those that were sent.
    pub fn run(&mut self, until: Duration) {
        let limit = Instant::ZERO + until;
        while !self.is_done()
            && let Some(happening) = self.agenda.next(limit)
        {
            self.happen(happening);
        }
        if !self.is_done() {
            self.agenda.rest(limit);
        }
    }

    /// Whether both hosts have read the end of what the other sent.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.hosts.iter().all(|host| host.ended)
    }

    /// Whether both hosts have a connection.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.hosts.iter().all(|host| host.id.is_some())
    }

    /// The time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.agenda.now().since(Instant::ZERO)
    }

    /// Bytes that the second host has read, and those that the TCP has delivered.
    #[must_use]
    pub fn delivered(&self) -> (u64, u64) {
        let tcp = self.tcp.as_ref().map_or(0, Tcp::delivered);
        (self.hosts[1].received, tcp)
    }

    /// A digest of everything that was sent, with its times.
    #[must_use]
    pub const fn trace(&self) -> u64 {
        self.trace
    }

    /// The time that queued bytes will take.
    #[must_use]
    pub fn queued(&self) -> Duration {
        self.lines[0].free.since(self.agenda.now())
    }

    fn clock(&self, host: usize) -> Instant {
        self.agenda.now() + self.hosts[host].ahead
    }

    fn happen(&mut self, happening: ScheduledEvent) {
        match happening {
            ScheduledEvent::Datagram { at, bytes } => {
                let now = self.clock(at);
                let from = address(1 - at);
                self.hosts[at].socket.handle_datagram(now, from, &bytes);
                self.drain(at);
            }
            ScheduledEvent::Timer(at) => {
                let now = self.clock(at);
                self.hosts[at].timer = None;
                self.hosts[at].socket.handle_timeout(now);
                self.drain(at);
            }
            ScheduledEvent::ForgedSyn(interval) => {
                let (from, syn) = self.forge();
                let now = self.clock(1);
                self.hosts[1].socket.handle_datagram(now, from, &syn);
                self.drain(1);
                let next = self.agenda.now() + interval;
                self.agenda.at(next, ScheduledEvent::ForgedSyn(interval));
            }
            ScheduledEvent::Segment(number) => {
                let acks = self.lines[1].send(self.agenda.now(), 40);
                for at in acks {
                    self.agenda.at(at, ScheduledEvent::TcpAck(number));
                }
            }
            ScheduledEvent::TcpAck(number) => {
                let now = self.agenda.now();
                self.tcp.as_mut().unwrap().handle_ack(now, number);
                self.pump_tcp();
            }
            ScheduledEvent::TcpStart => self.pump_tcp(),
            ScheduledEvent::TcpTimer => {
                let now = self.agenda.now();
                self.tcp.as_mut().unwrap().handle_timeout(now);
                self.pump_tcp();
            }
        }
    }

    fn forge(&mut self) -> (SocketAddr, [u8; Header::LENGTH]) {
        let random = &mut self.lines[1].random;
        let ip = random.random_range(0x1000_0000..0x2000_0000_u32);
        let syn = Header {
            kind: Kind::Syn,
            connection_id: random.random(),
            timestamp: random.random(),
            timestamp_difference: 0,
            window: 1 << 20,
            sequence: random.random(),
            acknowledgement: 0,
        };
        ((ip.to_be_bytes(), 6881).into(), syn.encode())
    }

    fn pump_tcp(&mut self) {
        let now = self.agenda.now();
        let tcp = self.tcp.as_mut().unwrap();
        while let Some(number) = tcp.poll_segment(now) {
            for at in self.lines[0].send(now, Tcp::SEGMENT) {
                self.agenda.at(at, ScheduledEvent::Segment(number));
            }
        }
        if let Some(due) = tcp.take_timer() {
            self.agenda.at(due, ScheduledEvent::TcpTimer);
        }
    }

    /// Lets the application of a host act, and carries out the outputs of its socket.
    fn drain(&mut self, at: usize) {
        let now = self.clock(at);
        let reads = self.agenda.now() >= self.hosts[at].reads_from;
        self.hosts[at].act(&self.pattern, reads);
        let mut out = Vec::new();
        while let Some(transmit) = self.hosts[at].socket.poll_transmit(now, &mut out) {
            let datagram = std::mem::take(&mut out);
            if transmit.to != address(1 - at) {
                // To the owner of a forged address.
                assert_eq!(datagram.len(), Header::LENGTH);
                continue;
            }
            self.datagrams += 1;
            self.note(&datagram);
            if transmit.is_probe && datagram.len() > self.max_datagram {
                continue;
            }
            for arrival in self.lines[at].send(self.agenda.now(), datagram.len() + HEADERS) {
                let bytes = datagram.clone();
                let at = 1 - at;
                self.agenda
                    .at(arrival, ScheduledEvent::Datagram { at, bytes });
            }
        }
        self.plan(at);
    }

    fn plan(&mut self, at: usize) {
        let host = &mut self.hosts[at];
        let due = host.socket.poll_timeout();
        let mut due = due.map(|due| Instant::ZERO + due.since(Instant::ZERO + host.ahead));
        if self.agenda.now() < host.reads_from {
            due = Some(due.map_or(host.reads_from, |due| due.min(host.reads_from)));
        }
        if let Some(due) = due
            && host.timer.is_none_or(|planned| due < planned)
        {
            host.timer = Some(due);
            self.agenda.at(due, ScheduledEvent::Timer(at));
        }
    }

    fn note(&mut self, bytes: &[u8]) {
        let time = u64::try_from(self.now().as_micros()).unwrap();
        let sum: u64 = bytes.iter().take(60).map(|byte| u64::from(*byte)).sum();
        let mixed = self.trace ^ time ^ sum ^ (bytes.len() as u64) << 32;
        self.trace = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
}

impl Host {
    fn act(&mut self, pattern: &[u8], reads: bool) {
        while let Some(event) = self.socket.poll_event() {
            match event {
                Event::Incoming(id, _) => self.id = Some(id),
                Event::Closed(_, reason) => panic!("{reason}"),
                Event::Connected(_) | Event::Readable(_) | Event::Writable(_) => {}
            }
        }
        let Some(id) = self.id else { return };
        while reads && !self.ended {
            match self.socket.read(id, 16 << 10).unwrap() {
                Read::Bytes(bytes) => {
                    let start = usize::try_from(self.received % PERIOD as u64).unwrap();
                    assert_eq!(bytes, pattern[start..][..bytes.len()]);
                    self.received += bytes.len() as u64;
                }
                Read::End => self.ended = true,
                Read::Pending => break,
            }
        }
        while self.sent < self.to_send {
            let start = usize::try_from(self.sent % PERIOD as u64).unwrap();
            let left = usize::try_from(self.to_send - self.sent).unwrap_or(usize::MAX);
            let chunk = &pattern[start..][..left.min(16 << 10)];
            let taken = self.socket.write(id, chunk).unwrap();
            self.sent += taken as u64;
            if taken < chunk.len() {
                return;
            }
        }
        self.socket.finish(id);
    }
}

fn address(host: usize) -> SocketAddr {
    let last = u8::try_from(host + 1).unwrap();
    ([11, 0, 0, last], 6881).into()
}
