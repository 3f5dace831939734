//! Tracker responses.

use aqueduct_core::discovery::trackers::{Answer, MAX_PEERS, http, udp};
use aqueduct_core::types::is_hidden;

/// A response over HTTP (BEP 3, 7, 23).
pub(super) fn http(data: &[u8]) {
    if let Ok(answer) = http::parse_answer(data) {
        is_usable(&answer);
    }
}

/// A datagram (BEP 15), read as the response to each kind of request.
pub(super) fn udp(data: &[u8]) {
    let Some(response) = udp::Response::parse(data) else {
        return;
    };
    let error = response.as_error().map(|error| error.to_string());
    assert!(!error.is_some_and(|text| text.contains(is_hidden)));
    let _connection = response.as_connection();
    for v6 in [false, true] {
        if let Ok(Some(answer)) = response.as_answer(v6) {
            is_usable(&answer);
            assert!(answer.peers.iter().all(|peer| v6 || peer.is_ipv4()));
        }
    }
}

fn is_usable(answer: &Answer) {
    assert!(answer.peers.len() <= MAX_PEERS);
    assert!(
        answer.peers.iter().all(|peer| peer.port() != 0
            && !peer.ip().is_unspecified()
            && !peer.ip().is_multicast())
    );
    assert!(!answer.warning.iter().any(|text| text.contains(is_hidden)));
}
