//! The start and end of sessions, and protocol violations.

use std::time::Duration;

use super::*;

#[test]
fn a_refused_session_tells_why() {
    let mut client = Client::new(ClientConfig::default(), T0);
    let mut server = Server::new(ServerConfig::default(), T0);
    server.refuse(Refusal::Token);
    client
        .handle_message(T0, server.poll_message().unwrap())
        .unwrap();
    assert!(matches!(
        client.poll_event(),
        Some(Event::Refused(Refusal::Token))
    ));
    assert!(matches!(
        server.poll_event(),
        Some(ServerEvent::Ended(Refusal::Token))
    ));
}

#[test]
fn what_came_with_a_hello_that_is_refused_is_void() {
    let (mut client, mut server) = (
        Client::new(ClientConfig::default(), T0),
        Server::new(ServerConfig::default(), T0),
    );
    client.join(&request());
    server
        .handle_message(T0, client.poll_message().unwrap())
        .unwrap();
    assert!(matches!(
        server.poll_event(),
        Some(ServerEvent::Hello { .. })
    ));
    server.refuse(Refusal::Token);
    assert!(matches!(
        server.poll_event(),
        Some(ServerEvent::Ended(Refusal::Token))
    ));
    assert!(
        server.poll_event().is_none(),
        "whoever has no token joined a swarm"
    );
}

#[test]
fn each_violation_names_its_side_and_its_fault() {
    let fault_of = |message: Bytes| {
        let mut world = World::new(
            Windows {
                stream: 16 * 1024,
                session: 16 * 1024,
            },
            1,
        );
        world.server.handle_message(T0, message).unwrap_err()
    };
    let tab = |fault| TunnelError {
        by: Side::Tab,
        fault,
    };
    assert_eq!(
        fault_of(raw(32, 2, b"x")),
        tab(Fault::UnknownStream {
            newest: 1,
            received: 2
        })
    );
    assert_eq!(
        fault_of(raw(32, 1, b"")),
        tab(Fault::Malformed(frame::Kind::Data))
    );
    assert_eq!(
        fault_of(raw(32, 1, &[0; 16_385])),
        tab(Fault::Overdrawn {
            stream: 1,
            credit: 16_384,
            received: 16_385
        })
    );
    assert_eq!(
        fault_of(raw(33, 1, &[0, 0, 0, 1])),
        tab(Fault::Overgranted {
            stream: 1,
            outstanding: 0,
            received: 1
        })
    );
    assert_eq!(
        fault_of(raw(16, 0, b"")),
        tab(Fault::OutOfTurn(frame::Kind::Welcome))
    );
    assert_eq!(fault_of(raw(99, 0, b"")), tab(Fault::UnknownKind(99)));
    assert_eq!(fault_of(Bytes::new()), tab(Fault::EmptyMessage));
    let mut early = Server::new(ServerConfig::default(), T0);
    assert_eq!(
        early.handle_message(T0, raw(4, 1, b"")),
        Err(tab(Fault::OutOfTurn(frame::Kind::Leave)))
    );
    let mut client = Client::new(ClientConfig::default(), T0);
    let bridge = client.handle_message(T0, raw(32, 1, b"x")).unwrap_err();
    assert_eq!(
        bridge,
        TunnelError {
            by: Side::Bridge,
            fault: Fault::OutOfTurn(frame::Kind::Data)
        }
    );
}

#[test]
fn silence_ends_the_session_on_both_sides() {
    let mut world = World::new(Windows::default(), 1);
    let ping_at = world.server.poll_timeout();
    assert_eq!(ping_at, Instant::from_micros(30_000_000));
    world.server.handle_timeout(ping_at);
    world.settle();
    let gone = Instant::from_micros(90_000_000);
    world.server.handle_timeout(gone);
    assert!(matches!(
        world.server.poll_event(),
        Some(ServerEvent::Ended(Refusal::Silent))
    ));
    assert_eq!(world.client.poll_timeout(), gone);
    world.client.handle_timeout(gone);
    assert!(matches!(world.client.poll_event(), Some(Event::Silent)));
}

#[test]
fn a_tab_knows_how_long_its_messages_take_to_the_bridge_and_back() {
    let later = |millis| T0 + Duration::from_millis(millis);
    let (mut client, mut server) = (
        Client::new(ClientConfig::default(), T0),
        Server::new(ServerConfig::default(), T0),
    );
    assert_eq!(client.round_trip(), None);
    let hello = client.poll_message().unwrap();
    server.handle_message(later(20), hello).unwrap();
    server.welcome(([192, 0, 2, 1], 1).into(), 0);
    let welcome = server.poll_message().unwrap();
    client.handle_message(later(50), welcome).unwrap();
    assert_eq!(client.round_trip(), Some(Duration::from_millis(50)));

    // The first ping tells nothing; the second one tells how long the first one took.
    for (told, takes) in [(50, 7), (7, 9)] {
        let ping_at = server.poll_timeout();
        server.handle_timeout(ping_at);
        client
            .handle_message(ping_at, server.poll_message().unwrap())
            .unwrap();
        assert_eq!(client.round_trip(), Some(Duration::from_millis(told)));
        let back = ping_at + Duration::from_millis(takes);
        server
            .handle_message(back, client.poll_message().unwrap())
            .unwrap();
    }
}

#[test]
fn a_bridge_that_is_silent_after_the_tab_was_suspended_counts_as_gone_within_seconds() {
    let mut world = World::new(Windows::default(), 1);
    let resumed = Instant::from_micros(60_000_000);
    world.client.handle_suspension(resumed);
    world.client.handle_timeout(resumed);
    assert!(world.client.poll_event().is_none(), "it had no time yet");
    let gone = resumed + Duration::from_secs(2);
    assert_eq!(world.client.poll_timeout(), gone);

    world.server.handle_timeout(world.server.poll_timeout());
    world.settle();
    world.client.handle_timeout(gone);
    assert!(world.client.poll_event().is_none(), "it was heard in time");

    world.client.handle_suspension(resumed);
    world.client.handle_timeout(gone);
    assert!(matches!(world.client.poll_event(), Some(Event::Silent)));
}

#[test]
fn a_tab_that_never_says_hello_is_refused() {
    let mut server = Server::new(ServerConfig::default(), T0);
    let deadline = server.poll_timeout();
    assert_eq!(deadline, Instant::from_micros(30_000_000));
    server.handle_timeout(deadline);
    assert!(matches!(
        server.poll_event(),
        Some(ServerEvent::Ended(Refusal::Silent))
    ));
}

#[test]
fn frames_that_cause_no_event_are_counted_too() {
    let mut world = World::new(Windows::default(), 1);
    let stream = world.streams[0];
    world.server.take_frames();
    let (pong, exhausted) = (raw(5, 0, b""), raw(35, stream, b""));
    let message = [&pong[..], &exhausted, &exhausted].concat();
    world.server.handle_message(T0, message.into()).unwrap();
    assert!(world.server.poll_event().is_none());
    assert_eq!(
        (world.server.take_frames(), world.server.take_frames()),
        (3, 0)
    );
}
