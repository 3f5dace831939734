//! Peer hints: peers that a tab learned of and sends to the bridge.

use std::net::SocketAddr;

use aqueduct_bridge::Limits;
use aqueduct_core::tunnel::{Event, JoinRequest, JoinUpdate, StreamClose};
use aqueduct_core::types::InfoHashV1;
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{AMOUNTS, Bridge, HASH, TAB_ID, config};
use crate::tab::{Tab, counts, request};

/// Loopback addresses at which nothing listens, except the first.
fn addrs(peer: &Listener, more: u8) -> Vec<SocketAddr> {
    (0..more)
        .map(|n| SocketAddr::from(([127, 0, 0, 1], 2000 + u16::from(n))))
        .chain([peer.addr])
        .collect()
}

#[tokio::test]
async fn a_peer_that_a_tab_heard_of_is_dialled_and_becomes_a_stream_after_its_handshake() {
    let (bridge, peer) = (Bridge::start(config()).await, Listener::start().await);
    let mut tab = Tab::open(&bridge).await;
    let join = tab.client.join(&request(TAB_ID));
    tab.client.hint(join, &[peer.addr]);
    tab.flush().await;
    let (_kept, handshake) = peer.answer(HASH, b"").await;
    assert_eq!((handshake.info_hash, handshake.peer_id), (HASH, TAB_ID));
    tab.stream().await;
}

#[tokio::test]
async fn hints_pass_the_address_and_port_filter_first() {
    let (bridge, peer, other) = (
        Bridge::start(config()).await,
        Listener::start().await,
        Listener::start_at("127.0.0.2").await,
    );
    let mut tab = Tab::open(&bridge).await;
    let join = tab.client.join(&request(TAB_ID));
    let refused = [
        "10.0.0.1:6881",
        "127.0.0.1:22",
        "127.0.0.1:6379",
        "[::1]:6881",
        "[::ffff:127.0.0.1]:6881",
        "224.0.0.1:6881",
        "127.0.0.1:0",
    ];
    let mut hints: Vec<SocketAddr> = refused
        .iter()
        .map(|text| text.parse().unwrap())
        .chain([other.addr])
        .collect();
    hints.push(peer.addr);
    tab.client.hint(join, &hints);
    tab.flush().await;
    let (_kept, _) = peer.answer(HASH, b"").await;
    let counts = counts(&mut tab, "the peer", |counts| counts.connected == 1).await;
    assert_eq!((counts.found, counts.failed), (1, 0));
    assert_eq!(
        (
            bridge.counted("dials_total").await,
            bridge.counted("filtered_addresses_total").await
        ),
        (1, 8)
    );
}

#[tokio::test]
async fn hints_beyond_the_budget_are_ignored_and_fill_a_quarter_of_the_candidates() {
    let limits = Limits {
        hints_per_minute: 2,
        candidates: 40,
        ..Limits::default()
    };
    let (bridge, peer) = (
        Bridge::start(aqueduct_bridge::Config { limits, ..config() }).await,
        Listener::start().await,
    );
    let mut tab = Tab::open(&bridge).await;
    let join = tab.client.join(&request(TAB_ID));
    tab.client.hint(join, &addrs(&peer, 3));
    for _ in 0..5 {
        tab.client.hint(join, &addrs(&peer, 30));
    }
    let counted = counts(&mut tab, "the first counts", |counts| counts.found > 0).await;
    assert_eq!(counted.found, 10, "a quarter of 40");
    let join = tab.client.join(&JoinRequest {
        info_hash: InfoHashV1([1; 20]),
        ..request(TAB_ID)
    });
    for n in 0..4 {
        tab.client
            .hint(join, &[SocketAddr::from(([127, 0, 0, 1], 3000 + n))]);
    }
    let counted = tab
        .until("the counts of the other swarm", |event| match event {
            Event::Peers { join: of, counts } if of == join && counts.found > 0 => Some(counts),
            _ => None,
        })
        .await;
    assert_eq!(counted.found, 2, "two messages a minute");
}

#[tokio::test]
async fn hints_of_a_private_swarm_are_refused_and_earlier_ones_forgotten() {
    let (bridge, peer) = (Bridge::start(config()).await, Listener::start().await);
    let mut tab = Tab::open(&bridge).await;
    let private = tab.client.join(&JoinRequest {
        private: true,
        ..request(TAB_ID)
    });
    tab.client.hint(private, &[peer.addr]);
    let counted = counts(&mut tab, "the counts", |_| true).await;
    assert_eq!((counted.found, counted.dialling), (0, 0));
    tab.client.leave(private);
    let join = tab.client.join(&JoinRequest {
        want: 0,
        ..request(TAB_ID)
    });
    tab.client.hint(join, &[peer.addr]);
    tab.client.update(
        join,
        &JoinUpdate {
            amounts: AMOUNTS,
            want: 40,
            private: true,
            completed: false,
            more: false,
        },
    );
    let counted = counts(&mut tab, "the counts", |counts| counts.found == 1).await;
    assert_eq!((counted.dialling, counted.connected), (0, 0));
    assert_eq!(bridge.counted("dials_total").await, 0);
}

#[tokio::test]
async fn a_hinted_peer_is_disconnected_when_the_swarm_turns_out_to_be_private() {
    let (bridge, named, hinted) = (
        Bridge::start(config()).await,
        Listener::start().await,
        Listener::start().await,
    );
    let tracker = Tracker::naming(&[named.addr]);
    let mut tab = Tab::open(&bridge).await;
    let join = tab.join(&tracker);
    tab.client.hint(join, &[hinted.addr]);
    tab.flush().await;
    let ((mut kept, _), (mut parted, _)) =
        tokio::join!(named.answer(HASH, b""), hinted.answer(HASH, b""));
    counts(&mut tab, "both peers", |counts| counts.connected == 2).await;
    tab.client.update(
        join,
        &JoinUpdate {
            amounts: AMOUNTS,
            want: 40,
            private: true,
            completed: false,
            more: false,
        },
    );
    let reason = tab
        .until("the end", |event| {
            if let Event::StreamClosed { reason, .. } = event {
                Some(reason)
            } else {
                None
            }
        })
        .await;
    assert_eq!(reason, StreamClose::Private);
    assert_eq!(soon("the end", parted.read(&mut [0])).await.unwrap(), 0);
    kept.write_all(b"still here").await.unwrap();
    let bytes = tab
        .until("data", |event| {
            if let Event::Data { bytes, .. } = event {
                Some(bytes)
            } else {
                None
            }
        })
        .await;
    assert_eq!(bytes, &b"still here"[..]);
}
