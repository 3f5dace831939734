//! HTTP announces (BEP 3), answered with compact peers (BEP 23).

use std::net::SocketAddr;

use aqueduct_core::types::{InfoHashV1, PeerId};
use percent_encoding::percent_decode_str;

use super::{Announce, Answer, Shared, compact};
use crate::bencode::Value;
use crate::http::{Reply, Request, argument, ok};

pub(super) fn reply(request: &Request, shared: &Shared) -> Reply {
    let answer = match read_announce(request) {
        Some(announce) => encode(&shared.announce(announce)),
        None => Value::Dict(vec![("failure reason", Value::text("this is no announce"))]),
    };
    ok(answer.encode())
}

fn read_announce(request: &Request) -> Option<Announce> {
    let target = request.target();
    target.strip_prefix("/announce?")?;
    let bytes = |key: &str| -> Option<Vec<u8>> {
        Some(percent_decode_str(argument(target, key)?).collect())
    };
    let text = |key: &str| String::from_utf8(bytes(key)?).ok();
    Some(Announce {
        info_hash: InfoHashV1(bytes("info_hash")?.try_into().ok()?),
        peer_id: PeerId(bytes("peer_id")?.try_into().ok()?),
        addr: SocketAddr::new(request.from.ip(), text("port")?.parse().ok()?),
        left: text("left")?.parse().ok()?,
        event: text("event").unwrap_or_default(),
        at: request.at,
        target: Some(target.to_owned()),
    })
}

fn encode(answer: &Answer) -> Value {
    let mut entries = vec![
        ("complete", Value::Int(answer.seeders.into())),
        ("incomplete", Value::Int(answer.leechers.into())),
        ("interval", Value::Int(answer.interval.into())),
    ];
    if let Some(seconds) = answer.min_interval {
        entries.push(("min interval", Value::Int(seconds.into())));
    }
    entries.push(("peers", Value::Bytes(compact(&answer.peers))));
    Value::Dict(entries)
}
