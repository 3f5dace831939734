//! Tabs of one bridge as each other's peers.

use std::net::SocketAddr;

use aqueduct_core::tunnel::{Event, JoinRequest, JoinUpdate, StreamClose};
use aqueduct_core::types::{PeerAddr, PeerId};
use aqueduct_testkit::torrent::noise;
use aqueduct_testkit::tracker::Tracker;
use bytes::Bytes;
use tokio::sync::Barrier;

use crate::support::{AMOUNTS, Bridge, config};
use crate::tab::{Tab, counts, request};

const ALICE: PeerId = PeerId(*b"-AQ0100-tab Alice---");
const BOB: PeerId = PeerId(*b"-AQ0100-tab Bob-----");
const CAROL: PeerId = PeerId(*b"-AQ0100-tab Carol---");

/// Opens a tab that sends this join request.
async fn joining(bridge: &Bridge, join: &JoinRequest) -> Tab {
    let mut tab = Tab::open(bridge).await;
    tab.client.join(join);
    tab.flush().await;
    tab
}

/// Opens a tab that sends this join request, and waits until the bridge has accepted it. Streams
/// that open in the meantime are skipped.
async fn joined(bridge: &Bridge, join: &JoinRequest) -> Tab {
    let mut tab = joining(bridge, join).await;
    counts(&mut tab, "the bridge's word on the join", |_| true).await;
    tab
}

/// The next stream: its number, its peer's address, and its peer's id.
async fn met(tab: &mut Tab) -> (u32, PeerAddr, PeerId) {
    tab.until("a stream", |event| match event {
        Event::StreamOpened {
            stream,
            addr,
            dialled: false,
            handshake,
            ..
        } => Some((stream, addr, handshake.peer_id)),
        _ => None,
    })
    .await
}

async fn ended(tab: &mut Tab) -> StreamClose {
    tab.until("the stream's end", |event| {
        if let Event::StreamClosed { reason, .. } = event {
            Some(reason)
        } else {
            None
        }
    })
    .await
}

/// Reads this many bytes of a stream, and keeps the tab going until the other one has read its
/// bytes, too: part of what this tab sends may still wait for credit.
async fn read_beside(tab: &mut Tab, stream: u32, length: usize, both: &Barrier) -> Vec<u8> {
    let read = tab.read(stream, length).await;
    tab.flush().await;
    tokio::select! {
        _ = both.wait() => read,
        (events, code) = tab.closed() => panic!("closed with {code} after {events:?}"),
    }
}

#[tokio::test]
async fn two_tabs_of_a_swarm_connect_inside_the_bridge_without_a_socket() {
    let bridge = Bridge::start(config()).await;
    let mut alice = joined(&bridge, &request(ALICE)).await;
    let mut bob = joining(&bridge, &request(BOB)).await;
    let ((at_bob, alices, by_bob), (at_alice, bobs, by_alice)) =
        (met(&mut bob).await, met(&mut alice).await);
    assert_eq!((by_bob, by_alice), (ALICE, BOB));
    assert!(
        [alices, bobs].map(PeerAddr::ip) == [None, None] && alices != bobs,
        "an address tells where a tab is: {alices} {bobs}"
    );

    // More than the pipe holds and more than one grant of credit, in both directions at the same
    // time.
    let (down, up) = (noise(700_000, 1), noise(900_000, 2));
    alice
        .client
        .send(at_alice, Bytes::from(down.clone()))
        .unwrap();
    bob.client.send(at_bob, Bytes::from(up.clone())).unwrap();
    let both = Barrier::new(2);
    let (to_alice, to_bob) = tokio::join!(
        read_beside(&mut alice, at_alice, up.len(), &both),
        read_beside(&mut bob, at_bob, down.len(), &both)
    );
    assert!(
        to_alice == up && to_bob == down,
        "bytes were changed on the way"
    );
    assert_eq!(
        (
            bridge.counted("meetings_total").await,
            bridge.counted("dials_total").await,
            bridge.counted("incoming_total").await
        ),
        (1, 0, 0)
    );

    alice.client.close(at_alice);
    alice.flush().await;
    assert_eq!(ended(&mut bob).await, StreamClose::Peer);
}

#[tokio::test]
async fn a_tab_that_wants_no_peers_gets_none_until_it_does() {
    let bridge = Bridge::start(config()).await;
    let mut alice = joined(
        &bridge,
        &JoinRequest {
            want: 0,
            ..request(ALICE)
        },
    )
    .await;
    let mut bob = joining(&bridge, &request(BOB)).await;
    let refused = counts(&mut bob, "the refusal", |counts| counts.failed == 1).await;
    assert_eq!((refused.found, refused.connected), (1, 0));
    let update = JoinUpdate {
        amounts: AMOUNTS,
        want: 40,
        private: false,
        completed: false,
        more: false,
    };
    alice.client.update(1, &update);
    alice.flush().await;
    let mut carol = joining(&bridge, &request(CAROL)).await;
    let mut others = [met(&mut carol).await.2, met(&mut carol).await.2];
    others.sort();
    assert_eq!(others, [ALICE, BOB]);
    assert_eq!(
        (met(&mut alice).await.2, met(&mut bob).await.2),
        (CAROL, CAROL)
    );
}

#[tokio::test]
async fn a_tab_is_never_connected_with_its_own_earlier_session() {
    let bridge = Bridge::start(config()).await;
    let _before = joined(&bridge, &request(ALICE)).await;
    let mut again = joined(&bridge, &request(ALICE)).await;
    let mut bob = joining(&bridge, &request(BOB)).await;
    assert_eq!(met(&mut again).await.2, BOB);
    assert_eq!(
        (met(&mut bob).await.2, met(&mut bob).await.2),
        (ALICE, ALICE)
    );
    assert_eq!(bridge.counted("meetings_total").await, 2);
}

#[tokio::test]
async fn a_tab_that_leaves_is_disconnected_from_others_and_not_dialled_again() {
    let bridge = Bridge::start(config()).await;
    let mut alice = joined(&bridge, &request(ALICE)).await;
    let mut bob = joining(&bridge, &request(BOB)).await;
    met(&mut bob).await;
    alice.client.leave(1);
    alice.flush().await;
    assert_eq!(ended(&mut bob).await, StreamClose::Peer);
    let left = counts(&mut bob, "the end", |counts| counts.connected == 0).await;
    assert_eq!((left.found, left.failed), (1, 0));
}

#[tokio::test]
async fn tabs_of_a_private_swarm_connect_only_after_their_tracker_named_the_bridge() {
    let (bridge, peer_port) = Bridge::start_with_peers(config()).await;
    let (silent, naming) = (
        Tracker::naming(&[]),
        Tracker::naming(&[SocketAddr::from(([127, 0, 0, 1], peer_port))]),
    );
    let through = |tracker: &Tracker, id| JoinRequest {
        private: true,
        trackers: vec![vec![tracker.http()]],
        ..request(id)
    };
    let _bob = joined(&bridge, &through(&silent, BOB)).await;
    let mut alice = joining(&bridge, &through(&naming, ALICE)).await;
    alice
        .until("its tracker's answer", |event| {
            matches!(event, Event::Trackers { counts, .. } if counts.answered == 1).then_some(())
        })
        .await;
    let mut carol = joining(&bridge, &through(&naming, CAROL)).await;
    assert_eq!(
        (met(&mut carol).await.2, met(&mut alice).await.2),
        (ALICE, CAROL)
    );
    let found = counts(&mut carol, "who was found", |counts| counts.connected == 1)
        .await
        .found;
    assert_eq!(
        (
            found,
            bridge.counted("meetings_total").await,
            bridge.counted("dials_total").await
        ),
        (1, 1, 0)
    );
}

#[tokio::test]
async fn a_swarm_that_turns_out_to_be_private_disconnects_its_tabs() {
    let bridge = Bridge::start(config()).await;
    let mut alice = joined(&bridge, &request(ALICE)).await;
    let mut bob = joining(&bridge, &request(BOB)).await;
    met(&mut bob).await;
    met(&mut alice).await;
    alice.client.update(
        1,
        &JoinUpdate {
            amounts: AMOUNTS,
            want: 40,
            private: true,
            completed: false,
            more: true,
        },
    );
    assert_eq!(ended(&mut alice).await, StreamClose::Private);
    assert_eq!(ended(&mut bob).await, StreamClose::Peer);
    let mut carol = joining(&bridge, &request(CAROL)).await;
    assert_eq!(met(&mut carol).await.2, BOB);
    assert_eq!(bridge.counted("meetings_total").await, 2);
}
