//! A tracker that knows one peer and tells it to everyone: clients start at once, and none waits
//! for another's announce.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::thread;

/// Answers on `listener`, one request after the other, for as long as the program runs.
pub(crate) fn serve(listener: TcpListener, peer: SocketAddrV4) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away in the middle of its announce has had its answer, or wants
            // none.
            answer(&stream, peer).ok();
        }
    });
}

fn answer(mut stream: &TcpStream, peer: SocketAddrV4) -> std::io::Result<()> {
    let head = BufReader::new(stream).lines();
    for line in head {
        if line?.is_empty() {
            break;
        }
    }
    let body = body(peer);
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(&body)
}

/// BEP 23: peers as six bytes each.
fn body(peer: SocketAddrV4) -> Vec<u8> {
    let mut body = b"d8:intervali1800e5:peers6:".to_vec();
    body.extend(peer.ip().octets());
    body.extend(peer.port().to_be_bytes());
    body.push(b'e');
    body
}
