//! The UDP tracker protocol (BEP 15).

use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::types::{InfoHashV1, PeerId};
use tokio::net::UdpSocket;

use super::{Announce, Answer, Shared, compact};

/// The magic constant at the start of a connect request.
const PROTOCOL: u64 = 0x0417_2710_1980;
/// The connection id that every client receives.
const CONNECTION: u64 = 0x1234_5678_9ABC_DEF0;
/// The connection id in forged answers. An announce that uses it gets an error.
const FORGED: u64 = CONNECTION + 1;

pub(super) async fn serve(sockets: Vec<std::net::UdpSocket>, forged: bool, shared: Arc<Shared>) {
    for socket in sockets {
        let socket = UdpSocket::from_std(socket).unwrap();
        tokio::spawn(answer_all(socket, forged, Arc::clone(&shared)));
    }
    std::future::pending::<()>().await;
}

async fn answer_all(socket: UdpSocket, forged: bool, shared: Arc<Shared>) {
    let at = socket.local_addr().unwrap();
    let forger = UdpSocket::bind((at.ip(), 0)).await.unwrap();
    let mut packet = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut packet).await {
        let request = &packet[..length];
        let Some(answer) = respond(request, from, at, &shared) else {
            continue;
        };
        if let Some(lie) = forge(request).filter(|_| forged) {
            let mut guessed = lie.clone();
            guessed[7] ^= 1;
            forger.send_to(&lie, from).await.unwrap();
            socket.send_to(&guessed, from).await.unwrap();
        }
        // As on any network, a datagram may be lost; the client repeats its request.
        socket.send_to(&answer, from).await.ok();
    }
}

fn respond(packet: &[u8], from: SocketAddr, at: SocketAddr, shared: &Shared) -> Option<Vec<u8>> {
    let (connection, action, transaction) =
        (u64_at(packet, 0)?, u32_at(packet, 8)?, packet.get(12..16)?);
    match (connection, action) {
        (PROTOCOL, 0) => Some(connected(transaction, CONNECTION)),
        (CONNECTION, 1) => {
            let announce = read_announce(packet, from, at)?;
            Some(announced(transaction, &shared.announce(announce)))
        }
        _ => Some([&3_u32.to_be_bytes()[..], transaction, b"connect first"].concat()),
    }
}

/// A wrong answer that is well-formed.
fn forge(packet: &[u8]) -> Option<Vec<u8>> {
    let (action, transaction) = (u32_at(packet, 8)?, packet.get(12..16)?);
    Some(match action {
        0 => connected(transaction, FORGED),
        _ => announced(
            transaction,
            &Answer {
                seeders: 1,
                leechers: 2,
                interval: 1800,
                min_interval: None,
                peers: vec![SocketAddr::from(([6, 6, 6, 6], 6))],
            },
        ),
    })
}

fn read_announce(packet: &[u8], from: SocketAddr, at: SocketAddr) -> Option<Announce> {
    let event = ["", "completed", "started", "stopped"].get(u32_at(packet, 80)? as usize)?;
    Some(Announce {
        info_hash: InfoHashV1(packet.get(16..36)?.try_into().ok()?),
        peer_id: PeerId(packet.get(36..56)?.try_into().ok()?),
        addr: SocketAddr::new(
            from.ip(),
            u16::from_be_bytes(packet.get(96..98)?.try_into().ok()?),
        ),
        left: u64_at(packet, 64)?,
        event: (*event).to_owned(),
        at,
        target: None,
    })
}

fn connected(transaction: &[u8], connection: u64) -> Vec<u8> {
    [
        &0_u32.to_be_bytes()[..],
        transaction,
        &connection.to_be_bytes(),
    ]
    .concat()
}

fn announced(transaction: &[u8], answer: &Answer) -> Vec<u8> {
    let numbers = [answer.interval, answer.leechers, answer.seeders].map(u32::to_be_bytes);
    [
        &1_u32.to_be_bytes()[..],
        transaction,
        &numbers.concat(),
        &compact(&answer.peers),
    ]
    .concat()
}

fn u32_at(packet: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(packet: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(packet.get(at..at + 8)?.try_into().ok()?))
}
