//! The memory limit for sessions, and that memory is released.

use std::time::Duration;

use aqueduct_core::tunnel::{Event, Refusal};
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::tungstenite::Message;

use crate::program;
use crate::support::{HASH, TAB_ID};
use crate::tab::{Tab, counts, request};

#[tokio::test]
async fn a_bridge_with_full_memory_refuses_sessions_with_that_reason() {
    let bridge = program::limited("memory = 1");
    let mut tab = Tab::open_at(bridge.addr).await;
    assert_eq!(tab.closed().await.1, Refusal::Full.close_code());
    let (head, body) = bridge.get("/readyz", "").await;
    assert!(
        head.starts_with("HTTP/1.1 503") && body == b"full\n",
        "{head}"
    );
    assert!(
        bridge
            .get("/healthz", "")
            .await
            .0
            .starts_with("HTTP/1.1 200")
    );
}

/// One-byte frames for this stream.
fn crumbs(stream: u32, count: usize) -> Bytes {
    let mut message = BytesMut::new();
    for _ in 0..count {
        message.put_u8(32);
        message.put_u32(stream);
        message.put_u32(1);
        message.put_u8(b'x');
    }
    message.freeze()
}

#[tokio::test]
async fn a_hundred_thousand_tiny_frames_leave_no_memory_in_use() {
    const CRUMBS: usize = 40_000;
    let bridge = program::start(&["--allow", "127.0.0.0/8"]);
    let mut peers = Vec::new();
    for n in 1..=20 {
        peers.push(Listener::start_at(&format!("127.0.0.{n}")).await);
    }
    let tracker = Tracker::naming(&peers.iter().map(|peer| peer.addr).collect::<Vec<_>>());
    let mut tab = Tab::open_at(bridge.addr).await;
    tab.join(&tracker);
    tab.flush().await;
    let answers = peers.iter().map(|peer| peer.answer(HASH, b""));
    let answered = async { futures_util::future::join_all(answers).await };
    let opened = async {
        for _ in 0..20 {
            tab.stream().await;
        }
    };
    let (mut sockets, ()) = tokio::join!(answered, opened);
    let before = bridge.program.resident();
    for stream in 1..=20 {
        tab.socket
            .send(Message::Binary(crumbs(stream, CRUMBS)))
            .await
            .unwrap();
    }
    for (socket, _) in &mut sockets {
        let mut received = vec![0; CRUMBS];
        soon("every crumb", socket.read_exact(&mut received))
            .await
            .unwrap();
    }
    let grown = bridge.program.resident().saturating_sub(before);
    assert!(
        grown < 20 << 20,
        "{grown} bytes are kept for {} bytes that are gone",
        20 * CRUMBS
    );
}

#[tokio::test]
async fn sessions_that_hold_most_end_when_memory_is_full_and_others_go_on() {
    const GREEDY: usize = 48;
    // Small enough to be reached by unfinished messages of 1 MiB each, and more than the bridge
    // uses without sessions.
    let probe = program::start(&[]);
    let cap = probe.program.resident() + (16 << 20);
    drop(probe);
    let bridge = program::limited(&format!(
        "memory = {cap}\nsessions-per-address = 1000\nnew-sessions-per-address = 1000"
    ));
    let mut honest = Tab::open_at(bridge.addr).await;
    assert!(matches!(honest.next().await, Ok(Event::Welcome(_))));
    let mut greedy = Vec::new();
    for _ in 0..GREEDY {
        let mut tab = Tab::open_at(bridge.addr).await;
        assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
        greedy.push(tab);
    }
    // All but the last byte of a message of maximum length.
    let almost = [
        &[0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0][..],
        &[0xff; (1 << 20) - 1],
    ]
    .concat();
    for tab in &mut greedy {
        let _ = soon(
            "a message to be taken",
            tab.socket.get_mut().write_all(&almost),
        )
        .await;
    }
    let closings: Vec<_> = greedy
        .iter_mut()
        .map(|tab| Box::pin(tab.closed()))
        .collect();
    let ((_, code), _, others) = soon("an end", futures_util::future::select_all(closings)).await;
    assert_eq!(code, Refusal::Full.close_code());
    drop(others);
    let join = honest.client.join(&request(TAB_ID));
    counts(&mut honest, "the honest tab's swarm", |_| true).await;
    honest.client.leave(join);
}

#[tokio::test]
async fn memory_is_freed_when_most_sessions_leave() {
    const SESSIONS: usize = 600;
    const HELD: u16 = 60_000;
    let bridge = program::limited(
        "sessions-per-address = 1000\nnew-sessions-per-address = 1000\nconnections-per-address = 1000",
    );
    let (before, mut tabs) = (bridge.program.resident(), Vec::new());
    // A fragment of a message and a ping. The pong shows that both were read.
    let fragment = [
        &[0x02, 0xfe][..],
        &HELD.to_be_bytes(),
        &[0; 4],
        &vec![b'x'; HELD.into()],
        &[0x89, 0x80, 0, 0, 0, 0],
    ]
    .concat();
    for _ in 0..SESSIONS {
        let mut tab = Tab::open_at(bridge.addr).await;
        tab.socket.get_mut().write_all(&fragment).await.unwrap();
        while !matches!(
            soon("an answer", tab.socket.next()).await,
            Some(Ok(Message::Pong(_)))
        ) {}
        tabs.push(tab);
    }
    let grown = bridge.program.resident().saturating_sub(before);
    assert!(
        grown > SESSIONS as u64 * u64::from(HELD),
        "{grown} bytes for all sessions"
    );
    let staying: Vec<_> = tabs.into_iter().step_by(20).collect();
    let mut every = tokio::time::interval(Duration::from_millis(100));
    soon("most of the memory", async {
        while bridge.program.resident().saturating_sub(before) > grown / 3 {
            every.tick().await;
        }
    })
    .await;
    drop(staying);
}
