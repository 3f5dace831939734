//! A path that loses, delays and reorders datagrams, between two programs on this machine.

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
}

/// A relay between whoever sends to its address and one target. It stops when this is dropped.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    carried: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

/// The datagram that is due first is the greatest.
type Waiting = BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>;

impl Relay {
    /// Starts a relay to `target`. `seed` determines which datagrams are lost and how late others
    /// are.
    ///
    /// # Panics
    /// No port of loopback is free.
    #[must_use]
    pub fn start(target: SocketAddr, faults: Faults, seed: u64) -> Self {
        let outer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let inner = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        inner.connect(target).unwrap();
        let addr = outer.local_addr().unwrap();
        let (stop, carried) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let dialler = Arc::<Mutex<Option<SocketAddr>>>::default();
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

/// One direction.
struct Line {
    from: UdpSocket,
    to: UdpSocket,
    /// Whether it leads to the target.
    inwards: bool,
    dialler: Arc<Mutex<Option<SocketAddr>>>,
    faults: Faults,
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
        if self.random.random_range(0..1000) < self.faults.loss {
            return;
        }
        let late = self.faults.jitter.mul_f64(self.random.random());
        let due = Instant::now() + self.faults.delay + late;
        self.number += 1;
        self.waiting
            .push(Reverse((due, self.number, datagram.to_vec())));
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
