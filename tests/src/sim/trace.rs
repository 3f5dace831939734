//! Outputs as one line each, for fingerprints and for debugging a failing swarm.

use aqueduct_core::discovery::{NetRequest, dht, trackers};
use aqueduct_core::wire::Message;
use aqueduct_core::{Event, Op, Output};

/// The relevant fields of an output. Payloads are given by length only, since `check` compares all
/// their bytes.
pub(super) fn line(output: &Output) -> String {
    match output {
        Output::Send {
            conn,
            message: Message::Piece { index, begin, data },
        } => format!("{conn:?} piece {index} {begin} {}", data.len()),
        Output::Send { conn, message } => format!("{conn:?} {message:?}"),
        Output::Request {
            id,
            op: Op::Hash(data),
            ..
        } => format!("{id:?} hash {}", data.len()),
        Output::Request {
            id,
            op: Op::Write { offset, data },
            ..
        } => format!("{id:?} write {offset} {}", data.len()),
        Output::Request { id, op, .. } => format!("{id:?} {op:?}"),
        Output::Event(Event::Metadata(torrent, info)) => {
            format!("{torrent:?} metadata {}", info.info_hash)
        }
        other => format!("{other:?}"),
    }
}

/// The relevant fields of a network request.
pub(super) fn net_line(request: &NetRequest) -> String {
    match request {
        NetRequest::Trackers(trackers::Request::UdpSend { to, bytes, .. }) => {
            format!("tracker {to} {bytes:x?}")
        }
        NetRequest::Dht(dht::Request::Send { to, bytes }) => format!("node {to} {bytes:x?}"),
        other => format!("{other:?}"),
    }
}
