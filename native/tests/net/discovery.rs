//! The task that announces to trackers, tested with trackers on loopback.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aqueduct_core::DiscoverRequest::{Completed, More, Start, Stop};
use aqueduct_core::discovery::{
    Amounts, Config, Key, Summary, Swarm, TrackerError, TrackerState, TrackerStatus,
};
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_native::discovery::{Handle, Membership, News, Options, spawn};
use aqueduct_native::net::{Outbound, OwnUser};
use aqueduct_testkit::http::{Reply, Request, Server, ok};
use aqueduct_testkit::tracker::{Options as TrackerOptions, ReturnedPeers, Tracker};
use aqueduct_testkit::{closed_port, soon};
use tokio::sync::mpsc;

use crate::one_peer;

const KEY: Key = Key {
    info_hash: InfoHashV1([1; 20]),
    owner: 0,
};

fn handle() -> Handle {
    handle_with(Config::default())
}

fn handle_with(config: Config) -> Handle {
    spawn(Options {
        config,
        policy: Arc::new(OwnUser),
        outbound: Outbound::default(),
        dht: None,
    })
    .unwrap()
}

fn join(handle: &Handle, tiers: &[&str]) -> (Membership, mpsc::Receiver<News>) {
    let trackers = tiers.iter().map(|url| vec![(*url).to_owned()]).collect();
    handle
        .join(
            KEY,
            Swarm {
                trackers,
                peer_id: PeerId([2; 20]),
                port: 6881,
                amounts: Amounts::default(),
                private: false,
            },
        )
        .unwrap()
}

async fn peers(news: &mut mpsc::Receiver<News>) -> Vec<SocketAddr> {
    loop {
        if let News::Peers { addrs, .. } = soon("news", news.recv()).await.expect("the task ended")
        {
            return addrs;
        }
    }
}

fn peer() -> Vec<SocketAddr> {
    vec!["1.2.3.4:6881".parse().unwrap()]
}

/// A tracker that returns [`peer`] and sends forged answers before each answer over UDP.
fn udp_tracker(ip: &str) -> Tracker {
    Tracker::with(TrackerOptions {
        ips: vec![ip.parse().unwrap()],
        knows: ReturnedPeers::Only(vec!["1.2.3.4:6881".parse().unwrap()]),
        forged: true,
        ..TrackerOptions::default()
    })
}

#[tokio::test]
async fn a_udp_tracker_gets_all_events_and_forged_answers_are_ignored() {
    let mut tracker = udp_tracker("127.0.0.1");
    let handle = handle();
    let (member, mut news) = join(&handle, &[&tracker.udp()]);
    let start = Instant::now();
    member.request(Start, Amounts::default());
    assert_eq!(peers(&mut news).await, peer());
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "the first datagram was lost"
    );
    assert_eq!(tracker.next().await.event, "started");
    member.request(
        Completed,
        Amounts {
            left: Some(0),
            ..Amounts::default()
        },
    );
    assert_eq!(tracker.next().await.event, "completed");
    assert_eq!(peers(&mut news).await, peer());
    drop(member);
    assert_eq!(tracker.next().await.event, "stopped");
}

#[tokio::test]
async fn a_udp_tracker_on_ipv6_is_asked_from_the_socket_of_its_family() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        // Without IPv6 no announce is sent; with IPv4 only, the task must still start.
        handle();
        return;
    }
    let mut tracker = udp_tracker("::1");
    let handle = handle();
    let (member, _news) = join(&handle, &[&tracker.udp()]);
    member.request(Start, Amounts::default());
    assert_eq!(tracker.next().await.event, "started");
}

#[tokio::test]
async fn the_next_tier_is_asked_at_once_when_trackers_are_dead_or_answer_nonsense() {
    let free = closed_port();
    let html = Server::start(|_| ok("<!DOCTYPE html><p>hello</p>"));
    let empty = Server::start(|_| ok("d8:intervali1800e5:peers0:e"));
    let good = Server::start(|_| one_peer());
    let handle = handle();
    let dead = format!("http://{free}/announce");
    let forbidden = good.url("/admin");
    let tiers = [
        &dead,
        &forbidden,
        &html.url("/announce"),
        &empty.url("/announce"),
        &good.url("/announce"),
    ];
    let (member, mut news) = join(&handle, &tiers.map(String::as_str));
    let start = Instant::now();
    member.request(Start, Amounts::default());
    assert_eq!(peers(&mut news).await, peer());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "it waited for patience instead of going on"
    );
    let statuses = member.trackers();
    assert_eq!(
        Summary::of(&statuses).to_string(),
        "asked 5 trackers: 3 failed, 1 knows no peers, 1 knows peers"
    );
    assert!(matches!(
        statuses[0].state,
        TrackerState::Failed(TrackerError::Unreachable(_))
    ));
    assert!(matches!(
        statuses[1].state,
        TrackerState::Failed(TrackerError::Refused(_))
    ));
    assert_eq!(statuses[2].state, TrackerState::Failed(TrackerError::Html));
    assert_eq!(
        statuses[4].state,
        TrackerState::Ok {
            seeders: None,
            leechers: None,
            peers: 1
        }
    );
}

#[tokio::test]
async fn trackers_that_hang_delay_no_other() {
    let hanging = Server::start(|_| Reply::Hang);
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let good = Server::start(|_| one_peer());
    let handle = handle_with(Config {
        patience: Duration::from_millis(50),
        ..Config::default()
    });
    let udp = format!("udp://{}", silent.local_addr().unwrap());
    let (member, mut news) = join(
        &handle,
        &[&hanging.url("/announce"), &udp, &good.url("/announce")],
    );
    member.request(Start, Amounts::default());
    assert_eq!(peers(&mut news).await, peer());
    assert_eq!(
        Summary::of(&member.trackers()).to_string(),
        "asked 3 trackers: 2 have not answered, 1 knows peers"
    );
}

#[tokio::test]
async fn a_pause_announces_stopped_with_current_amounts() {
    let mut tracker = Server::start(|_| one_peer());
    let handle = handle();
    let (member, mut news) = join(&handle, &[&tracker.url("/announce?passkey=1")]);
    member.request(Start, Amounts::default());
    assert_eq!(tracker.request().await.argument("event"), "started");
    peers(&mut news).await;
    let amounts = Amounts {
        uploaded: 7,
        downloaded: 8,
        left: Some(9),
    };
    member.update(amounts);
    member.request(Stop, amounts);
    let farewell = tracker.request().await;
    assert_eq!(farewell.argument("event"), "stopped");
    let farewell = farewell.target();
    assert!(
        farewell.starts_with("/announce?passkey=1&info_hash=%01%01"),
        "{farewell}"
    );
    assert!(
        farewell.contains("&uploaded=7&downloaded=8&left=9&") && farewell.contains("&numwant=0&"),
        "{farewell}"
    );
}

#[tokio::test]
async fn more_peers_are_fetched_after_the_trackers_minimum_interval() {
    let mut tracker = Server::start(|_| one_peer());
    let handle = handle();
    let (member, mut news) = join(&handle, &[&tracker.url("/announce")]);
    member.request(Start, Amounts::default());
    tracker.request().await;
    peers(&mut news).await;
    member.request(More, Amounts::default());
    assert_eq!(tracker.request().await.argument("event"), "");
}

#[tokio::test]
async fn shutting_down_announces_stopped_and_does_not_wait_for_silent_trackers() {
    let script = |request: &Request| {
        if request.argument("event") == "stopped" {
            Reply::Hang
        } else {
            one_peer()
        }
    };
    let mut silent = Server::start(script);
    let handle = handle();
    let (member, mut news) = join(&handle, &[&silent.url("/announce")]);
    member.request(Start, Amounts::default());
    silent.request().await;
    peers(&mut news).await;
    let (start, limit) = (Instant::now(), Duration::from_millis(300));
    soon("the end", handle.shut_down(limit)).await;
    assert!((limit..Duration::from_secs(3)).contains(&start.elapsed()));
    assert_eq!(silent.request().await.argument("event"), "stopped");
    assert_eq!(
        soon("news", news.recv())
            .await
            .filter(|news| matches!(news, News::Peers { .. })),
        None
    );
}

#[tokio::test]
async fn shutting_down_ends_as_soon_as_all_trackers_have_answered() {
    let mut tracker = Server::start(|_| one_peer());
    let handle = handle();
    let (member, mut news) = join(&handle, &[&tracker.url("/announce")]);
    member.request(Start, Amounts::default());
    peers(&mut news).await;
    let start = Instant::now();
    soon("the end", handle.shut_down(Duration::from_secs(15))).await;
    assert!(start.elapsed() < Duration::from_secs(10));
    assert_eq!(tracker.request().await.argument("event"), "started");
    assert_eq!(tracker.request().await.argument("event"), "stopped");
}

#[tokio::test]
async fn a_key_can_be_joined_again_once_its_member_is_gone() {
    let mut tracker = Server::start(|_| one_peer());
    let handle = handle();
    let (member, _news) = join(&handle, &[&tracker.url("/announce")]);
    let twice = Swarm {
        trackers: Vec::new(),
        peer_id: PeerId([2; 20]),
        port: 6881,
        amounts: Amounts::default(),
        private: false,
    };
    assert!(handle.join(KEY, twice).is_err());
    drop(member);
    let (member, mut news) = join(&handle, &[&tracker.url("/announce")]);
    member.request(Start, Amounts::default());
    assert_eq!(tracker.request().await.argument("event"), "started");
    assert_eq!(peers(&mut news).await, peer());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_runs_before_its_handle_is_returned_does_not_end() {
    let nobody = closed_port();
    for _ in 0..500 {
        let handle = handle();
        let (member, mut news) = join(&handle, &[&format!("http://{nobody}/announce")]);
        member.request(Start, Amounts::default());
        soon("news", news.recv()).await.expect("the task ended");
    }
}

/// This many members, each in its own swarm, each of which has requested peers.
async fn burst(
    handle: &Handle,
    tracker: &str,
    count: u32,
) -> Vec<(Membership, mpsc::Receiver<News>)> {
    let mut members = Vec::new();
    for number in 0..count {
        let mut info_hash = InfoHashV1([0; 20]);
        info_hash.0[..4].copy_from_slice(&number.to_be_bytes());
        let trackers = vec![vec![tracker.to_owned()]];
        let swarm = Swarm {
            trackers,
            peer_id: PeerId([2; 20]),
            port: 6881,
            amounts: Amounts::default(),
            private: false,
        };
        let member = handle
            .join(
                Key {
                    info_hash,
                    owner: number.into(),
                },
                swarm,
            )
            .unwrap();
        member.0.request(Start, Amounts::default());
        members.push(member);
        // Lets the task run during the burst.
        tokio::task::yield_now().await;
    }
    members
}

/// Waits until this tracker received `count` `started` announces, each for another swarm.
async fn starts(tracker: &mut Server, count: usize) {
    let mut started = std::collections::BTreeSet::new();
    while started.len() < count {
        let request = tokio::time::timeout(Duration::from_secs(20), tracker.request()).await;
        let request =
            request.unwrap_or_else(|_| panic!("{} of {count} were announced", started.len()));
        assert_eq!(request.argument("event"), "started");
        started.insert(request.argument("info_hash").to_owned());
    }
}

#[tokio::test]
async fn four_hundred_joins_in_a_burst_are_all_announced() {
    let mut tracker = Server::start(|_| one_peer());
    let handle = handle();
    let _members = burst(&handle, &tracker.url("/announce"), 400).await;
    starts(&mut tracker, 400).await;
}

#[tokio::test]
async fn joins_are_announced_despite_a_flood_of_unrelated_datagrams() {
    let mut tracker = Server::start(|_| one_peer());
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let handle = handle();
    let (member, _news) = join(
        &handle,
        &[&format!("udp://{}", silent.local_addr().unwrap())],
    );
    member.request(Start, Amounts::default());
    let (_, task) = soon("a datagram", silent.recv_from(&mut [0; 2048]))
        .await
        .unwrap();
    let strangers = tokio::spawn(async move {
        loop {
            let _ = silent.send_to(b"junk that answers nothing", task).await;
            tokio::task::yield_now().await;
        }
    });
    let _members = burst(&handle, &tracker.url("/announce"), 400).await;
    starts(&mut tracker, 400).await;
    strangers.abort();
}

/// The time until peers are known, with tiers of one tracker each, of which only the last responds.
async fn time_to_peers(dead: Vec<String>) -> (Duration, Vec<TrackerStatus>) {
    let good = Server::start(|_| one_peer());
    let handle = handle();
    let tiers: Vec<String> = dead.into_iter().chain([good.url("/announce")]).collect();
    let (member, mut news) = join(
        &handle,
        &tiers.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let start = Instant::now();
    member.request(Start, Amounts::default());
    assert_eq!(peers(&mut news).await, peer());
    (start.elapsed(), member.trackers())
}

#[tokio::test]
async fn eight_closed_udp_ports_fail_at_once() {
    let sockets = (0..8).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let closed: Vec<String> = sockets
        .map(|socket| format!("udp://{}", socket.local_addr().unwrap()))
        .collect();
    let (took, statuses) = time_to_peers(closed).await;
    assert!(
        took < Duration::from_secs(4),
        "{took:?}: it waited for the dead"
    );
    let refused =
        statuses.iter().filter(|status| matches!(&status.state, TrackerState::Failed(error) if error.to_string().contains("connection refused")));
    assert_eq!(refused.count(), 8, "{statuses:?}");
}

#[tokio::test]
async fn twelve_silent_trackers_are_asked_in_parallel() {
    let silent: Vec<_> = (0..12)
        .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap())
        .collect();
    let (took, _) = time_to_peers(
        silent
            .iter()
            .map(|socket| format!("udp://{}", socket.local_addr().unwrap()))
            .collect(),
    )
    .await;
    assert!(
        took < Duration::from_secs(8),
        "{took:?}: it waited for one after the other"
    );
}

#[tokio::test]
async fn a_peer_that_a_tracker_names_by_host_name_is_found() {
    let tracker = Server::start(|_| ok("d8:intervali1800e5:peersld2:ip9:localhost4:porti6881eeee"));
    let handle = handle();
    let (member, mut news) = join(&handle, &[&tracker.url("/announce")]);
    member.request(Start, Amounts::default());
    let found = peers(&mut news).await;
    assert!(
        !found.is_empty()
            && found
                .iter()
                .all(|addr| addr.ip().is_loopback() && addr.port() == 6881),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_member_that_does_not_read_while_many_trackers_fail_still_learns_of_peers() {
    let free = closed_port();
    let good = Server::start(|_| one_peer());
    let mut tiers: Vec<String> = (0..60)
        .map(|n| format!("http://{free}/announce?{n}"))
        .collect();
    tiers.push(good.url("/announce"));
    let handle = handle();
    let (member, mut news) = join(
        &handle,
        &tiers.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    member.request(Start, Amounts::default());
    soon("the answer of the last", async {
        while !matches!(
            member.trackers().last().map(|tracker| &tracker.state),
            Some(TrackerState::Ok { .. })
        ) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(peers(&mut news).await, peer());
}
