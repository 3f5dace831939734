//! Joining and leaving swarms, and their reports.

use std::net::SocketAddr;

use super::*;

#[test]
fn a_stream_for_a_join_that_was_left_is_closed_at_once() {
    let mut world = World::new(Windows::default(), 2);
    world.client.close(2);
    world.settle();
    world.client.leave(1);
    world.server.open(&opened(1)).unwrap();
    world.news.clear();
    world.settle();
    assert_eq!(
        world.news,
        ["Leave { join: 1 }", "StreamClosed { stream: 3 }"]
    );
}

#[test]
fn joins_beyond_the_limit_are_refused() {
    let mut world = World::new(Windows::default(), 1);
    world.client.join(&request());
    world.client.join(&request());
    world.settle();
    assert_eq!(
        world.news.last().unwrap(),
        "JoinRefused { join: 3, refusal: NoPlace }"
    );
}

#[test]
fn a_refused_join_tells_why_and_when_to_try_again() {
    let wait = std::time::Duration::from_millis(1900);
    for refusal in [
        JoinRefusal::NoPlace,
        JoinRefusal::TooFast { retry_after: wait },
        JoinRefusal::Duplicate,
        JoinRefusal::Draining,
    ] {
        let mut world = World::new(Windows::default(), 1);
        world.server.refuse_join(1, refusal);
        world.settle();
        assert_eq!(
            *world.news.last().unwrap(),
            format!("{:?}", Event::JoinRefused { join: 1, refusal })
        );
    }
}

#[test]
fn a_tab_that_waits_as_long_as_it_is_told_does_not_come_too_early() {
    let wait = std::time::Duration::from_micros(1_900_001);
    let mut world = World::new(Windows::default(), 1);
    let refusal = JoinRefusal::TooFast { retry_after: wait };
    world.server.refuse_join(1, refusal);
    world.settle();
    let told = std::time::Duration::from_millis(1901);
    let refusal = JoinRefusal::TooFast { retry_after: told };
    assert_eq!(
        *world.news.last().unwrap(),
        format!("{:?}", Event::JoinRefused { join: 1, refusal })
    );
}

#[test]
fn a_tab_that_asks_without_reading_is_cut_off() {
    let mut server = Server::new(
        ServerConfig {
            limits: Limits {
                joins: 0,
                streams: 1,
                offers: 0,
                reads: 0,
            },
            ..ServerConfig::default()
        },
        T0,
    );
    let mut client = Client::new(ClientConfig::default(), T0);
    let few = JoinRequest {
        trackers: Vec::new(),
        ..request()
    };
    let fault = std::iter::repeat_with(|| {
        (0..1000).for_each(|_| {
            let _ = client.join(&few);
        });
        while let Some(message) = client.poll_message() {
            server.handle_message(T0, message)?;
        }
        while let Some(event) = server.poll_event() {
            if let ServerEvent::JoinBeyondLimit { join } = event {
                server.refuse_join(join, JoinRefusal::NoPlace);
            }
        }
        Ok(())
    });
    let error = fault
        .take(1000)
        .find_map(Result::err)
        .expect("memory does not grow for ever");
    assert!(
        matches!(
            error,
            TunnelError {
                by: Side::Tab,
                fault: Fault::Backlog { .. }
            }
        ),
        "{error}"
    );
}

#[test]
fn trackers_that_do_not_fit_are_left_out() {
    let long = format!("http://{}.example/announce", "x".repeat(1900));
    let many = JoinRequest {
        trackers: vec![vec![long.clone(); 100], vec!["y".repeat(3000)]],
        ..request()
    };
    let mut client = Client::new(ClientConfig::default(), T0);
    let mut server = Server::new(ServerConfig::default(), T0);
    client.join(&many);
    server
        .handle_message(T0, client.poll_message().unwrap())
        .unwrap();
    server.poll_event();
    let Some(ServerEvent::Join { request, .. }) = server.poll_event() else {
        panic!("no join")
    };
    assert_eq!(request.trackers, [vec![long; 33]]);
}

#[test]
fn hints_arrive_up_to_fifty_and_only_for_a_swarm_that_was_joined() {
    let mut world = World::new(Windows::default(), 1);
    let addrs: Vec<SocketAddr> = (0..60)
        .map(|n| {
            if n % 2 == 0 {
                ([1, 2, 3, n], 6881).into()
            } else {
                ([0x2001, 0, 0, 0, 0, 0, 0, n.into()], 1).into()
            }
        })
        .collect();
    world.client.hint(1, &addrs);
    world.client.hint(1, &[]);
    world.client.hint(2, &addrs);
    world.news.clear();
    world.settle();
    assert_eq!(
        world.news,
        [format!(
            "Hint {{ join: 1, addrs: {:?} }}",
            &addrs[..MAX_HINTS]
        )]
    );
    let too_many = [
        &51u16.to_be_bytes()[..],
        &[4, 1, 2, 3, 4, 26, 225].repeat(51),
    ]
    .concat();
    let fault = world
        .server
        .handle_message(T0, raw(6, 1, &too_many))
        .unwrap_err();
    assert_eq!(
        fault,
        TunnelError {
            by: Side::Tab,
            fault: Fault::Malformed(frame::Kind::Hint)
        }
    );
}

#[test]
fn a_tab_learns_how_the_dht_was_asked() {
    let mut world = World::new(Windows::default(), 1);
    world.server.dht(
        1,
        &DhtCounts {
            nodes: 214,
            peers: 3,
            asking: true,
        },
    );
    world.server.dht(2, &DhtCounts::default());
    world.news.clear();
    world.settle();
    assert_eq!(
        world.news,
        ["Dht { join: 1, counts: DhtCounts { nodes: 214, peers: 3, asking: true } }"]
    );
}

#[test]
fn a_tab_learns_what_each_of_its_trackers_answered() {
    let mut world = World::new(Windows::default(), 1);
    let report = |answer, text: Option<&str>| TrackerReport {
        url: "http://a.example/announce".to_owned(),
        answer,
        asking: true,
        text: text.map(str::to_owned),
        next: Some(std::time::Duration::from_secs(1800)),
    };
    let named = TrackerAnswer::Peers {
        named: 12,
        seeders: Some(3),
        leechers: None,
    };
    let reports = [
        report(TrackerAnswer::None, None),
        report(named, Some("closing soon")),
        report(TrackerAnswer::Failed(TrackerFailure::Refused), Some("no")),
    ];
    for told in &reports {
        world.server.tracker(1, told);
        world.server.tracker(2, told);
    }
    world.news.clear();
    world.settle();
    let expected = reports.map(|report| format!("{:?}", Event::Tracker { join: 1, report }));
    assert_eq!(world.news, expected);
}

#[test]
fn a_tracker_whose_text_is_too_long_is_reported_with_a_part_of_it() {
    let mut world = World::new(Windows::default(), 1);
    let long = TrackerReport {
        url: "udp://b.example:6969".to_owned(),
        answer: TrackerAnswer::Failed(TrackerFailure::Refused),
        asking: false,
        text: Some("x".repeat(5000)),
        next: None,
    };
    world.server.tracker(1, &long);
    world.news.clear();
    world.settle();
    let report = TrackerReport {
        text: Some("x".repeat(2048)),
        ..long
    };
    assert_eq!(
        world.news,
        [format!("{:?}", Event::Tracker { join: 1, report })]
    );
}
