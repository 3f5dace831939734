//! Requests in datagrams (BEP 15).

use super::*;

#[test]
fn our_own_client_understands_the_tracker_over_udp() {
    let mut tracker = tracker(Config::default());
    for (first, second, v6) in [
        ("1.1.1.1:9", "1.1.1.2:9", false),
        ("[2000::1]:9", "[2000::2]:9", true),
    ] {
        let mut answer = client::Answer::default();
        for from in [first, second] {
            let id = connected(&mut tracker, from);
            let datagram = client::udp::announce(
                id,
                4,
                &asking(client::AnnounceEvent::Started, 0),
                "/announce?pass=x",
            );
            let bytes = over_udp(&mut tracker, from, &datagram);
            answer = client::udp::Response::parse(&bytes)
                .unwrap()
                .as_answer(v6)
                .unwrap()
                .unwrap();
        }
        assert!(answer.peers.is_empty(), "seeds are not told of seeds");
        let id = connected(&mut tracker, second);
        let datagram =
            client::udp::announce(id, 4, &asking(client::AnnounceEvent::Started, 5), "/");
        let bytes = over_udp(&mut tracker, second, &datagram);
        answer = client::udp::Response::parse(&bytes)
            .unwrap()
            .as_answer(v6)
            .unwrap()
            .unwrap();
        let mut expected: SocketAddr = first.parse().unwrap();
        expected.set_port(6881);
        assert_eq!(
            (answer.peers, answer.interval),
            (vec![expected], Some(Duration::from_secs(1800)))
        );
    }
}

#[test]
fn a_scrape_over_udp_counts_each_swarm_in_order() {
    let mut tracker = tracker(Config::default());
    announce(
        &mut tracker,
        0,
        "1.1.1.1",
        Announce {
            seed: true,
            event: Event::Completed,
            ..present(1)
        },
    )
    .unwrap();
    let id = connected(&mut tracker, "1.1.1.1:9");
    let mut datagram = [&id.to_be_bytes()[..], &[0, 0, 0, 2, 0, 0, 0, 8]].concat();
    datagram.extend([[1; 20], HASH.0].as_flattened());
    let answer = over_udp(&mut tracker, "1.1.1.1:9", &datagram);
    assert_eq!(
        answer,
        [
            0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0,
            0, 0, 0
        ]
    );
}

#[test]
fn a_connection_id_of_somebody_else_is_refused_without_amplification() {
    let mut tracker = tracker(Config::default());
    let id = connected(&mut tracker, "1.1.1.1:9");
    let scrape = [&id.to_be_bytes()[..], &[0, 0, 0, 2, 0, 0, 0, 8], &HASH.0].concat();
    let answer = over_udp(&mut tracker, "1.1.1.2:9", &scrape);
    assert!(answer.len() <= scrape.len());
    let error = client::udp::Response::parse(&answer).unwrap().as_error();
    assert_eq!(
        error,
        Some(TrackerError::Failure("expired connection id".to_owned()))
    );
}

#[test]
fn an_address_that_asks_too_often_is_not_answered() {
    let mut tracker = tracker(Config {
        requests_per_address: 1,
        ..Config::default()
    });
    let id = connected(&mut tracker, "1.1.1.1:9");
    let datagram = client::udp::announce(id, 4, &asking(client::AnnounceEvent::None, 5), "/");
    let answered = (0..20)
        .filter(|_| !over_udp(&mut tracker, "1.1.1.1:9", &datagram).is_empty())
        .count();
    assert_eq!(
        answered, 7,
        "ten at once, of which the first announce of a swarm takes four"
    );
    assert_eq!(
        over_http(&mut tracker, "1.1.1.1", &query(5)),
        b"d14:failure reason51:too many requests from your address, ask less oftene"
    );
}
