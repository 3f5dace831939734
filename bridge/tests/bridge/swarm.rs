//! Peers and trackers of one swarm, on behalf of a tab.

use std::collections::BTreeSet;

use aqueduct_bridge::{Config, Limits};
use aqueduct_core::tunnel::{Event, JoinRequest, TrackerAnswer, TrackerCounts, TrackerFailure};
use aqueduct_core::types::InfoHashV1;
use aqueduct_testkit::http::{Server, ok};
use aqueduct_testkit::peer::{Listener, handshake, read_handshake};
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Bridge, HASH, PEER_ID, TAB_ID, config};
use crate::tab::{Tab, counts, request};

async fn trackers(
    tab: &mut Tab,
    what: &str,
    enough: impl Fn(&TrackerCounts) -> bool,
) -> TrackerCounts {
    tab.until(what, |event| {
        if let Event::Trackers { counts, .. } = event {
            Some(counts).filter(&enough)
        } else {
            None
        }
    })
    .await
}

#[tokio::test]
async fn a_peer_that_answers_for_another_info_hash_never_becomes_a_stream() {
    let (bridge, liar, honest) = (
        Bridge::start(config()).await,
        Listener::start().await,
        Listener::start().await,
    );
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[liar.addr, honest.addr]).await;
    let (mut lied, _) = liar.answer(InfoHashV1([1; 20]), b"GET / HTTP/1.1").await;
    let (_kept, _) = honest.answer(HASH, b"").await;
    let mut streams = Vec::new();
    let counts = tab.until("both outcomes", |event| match event {
        Event::StreamOpened { addr, .. } => {
            streams.push(addr);
            None
        }
        Event::Peers { counts, .. } => {
            Some(counts).filter(|counts| counts.failed == 1 && counts.connected == 1)
        }
        _ => None,
    });
    let counts = counts.await;
    assert_eq!((counts.found, counts.refused), (2, 0));
    assert_eq!(streams, [honest.addr.into()]);
    assert_eq!(
        soon("the liar's end", lied.read(&mut [0; 1]))
            .await
            .unwrap_or(0),
        0,
        "the bridge hangs up"
    );
}

#[tokio::test]
async fn addresses_that_the_filter_refuses_are_never_dialled() {
    let (bridge, allowed, refused) = (
        Bridge::start(config()).await,
        Listener::start().await,
        Listener::start_at("127.0.0.2").await,
    );
    let private = "10.0.0.1:6881".parse().unwrap();
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[refused.addr, private, allowed.addr]).await;
    let (_kept, _) = allowed.answer(HASH, b"").await;
    let counts = counts(&mut tab, "the peer", |counts| counts.connected == 1).await;
    assert_eq!((counts.found, counts.refused, counts.dialling), (3, 2, 0));
    let dialled = tokio::time::timeout(std::time::Duration::ZERO, refused.socket.accept()).await;
    assert!(dialled.is_err(), "a refused address was dialled");
}

#[tokio::test]
async fn trackers_at_refused_addresses_are_not_asked() {
    let bridge = Bridge::start(aqueduct_bridge::Config {
        no_dht: true,
        ..aqueduct_bridge::Config::default()
    })
    .await;
    let mut tracker = Tracker::naming(&[]);
    let mut tab = Tab::open(&bridge).await;
    tab.join(&tracker);
    let counts = trackers(&mut tab, "the tracker's failure", |counts| {
        counts.failed == 1
    })
    .await;
    assert_eq!(
        (counts.total, counts.failure),
        (1, Some(TrackerFailure::Forbidden))
    );
    let asked = tokio::time::timeout(std::time::Duration::ZERO, tracker.next()).await;
    assert!(asked.is_err(), "a refused tracker was asked");
}

#[tokio::test]
async fn a_tab_learns_what_its_trackers_said_as_numbers() {
    let bridge = Bridge::start(config()).await;
    let tracker = Tracker::naming(&[]);
    let mut tab = Tab::open(&bridge).await;
    tab.join(&tracker);
    let counts = trackers(&mut tab, "the tracker's answer", |counts| {
        counts.answered == 1
    })
    .await;
    assert_eq!(
        (counts.total, counts.empty, counts.failed, counts.seeders),
        (1, 1, 0, 1)
    );
    let next = counts.next.expect("another announce is planned");
    assert!((1500..=1800).contains(&next.as_secs()), "{next:?}");
}

#[tokio::test]
async fn a_tab_learns_what_each_of_its_trackers_answered() {
    let bridge = Bridge::start(config()).await;
    let tracker = Tracker::naming(&[]);
    let refusing = Server::start(|_| ok(b"d14:failure reason15:passkey\x1bunknowne"));
    for url in [tracker.http(), refusing.url("/announce")] {
        let mut tab = Tab::open(&bridge).await;
        tab.join_as(&JoinRequest {
            trackers: vec![vec![url.clone()]],
            ..request(TAB_ID)
        });
        let report = tab.tracker_report().await;
        assert_eq!(report.url, url);
        if url == tracker.http() {
            let answer = TrackerAnswer::Peers {
                named: 0,
                seeders: Some(1),
                leechers: Some(0),
            };
            assert_eq!((report.answer, report.text), (answer, None));
            let next = report.next.expect("another announce is planned").as_secs();
            assert!((1500..=1800).contains(&next), "{next} s");
        } else {
            let refused = TrackerAnswer::Failed(TrackerFailure::Refused);
            let text = "passkey\\u{1b}unknown".to_owned();
            assert_eq!((report.answer, report.text), (refused, Some(text)));
        }
    }
}

/// The port that is announced to the tracker.
async fn announced_port(tracker: &mut Tracker) -> u16 {
    tracker.next().await.addr.port()
}

#[tokio::test]
async fn a_peer_that_dials_the_announced_port_reaches_the_tab() {
    let bridge = Bridge::start(config()).await;
    let (mut tab, mut tracker, join) = Tab::member(&bridge, &[]).await;
    let port = announced_port(&mut tracker).await;
    let mut peer = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    peer.write_all(&[&handshake(PEER_ID, HASH).encode()[..], b"hello"].concat())
        .await
        .unwrap();
    let answer = read_handshake(&mut peer).await;
    assert_eq!((answer.info_hash, answer.peer_id), (HASH, TAB_ID));
    let opened = tab
        .until("a stream", |event| {
            matches!(event, Event::StreamOpened { .. }).then_some(event)
        })
        .await;
    let Event::StreamOpened {
        stream,
        join: of,
        dialled,
        addr,
        ..
    } = opened
    else {
        panic!("{opened:?}")
    };
    assert_eq!(
        (of, dialled, addr),
        (join, false, peer.local_addr().unwrap().into())
    );
    assert_eq!(tab.read(stream, 5).await, b"hello");

    let mut stranger = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stranger
        .write_all(&handshake(PEER_ID, InfoHashV1([9; 20])).encode())
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = soon("the end", stranger.read_to_end(&mut answer)).await;
    assert!(
        answer.is_empty(),
        "nobody joined that swarm, so nobody answers"
    );
}

#[tokio::test]
async fn a_tab_that_leaves_has_its_streams_closed_and_its_trackers_told() {
    let (bridge, peer) = (Bridge::start(config()).await, Listener::start().await);
    let (mut tab, mut tracker, join) = Tab::member(&bridge, &[peer.addr]).await;
    let (mut socket, _) = peer.answer(HASH, b"").await;
    tab.stream().await;
    assert_eq!(tracker.next().await.event, "started");
    tab.client.leave(join);
    tab.until("the close", |event| {
        matches!(event, Event::StreamClosed { .. }).then_some(())
    })
    .await;
    assert_eq!(soon("the end", socket.read(&mut [0; 1])).await.unwrap(), 0);
    assert_eq!(tracker.next().await.event, "stopped");
}

#[tokio::test]
async fn thirty_two_torrents_that_a_tab_adds_together_are_all_announced() {
    let limits = Limits {
        dials_per_target: 1000,
        half_open_per_target: 1000,
        ..Limits::default()
    };
    let bridge = Bridge::start(Config { limits, ..config() }).await;
    let mut tracker = Tracker::naming(&[]);
    let mut tab = Tab::open(&bridge).await;
    for number in 0..32 {
        tab.join_as(&JoinRequest {
            info_hash: InfoHashV1([number; 20]),
            trackers: vec![vec![tracker.http()]],
            ..request(TAB_ID)
        });
    }
    tab.flush().await;
    let mut started = BTreeSet::new();
    while started.len() < 32 {
        let announce = tracker.next().await;
        assert_eq!(announce.event, "started");
        started.insert(announce.info_hash);
    }
}
