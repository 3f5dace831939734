//! A tracker over HTTP that says what a test wants, and remembers what it was told; peers that are
//! of no use.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Ends with its test.
pub(crate) struct Tracker {
    addr: SocketAddr,
    requests: Receiver<String>,
}

impl Tracker {
    /// Answers each announce with this body, after so long.
    pub(crate) fn start(body: &'static [u8], delay: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let (told, requests) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = told.clone();
                thread::spawn(move || {
                    let Some(request) = read_head(&stream) else {
                        return;
                    };
                    let _ = told.send(request);
                    thread::sleep(delay);
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = (&stream).write_all(&[head.as_bytes(), body].concat());
                });
            }
        });
        Self { addr, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

fn read_head(mut stream: &TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// An argument of an announce; empty if it has none of this name.
pub(crate) fn argument<'a>(request: &'a str, name: &str) -> &'a str {
    let line = request.lines().next().unwrap_or_default();
    let arguments = line.split(['?', '&', ' ']);
    arguments
        .filter_map(|argument| argument.split_once('='))
        .find(|(other, _)| *other == name)
        .map_or("", |(_, value)| value)
}

/// A peer that does this with every connection.
pub(crate) fn peer(act: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(act));
    addr.to_string()
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}
