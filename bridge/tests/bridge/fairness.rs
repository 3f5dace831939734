//! Tabs that use up shared resources: announce slots, dials to a peer, processor time, a tab's peer
//! slots.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use aqueduct_core::tunnel::JoinRequest;
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_testkit::http::{Reply, Server};
use aqueduct_testkit::peer::{Listener, handshake};
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::abuse::dial;
use crate::program;
use crate::support::{Bridge, HASH, TAB_ID};
use crate::tab::{Tab, counts, request};
use crate::tracker_limits::{crowd, open_house, unlike_any};

#[tokio::test(flavor = "multi_thread")]
async fn trackers_that_hang_for_32_sessions_do_not_delay_the_announce_of_another() {
    aqueduct_native::descriptors::raise_limit();
    let bridge = Bridge::start(open_house()).await;
    let hanging = Server::start_at("0.0.0.0", |_| Reply::Hang);
    let port = hanging.addr.port();
    let mut crowds = Vec::new();
    for network in 1..=4 {
        let from = format!("127.0.0.1{network}");
        crowds.push(
            crowd(bridge.addr, &from, 8, |join| {
                (1..=16)
                    .map(|n| format!("http://127.{network}.{join}.{n}:{port}/announce"))
                    .collect()
            })
            .await,
        );
    }
    // By now they have taken every announce slot that they can have.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let begun = Instant::now();
    let (_tab, mut tracker, _) = Tab::member(&bridge, &[]).await;
    let asked = timeout(Duration::from_secs(55), tracker.next()).await;
    println!(
        "beside 32 sessions with trackers that hang: asked {} after {:?}",
        asked.is_ok(),
        begun.elapsed()
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_that_failed_for_invented_swarms_is_dialled_for_the_real_one() {
    let (bridge, seed) = (Bridge::start(open_house()).await, Listener::start().await);
    let host = bridge.addr.to_string();
    let mut liar = Tab::over(
        dial("127.0.0.9", bridge.addr).await,
        &host,
        &[("origin", &format!("http://{host}"))],
        Default::default(),
    )
    .await;
    for number in 0..3 {
        let (hash, id) = unlike_any(number);
        let join = liar.join_as(&JoinRequest {
            info_hash: InfoHashV1(hash),
            ..request(id)
        });
        liar.client.hint(join, &[seed.addr]);
    }
    liar.flush().await;
    // The seed has none of these torrents, so it closes the connection.
    for _ in 0..3 {
        drop(seed.accept().await);
    }
    let mut failed = 0;
    while failed < 3 {
        failed += counts(&mut liar, "a failure", |counts| counts.failed > 0)
            .await
            .failed;
    }
    let begun = Instant::now();
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[seed.addr]).await;
    let answered = timeout(Duration::from_secs(20), answer_for(&seed, HASH)).await;
    println!(
        "a seed that was tried in vain three times: dialled {} after {:?}",
        answered.is_ok(),
        begun.elapsed()
    );
    let _kept = answered.expect("the seed is not dialled");
    tab.stream().await;
}

/// Answers the next connection for this info-hash and closes all others.
async fn answer_for(seed: &Listener, info_hash: InfoHashV1) -> TcpStream {
    loop {
        let (mut socket, theirs) = seed.accept().await;
        if theirs.info_hash == info_hash {
            let ours = handshake(seed.peer_id, info_hash).encode();
            socket.write_all(&ours).await.unwrap();
            return socket;
        }
    }
}

/// A DNS server that answers queries for this name with 127.0.0.1 and ignores all others.
async fn name_server(knows: &'static str) -> (SocketAddr, JoinSet<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (addr, mut tasks) = (socket.local_addr().unwrap(), JoinSet::new());
    let labels: Vec<u8> = knows
        .split('.')
        .flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat())
        .chain([0])
        .collect();
    tasks.spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            let question = &query[12..length];
            if !question.starts_with(&labels) {
                continue;
            }
            let question = &question[..labels.len() + 4];
            let is_v4 = question[labels.len() + 1] == 1;
            let head = [
                &query[..2],
                &[0x81, 0x80, 0, 1, 0, u8::from(is_v4), 0, 0, 0, 0],
            ]
            .concat();
            // The name is a pointer to that in the question. The record is an A record of class IN
            // with a TTL of one minute.
            let record: &[u8] = &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1];
            let answer = [&head[..], question, if is_v4 { record } else { &[] }].concat();
            let _ = socket.send_to(&answer, from).await;
        }
    });
    (addr, tasks)
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_name_servers_block_no_other_lookup_and_use_no_threads() {
    let (server, _answering) = name_server("tracker.honest.example").await;
    let bridge = program::start(&[
        "--name-server",
        &server.to_string(),
        "--allow",
        "127.0.0.0/8",
    ]);
    let threads = bridge.program.threads();
    let mut crowds = Vec::new();
    for network in 0..70 {
        let from = format!("127.0.0.{}", 20 + network);
        crowds.push(
            crowd(bridge.addr, &from, 1, |join| {
                vec![format!("http://tracker.n{network}x{join}.example/announce")]
            })
            .await,
        );
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let more = bridge.program.threads().saturating_sub(threads);
    let mut tracker = Tracker::naming(&[]);
    let begun = Instant::now();
    let mut tab = Tab::open_at(bridge.addr).await;
    let url = tracker
        .http()
        .replace("127.0.0.1", "tracker.honest.example");
    tab.join_as(&JoinRequest {
        trackers: vec![vec![url]],
        ..request(TAB_ID)
    });
    tab.flush().await;
    let asked = timeout(Duration::from_secs(55), tracker.next())
        .await
        .is_ok();
    println!(
        "beside 560 names whose servers hang: asked {asked} after {:?}, {more} threads more",
        begun.elapsed()
    );
    assert!(
        begun.elapsed() < Duration::from_secs(5) && more < 20,
        "{:?}, {more} threads more",
        begun.elapsed()
    );
}

/// A tracker response that lists this many ports of one host.
fn ports(ip: [u8; 4], count: u16) -> Vec<SocketAddr> {
    (0..count)
        .map(|n| SocketAddr::from((ip, 20_000 + n)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_ports_of_one_host_cost_little_processor_time() {
    let bridge = program::limited("new-sessions-per-address = 1000");
    let tracker = Tracker::naming(&ports([127, 0, 0, 1], 1000));
    let _tabs = crowd(bridge.addr, "127.0.0.9", 8, |_| vec![tracker.http()]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let (before, begun) = (bridge.program.processor_time(), Instant::now());
    tokio::time::sleep(Duration::from_secs(4)).await;
    let share =
        (bridge.program.processor_time() - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    println!(
        "a thousand ports of one host: {:.1} % of a core",
        share * 100.0
    );
    assert!(share < 0.1, "{:.1} % of a core", share * 100.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_that_dials_in_repeatedly_does_not_use_all_connections_of_a_tab() {
    let (bridge, port) = Bridge::start_with_peers(open_house()).await;
    let mut tab = Tab::open(&bridge).await;
    let tracker = Tracker::naming(&[]);
    let join = tab.join_as(&JoinRequest {
        want: 10,
        trackers: vec![vec![tracker.http()]],
        ..request(TAB_ID)
    });
    counts(&mut tab, "the swarm", |_| true).await;
    let mut incoming = JoinSet::new();
    for n in 0..50u8 {
        let mut socket = dial("127.0.0.9", SocketAddr::from(([127, 0, 0, 1], port))).await;
        socket
            .write_all(&handshake(PeerId([n; 20]), HASH).encode())
            .await
            .unwrap();
        incoming.spawn(async move { socket.read_to_end(&mut Vec::new()).await });
    }
    // Addresses in a private network, which includes loopback, may use a quarter of the slots; the
    // others are rejected. The bridge reads handshakes side by side, so any two may be the first.
    for _ in 2..50 {
        let _ = soon("the end of another connection", incoming.join_next()).await;
    }
    counts(&mut tab, "two", |counts| counts.connected == 2).await;
    let seed = Listener::start().await;
    tab.client.hint(join, &[seed.addr]);
    tab.flush().await;
    let answered = timeout(Duration::from_secs(20), answer_for(&seed, HASH)).await;
    println!(
        "beside fifty that dialled in from one address: a peer is dialled: {}",
        answered.is_ok()
    );
    assert!(answered.is_ok(), "nobody is dialled any more");
    drop(incoming);
}
