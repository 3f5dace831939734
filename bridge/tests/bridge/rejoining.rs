//! A tab that leaves a swarm and joins it again: a torrent that was paused and resumed.

use std::time::Duration;

use aqueduct_bridge::{Config, Limits, Seconds};
use aqueduct_core::tunnel::{Event, JoinRequest};
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::tracker::Tracker;

use crate::support::{Bridge, HASH, TAB_ID, config};
use crate::tab::{Tab, counts, request};

/// A bridge that asks no tracker twice in these tests.
async fn bridge() -> Bridge {
    let limits = Limits {
        announce_interval: Seconds(Duration::from_secs(3600)),
        ..Limits::default()
    };
    Bridge::start(Config { limits, ..config() }).await
}

fn private(tracker: &Tracker) -> JoinRequest {
    JoinRequest {
        private: true,
        trackers: vec![vec![tracker.http()]],
        ..request(TAB_ID)
    }
}

#[tokio::test]
async fn peers_of_a_private_torrent_are_back_before_its_tracker_may_be_asked_again() {
    let (bridge, peer) = (bridge().await, Listener::start().await);
    let mut tracker = Tracker::naming(&[peer.addr]);
    let mut tab = Tab::open(&bridge).await;
    for _ in 0..3 {
        let join = tab.join_as(&private(&tracker));
        tab.flush().await;
        let (_kept, _) = peer.answer(HASH, b"").await;
        tab.stream().await;
        counts(&mut tab, "the peer", |counts| {
            (counts.found, counts.connected) == (1, 1)
        })
        .await;
        tab.client.leave(join);
        tab.until("the end", |event| {
            matches!(event, Event::StreamClosed { .. }).then_some(())
        })
        .await;
    }
    for event in ["started", "stopped"] {
        assert_eq!(tracker.next().await.event, event);
    }
}

#[tokio::test]
async fn a_swarm_that_is_private_when_it_is_joined_again_has_no_hinted_peer_any_more() {
    let (bridge, named, hinted) = (
        bridge().await,
        Listener::start().await,
        Listener::start().await,
    );
    let tracker = Tracker::naming(&[named.addr]);
    let mut tab = Tab::open(&bridge).await;
    let public = tab.join_as(&JoinRequest {
        private: false,
        want: 0,
        ..private(&tracker)
    });
    tab.client.hint(public, &[hinted.addr]);
    counts(&mut tab, "both peers", |counts| counts.found == 2).await;
    tab.client.leave(public);
    tab.join_as(&private(&tracker));
    tab.flush().await;
    let (_kept, _) = named.answer(HASH, b"").await;
    let counts = counts(&mut tab, "the peer", |counts| counts.connected == 1).await;
    assert_eq!((counts.found, counts.dialling), (1, 0));
    assert_eq!(bridge.counted("dials_total").await, 1);
}
