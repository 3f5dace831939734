//! The UDP protocol of BEP 15.

use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::types::{InfoHashV1, PeerId};
use tokio::net::UdpSocket;

use super::http::compact;
use super::{Announce, INTERVAL, Shared};

/// What a connect request begins with.
const PROTOCOL: u64 = 0x0417_2710_1980;
/// The connection id that everybody is given.
const CONNECTION: u64 = 0x1234_5678_9ABC_DEF0;

pub(super) async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let mut packet = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        if let Some(answer) = respond(&packet[..length], from, &shared) {
            // As on any network a datagram may be lost; the client asks again.
            socket.send_to(&answer, from).await.ok();
        }
    }
}

fn respond(packet: &[u8], from: SocketAddr, shared: &Shared) -> Option<Vec<u8>> {
    let (connection, action, transaction) =
        (u64_at(packet, 0)?, u32_at(packet, 8)?, packet.get(12..16)?);
    match (connection, action) {
        (PROTOCOL, 0) => Some(
            [
                &0_u32.to_be_bytes()[..],
                transaction,
                &CONNECTION.to_be_bytes(),
            ]
            .concat(),
        ),
        (CONNECTION, 1) => announced(packet, transaction, from, shared),
        _ => Some([&3_u32.to_be_bytes()[..], transaction, b"connect first"].concat()),
    }
}

fn announced(
    packet: &[u8],
    transaction: &[u8],
    from: SocketAddr,
    shared: &Shared,
) -> Option<Vec<u8>> {
    let event = ["", "completed", "started", "stopped"].get(u32_at(packet, 80)? as usize)?;
    let answer = shared.announce(Announce {
        info_hash: InfoHashV1(packet.get(16..36)?.try_into().ok()?),
        peer_id: PeerId(packet.get(36..56)?.try_into().ok()?),
        addr: SocketAddr::new(
            from.ip(),
            u16::from_be_bytes(packet.get(96..98)?.try_into().ok()?),
        ),
        left: u64_at(packet, 64)?,
        event: (*event).to_owned(),
    });
    let numbers = [INTERVAL, answer.leechers, answer.seeders]
        .map(u32::to_be_bytes)
        .concat();
    let peers = answer.peers.iter().flat_map(compact).collect::<Vec<_>>();
    Some([&1_u32.to_be_bytes()[..], transaction, &numbers, &peers].concat())
}

fn u32_at(packet: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(packet: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(packet.get(at..at + 8)?.try_into().ok()?))
}
