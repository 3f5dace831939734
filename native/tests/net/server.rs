//! Scripted servers: an HTTP server that answers by path, a UDP tracker that answers by event.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a server does with a request.
pub(crate) enum Reply {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// Nothing, for ever.
    Hang,
}

/// A server on a port of its own; `requests` are the paths it was asked for.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) requests: mpsc::UnboundedReceiver<String>,
}

impl Server {
    /// Answers each path as `script` says.
    pub(crate) async fn start(
        ip: &str,
        script: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::start_with(ip, script, plain).await
    }

    /// The same behind whatever `dress` makes of a connection.
    pub(crate) async fn start_with<S, F>(
        ip: &str,
        script: impl Fn(&str) -> Reply + Send + Sync + 'static,
        dress: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Option<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (seen, requests) = mpsc::unbounded_channel();
        let script = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (dressed, script, seen) = (dress(stream), Arc::clone(&script), seen.clone());
                tokio::spawn(async move {
                    if let Some(stream) = dressed.await {
                        serve(stream, &*script, &seen).await;
                    }
                });
            }
        });
        Self { addr, requests }
    }

    /// The next request that arrives.
    pub(crate) async fn request(&mut self) -> String {
        soon(self.requests.recv()).await.unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

async fn plain(stream: TcpStream) -> Option<TcpStream> {
    Some(stream)
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: &(impl Fn(&str) -> Reply + Sync),
    seen: &mpsc::UnboundedSender<String>,
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = script(&path);
    let _ = seen.send(path);
    match reply {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hang => std::future::pending().await,
    }
}

/// A 200 with this body.
pub(crate) fn ok(body: impl AsRef<[u8]>) -> Reply {
    response("200 OK", "", body.as_ref())
}

/// A 200 with this body, packed.
pub(crate) fn gzip(body: &[u8]) -> Reply {
    response("200 OK", "Content-Encoding: gzip\r\n", &gzipped(body))
}

pub(crate) fn gzipped(body: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(body).unwrap();
    packer.finish().unwrap()
}

pub(crate) fn redirect(to: &str) -> Reply {
    response("302 Found", &format!("Location: {to}\r\n"), b"")
}

pub(crate) fn response(status: &str, headers: &str, body: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    );
    Reply::Bytes([head.as_bytes(), body].concat())
}

/// What a tracker answers that knows one peer.
pub(crate) fn one_peer() -> Reply {
    ok(b"d8:intervali1800e12:min intervali1e5:peers6:\x01\x02\x03\x04\x1a\xe1e")
}

/// The event of an announce over HTTP.
pub(crate) fn event(path: &str) -> &str {
    path.split("&event=")
        .nth(1)
        .unwrap_or("none")
        .split('&')
        .next()
        .unwrap_or_default()
}

/// A UDP tracker that knows one peer; `events` are the numbers of BEP 15 it was told.
pub(crate) struct UdpTracker {
    pub(crate) addr: SocketAddr,
    pub(crate) events: mpsc::UnboundedReceiver<u8>,
}

impl UdpTracker {
    /// `forge`: before every answer, another socket sends a wrong one with the right transaction,
    /// and the tracker itself one with the wrong transaction.
    pub(crate) async fn start(ip: &str, forge: bool) -> Self {
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        let addr = socket.local_addr().unwrap();
        let (told, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let forger = UdpSocket::bind((addr.ip(), 0)).await.unwrap();
            let mut request = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut request).await {
                let (answer, lie) = answers(&request[..length]);
                if forge {
                    forger.send_to(&lie, from).await.unwrap();
                    let mut guessed = lie.clone();
                    guessed[7] ^= 1;
                    socket.send_to(&guessed, from).await.unwrap();
                }
                if length >= 98 {
                    let _ = told.send(request[83]);
                }
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        Self { addr, events }
    }

    pub(crate) async fn event(&mut self) -> u8 {
        soon(self.events.recv()).await.unwrap()
    }
}

/// The answer to a datagram, and a lie of the same shape.
fn answers(request: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let head = [&request[8..12], &request[12..16]].concat();
    if request.len() == 16 {
        return ([&head[..], &[7; 8]].concat(), [&head[..], &[8; 8]].concat());
    }
    assert_eq!(request[..8], [7; 8], "the lie was believed");
    let counts = [0, 0, 7, 8, 0, 0, 0, 1, 0, 0, 0, 2];
    (
        [&head[..], &counts, &[1, 2, 3, 4, 0x1a, 0xe1]].concat(),
        [&head[..], &counts, &[6, 6, 6, 6, 0, 6]].concat(),
    )
}

/// Waits for what must come; a test that would wait for ever fails instead.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("it never happened")
}
