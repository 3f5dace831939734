//! Graceful shutdown of the bridge.

use std::time::{Duration, Instant};

use aqueduct_core::tunnel::{Event, Refusal};
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::program;
use crate::support::{Bridge, HASH, config};
use crate::tab::Tab;

#[tokio::test]
async fn a_stopping_bridge_notifies_tabs_and_trackers_and_ends() {
    let bridge = Bridge::start(config()).await;
    let addr = bridge.addr;
    let mut tracker = Tracker::naming(&[]);
    let mut tab = Tab::open(&bridge).await;
    tab.join(&tracker);
    assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
    assert_eq!(tracker.next().await.event, "started");
    let ended = bridge.stop();
    let (events, code) = tab.closed().await;
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Draining { .. })),
        "{events:?}"
    );
    assert_eq!(code, Refusal::Draining.close_code());
    assert_eq!(tracker.next().await.event, "stopped");
    soon("the end", ended).await.unwrap().unwrap();
    assert!(
        TcpStream::connect(addr).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test]
async fn streams_continue_while_a_bridge_drains_until_its_deadline() {
    let limits = aqueduct_bridge::Limits {
        drain: aqueduct_bridge::Seconds(std::time::Duration::from_secs(3)),
        ..aqueduct_bridge::Limits::default()
    };
    let bridge = Bridge::start(aqueduct_bridge::Config { limits, ..config() }).await;
    let peer = Listener::start().await;
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[peer.addr]).await;
    let (socket, _) = peer.answer(HASH, b"").await;
    let stream = tab.stream().await;
    let ended = bridge.stop();
    tab.until("the warning", |event| {
        matches!(event, Event::Draining { .. }).then_some(())
    })
    .await;
    socket.writable().await.unwrap();
    assert_eq!(socket.try_write(b"still here").unwrap(), 10);
    assert_eq!(tab.read(stream, 10).await, b"still here");
    assert_eq!(tab.closed().await.1, Refusal::Draining.close_code());
    soon("the end", ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn sigterm_ends_the_bridge_with_0_within_ten_seconds_despite_its_clients() {
    let mut bridge = program::start(&[]);
    let peer = Listener::start().await;
    let tracker = Tracker::naming(&[peer.addr]);
    // One tab leaves when told to, one has a peer and does not leave, one never reads, one is slow,
    // and one sends nothing.
    let mut polite = Tab::open_at(bridge.addr).await;
    assert!(matches!(polite.next().await, Ok(Event::Welcome(_))));
    let mut busy = Tab::open_at(bridge.addr).await;
    busy.join(&tracker);
    busy.flush().await;
    let _connection = peer.answer(HASH, b"").await;
    busy.stream().await;
    let _deaf = Tab::open_at(bridge.addr).await;
    let mut trickling = TcpStream::connect(bridge.addr).await.unwrap();
    trickling
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        .await
        .unwrap();
    let _silent = TcpStream::connect(bridge.addr).await.unwrap();
    let begun = Instant::now();
    bridge.program.signal("TERM");
    let (events, code) = polite.closed().await;
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Draining { .. })),
        "{events:?}"
    );
    assert_eq!(code, Refusal::Draining.close_code());
    assert_eq!(
        bridge.program.ended().await.code(),
        Some(0),
        "{:#?}",
        bridge.program.lines()
    );
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "it took {:?}",
        begun.elapsed()
    );
}
