use std::time::Duration;

use aqueduct_bridge::{Limits, Seconds};
use aqueduct_core::tunnel::{ClientConfig, Event, JoinRefusal, Refusal};
use aqueduct_testkit::peer::Listener;
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::support::{Bridge, HASH, config, trickle};
use crate::tab::{Tab, counts};

fn limited(limits: Limits) -> aqueduct_bridge::Config {
    aqueduct_bridge::Config { limits, ..config() }
}

/// The refusal and the close code with which a session ended.
async fn ending(tab: &mut Tab) -> (Option<Refusal>, u16) {
    let (events, code) = tab.closed().await;
    let refusal = events.iter().find_map(|event| {
        if let Event::Refused(refusal) = event {
            Some(*refusal)
        } else {
            None
        }
    });
    (refusal, code)
}

#[tokio::test]
async fn messages_that_break_the_rules_end_the_session_with_the_right_code() {
    let bridge = Bridge::start(config()).await;
    let long = Message::Binary(Bytes::from(vec![0; (1 << 20) + 1]));
    let malformed = Message::Binary(Bytes::from_static(&[99, 0, 0, 0, 0, 0, 0, 0, 0]));
    for (message, code) in [
        (long, 1009),
        (Message::text("hello"), 1003),
        (malformed, 1002),
    ] {
        let mut tab = Tab::open(&bridge).await;
        tab.flush().await;
        tab.socket.send(message).await.unwrap();
        assert_eq!(ending(&mut tab).await.1, code);
    }
}

/// The close frame of this connection, as code and reason.
async fn close_frame(tab: &mut Tab) -> Option<(u16, String)> {
    while let Some(message) = soon("the end", tab.socket.next()).await {
        if let Ok(Message::Close(frame)) = message {
            return Some(frame.map_or((1005, String::new()), |frame| {
                (frame.code.into(), frame.reason.to_string())
            }));
        }
    }
    None
}

#[tokio::test]
async fn a_tab_that_closes_is_answered_with_its_own_code() {
    let bridge = Bridge::start(config()).await;
    for code in [CloseCode::Normal, CloseCode::Away] {
        let mut tab = Tab::open(&bridge).await;
        assert!(matches!(tab.next().await, Ok(Event::Welcome(_))));
        tab.socket
            .send(Message::Close(Some(CloseFrame {
                code,
                reason: "bye".into(),
            })))
            .await
            .unwrap();
        assert_eq!(
            close_frame(&mut tab).await.map(|(code, _)| code),
            Some(code.into())
        );
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_ends_the_session_with_1007() {
    let bridge = Bridge::start(config()).await;
    let frame = |opcode: u8, payload: &[u8]| {
        [
            &[0x80 | opcode, 0x80 | payload.len() as u8, 0, 0, 0, 0][..],
            payload,
        ]
        .concat()
    };
    // A text message, and the reason of a close frame, that are not UTF-8.
    for bytes in [frame(1, b"\xff\xfe"), frame(8, b"\x03\xe8\xff")] {
        let mut tab = Tab::open(&bridge).await;
        tab.socket.get_mut().write_all(&bytes).await.unwrap();
        assert_eq!(
            close_frame(&mut tab).await.map(|(code, _)| code),
            Some(1007),
            "{bytes:?}"
        );
    }
}

#[tokio::test]
async fn a_request_sent_byte_by_byte_is_cut_off() {
    let bridge = Bridge::start(limited(Limits {
        upgrade_timeout: Seconds(Duration::from_millis(200)),
        ..Limits::default()
    }))
    .await;
    let mut socket = TcpStream::connect(bridge.addr).await.unwrap();
    socket
        .write_all(b"GET /v1/session HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        .await
        .unwrap();
    soon("the cut", trickle(socket, b"x", Duration::from_millis(20))).await;
}

#[tokio::test]
async fn a_tab_that_never_says_hello_is_disconnected() {
    let bridge = Bridge::start(limited(Limits {
        hello_timeout: Seconds(Duration::from_millis(100)),
        ..Limits::default()
    }))
    .await;
    let mut tab = Tab::open(&bridge).await;
    let _withheld = tab.client.poll_message();
    assert_eq!(ending(&mut tab).await, (Some(Refusal::Silent), 4010));
}

#[tokio::test]
async fn a_silent_tab_is_disconnected() {
    let silence = Seconds(Duration::from_millis(300));
    let bridge = Bridge::start(limited(Limits {
        silence,
        ping_interval: Seconds(Duration::from_millis(100)),
        ..Limits::default()
    }))
    .await;
    let mut tab = Tab::open(&bridge).await;
    tab.flush().await;
    // Reads, but never answers a ping.
    let mut refused = None;
    while refused.is_none() {
        let message = soon(
            "the refusal",
            futures_util::StreamExt::next(&mut tab.socket),
        )
        .await
        .unwrap()
        .unwrap();
        if let Message::Close(frame) = message {
            refused = frame;
        }
    }
    assert_eq!(
        u16::from(refused.unwrap().code),
        Refusal::Silent.close_code()
    );
}

#[tokio::test]
async fn foreign_origins_are_refused_and_programs_need_a_token() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "sesame\n").unwrap();
    let open = Bridge::start(config()).await;
    let guarded = Bridge::start(aqueduct_bridge::Config {
        token_file: Some(file.path().to_owned()),
        ..config()
    })
    .await;
    let with = |token: &str| ClientConfig {
        token: token.to_owned(),
        ..ClientConfig::default()
    };

    let mut foreign = Tab::open_as(&open, &[("origin", "https://evil.example")], with("")).await;
    assert_eq!(ending(&mut foreign).await, (Some(Refusal::Origin), 4003));
    for fields in [&[][..], &[("origin", "null")]] {
        let mut program = Tab::open_as(&open, fields, with("sesame")).await;
        assert_eq!(
            ending(&mut program).await,
            (Some(Refusal::Token), 4002),
            "{fields:?}: this bridge has no tokens"
        );
        let mut program = Tab::open_as(&guarded, fields, with("sesame")).await;
        assert!(
            matches!(program.next().await, Ok(Event::Welcome(_))),
            "{fields:?}"
        );
    }
    let own = format!("http://{}", guarded.addr);
    let mut page = Tab::open_as(&guarded, &[("origin", &own)], with("guess")).await;
    assert_eq!(ending(&mut page).await, (Some(Refusal::Token), 4002));
}

#[tokio::test]
async fn sessions_per_address_are_limited() {
    let bridge = Bridge::start(limited(Limits {
        sessions_per_address: 1,
        ..Limits::default()
    }))
    .await;
    let mut first = Tab::open(&bridge).await;
    assert!(matches!(first.next().await, Ok(Event::Welcome(_))));
    let mut second = Tab::open(&bridge).await;
    assert_eq!(ending(&mut second).await, (Some(Refusal::Address), 4005));
}

#[tokio::test]
async fn a_full_bridge_refuses_sessions_with_that_reason() {
    let bridge = Bridge::start(limited(Limits {
        sessions: 1,
        ..Limits::default()
    }))
    .await;
    let mut first = Tab::open(&bridge).await;
    assert!(matches!(first.next().await, Ok(Event::Welcome(_))));
    let mut second = Tab::open(&bridge).await;
    assert_eq!(ending(&mut second).await, (Some(Refusal::Full), 4006));
    assert!(
        bridge
            .get("/readyz", "")
            .await
            .0
            .starts_with("HTTP/1.1 503")
    );
}

#[tokio::test]
async fn joins_beyond_the_limit_and_of_the_same_swarm_are_refused() {
    let bridge = Bridge::start(limited(Limits {
        joins_per_session: 2,
        ..Limits::default()
    }))
    .await;
    let tracker = Tracker::naming(&[]);
    let mut tab = Tab::open(&bridge).await;
    let joins: Vec<u32> = (0..3).map(|_| tab.join(&tracker)).collect();
    let mut refused = Vec::new();
    while refused.len() < 2 {
        let refusal = tab.until("a refusal", |event| {
            if let Event::JoinRefused { join, refusal } = event {
                Some((join, refusal))
            } else {
                None
            }
        });
        refused.push(refusal.await);
    }
    refused.sort_by_key(|(join, _)| *join);
    assert_eq!(
        refused,
        [
            (joins[1], JoinRefusal::Duplicate),
            (joins[2], JoinRefusal::NoPlace)
        ]
    );
}

#[tokio::test]
async fn a_tab_that_joins_too_often_is_told_when_to_retry_and_is_accepted_then() {
    let bridge = Bridge::start(limited(Limits {
        joins_per_session: 1,
        joins_per_minute: 120,
        ..Limits::default()
    }))
    .await;
    let tracker = Tracker::naming(&[]);
    let mut tab = Tab::open(&bridge).await;
    let first = tab.join(&tracker);
    tab.client.leave(first);
    let second = tab.join(&tracker);
    let refused = tab.until("a refusal", |event| {
        if let Event::JoinRefused { join, refusal } = event {
            Some((join, refusal))
        } else {
            None
        }
    });
    let (join, refusal) = refused.await;
    let JoinRefusal::TooFast { retry_after } = refusal else {
        panic!("{refusal:?}")
    };
    assert_eq!(join, second);
    assert!(
        !retry_after.is_zero() && retry_after <= Duration::from_millis(501),
        "two a second: {retry_after:?}"
    );
    tokio::time::sleep(retry_after).await;
    let third = tab.join(&tracker);
    let taken = |event| {
        if let Event::Peers { join, .. } = event {
            (join == third).then_some(())
        } else {
            None
        }
    };
    tab.until("word of the third join", taken).await;
}

#[tokio::test]
async fn dials_and_peers_of_a_session_are_limited() {
    let limits = Limits {
        half_open_per_session: 3,
        peers_per_session: 4,
        dials_per_session: 1000,
        dials_per_target: 1000,
        ..Limits::default()
    };
    let bridge = Bridge::start(limited(limits)).await;
    let peers = [
        Listener::start().await,
        Listener::start().await,
        Listener::start().await,
        Listener::start().await,
        Listener::start().await,
        Listener::start().await,
    ];
    let tracker = Tracker::naming(&peers.each_ref().map(|peer| peer.addr));
    let mut tab = Tab::open(&bridge).await;
    tab.join(&tracker);
    counts(&mut tab, "dials under way", |counts| {
        counts.found == 6 && counts.dialling == 3
    })
    .await;
    assert_eq!(
        bridge.counted("dials_total").await,
        3,
        "three were to be under way at most"
    );
    // Each dialled peer answers, until four are connected.
    let answering = async {
        let mut answers = JoinSet::new();
        peers
            .into_iter()
            .for_each(|peer| drop(answers.spawn(async move { peer.answer(HASH, b"").await })));
        let mut kept = Vec::new();
        while kept.len() < 4 {
            kept.push(answers.join_next().await.unwrap().unwrap());
        }
        (kept, answers)
    };
    let _connections = soon("four dials", answering).await;
    let counted = counts(&mut tab, "four peers", |counts| counts.connected == 4).await;
    assert_eq!(
        (counted.dialling, bridge.counted("dials_total").await),
        (0, 4)
    );
}
