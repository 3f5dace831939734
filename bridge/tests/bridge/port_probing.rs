//! A tab that tries to find out whether a port of another host is closed, silent, or open but not a
//! peer.
//!
//! It observes when its own hosts are dialled, what its session reports, and the public metrics.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aqueduct_bridge::{Config, Limits, Seconds};
use aqueduct_core::tunnel::{Event, JoinRequest, PeerCounts};
use aqueduct_core::types::InfoHashV1;
use aqueduct_testkit::peer::{Listener, handshake};
use aqueduct_testkit::soon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::support::{Bridge, config};
use crate::tab::{Tab, counts, request};
use crate::tracker_limits::{open_house, unlike_any};

/// When a dial that found no peer is reported and its slot is free again.
const TOLD_AFTER: Duration = Duration::from_secs(4);
/// The same on a busy machine. It is less than the timeout of a connection attempt.
const LATE: Duration = Duration::from_secs(8);

/// When an announce without an answer makes room for the session's next.
const NEXT_ANNOUNCE_AFTER: Duration = Duration::from_secs(5);

/// What is at the port.
#[derive(Clone, Copy, Debug)]
enum Port {
    /// Connections are refused.
    Closed,
    /// Nothing answers.
    Silent,
    /// It accepts connections and sends nothing.
    Open,
    /// It closes each connection immediately.
    HangsUp,
    /// It answers with another protocol.
    Web,
    /// It echoes what it receives.
    Echo,
}

/// A port of host 127.0.0.2 and the task that serves it.
struct Target {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
    _sockets: Vec<TcpSocket>,
    _pending: Vec<TcpStream>,
}

impl Target {
    async fn start(port: Port) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut target = Self {
            addr: socket.local_addr().unwrap(),
            _tasks: JoinSet::new(),
            _sockets: Vec::new(),
            _pending: Vec::new(),
        };
        match port {
            // Bound but not listening, so that no other test gets the port.
            Port::Closed => target._sockets.push(socket),
            Port::Silent => {
                let listener = socket.listen(0).unwrap();
                target.fill_backlog().await;
                target._tasks.spawn(async move {
                    let _kept = listener;
                    std::future::pending().await
                });
            }
            _ => {
                let listener = socket.listen(64).unwrap();
                target._tasks.spawn(serve(listener, port));
            }
        }
        target
    }

    /// Connects until the system drops further attempts, which means that the backlog is full.
    async fn fill_backlog(&mut self) {
        let patience = Duration::from_millis(500);
        while let Ok(connected) = timeout(patience, TcpStream::connect(self.addr)).await {
            self._pending.push(connected.unwrap());
        }
    }
}

async fn serve(listener: TcpListener, port: Port) {
    let mut connections = JoinSet::new();
    loop {
        let (mut socket, _) = listener.accept().await.unwrap();
        connections.spawn(async move {
            let mut bytes = [0; 1024];
            let _ = match port {
                Port::HangsUp => return,
                Port::Web => socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
                Port::Echo => {
                    let read = socket.read(&mut bytes).await.unwrap_or(0);
                    socket.write_all(&bytes[..read]).await
                }
                _ => Ok(()),
            };
            while socket.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        });
    }
}

/// The tab's observations.
#[derive(Debug, PartialEq, Eq)]
struct Findings {
    /// Whether its own host was dialled in the expected time after the port: before the port failed
    /// three times, and afterwards.
    own_host_in_time: [bool; 2],
    /// For each of three dials, whether its failure was reported in the expected time.
    told_in_time: [bool; 3],
    /// The number of addresses found, refused and connected in its first swarm.
    counts: [u32; 3],
    /// Public metrics while dials are in progress: sockets, dials, failed dials.
    metrics: [u64; 3],
}

/// A tab that wants one peer at a time, in swarms that have no other members.
struct Attacker {
    bridge: Bridge,
    tab: Tab,
    swarms: usize,
}

impl Attacker {
    async fn start() -> Self {
        let bridge = Bridge::start(open_house()).await;
        let tab = Tab::open(&bridge).await;
        Self {
            bridge,
            tab,
            swarms: 0,
        }
    }

    /// Joins a swarm and sends these peers as hints. They are dialled in this order.
    async fn hint(&mut self, peers: &[SocketAddr]) -> u32 {
        self.swarms += 1;
        let (hash, id) = unlike_any(self.swarms);
        let join = self.tab.join_as(&JoinRequest {
            info_hash: InfoHashV1(hash),
            want: 1,
            ..request(id)
        });
        self.tab.client.hint(join, peers);
        self.tab.flush().await;
        join
    }

    /// Whether the tab's own host is dialled in the expected time, when it has to wait for a dial
    /// to this port.
    async fn time_own_host(&mut self, target: SocketAddr) -> (u32, bool) {
        let own = Listener::start_at("127.0.0.3").await;
        let begun = Instant::now();
        let join = self.hint(&[target, own.addr]).await;
        let _connection = soon("a dial", own.socket.accept()).await.unwrap();
        let waited = begun.elapsed();
        println!("its own host is dialled after {waited:?}");
        (join, (TOLD_AFTER..LATE).contains(&waited))
    }

    /// Waits until a failure is reported for this swarm.
    async fn failure(&mut self, join: u32) -> PeerCounts {
        let failure = self.tab.until("a failure", |event| match event {
            Event::Peers { join: of, counts } => {
                (of == join && counts.failed > 0).then_some(counts)
            }
            _ => None,
        });
        failure.await
    }

    async fn probe(mut self, target: SocketAddr) -> Findings {
        let begun = Instant::now();
        let (first, early) = self.time_own_host(target).await;
        let counts = self.failure(first).await;
        let mut told = vec![begun.elapsed()];
        // Two more times, since a port that failed three times is not dialled again.
        let begun = Instant::now();
        let joins = [self.hint(&[target]).await, self.hint(&[target]).await];
        sleep(TOLD_AFTER / 2).await;
        let mut metrics = Vec::new();
        for name in ["sockets", "dials_total", "failed_dials_total"] {
            metrics.push(self.bridge.counted(name).await);
        }
        for join in joins {
            self.failure(join).await;
            told.push(begun.elapsed());
        }
        let (_, late) = self.time_own_host(target).await;
        println!("told of failures after {told:?}");
        let in_time = |waited: Duration| (TOLD_AFTER..LATE).contains(&waited);
        Findings {
            own_host_in_time: [early, late],
            told_in_time: [0, 1, 2].map(|at| in_time(told[at])),
            counts: [counts.found, counts.refused, counts.connected],
            metrics: [0, 1, 2].map(|at| metrics[at]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_cannot_tell_closed_silent_and_open_ports_apart() {
    let ports = [
        Port::Closed,
        Port::Silent,
        Port::Open,
        Port::HangsUp,
        Port::Web,
        Port::Echo,
    ];
    let mut probes = JoinSet::new();
    for port in ports {
        probes.spawn(async move {
            let target = Target::start(port).await;
            let attacker = Attacker::start().await;
            (format!("{port:?}"), attacker.probe(target.addr).await)
        });
    }
    let findings = probes.join_all().await;
    for (port, found) in &findings {
        println!("{port}: {found:?}");
    }
    let (_, first) = &findings[0];
    assert_eq!(first.own_host_in_time, [true; 2]);
    assert_eq!(first.told_in_time, [true; 3]);
    for (port, found) in &findings {
        assert_eq!(found, first, "{port} differs from {}", findings[0].0);
    }
}

/// Names the port as a tracker in one swarm and a host of its own in the next; returns when its own
/// host is asked.
async fn time_own_tracker(target: SocketAddr) -> Duration {
    let limits = Limits {
        announces_per_session: 1,
        ..open_house().limits
    };
    let bridge = Bridge::start(Config {
        limits,
        ..open_house()
    })
    .await;
    let own = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let mut tab = Tab::open(&bridge).await;
    let begun = Instant::now();
    for (swarm, tracker) in [target, own.local_addr().unwrap()].into_iter().enumerate() {
        let (hash, id) = unlike_any(swarm);
        tab.join_as(&JoinRequest {
            info_hash: InfoHashV1(hash),
            trackers: vec![vec![format!("http://{tracker}/announce")]],
            ..request(id)
        });
    }
    tab.flush().await;
    let _connection = soon("a request", own.accept()).await.unwrap();
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tab_cannot_tell_ports_apart_by_when_its_next_tracker_is_asked() {
    let mut probes = JoinSet::new();
    for port in [Port::Closed, Port::Silent, Port::Open, Port::Web] {
        probes.spawn(async move {
            let target = Target::start(port).await;
            (port, time_own_tracker(target.addr).await)
        });
    }
    for (port, waited) in probes.join_all().await {
        println!("{port:?}: its own tracker is asked after {waited:?}");
        let in_time = NEXT_ANNOUNCE_AFTER..NEXT_ANNOUNCE_AFTER + Duration::from_secs(4);
        assert!(in_time.contains(&waited), "{port:?}: {waited:?}");
    }
}

#[tokio::test]
async fn a_peer_that_answers_after_its_dial_was_told_as_failed_becomes_a_stream() {
    let limits = Limits {
        failed_dials_told_after: Seconds(Duration::from_millis(100)),
        ..Limits::default()
    };
    let bridge = Bridge::start(Config { limits, ..config() }).await;
    let peer = Listener::start().await;
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[peer.addr]).await;
    let (mut stream, theirs) = peer.accept().await;
    let told = counts(&mut tab, "a failure", |counts| counts.failed == 1).await;
    assert_eq!((told.dialling, told.connected), (0, 0));
    let ours = handshake(peer.peer_id, theirs.info_hash).encode();
    stream.write_all(&ours).await.unwrap();
    let opened = tab.stream().await;
    let told = counts(&mut tab, "a peer", |counts| counts.connected == 1).await;
    assert_eq!((told.dialling, told.failed), (0, 1));
    stream.write_all(b"late").await.unwrap();
    assert_eq!(tab.read(opened, 4).await, b"late");
}
