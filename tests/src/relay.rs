//! A path that loses, delays and reorders datagrams, between two programs on this machine. It is the
//! only one between them: either knows the other by an address of the relay.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The properties of each direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The one-way delay.
    pub delay: Duration,
    /// The maximum additional random delay per datagram, which causes reordering.
    pub jitter: Duration,
    /// The number of lost datagrams per 1,000.
    pub loss: u32,
    /// After this many datagrams of the dialling side, the path is interrupted: all are lost in both
    /// directions until the dialling side opens a new connection of uTP.
    pub interrupted_after: Option<u64>,
}

/// A relay between whoever sends to its address and one target. It stops when this is dropped.
///
/// Both of its addresses are at a host of loopback where neither program listens, and that for the
/// dialling side has the target's port. Clients learn each other's listening port in the extension
/// handshake (BEP 10), and libtorrent continues there when a connection breaks, also one that it
/// dialled elsewhere: it would go past the relay.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    carried: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

/// The type and version with which a datagram begins that opens a connection of uTP (BEP 29).
const SYN: u8 = 0x41;

/// The datagram that is due first is the greatest.
type Waiting = BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>;

impl Relay {
    /// Starts a relay to `target`, which listens at 127.0.0.1. `seed` determines which datagrams are
    /// lost and how late others are.
    ///
    /// # Panics
    /// No address of loopback has the ports.
    #[must_use]
    pub fn start(target: SocketAddr, faults: Faults, seed: u64) -> Self {
        let (outer, inner) = (1..=u8::MAX)
            .find_map(|host| sockets(Ipv4Addr::new(127, 0, 1, host), target.port()))
            .expect("a free port");
        inner.connect(target).unwrap();
        let addr = outer.local_addr().unwrap();
        let (stop, carried) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let dialler = Arc::<Mutex<Option<SocketAddr>>>::default();
        let interrupted = Arc::<AtomicBool>::default();
        let pairs = [
            (outer.try_clone().unwrap(), inner.try_clone().unwrap()),
            (inner, outer),
        ];
        let threads = pairs
            .into_iter()
            .zip([true, false])
            .map(|((from, to), inwards)| {
                let mut line = Line {
                    from,
                    to,
                    inwards,
                    dialler: Arc::clone(&dialler),
                    faults,
                    interrupted: Arc::clone(&interrupted),
                    taken: 0,
                    random: ChaCha8Rng::seed_from_u64(seed * 2 + u64::from(inwards)),
                    waiting: Waiting::new(),
                    number: 0,
                };
                let (stop, carried) = (Arc::clone(&stop), Arc::clone(&carried));
                thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        carried.fetch_add(line.turn(), Ordering::Relaxed);
                    }
                })
            });
        Self {
            addr,
            threads: threads.collect(),
            stop,
            carried,
        }
    }

    /// Where datagrams for the target are sent.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The number of datagrams that were delivered.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// The relay's sockets for both sides.
fn sockets(host: Ipv4Addr, port: u16) -> Option<(UdpSocket, UdpSocket)> {
    let outer = UdpSocket::bind((host, port)).ok()?;
    Some((outer, UdpSocket::bind((host, 0)).ok()?))
}

/// One direction.
struct Line {
    from: UdpSocket,
    to: UdpSocket,
    /// Whether it leads to the target.
    inwards: bool,
    dialler: Arc<Mutex<Option<SocketAddr>>>,
    faults: Faults,
    /// Whether all datagrams of both directions are lost.
    interrupted: Arc<AtomicBool>,
    /// The number of datagrams that came.
    taken: u64,
    random: ChaCha8Rng,
    waiting: Waiting,
    number: u64,
}

impl Line {
    /// Takes a datagram, or delivers those that are due; returns how many.
    fn turn(&mut self) -> u64 {
        let now = Instant::now();
        let next = self.waiting.peek().map(|Reverse((due, ..))| *due);
        let pause = next.map_or(Duration::from_millis(50), |due| {
            due.saturating_duration_since(now)
        });
        if pause.is_zero() {
            return self.deliver(now);
        }
        self.from.set_read_timeout(Some(pause)).unwrap();
        let mut buffer = [0; 2048];
        match self.from.recv_from(&mut buffer) {
            Ok((length, from)) => self.take(from, &buffer[..length]),
            // Nothing came in time, or a datagram was refused at its destination.
            Err(error) => assert_ne!(error.kind(), io::ErrorKind::InvalidInput, "{error}"),
        }
        0
    }

    fn take(&mut self, from: SocketAddr, datagram: &[u8]) {
        if self.inwards {
            *self.dialler.lock().unwrap() = Some(from);
        }
        if self.is_interrupted(datagram) || self.random.random_range(0..1000) < self.faults.loss {
            return;
        }
        let late = self.faults.jitter.mul_f64(self.random.random());
        let due = Instant::now() + self.faults.delay + late;
        self.number += 1;
        self.waiting
            .push(Reverse((due, self.number, datagram.to_vec())));
    }

    fn is_interrupted(&mut self, datagram: &[u8]) -> bool {
        self.taken += 1;
        if self.inwards && self.faults.interrupted_after == Some(self.taken) {
            self.interrupted.store(true, Ordering::Relaxed);
        } else if self.inwards && datagram.first() == Some(&SYN) {
            self.interrupted.store(false, Ordering::Relaxed);
        }
        self.interrupted.load(Ordering::Relaxed)
    }

    fn deliver(&mut self, now: Instant) -> u64 {
        let mut delivered = 0;
        while let Some(Reverse((due, ..))) = self.waiting.peek()
            && *due <= now
            && let Some(Reverse((_, _, datagram))) = self.waiting.pop()
        {
            let dialler = *self.dialler.lock().unwrap();
            // Lost if the destination has gone.
            let _ = match (self.inwards, dialler) {
                (true, _) => self.to.send(&datagram),
                (false, Some(dialler)) => self.to.send_to(&datagram, dialler),
                (false, None) => Ok(0),
            };
            delivered += 1;
        }
        delivered
    }
}
