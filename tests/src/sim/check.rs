//! Invariants that are checked at every step of every host, whatever its peers, its network and its
//! disk do.

use std::sync::Arc;

use aqueduct_core::discovery::NetRequest;
use aqueduct_core::discovery::dht::{self, krpc};
use aqueduct_core::types::{Bitfield, PeerAddr, Piece, TorrentId};
use aqueduct_core::wire::Message;
use aqueduct_core::{DialKind, Op, Output};

use super::disk::equal;
use super::{Disk, Host, network};
use crate::torrent::Computed;

/// One torrent of a host.
#[derive(Clone, Copy)]
struct One<'a> {
    host: &'a Host,
    id: TorrentId,
}

impl One<'_> {
    fn name(&self) -> String {
        self.host.name()
    }
    fn torrent(&self) -> &Arc<Computed> {
        &self.host.torrents[&self.id].torrent
    }
    fn disk(&self) -> &Disk {
        self.host.disk_of(self.id)
    }
    fn keeps_private(&self) -> bool {
        self.host.keeps_private(self.id)
    }
}

/// Panics if an engine's output violates an invariant.
pub(super) fn output(host: &Host, output: &Output) {
    let one = |id| One { host, id };
    match output {
        Output::Send { conn, message } => {
            if let Some(id) = host.routes.get(conn) {
                said(one(*id), message);
            }
        }
        Output::Request { torrent, op, .. } => wanted(one(*torrent), op),
        Output::Dial {
            torrent,
            addr,
            kind,
            ..
        } => dialled(one(*torrent), *addr, *kind),
        Output::Event(aqueduct_core::Event::Piece(torrent, piece)) => {
            had(one(*torrent), *piece, "reported");
        }
        Output::Hint { torrent, .. } => assert!(
            !host.keeps_private(*torrent),
            "{} speaks of its private torrent's peers: {output:?}",
            host.name()
        ),
        Output::Discover { .. } | Output::DhtNode(_) => {
            panic!("{} lets out what is discovery's: {output:?}", host.name())
        }
        _ => {}
    }
}

/// BEP 27: the DHT and the local network are never told of a private torrent.
pub(super) fn net(host: &Host, request: &NetRequest) {
    let swarms = match request {
        NetRequest::Dht(dht::Request::Send { bytes, .. }) => {
            let message = krpc::Message::parse(bytes).expect("our own datagram is well-formed");
            network::named_swarm(&message).into_iter().collect()
        }
        NetRequest::Lsd(announce) => announce.swarms.clone(),
        _ => Vec::new(),
    };
    for id in swarms.iter().filter_map(|swarm| host.torrent_of(*swarm)) {
        assert!(
            !host.keeps_private(id),
            "{} speaks of its private torrent: {request:?}",
            host.name()
        );
    }
}

/// Pieces that are announced to peers are complete, and data that are sent are right.
fn said(host: One<'_>, message: &Message) {
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

/// BEP 27: peer exchange and introductions are neither offered (id 0 withdraws an offer) nor sent, and
/// no DHT port is announced.
fn private(host: One<'_>, message: &Message) {
    /// The engine's extension ids for peer exchange and for holepunching.
    const PEX: u8 = 2;
    const HOLEPUNCH: u8 = 4;
    let offers = |payload: &[u8], name: &str| {
        let named = |text: &[u8]| payload.windows(text.len()).any(|part| part == text);
        named(format!("{name}i").as_bytes()) && !named(format!("{name}i0e").as_bytes())
    };
    let spoken = match message {
        Message::Extended { id: 0, payload } => {
            offers(payload, "ut_pex") || offers(payload, "ut_holepunch")
        }
        Message::Extended { id, .. } => [PEX, HOLEPUNCH].contains(id),
        _ => true,
    };
    assert!(
        !spoken,
        "{} exchanges peers for a private torrent: {message:?}",
        host.name()
    );
}

/// Only data that match their hash are written, reads are limited to complete pieces, and a resume
/// record claims only what was flushed.
fn wanted(host: One<'_>, op: &Op) {
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

/// Back-pressure: the amount of received data that is not yet written is bounded.
pub(super) fn unwritten(host: &Host) {
    let (unwritten, limit) = (host.unwritten(), host.config().max_unwritten);
    assert!(
        unwritten <= limit,
        "{} holds {unwritten} bytes unwritten, {limit} is its bound",
        host.name()
    );
}

fn dialled(host: One<'_>, addr: PeerAddr, kind: DialKind) {
    let Some(addr) = addr.socket_addr() else {
        panic!("{} dials {addr}", host.name());
    };
    let ip = addr.ip();
    let refused =
        addr.port() == 0 || ip.is_unspecified() || ip.is_multicast() || addr == host.host.addr();
    assert!(!refused, "{} dials {addr}", host.name());
    assert!(
        !host.keeps_private() || kind == DialKind::Direct,
        "{} follows an introduction to {addr} for a private torrent",
        host.name()
    );
    let public = host.keeps_private() && !host.host.torrents[&host.id].named.contains(&addr);
    assert!(
        !public,
        "{} dials {addr} for a private torrent, and no tracker named it",
        host.name()
    );
}

fn piece(host: One<'_>, index: u32) -> Piece {
    host.torrent().lengths().piece(index).unwrap_or_else(|| {
        panic!(
            "{} speaks of piece {index}, which does not exist",
            host.name()
        )
    })
}

fn had(host: One<'_>, piece: Piece, how: &str) {
    assert!(
        host.disk().has(piece),
        "{}: piece {} is {how} and not had",
        host.name(),
        piece.get()
    );
}

fn all_had(host: One<'_>, have: &Bitfield) {
    have.ones()
        .for_each(|index| had(host, piece(host, index), "announced by a bitfield"));
}

/// Invariants of the engine's snapshot. They are checked at intervals, because a snapshot is
/// expensive.
pub(super) fn view(host: &Host) {
    let Some(view) = host.snapshot() else { return };
    let one = One {
        host,
        id: super::TORRENT,
    };
    all_had(one, &view.have);
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
