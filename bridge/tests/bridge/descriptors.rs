//! A bridge that runs out of file descriptors.

use std::time::Duration;

use aqueduct_core::tunnel::{Event, JoinRequest, Refusal};
use aqueduct_core::types::InfoHashV1;
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use tokio::net::TcpStream;

use crate::program;
use crate::support::TAB_ID;
use crate::tab::{Tab, request};

#[tokio::test]
async fn without_descriptors_connections_are_accepted_later_and_sessions_continue() {
    // Fewer than the bridge reserves for itself, so its own limits do not apply first and the
    // system returns an error.
    let mut bridge = program::with_descriptors(48, &["--no-tracker"]);
    let mut tab = Tab::open_at(bridge.addr).await;
    assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
    let mut crowd = Vec::new();
    for _ in 0..64 {
        crowd.push(TcpStream::connect(bridge.addr).await.unwrap());
    }
    bridge.program.line("no connection can be accepted").await;
    // An existing session is still served: a second join of the same swarm is refused.
    let tracker = Tracker::naming(&[]);
    tab.join(&tracker);
    tab.join(&tracker);
    tab.until("an answer", |event| {
        matches!(event, Event::JoinRefused { .. }).then_some(())
    })
    .await;
    drop(crowd);
    let (head, _) = bridge.get("/healthz", "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (_, metrics) = bridge.get("/metrics", "").await;
    assert!(
        !String::from_utf8(metrics)
            .unwrap()
            .contains("\naqueduct_bridge_failed_accepts_total 0\n"),
        "an operator would not see it"
    );
    let warnings = bridge
        .program
        .lines()
        .iter()
        .filter(|line| line.contains("no connection can be accepted"))
        .count();
    assert!(warnings <= 10, "{warnings} lines of one trouble");
    bridge.program.signal("TERM");
    assert_eq!(bridge.program.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_bridge_without_descriptors_for_more_sessions_refuses_them_with_that_reason() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "[limits]\nsessions-per-address = 1000\nnew-sessions-per-address = 1000\n",
    )
    .unwrap();
    let bridge = program::with_descriptors(256, &["--config", file.path().to_str().unwrap()]);
    let mut tabs = Vec::new();
    let refused = loop {
        let mut tab = Tab::open_at(bridge.addr).await;
        match tab.next().await {
            Ok(Event::Welcome(_)) => tabs.push(tab),
            other => break other,
        }
    };
    assert!(
        matches!(refused, Ok(Event::Refused(Refusal::Full))),
        "{refused:?} after {} sessions",
        tabs.len()
    );
    assert!(
        (64..230).contains(&tabs.len()),
        "{} sessions with 256 descriptors",
        tabs.len()
    );
    let (head, _) = bridge.get("/readyz", "").await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
}

#[tokio::test]
async fn trackers_that_hang_leave_descriptors_for_clients() {
    const SESSIONS: u8 = 12;
    let file = tempfile::NamedTempFile::new().unwrap();
    let limits =
        "sessions-per-address = 1000\nnew-sessions-per-address = 1000\nlookups-per-session = 1000";
    std::fs::write(
        file.path(),
        format!("allow = [\"127.0.0.0/8\"]\n[limits]\n{limits}\n"),
    )
    .unwrap();
    let bridge = program::with_descriptors(256, &["--config", file.path().to_str().unwrap()]);
    let hanging = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = hanging.local_addr().unwrap().port();
    let mut tabs = Vec::new();
    for session in 0..SESSIONS {
        let mut tab = Tab::open_at(bridge.addr).await;
        assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
        // One announce per torrent, each to a different host.
        for torrent in 0..20 {
            let trackers = vec![vec![format!(
                "http://127.1.{session}.{}:{port}/announce",
                torrent + 1
            )]];
            let info_hash = InfoHashV1([session * 20 + torrent; 20]);
            tab.join_as(&JoinRequest {
                info_hash,
                trackers,
                ..request(TAB_ID)
            });
        }
        tab.flush().await;
        tabs.push(tab);
    }
    // The maximum number of simultaneous connections. Without a bound of their own they would use
    // every remaining descriptor.
    let mut held = Vec::new();
    while held.len() < 64 {
        held.push(soon("an announce", hanging.accept()).await.unwrap());
    }
    for _ in 0..20 {
        let (head, _) = bridge.get("/healthz", "").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
    let (_, metrics) = bridge.get("/metrics", "").await;
    assert!(
        String::from_utf8(metrics)
            .unwrap()
            .contains("\naqueduct_bridge_failed_accepts_total 0\n"),
        "a connection could not be accepted"
    );
    let further = tokio::time::timeout(Duration::ZERO, hanging.accept()).await;
    assert!(further.is_err(), "a 65th announce is under way");
}
