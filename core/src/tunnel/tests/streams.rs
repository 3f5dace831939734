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
