//! The bridge's own tracker.

use std::net::SocketAddr;

use aqueduct_bridge::{Config, Limits};
use aqueduct_core::discovery::trackers::http::parse_answer;
use aqueduct_core::discovery::trackers::{Announce, AnnounceEvent, Answer, udp};
use aqueduct_core::tunnel::{Event, JoinRequest, TrackerAnswer};
use aqueduct_core::types::PeerId;
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::soon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::support::{AMOUNTS, Bridge, HASH, TAB_ID, config};
use crate::tab::{Tab, request};

/// An announce for the swarm that all tests use.
fn query(port: u16, more: &str) -> String {
    format!(
        "/announce?info_hash={}&peer_id=-XX0001-000000000000&port={port}&left=1&compact=1{more}",
        "%5a".repeat(20)
    )
}

async fn announce(bridge: &Bridge, port: u16, more: &str) -> Answer {
    let (head, body) = bridge.get(&query(port, more), "").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    parse_answer(&body).unwrap()
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Performs a UDP exchange: a connect request, then the request that `make` builds from the
/// connection id.
async fn exchange(bridge: &Bridge, make: impl Fn(u64) -> Vec<u8>) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(bridge.addr).await.unwrap();
    let mut answer = [0; 2048];
    socket.send(&udp::connect(1)).await.unwrap();
    let length = soon("a connection id", socket.recv(&mut answer))
        .await
        .unwrap();
    let id = udp::Response::parse(&answer[..length])
        .unwrap()
        .as_connection()
        .unwrap()
        .unwrap();
    socket.send(&make(id)).await.unwrap();
    let length = soon("an answer", socket.recv(&mut answer)).await.unwrap();
    answer[..length].to_vec()
}

async fn announce_udp(bridge: &Bridge, port: u16) -> Answer {
    let (peer_id, event) = (PeerId([1; 20]), AnnounceEvent::Started);
    let said = Announce {
        info_hash: HASH,
        peer_id,
        port,
        amounts: AMOUNTS,
        event,
        key: 0,
        num_want: 50,
    };
    let answer = exchange(bridge, |id| {
        udp::announce(id, 2, &said, "/announce").to_vec()
    })
    .await;
    udp::Response::parse(&answer)
        .unwrap()
        .as_answer(false)
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn clients_over_http_and_udp_meet_in_one_swarm() {
    let bridge = Bridge::start(config()).await;
    assert_eq!(announce(&bridge, 4001, "").await.peers, []);
    assert_eq!(announce_udp(&bridge, 4002).await.peers, [local(4001)]);
    let mut peers = announce(&bridge, 4003, "&event=started").await.peers;
    peers.sort();
    assert_eq!(peers, [local(4001), local(4002)]);
    let (_, scraped) = bridge
        .get(&format!("/scrape?info_hash={}", "Z".repeat(20)), "")
        .await;
    assert!(
        scraped.starts_with(
            b"d5:filesd20:ZZZZZZZZZZZZZZZZZZZZd8:completei0e10:downloadedi0e10:incompletei3e"
        ),
        "{scraped:?}"
    );
    let scrape = exchange(&bridge, |id| {
        [&id.to_be_bytes()[..], &[0, 0, 0, 2, 0, 0, 0, 9], &HASH.0].concat()
    })
    .await;
    assert_eq!(
        scrape,
        [0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]
    );
    assert_eq!(bridge.counted("tracker_requests_total").await, 7);
}

#[tokio::test]
async fn one_connection_carries_announces_and_then_other_requests() {
    let bridge = Bridge::start(config()).await;
    let mut socket = TcpStream::connect(bridge.addr).await.unwrap();
    let last = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let pipelined = format!(
        "GET {} HTTP/1.1\r\nhost: x\r\n\r\nGET {} HTTP/1.1\r\nHost: x\r\n\r\n{last}",
        query(4001, ""),
        query(4002, "")
    );
    // Split at critical positions: within the first word, and within the end of the first head.
    for part in [&pipelined[..3], &pipelined[3..7], &pipelined[7..]] {
        socket.write_all(part.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    soon("all answers", socket.read_to_end(&mut answers))
        .await
        .unwrap();
    let answers = String::from_utf8_lossy(&answers);
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert!(
        answers.contains("10:incompletei2e") && answers.ends_with("ok\n"),
        "{answers}"
    );
}

/// Everything that the bridge answers to this request until it closes the connection.
async fn answers(bridge: &Bridge, request: &str) -> String {
    let mut socket = TcpStream::connect(bridge.addr).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    soon("all answers", socket.read_to_end(&mut answers))
        .await
        .unwrap();
    String::from_utf8_lossy(&answers).into_owned()
}

#[tokio::test]
async fn request_heads_for_the_tracker_are_parsed_strictly() {
    let bridge = Bridge::start(config()).await;
    let announce = query(4001, "");
    let smuggled = format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", query(4002, ""));
    for field in [
        format!("Content-Length : {}", smuggled.len()),
        "a b: c".to_owned(),
        "no colon".to_owned(),
        "x: y\r\n folded: z".to_owned(),
        "x: \0".to_owned(),
    ] {
        let answers = answers(
            &bridge,
            &format!("GET {announce} HTTP/1.1\r\nhost: x\r\n{field}\r\n\r\n{smuggled}"),
        )
        .await;
        assert!(
            answers.starts_with("HTTP/1.1 400") && answers.matches("HTTP/1.1").count() == 1,
            "{field:?}: {answers}"
        );
    }
    let last = format!(
        "GET {} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        query(4003, "")
    );
    // The body is skipped, and the next request starts after it.
    let with_body = format!(
        "GET {announce} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{smuggled}{last}",
        smuggled.len()
    );
    let answers = answers(&bridge, &with_body).await;
    assert_eq!(
        (
            answers.matches("HTTP/1.1 200").count(),
            answers.matches("10:incompletei2e").count()
        ),
        (2, 1),
        "{answers}"
    );
}

#[tokio::test]
async fn a_request_without_exactly_one_host_header_is_refused() {
    let bridge = Bridge::start(config()).await;
    for path in ["/healthz", &query(4001, ""), "/"] {
        for fields in ["", "host: x\r\nhost: x\r\n", "Host: x\r\nHOST: y\r\n"] {
            let answer = answers(&bridge, &format!("GET {path} HTTP/1.1\r\n{fields}\r\n")).await;
            assert!(
                answer.starts_with("HTTP/1.1 400"),
                "{path} {fields:?}: {answer}"
            );
        }
    }
    for path in ["/healthz", &query(4001, "")] {
        let answer = answers(&bridge, &format!("GET {path} HTTP/1.0\r\n\r\n")).await;
        assert!(
            answer.starts_with("HTTP/1.") && answer.contains(" 200 OK"),
            "HTTP/1.0 knows no hosts: {answer}"
        );
    }
}

#[tokio::test]
async fn peers_that_cannot_be_dialled_are_not_listed() {
    let bridge = Bridge::start(config()).await;
    assert_eq!(
        announce(&bridge, 22, "").await.peers,
        [],
        "served, but not listed"
    );
    assert_eq!(announce(&bridge, 4001, "&ip=1.2.3.4").await.peers, []);
    assert_eq!(
        announce(&bridge, 4002, "").await.peers,
        [local(4001)],
        "at the address that it asked from"
    );
    let strict = Bridge::start(Config::default()).await;
    let (_, body) = strict.get(&query(4001, ""), "").await;
    assert_eq!(
        body,
        b"d14:failure reason47:this tracker does not list addresses like yourse"
    );
}

#[tokio::test]
async fn a_client_behind_a_trusted_proxy_is_identified_by_the_proxys_header() {
    let bridge = Bridge::start(Config {
        trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
        ..config()
    })
    .await;
    bridge
        .get(&query(4001, ""), "x-forwarded-for: 9.9.9.9\r\n")
        .await;
    assert_eq!(
        announce(&bridge, 4002, "").await.peers,
        ["9.9.9.9:4001".parse().unwrap()]
    );
}

#[tokio::test]
async fn without_the_tracker_option_there_is_no_tracker() {
    let bridge = Bridge::start(Config {
        no_tracker: true,
        ..config()
    })
    .await;
    assert!(
        bridge
            .get(&query(4001, ""), "")
            .await
            .0
            .starts_with("HTTP/1.1 404")
    );
    assert!(
        UdpSocket::bind(bridge.addr).await.is_ok(),
        "its port is free for UDP"
    );
}

#[tokio::test]
async fn an_address_that_asks_too_often_gets_a_failure_reason() {
    let limits = Limits {
        tracker_requests_per_address: 0,
        ..Limits::default()
    };
    let bridge = Bridge::start(Config { limits, ..config() }).await;
    let (_, body) = bridge.get(&query(4001, ""), "").await;
    assert_eq!(
        body,
        b"d14:failure reason51:too many requests from your address, ask less oftene"
    );
}

/// Joins the swarm that all tests use. Its torrent names the bridge's own tracker, or none.
fn join(tab: &mut Tab, trackers: &[String], private: bool) -> u32 {
    tab.join_as(&JoinRequest {
        trackers: vec![trackers.to_vec()],
        private,
        ..request(TAB_ID)
    })
}

/// Waits for a tracker report, which shows that the bridge has processed the join.
async fn joined(tab: &mut Tab) {
    tab.until("the trackers", |event| {
        matches!(event, Event::Trackers { .. }).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_tab_is_found_through_the_bridges_own_tracker_until_it_leaves() {
    let (bridge, port) = Bridge::start_with_peers(config()).await;
    let mut tab = Tab::open(&bridge).await;
    join(&mut tab, &[], false);
    tab.flush().await;
    joined(&mut tab).await;
    assert_eq!(announce(&bridge, 4001, "").await.peers, [local(port)]);
    drop(tab);
    soon("the end of the session", async {
        while bridge.counted("sessions").await > 0 {}
    })
    .await;
    assert_eq!(announce(&bridge, 4001, "").await.peers, []);
}

#[tokio::test]
async fn a_tab_finds_peers_that_announced_to_the_bridges_own_tracker() {
    let (bridge, peer) = (Bridge::start(config()).await, Listener::start().await);
    announce(&bridge, peer.addr.port(), "").await;
    let mut tab = Tab::open(&bridge).await;
    join(
        &mut tab,
        &[format!("http://{}/announce", bridge.addr)],
        true,
    );
    tab.flush().await;
    let (_kept, _) = peer.answer(HASH, b"").await;
    let report = tab.tracker_report().await;
    assert_eq!(report.url, format!("http://{}/announce", bridge.addr));
    assert!(
        matches!(report.answer, TrackerAnswer::Peers { named: 1, .. }),
        "{report:?}"
    );
    let counts = tab
        .until("the trackers", |event| {
            if let Event::Trackers { counts, .. } = event {
                Some(counts)
            } else {
                None
            }
        })
        .await;
    assert_eq!(
        (counts.total, counts.answered, counts.failed, counts.empty),
        (1, 1, 0, 0),
        "its own URL is not asked over a socket"
    );
}

#[tokio::test]
async fn a_private_swarm_is_not_listed_by_trackers_that_its_torrent_does_not_name() {
    let bridge = Bridge::start(config()).await;
    let mut tab = Tab::open(&bridge).await;
    join(&mut tab, &["http://127.0.0.1:1/announce".to_owned()], true);
    tab.flush().await;
    joined(&mut tab).await;
    assert_eq!(announce(&bridge, 4001, "").await.peers, []);
}
