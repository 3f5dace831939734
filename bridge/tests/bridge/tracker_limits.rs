//! Tabs that misuse the bridge to attack a host by naming it as a tracker: how often it is
//! contacted, over each protocol.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aqueduct_bridge::{Config, Limits};
use aqueduct_core::tunnel::JoinRequest;
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_testkit::http::{Reply, Server, ok, redirect};
use tokio::task::JoinSet;

use crate::abuse::dial;
use crate::support::{Bridge, config};
use crate::tab::{Tab, request};

/// The duration of each attack.
const WATCHED: Duration = Duration::from_secs(6);
/// The limits on dials per second to one address, and on simultaneous dials.
const DIALS: (usize, usize) = (2, 20);

/// The response of a tracker that has no peers.
const NO_PEERS: &str = "d8:intervali1800e5:peers0:e";

/// A configuration that may dial all of loopback and does not limit the rate of new sessions.
pub(crate) fn open_house() -> Config {
    let limits = Limits {
        new_sessions_per_address: 1000,
        ..Limits::default()
    };
    Config {
        allow: vec!["127.0.0.0/8".parse().unwrap()],
        limits,
        ..config()
    }
}

/// A unique info-hash and a unique peer id.
pub(crate) fn unlike_any(number: usize) -> ([u8; 20], PeerId) {
    let mut bytes = [0xee; 20];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    (bytes, PeerId(bytes))
}

/// Opens sessions from one client address, each with the maximum number of joins. `name` returns
/// the trackers of the join with this number.
pub(crate) async fn crowd(
    bridge: SocketAddr,
    from: &str,
    sessions: usize,
    name: impl Fn(usize) -> Vec<String>,
) -> JoinSet<()> {
    let mut tabs = JoinSet::new();
    for session in 0..sessions {
        let host = bridge.to_string();
        let mut tab = Tab::over(
            dial(from, bridge).await,
            &host,
            &[("origin", &format!("http://{host}"))],
            Default::default(),
        )
        .await;
        for join in 0..32 {
            let number = session * 32 + join;
            let (hash, id) = unlike_any(number);
            tab.join_as(&JoinRequest {
                info_hash: InfoHashV1(hash),
                trackers: name(number).into_iter().map(|url| vec![url]).collect(),
                ..request(id)
            });
        }
        tab.flush().await;
        tabs.spawn(async move { while tab.next().await.is_ok() {} });
    }
    tabs
}

/// Runs a crowd from one address for a while. Returns the duration.
async fn attack(name: impl Fn(usize) -> Vec<String>) -> Duration {
    let bridge = Bridge::start(open_house()).await;
    let begun = Instant::now();
    let _tabs = crowd(bridge.addr, "127.0.0.9", 8, name).await;
    tokio::time::sleep(WATCHED.saturating_sub(begun.elapsed())).await;
    begun.elapsed()
}

/// The maximum number of connections that one host may receive within this span.
fn most_in(watched: Duration) -> usize {
    DIALS.0 * (watched.as_secs() as usize + 2)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_address_makes_the_bridge_ask_a_host_at_most_twice_per_second() {
    let victim = Server::start(|_| ok(NO_PEERS));
    let watched = attack(|join| {
        (0..4)
            .map(|n| format!("http://{}/announce?{join}.{n}", victim.addr))
            .collect()
    })
    .await;
    println!(
        "trackers at one host: {} requests in {watched:?}",
        victim.connections()
    );
    assert!(
        (1..=most_in(watched)).contains(&victim.connections()),
        "{} requests in {watched:?}",
        victim.connections()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_lead_to_a_host_no_more_often_than_its_own_address() {
    let victim = Server::start(|_| ok(NO_PEERS));
    let to = victim.url("/announce");
    let redirects = Server::start_at("0.0.0.0", move |_| redirect(&to));
    let port = redirects.addr.port();
    let watched = attack(|join| {
        (0..64)
            .map(|n| format!("http://127.7.{join}.{n}:{port}/announce", n = n + 1))
            .collect()
    })
    .await;
    println!(
        "redirects to one host: {} requests in {watched:?}",
        victim.connections()
    );
    assert!(
        (1..=most_in(watched)).contains(&victim.connections()),
        "{} requests in {watched:?}",
        victim.connections()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_hangs_has_at_most_twenty_connections() {
    let victim = Server::start(|_| Reply::Hang);
    let watched = attack(|join| {
        (0..4)
            .map(|n| format!("http://{}/announce?{join}.{n}", victim.addr))
            .collect()
    })
    .await;
    println!(
        "a host that hangs: {} connections open in {watched:?}",
        victim.most_open()
    );
    assert!(
        (1..=DIALS.1).contains(&victim.most_open()) && victim.connections() <= most_in(watched)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn long_answers_of_a_tracker_are_read_within_a_bound() {
    let victim = Server::start(|_| ok(vec![b'x'; 1 << 20]));
    let watched = attack(|join| {
        (0..4)
            .map(|n| format!("http://{}/announce?{join}.{n}", victim.addr))
            .collect()
    })
    .await;
    let sent = victim.sent() >> 10;
    println!("a host that answers with megabytes: {sent} KiB sent in {watched:?}");
    assert!(sent < 6 * 1024, "{sent} KiB in {watched:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_udp_tracker_is_sent_at_most_two_datagrams_per_second() {
    let victim = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (addr, datagrams) = (victim.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let counted = Arc::clone(&datagrams);
    let counting = tokio::spawn(async move {
        while victim.recv_from(&mut [0; 2048]).await.is_ok() {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let watched = attack(|join| {
        (0..4)
            .map(|n| format!("udp://{addr}/announce?{join}.{n}"))
            .collect()
    })
    .await;
    counting.abort();
    let datagrams = datagrams.load(Ordering::Relaxed);
    println!("a UDP tracker: {datagrams} datagrams in {watched:?}");
    assert!(
        (1..=most_in(watched)).contains(&datagrams),
        "{datagrams} datagrams in {watched:?}"
    );
}
