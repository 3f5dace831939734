//! Data between a tab and a peer, and the credit that limits them.

use aqueduct_core::tunnel::{Event, StreamClose};
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::soon;
use aqueduct_testkit::torrent::noise;
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Bridge, HASH, PEER_ID, TAB_ID, config};
use crate::tab::Tab;

/// The credit of a new stream: [`aqueduct_core::tunnel::ClientConfig`].
const WINDOW: usize = 512 * 1024;

#[tokio::test]
async fn a_tab_talks_to_a_peer_that_answered_for_its_info_hash() {
    let (bridge, peer) = (Bridge::start(config()).await, Listener::start().await);
    let (mut tab, mut tracker, join) = Tab::member(&bridge, &[peer.addr]).await;
    assert_eq!(tracker.next().await.event, "started");
    let (mut remote, theirs) = peer.answer(HASH, b"right behind the handshake").await;
    assert_eq!(
        (theirs.info_hash, theirs.peer_id),
        (HASH, TAB_ID),
        "the bridge shakes hands in the tab's name"
    );

    let opened = tab
        .until("a stream", |event| {
            matches!(event, Event::StreamOpened { .. }).then_some(event)
        })
        .await;
    let Event::StreamOpened {
        stream,
        join: of,
        addr,
        dialled,
        handshake,
    } = opened
    else {
        panic!("{opened:?}")
    };
    assert_eq!((of, addr, dialled), (join, peer.addr.into(), true));
    assert_eq!((handshake.info_hash, handshake.peer_id), (HASH, PEER_ID));
    assert_eq!(tab.read(stream, 26).await, b"right behind the handshake");

    let (down, up) = (noise(3_000_000, 1), noise(1_000_000, 2));
    tab.client.send(stream, up.clone().into()).unwrap();
    let sent = down.clone();
    let peer_side = tokio::spawn(async move {
        let (mut read, mut write) = remote.split();
        let mut received = vec![0; 1_000_000];
        let (read, written) = tokio::join!(read.read_exact(&mut received), write.write_all(&sent));
        read.unwrap();
        written.unwrap();
        received
    });
    assert!(
        tab.read(stream, 3_000_000).await == down,
        "the download differs"
    );
    tab.flush().await;
    let closed = tab.until("the peer's close", |event| {
        if let Event::StreamClosed { stream, reason } = event {
            Some((stream, reason))
        } else {
            None
        }
    });
    assert_eq!(closed.await, (stream, StreamClose::Peer));
    assert!(peer_side.await.unwrap() == up, "the upload differs");
}

#[tokio::test]
async fn a_tab_that_does_not_read_gets_one_window_and_delays_no_other() {
    let (bridge, slow, quick) = (
        Bridge::start(config()).await,
        Listener::start().await,
        Listener::start().await,
    );
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[slow.addr, quick.addr]).await;
    let (mut slow_socket, _) = slow.answer(HASH, b"").await;
    let (mut quick_socket, _) = quick.answer(HASH, b"").await;
    let (mut slow_stream, mut quick_stream) = (0, 0);
    for _ in 0..2 {
        let opened = tab.until("a stream", |event| {
            if let Event::StreamOpened { stream, addr, .. } = event {
                Some((stream, addr))
            } else {
                None
            }
        });
        let (stream, addr) = opened.await;
        *(if addr == slow.addr.into() {
            &mut slow_stream
        } else {
            &mut quick_stream
        }) = stream;
    }
    let writing = tokio::spawn(async move {
        slow_socket
            .write_all(&noise(8 * WINDOW, 3))
            .await
            .map(|()| slow_socket)
    });
    let mut held = Vec::new();
    while held.len() < WINDOW {
        held.extend_from_slice(&tab.data(slow_stream).await);
    }
    // All data of the fast peer arrive although the slow stream has no credit, and no data of the
    // slow stream arrive in between.
    quick_socket.write_all(&noise(4 * WINDOW, 4)).await.unwrap();
    assert!(read_only(&mut tab, quick_stream, 4 * WINDOW).await == noise(4 * WINDOW, 4));
    assert_eq!(held.len(), WINDOW);
    tab.client.consumed(slow_stream, held.len());
    held.extend(tab.read(slow_stream, 7 * WINDOW).await);
    assert!(held == noise(8 * WINDOW, 3), "the slow stream differs");
    drop(writing.await.unwrap().unwrap());
}

/// As [`Tab::read`], but fails if data of another stream arrive.
async fn read_only(tab: &mut Tab, stream: u32, length: usize) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < length {
        let (from, bytes) = tab
            .until("data", |event| {
                if let Event::Data { stream, bytes } = event {
                    Some((stream, bytes))
                } else {
                    None
                }
            })
            .await;
        assert_eq!(from, stream, "data beyond the credit");
        tab.client.consumed(stream, bytes.len());
        read.extend_from_slice(&bytes);
    }
    read
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_sent_no_more_than_the_sockets_take_and_one_window() {
    let (bridge, peer) = (Bridge::start(config()).await, Listener::start().await);
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[peer.addr]).await;
    let (mut socket, _) = peer.answer(HASH, b"").await;
    let stream = tab.stream().await;
    let data = Bytes::from(noise(16 << 20, 5));
    let (mut queued, mut taken) = (0, 0);
    let reading = tokio::spawn(async move {
        // The tab reads nothing until its credit is used up.
        socket.write_all(b"go").await.unwrap();
        let mut received = vec![0; 16 << 20];
        soon("the whole upload", socket.read_exact(&mut received))
            .await
            .unwrap();
        received
    });
    while queued < data.len() {
        let part = data.slice(queued..(queued + (1 << 20)).min(data.len()));
        match tab.client.send(stream, part.clone()) {
            Ok(()) => queued += part.len(),
            Err(_full) => {
                let event = tab.next().await.unwrap();
                if let Event::Sent { bytes, .. } = event {
                    taken += bytes as usize;
                }
                assert!(
                    queued - taken <= 4 << 20,
                    "more is queued than the client takes"
                );
            }
        }
    }
    tab.flush().await;
    let pump = async { while tab.next().await.is_ok() {} };
    let received = tokio::select! {
        received = reading => received.unwrap(),
        () = pump => panic!("the bridge hung up"),
    };
    assert!(received == data, "the upload differs");
}

#[tokio::test]
async fn a_stream_that_the_tab_closes_is_closed_to_the_peer() {
    let (bridge, peer) = (Bridge::start(config()).await, Listener::start().await);
    let (mut tab, _tracker, _) = Tab::member(&bridge, &[peer.addr]).await;
    let (mut socket, _) = peer.answer(HASH, b"").await;
    let stream = tab.stream().await;
    tab.client.close(stream);
    tab.flush().await;
    let mut rest = Vec::new();
    assert_eq!(
        soon("the end", socket.read_to_end(&mut rest))
            .await
            .unwrap(),
        0
    );
}
