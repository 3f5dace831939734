//! What the log contains and what it must not contain.

use std::time::Instant;

use aqueduct_core::tunnel::{ClientConfig, Event, Refusal};
use aqueduct_testkit::bridge::Bridge as BridgeProgram;
use aqueduct_testkit::http::get;
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::tracker::Tracker;
use tokio::net::TcpStream;

use crate::players::offer;
use crate::program;
use crate::support::HASH;
use crate::tab::{Tab, counts};

#[tokio::test]
async fn a_broken_connection_is_not_logged_as_the_tabs_fault() {
    let mut bridge = program::start(&[]);
    let mut tab = Tab::open_at(bridge.addr).await;
    assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
    drop(tab);
    let line = bridge.program.line("a tab is gone").await;
    assert!(line.contains("end=Tab"), "{line}");
}

/// Causes every kind of event that a session can cause, with a secret, a swarm and addresses in it.
/// Returns the path of an address for players.
async fn make_noise(
    bridge: &BridgeProgram,
    peer: &Listener,
    tracker: &Tracker,
    token: &str,
) -> String {
    let (host, origin) = (bridge.addr.to_string(), format!("http://{}", bridge.addr));
    let fields = [("origin", origin.as_str())];
    let with = |token: &str| ClientConfig {
        token: token.to_owned(),
        ..ClientConfig::default()
    };
    let open = async || TcpStream::connect(bridge.addr).await.unwrap();
    let mut tab = Tab::over(open().await, &host, &fields, with(token)).await;
    tab.join(tracker);
    tab.join(tracker);
    tab.flush().await;
    let connection = peer.answer(HASH, b"").await;
    tab.stream().await;
    let (_, path) = offer(&mut tab, 1000).await;
    let (head, _) = get(open().await, &host, &path, "range: bytes=1000-\r\n").await;
    assert!(head.starts_with("HTTP/1.1 416"), "{head}");
    drop(connection);
    counts(&mut tab, "a lost peer", |counts| counts.connected == 0).await;
    let mut stranger = Tab::over(open().await, &host, &fields, with("a guess at the secret")).await;
    assert_eq!(stranger.closed().await.1, Refusal::Token.close_code());
    let malformed = tokio_tungstenite::tungstenite::Message::Binary(vec![99; 40].into());
    futures_util::SinkExt::send(&mut tab.socket, malformed)
        .await
        .unwrap();
    tab.closed().await;
    path
}

#[tokio::test]
async fn the_log_has_no_tokens_no_swarms_and_few_lines() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "open sesame\n").unwrap();
    let mut bridge = program::start(&["--token-file", file.path().to_str().unwrap()]);
    let peer = Listener::start().await;
    let tracker = Tracker::naming(&[peer.addr]);
    let path = make_noise(&bridge, &peer, &tracker, "open sesame").await;
    let address = path.split('/').nth(3).unwrap();
    bridge.program.signal("TERM");
    assert_eq!(bridge.program.ended().await.code(), Some(0));
    let swarm = HASH.to_string();
    for line in bridge.program.lines() {
        assert!(
            !line.contains("sesame") && !line.contains("guess") && !line.contains(address),
            "a token: {line}"
        );
        assert!(
            !line.contains(&swarm),
            "a swarm, and others name the client's address: {line}"
        );
        assert!(!line.contains(&peer.addr.to_string()), "a peer: {line}");
    }
    for session in 1..=2 {
        let lines = bridge
            .program
            .lines()
            .iter()
            .filter(|line| line.contains(&format!("session={session} ")))
            .count();
        assert!(
            (1..=10).contains(&lines),
            "session {session} has {lines} lines: {:#?}",
            bridge.program.lines()
        );
    }
}

#[tokio::test]
async fn refused_sessions_do_not_fill_the_log() {
    let mut bridge = program::start(&[]);
    let (host, begun) = (bridge.addr.to_string(), Instant::now());
    for _ in 0..100 {
        let stream = TcpStream::connect(bridge.addr).await.unwrap();
        let mut tab = Tab::over(
            stream,
            &host,
            &[("origin", "https://evil.example")],
            ClientConfig::default(),
        )
        .await;
        assert_eq!(tab.closed().await.1, Refusal::Origin.close_code());
    }
    bridge.program.signal("TERM");
    assert_eq!(bridge.program.ended().await.code(), Some(0));
    let told = bridge
        .program
        .lines()
        .iter()
        .filter(|line| line.contains("a tab connected"))
        .count();
    let most = 5 + 5 * (begun.elapsed().as_secs() as usize + 1);
    assert!(
        (1..=most).contains(&told),
        "{told} lines, where at most {most} were to be"
    );
}
