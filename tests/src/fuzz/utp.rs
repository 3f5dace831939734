//! uTP datagrams.

use aqueduct_core::Instant;
use aqueduct_core::utp::{Header, Kind, Packet, Resets};

/// A decoded header is the same after encoding and decoding. Only a datagram that starts a
/// connection is answered, and the answer is never longer.
pub(super) fn packet(data: &[u8]) {
    let packet = Packet::parse(data);
    if let Ok(Packet { header, .. }) = packet {
        assert_eq!(
            Packet::parse(&header.encode()),
            Ok(Packet {
                header,
                payload: &[]
            })
        );
    }
    let answer = Resets::new().answer(Instant::ZERO, ([11, 0, 0, 1], 6881).into(), data);
    let is_syn =
        packet.is_ok_and(|packet| packet.header.kind == Kind::Syn && packet.payload.is_empty());
    assert_eq!(answer.is_some(), is_syn);
    assert!(answer.is_none() || data.len() >= Header::LENGTH);
}
