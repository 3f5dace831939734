//! Rules that hold at every step of every host, however its peers, its network and its disk behave.

use aqueduct_core::types::{Bitfield, PeerAddr, Piece};
use aqueduct_core::wire::Message;
use aqueduct_core::{Op, Output};

use super::Host;
use super::disk::equal;

/// Panics if an engine wants something that it must never want.
pub(super) fn output(host: &Host, output: &Output) {
    match output {
        Output::Send { message, .. } => said(host, message),
        Output::Request { op, .. } => wanted(host, op),
        Output::Dial { addr, .. } => dialled(host, *addr),
        Output::Event(aqueduct_core::Event::Piece(_, piece)) => had(host, *piece, "reported"),
        Output::Hint { .. } | Output::DhtNode(_) => {
            assert!(
                !host.keeps_private(),
                "{} speaks of its private torrent's peers: {output:?}",
                host.name()
            )
        }
        _ => {}
    }
}

/// Whatever is told to peers is had, and what is served is right.
fn said(host: &Host, message: &Message) {
    let pieces = host.torrent().lengths().pieces();
    match message {
        Message::Have(index) => had(host, piece(host, *index), "announced by HAVE"),
        Message::HaveAll => all_had(host, &Bitfield::all(pieces)),
        Message::Bitfield(bytes) => all_had(
            host,
            &Bitfield::from_wire(bytes, pieces).expect("our own bitfield is well-formed"),
        ),
        Message::Request(raw) => {
            let block = host
                .torrent()
                .lengths()
                .block(raw.index, raw.begin, raw.length);
            assert!(
                block.is_some_and(|b| b.length() <= 16 * 1024),
                "{} asks for {raw:?}, which is no block",
                host.name()
            );
        }
        Message::Extended { .. } | Message::Port(_) if host.keeps_private() => {
            private(host, message)
        }
        Message::Piece { index, begin, data } => {
            let offset = host.torrent().lengths().offset(piece(host, *index)) + u64::from(*begin);
            assert!(
                *data == host.torrent().slice(offset, data.len() as u64),
                "{} serves wrong bytes of piece {index}",
                host.name()
            );
        }
        _ => {}
    }
}

/// BEP 27: no peer exchange, neither offered (id 0 takes an offer back) nor sent, and no word of a
/// DHT.
fn private(host: &Host, message: &Message) {
    /// What engines call peer exchange.
    const PEX: u8 = 2;
    let spoken = match message {
        Message::Extended { id: 0, payload } => {
            payload.windows(7).any(|name| name == b"ut_pexi")
                && !payload.windows(9).any(|name| name == b"ut_pexi0e")
        }
        Message::Extended { id, .. } => *id == PEX,
        _ => true,
    };
    assert!(
        !spoken,
        "{} exchanges peers for a private torrent: {message:?}",
        host.name()
    );
}

/// Only what matches its hash is written, reads lie in pieces that are had, and a record claims
/// only what was flushed.
fn wanted(host: &Host, op: &Op) {
    let lengths = host.torrent().lengths();
    match op {
        Op::Write { offset, data } => {
            let index = u32::try_from(offset / u64::from(lengths.piece_length())).unwrap();
            let expected = host.torrent().piece(piece(host, index));
            assert_eq!(
                *offset,
                lengths.offset(piece(host, index)),
                "{} writes from the middle of a piece",
                host.name()
            );
            assert!(
                equal(data, &expected),
                "{} writes piece {index}, which does not match its hash",
                host.name()
            );
        }
        Op::Read { offset, length } => {
            let touched = lengths
                .pieces_of(*offset, u64::from(*length))
                .collect::<Vec<_>>();
            assert!(
                *length <= 256 * 1024,
                "{} reads {length} bytes at once",
                host.name()
            );
            assert_eq!(touched.len(), 1, "{} reads across pieces", host.name());
            touched
                .into_iter()
                .for_each(|p| had(host, p, "read for a peer"));
        }
        Op::Save { have, .. } => {
            let lost = have
                .ones()
                .find(|index| !host.disk().has_flushed(piece(host, *index)));
            assert_eq!(
                lost,
                None,
                "{} calls a piece had in its record before it was flushed",
                host.name()
            );
        }
        Op::Hash(_) | Op::Check(_) | Op::Flush => {}
    }
}

/// Back-pressure: what was received and is not yet written has a bound.
pub(super) fn unwritten(host: &Host) {
    let (unwritten, limit) = (host.unwritten(), host.config().max_unwritten);
    assert!(
        unwritten <= limit,
        "{} holds {unwritten} bytes unwritten, {limit} is its bound",
        host.name()
    );
}

fn dialled(host: &Host, addr: PeerAddr) {
    let Some(addr) = addr.socket_addr() else {
        panic!("{} dials {addr}", host.name());
    };
    let ip = addr.ip();
    let refused =
        addr.port() == 0 || ip.is_unspecified() || ip.is_multicast() || addr == host.addr();
    assert!(!refused, "{} dials {addr}", host.name());
    let public = host.keeps_private() && !host.named.contains(&addr);
    assert!(
        !public,
        "{} dials {addr} for a private torrent, and no tracker named it",
        host.name()
    );
}

fn piece(host: &Host, index: u32) -> Piece {
    host.torrent().lengths().piece(index).unwrap_or_else(|| {
        panic!(
            "{} speaks of piece {index}, which does not exist",
            host.name()
        )
    })
}

fn had(host: &Host, piece: Piece, how: &str) {
    assert!(
        host.disk().has(piece),
        "{}: piece {} is {how} and not had",
        host.name(),
        piece.get()
    );
}

fn all_had(host: &Host, have: &Bitfield) {
    have.ones()
        .for_each(|index| had(host, piece(host, index), "announced by a bitfield"));
}

/// Rules about the engine's own view, checked now and then because a view is costly.
pub(super) fn view(host: &Host) {
    let Some(view) = host.snapshot() else { return };
    all_had(host, &view.have);
    let limit = host.config().max_requests_out;
    for peer in host.engine().peers(super::TORRENT) {
        assert!(
            peer.in_flight <= limit,
            "{} has {} requests in flight to one peer, {limit} is its bound",
            host.name(),
            peer.in_flight
        );
    }
    let (peers, limit) = (view.peers, host.config().max_peers);
    assert!(
        peers <= limit,
        "{} has {peers} peers, {limit} is its bound",
        host.name()
    );
}
