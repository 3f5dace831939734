//! Clients that exceed their limits, and the cost to the bridge.

use std::time::{Duration, Instant};

use aqueduct_bridge::{Config, Limits, Seconds};
use aqueduct_core::tunnel::{ClientConfig, Event, JoinRequest, JoinUpdate, Refusal};
use aqueduct_core::types::PeerId;
use aqueduct_testkit::http::get;
use aqueduct_testkit::peer::handshake;
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use futures_util::SinkExt;
use futures_util::future::select_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use crate::program;
use crate::support::{AMOUNTS, Bridge, HASH, TAB_ID, config, trickle};
use crate::tab::{Tab, counts, request};

fn limited(limits: Limits) -> Config {
    Config { limits, ..config() }
}

/// Connects from this loopback address.
pub(crate) async fn dial(from: &str, to: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    soon("a connection", socket.connect(to)).await.unwrap()
}

/// Whether the bridge closes this connection without sending anything.
async fn is_cut(socket: &mut TcpStream) -> bool {
    let mut word = [0; 1];
    soon("the cut", socket.read(&mut word)).await.unwrap_or(0) == 0
}

/// Whether an HTTP request over this connection is answered.
async fn is_served(mut socket: TcpStream) -> bool {
    let asked = socket
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .is_ok();
    let mut answer = [0; 15];
    asked
        && soon("an answer", socket.read_exact(&mut answer))
            .await
            .is_ok()
        && &answer == b"HTTP/1.1 200 OK"
}

#[tokio::test]
async fn a_tab_without_a_token_has_nothing_done_for_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "sesame\n").unwrap();
    let bridge = Bridge::start(Config {
        token_file: Some(file.path().to_owned()),
        ..config()
    })
    .await;
    let mut tracker = Tracker::naming(&[]);
    let (own, with) = (format!("http://{}", bridge.addr), |token: &str| {
        ClientConfig {
            token: token.to_owned(),
            ..ClientConfig::default()
        }
    });
    // Its joins arrive in the same message as the invalid token.
    let mut thief = Tab::open_as(&bridge, &[("origin", &own)], with("guess")).await;
    thief.join_as(&JoinRequest {
        trackers: vec![vec![tracker.http()]],
        ..request(PeerId(*b"-XX0001-notokenatall"))
    });
    assert_eq!(thief.closed().await.1, Refusal::Token.close_code());
    let mut tab = Tab::open_as(&bridge, &[("origin", &own)], with("sesame")).await;
    tab.join(&tracker);
    tab.flush().await;
    let announce = tracker.next().await;
    assert_eq!(announce.peer_id, TAB_ID, "the thief was announced");
}

#[tokio::test]
async fn an_announce_sent_byte_by_byte_is_cut_off() {
    let limits = Limits {
        upgrade_timeout: Seconds(Duration::from_millis(300)),
        ..Limits::default()
    };
    let bridge = Bridge::start(limited(limits)).await;
    let mut socket = TcpStream::connect(bridge.addr).await.unwrap();
    socket.write_all(b"GET /announce?info_hash=").await.unwrap();
    soon(
        "the cut",
        trickle(socket, b"%5a", Duration::from_millis(20)),
    )
    .await;
}

#[tokio::test]
async fn connections_per_address_are_limited_and_others_are_served() {
    let bridge = program::limited("connections-per-address = 3\nupgrade-timeout = 60");
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(dial("127.0.0.2", bridge.addr).await);
    }
    // One task per processor accepts connections, so the refused one need not be the last.
    let cut = idle.iter_mut().map(|socket| Box::pin(is_cut(socket)));
    let (is_cut, ..) = select_all(cut).await;
    assert!(is_cut, "a fourth is too many");
    let (_, metrics) = get(dial("127.0.0.3", bridge.addr).await, "a", "/metrics", "").await;
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(
        metrics.contains("\naqueduct_bridge_refused_connections_total 1\n"),
        "{metrics}"
    );
    // Connections that are gone no longer count towards the limit.
    drop(idle);
    soon("a free place", async {
        while !is_served(dial("127.0.0.2", bridge.addr).await).await {}
    })
    .await;
}

#[tokio::test]
async fn a_trusted_proxys_connections_are_not_limited() {
    let mut config = limited(Limits {
        connections_per_address: 1,
        ..Limits::default()
    });
    config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let bridge = Bridge::start(config).await;
    let _idle = [
        TcpStream::connect(bridge.addr).await.unwrap(),
        TcpStream::connect(bridge.addr).await.unwrap(),
    ];
    assert!(is_served(TcpStream::connect(bridge.addr).await.unwrap()).await);
}

#[tokio::test]
async fn silent_connections_to_the_peer_port_are_limited_per_address() {
    let limits = Limits {
        incoming_half_open_per_address: 2,
        handshake_timeout: Seconds(Duration::from_secs(60)),
        ..Limits::default()
    };
    let (bridge, port) = Bridge::start_with_peers(limited(limits)).await;
    let peers = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[]).await;
    counts(&mut tab, "the swarm", |_| true).await;
    let _silent = [
        dial("127.0.0.2", peers).await,
        dial("127.0.0.2", peers).await,
    ];
    assert!(
        is_cut(&mut dial("127.0.0.2", peers).await).await,
        "a third is too many"
    );
    assert_eq!(bridge.counted("refused_incoming_total").await, 1);
    let mut honest = dial("127.0.0.3", peers).await;
    honest
        .write_all(&handshake(PeerId([1; 20]), HASH).encode())
        .await
        .unwrap();
    tab.stream().await;
}

/// Connects from this address and sends an incomplete handshake.
async fn half_open(from: &str, to: std::net::SocketAddr) -> TcpStream {
    let mut socket = dial(from, to).await;
    socket.write_all(&[19]).await.unwrap();
    socket
}

#[tokio::test]
async fn slow_clients_of_many_addresses_do_not_block_the_peer_port() {
    let limits = Limits {
        incoming_half_open: 20,
        incoming_half_open_per_address: 2,
        handshake_timeout: Seconds(Duration::from_secs(600)),
        ..Limits::default()
    };
    let (bridge, port) = Bridge::start_with_peers(limited(limits)).await;
    let peers = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[]).await;
    counts(&mut tab, "the swarm", |_| true).await;
    let mut slow = Vec::new();
    for n in 0..50 {
        slow.push(half_open(&format!("127.0.1.{}", 1 + n / 2), peers).await);
    }
    let mut honest = dial("127.0.2.1", peers).await;
    honest
        .write_all(&handshake(PeerId([1; 20]), HASH).encode())
        .await
        .unwrap();
    tab.stream().await;
    assert!(is_cut(&mut slow[0]).await, "the oldest made room");
}

#[tokio::test]
async fn only_a_few_trackers_per_host_and_torrent_are_asked() {
    let bridge = Bridge::start(limited(Limits {
        trackers_per_host: 2,
        ..Limits::default()
    }))
    .await;
    let mut tab = Tab::open(&bridge).await;
    let urls = (1..=60)
        .map(|n| format!("http://127.0.0.1:{}/announce?n={n}", 2000 + n))
        .chain(["udp://127.0.0.2:2000".to_owned()]);
    tab.join_as(&JoinRequest {
        trackers: vec![urls.collect()],
        ..request(TAB_ID)
    });
    let total = tab.until("word of the trackers", |event| {
        if let Event::Trackers { counts, .. } = event {
            Some(counts.total)
        } else {
            None
        }
    });
    assert_eq!(total.await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sessions_at_once_do_not_exceed_the_limit() {
    const LIMIT: usize = 20;
    let bridge = program::limited(&format!(
        "sessions = {LIMIT}\nsessions-per-address = 1000\nnew-sessions-per-address = 1000"
    ));
    let gate = std::sync::Arc::new(tokio::sync::Barrier::new(10 * LIMIT));
    let mut rush = tokio::task::JoinSet::new();
    for _ in 0..10 * LIMIT {
        let (addr, gate) = (bridge.addr, std::sync::Arc::clone(&gate));
        rush.spawn(async move {
            let stream = TcpStream::connect(addr).await.unwrap();
            gate.wait().await;
            let (host, origin) = (addr.to_string(), format!("http://{addr}"));
            let mut tab = Tab::over(
                stream,
                &host,
                &[("origin", &origin)],
                ClientConfig::default(),
            )
            .await;
            let welcome = matches!(tab.next().await, Ok(Event::Welcome(_)));
            // Accepted sessions stay open until all have been answered.
            gate.wait().await;
            (welcome, tab)
        });
    }
    let answered = soon("all answers", rush.join_all()).await;
    assert_eq!(
        answered.iter().filter(|(welcome, _)| *welcome).count(),
        LIMIT
    );
}

#[tokio::test]
async fn requests_for_more_peers_beyond_the_budget_are_ignored() {
    let bridge = Bridge::start(limited(Limits {
        asks_per_minute: 1,
        ..Limits::default()
    }))
    .await;
    let mut tab = Tab::open(&bridge).await;
    let join = tab.client.join(&request(TAB_ID));
    let more = JoinUpdate {
        amounts: AMOUNTS,
        want: 0,
        private: false,
        completed: false,
        more: true,
    };
    let announce = async |port| {
        let query = format!(
            "/announce?info_hash={}&port={port}&left=1",
            "%5a".repeat(20)
        );
        assert!(bridge.get(&query, "").await.0.starts_with("HTTP/1.1 200"));
    };
    announce(4001).await;
    tab.client.update(join, &more);
    counts(&mut tab, "what the first wish brought", |counts| {
        counts.found == 1
    })
    .await;
    announce(4002).await;
    (0..1000).for_each(|_| tab.client.update(join, &more));
    tab.client.hint(
        join,
        &[
            "127.0.0.1:4003".parse().unwrap(),
            "127.0.0.1:4004".parse().unwrap(),
        ],
    );
    let found = counts(&mut tab, "the hint that came after them", |counts| {
        counts.found > 1
    })
    .await
    .found;
    assert_eq!(found, 3, "the tracker was asked again");
}

#[tokio::test]
async fn a_flood_of_pings_is_rate_limited_while_other_tabs_are_served() {
    let bridge = Bridge::start(limited(Limits {
        frames_per_session: 50,
        ..Limits::default()
    }))
    .await;
    let mut flood = Tab::open(&bridge).await;
    let pings: Vec<u8> = [0x89, 0x80, 0, 0, 0, 0].repeat(400);
    let begun = Instant::now();
    flood.socket.get_mut().write_all(&pings).await.unwrap();
    let mut honest = Tab::open(&bridge).await;
    assert!(matches!(honest.next().await, Ok(Event::Welcome(_))));
    // Read after all pings, and answered with a close frame.
    flood.socket.send(Message::text("enough")).await.unwrap();
    assert_eq!(flood.closed().await.1, 1003);
    assert!(
        begun.elapsed() >= Duration::from_secs(2),
        "400 pings were read in {:?}, with 250 at once and 50 a second",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_message_that_never_ends_ends_the_session() {
    let bridge = Bridge::start(limited(Limits {
        message_timeout: Seconds(Duration::from_millis(300)),
        ..Limits::default()
    }))
    .await;
    let (fragment, ping) = (
        &[0x02, 0x81, 0, 0, 0, 0, b'x'][..],
        &[0x89, 0x80, 0, 0, 0, 0][..],
    );
    // A lone frame header, half a frame, and a first fragment that is followed only by pings.
    for bytes in [
        &[0x82][..],
        &[0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0, b'x'],
        &[fragment, ping, ping].concat(),
    ] {
        let mut tab = Tab::open(&bridge).await;
        assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
        tab.socket.get_mut().write_all(bytes).await.unwrap();
        assert_eq!(tab.closed().await.1, 1008, "{bytes:?}");
    }
}

#[tokio::test]
async fn five_hundred_slow_clients_delay_no_other_and_are_cut_off() {
    let bridge = program::limited("connections-per-address = 1000\nupgrade-timeout = 15");
    let mut trickling = JoinSet::new();
    for _ in 0..500 {
        let mut socket = TcpStream::connect(bridge.addr).await.unwrap();
        socket
            .write_all(b"GET /v1/session HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            .await
            .unwrap();
        trickling.spawn(trickle(socket, b"x", Duration::from_millis(500)));
    }
    for _ in 0..20 {
        let (head, _) = bridge.get("/healthz", "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
    let mut tab = Tab::open_at(bridge.addr).await;
    assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
    assert!(
        trickling.try_join_next().is_none(),
        "twenty answers and a session came only when the first of the others was cut off"
    );
    while soon("the cut", trickling.join_next()).await.is_some() {}
}
