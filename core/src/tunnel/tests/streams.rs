//! Streams: opening, data, closing.

use super::*;

#[test]
fn a_join_arrives_as_it_was_sent() {
    let mut client = Client::new(
        ClientConfig {
            token: "secret".to_owned(),
            ..ClientConfig::default()
        },
        T0,
    );
    let mut server = Server::new(ServerConfig::default(), T0);
    let join = client.join(&request());
    server
        .handle_message(T0, client.poll_message().unwrap())
        .unwrap();
    assert!(matches!(server.poll_event(), Some(ServerEvent::Hello { token }) if token == "secret"));
    let Some(ServerEvent::Join {
        join: at,
        request: received,
    }) = server.poll_event()
    else {
        panic!("no join")
    };
    assert_eq!((at, received), (join, request()));
}

#[test]
fn a_stream_tells_who_answered() {
    let mut world = World::new(Windows::default(), 1);
    assert!(world.news[1].starts_with("Welcome("), "{:?}", world.news);
    let opened = &world.news[2];
    assert!(
        opened
            .starts_with("StreamOpened { stream: 1, join: 1, addr: 192.0.2.1:6881, dialled: true"),
        "{opened}"
    );
    assert!(
        opened.contains("Line { transport: Utp, encrypted: Everything }"),
        "{opened}"
    );
    assert!(
        world.server.open(&self::opened(1)).is_none(),
        "one stream was agreed"
    );
}

#[test]
fn streams_that_stall_do_not_block_another() {
    let mut world = World::new(
        Windows {
            stream: 32 * 1024,
            session: 64 * 1024,
        },
        4,
    );
    for round in 0..200 {
        for stream in world.streams.clone() {
            world.download(stream, 40_000);
            world.upload(stream, 1000);
        }
        world.settle();
        // Only the data of the last stream are consumed.
        world.consume(4, u64::MAX, true);
        world.consume(4, u64::MAX, false);
        world.settle();
        let expected = (round + 1) * 1000;
        assert_eq!(world.uploads[&4].received, expected, "round {round}");
        assert!(
            world.downloads[&4].received >= (round + 1) * 8 * 1024,
            "round {round}"
        );
    }
}

#[test]
fn a_late_frame_of_a_closed_stream_is_no_fault() {
    let mut world = World::new(Windows::default(), 2);
    world.upload(1, 1000);
    let late = world.client.poll_message().unwrap();
    world.server.close(1, StreamClose::Peer);
    world.server.handle_message(T0, late).unwrap();
    assert!(world.server.poll_event().is_none());
    world.settle();
    assert_eq!(
        world.news.last().unwrap(),
        "StreamClosed { stream: 1, reason: Peer }"
    );
    assert_eq!(
        world.client.send(1, Bytes::from_static(b"x")),
        Err(SendError::Closed(1))
    );
}

#[test]
fn credit_comes_back_long_before_a_large_window_is_used_up() {
    let windows = Windows {
        stream: 8 << 20,
        session: 32 << 20,
    };
    let mut world = World::new(windows, 1);
    for _ in 0..16 {
        world.download(1, frame::MAX_PAYLOAD);
        world.settle();
    }
    world.consume(1, u64::MAX, false);
    assert!(world.client.poll_message().is_some(), "none after 1 MiB");
}

#[test]
fn data_that_the_tab_takes_from_the_message_itself_counts_against_its_credit() {
    let windows = Windows {
        stream: 32 * 1024,
        session: 64 * 1024,
    };
    let mut world = World::new(windows, 2);
    assert_eq!(world.client.handle_data(T0, 1, 32 * 1024), Ok(true));
    let fault = |result: Result<bool, TunnelError>| result.unwrap_err().fault;
    let overdrawn = fault(world.client.handle_data(T0, 1, 1));
    assert!(
        matches!(
            overdrawn,
            Fault::Overdrawn {
                credit: 0,
                received: 1,
                ..
            }
        ),
        "{overdrawn}"
    );
    let unknown = fault(world.client.handle_data(T0, 9, 1));
    assert!(matches!(unknown, Fault::UnknownStream { .. }), "{unknown}");
    world.client.close(2);
    assert_eq!(world.client.handle_data(T0, 2, 1), Ok(false));
    let mut early = Client::new(ClientConfig::default(), T0);
    let early = fault(early.handle_data(T0, 1, 1));
    assert_eq!(early, Fault::OutOfTurn(frame::Kind::Data));
}
