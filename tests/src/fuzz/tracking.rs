//! Requests to the bridge's tracker.

use std::net::{Ipv4Addr, SocketAddr};

use aqueduct_core::bencode::{Limits, scan};
use aqueduct_core::discovery::TrackerError;
use aqueduct_core::discovery::trackers::{Answer, http, udp};
use aqueduct_core::tracker::udp::MAX_ANSWER;
use aqueduct_core::tracker::{Admission, Config, Tracker};
use aqueduct_core::types::Instant;

use super::switch;

const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(1, 2, 3, 4)), 5);

fn admit(_: SocketAddr) -> Admission {
    Admission::Listed
}

/// A datagram (BEP 15). If its first byte is odd, the connection id is replaced by a valid one.
pub(super) fn udp(data: &[u8]) {
    let (mut data, mut answer) = (data, Vec::new());
    let connected = switch(&mut data) % 2 == 1;
    let mut tracker = Tracker::new(Config::default(), [7; 32]);
    let mut datagram = data.to_vec();
    if let Some(id) = datagram.first_chunk_mut::<8>().filter(|_| connected) {
        tracker.answer_udp(Instant::ZERO, FROM, &udp::connect(1), &admit, &mut answer);
        id.copy_from_slice(&answer[8..16]);
    }
    tracker.answer_udp(Instant::ZERO, FROM, &datagram, &admit, &mut answer);
    assert!(answer.len() <= MAX_ANSWER);
    assert!(
        connected || answer.len() <= datagram.len(),
        "an answer longer than its request"
    );
    let read = udp::Response::parse(&answer).map(|response| {
        response
            .as_answer(false)
            .map(|answer| answer.map(|answer| answer.peers))
    });
    assert!(
        read.is_none_or(|read| read.is_ok_and(|peers| peers.is_none_or(|peers| peers.is_empty()))),
        "nobody else is in any swarm"
    );
}

/// The query of `/announce?` or `/scrape?`.
pub(super) fn http(data: &[u8]) {
    let mut tracker = Tracker::new(Config::default(), [7; 32]);
    let (mut announced, mut scraped) = (Vec::new(), Vec::new());
    tracker.answer_announce(Instant::ZERO, FROM.ip(), data, &admit, &mut announced);
    tracker.answer_scrape(Instant::ZERO, FROM.ip(), data, &mut scraped);
    for body in [&announced, &scraped] {
        assert!(scan(body, Limits::MESSAGE).is_ok_and(|value| value.as_dict().is_some()));
    }
    // Refused, or answered without peers, since no other client is in any swarm.
    assert!(
        matches!(
            http::parse_answer(&announced),
            Err(TrackerError::Failure(_))
        ) || http::parse_answer(&announced).is_ok_and(is_empty)
    );
}

fn is_empty(answer: Answer) -> bool {
    answer.peers.is_empty()
}
