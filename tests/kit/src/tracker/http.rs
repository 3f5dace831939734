//! `GET /announce` (BEP 3), answered with compact peers (BEP 23).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use aqueduct_core::types::{InfoHashV1, PeerId};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Announce, Answer, INTERVAL, MIN_INTERVAL, Shared};
use crate::bencode::Value;

/// A request longer than this is not read to its end.
const MAX_REQUEST: u64 = 8 * 1024;

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, from)) = listener.accept().await {
        tokio::spawn(timeout(
            Duration::from_secs(10),
            answer(stream, from, Arc::clone(&shared)),
        ));
    }
}

async fn answer(
    mut stream: TcpStream,
    from: SocketAddr,
    shared: Arc<Shared>,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let (read, mut write) = stream.split();
    let mut read = read.take(MAX_REQUEST);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if read.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&request);
    let target = text.split(' ').nth(1).unwrap_or_default();
    let body = respond(target, from, &shared).encode();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    write.write_all(&[head.as_bytes(), &body].concat()).await?;
    write.shutdown().await
}

fn respond(target: &str, from: SocketAddr, shared: &Shared) -> Value {
    match read_announce(target, from) {
        Some(said) => written(&shared.announce(said)),
        None => Value::Dict(vec![("failure reason", Value::text("this is no announce"))]),
    }
}

fn read_announce(target: &str, from: SocketAddr) -> Option<Announce> {
    let query = target.strip_prefix("/announce?")?;
    let bytes = |key: &str| -> Option<Vec<u8>> {
        let value = query
            .split('&')
            .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?;
        Some(percent_decode_str(value).collect())
    };
    let text = |key: &str| String::from_utf8(bytes(key)?).ok();
    Some(Announce {
        info_hash: InfoHashV1(bytes("info_hash")?.try_into().ok()?),
        peer_id: PeerId(bytes("peer_id")?.try_into().ok()?),
        addr: SocketAddr::new(from.ip(), text("port")?.parse().ok()?),
        left: text("left")?.parse().ok()?,
        event: text("event").unwrap_or_default(),
    })
}

fn written(answer: &Answer) -> Value {
    Value::Dict(vec![
        ("complete", Value::Int(answer.seeders.into())),
        ("incomplete", Value::Int(answer.leechers.into())),
        ("interval", Value::Int(INTERVAL.into())),
        ("min interval", Value::Int(MIN_INTERVAL.into())),
        (
            "peers",
            Value::Bytes(answer.peers.iter().flat_map(compact).collect()),
        ),
    ])
}

/// Six bytes a peer; IPv6 peers are left out.
pub(super) fn compact(addr: &SocketAddr) -> Vec<u8> {
    match addr {
        SocketAddr::V4(v4) => [&v4.ip().octets()[..], &v4.port().to_be_bytes()].concat(),
        SocketAddr::V6(_) => Vec::new(),
    }
}
