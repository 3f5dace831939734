//! A scripted HTTP server and a minimal client.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::journal::{Journal, Writer};
use crate::soon;

/// The maximum length of a request's head, in bytes; longer ones are not read to their end.
const MAX_HEAD: u64 = 16 * 1024;
/// The size of a socket's send buffer, and of each write, in bytes.
const SEND_BUFFER: usize = 16 * 1024;

/// A request that the server received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's address.
    pub from: SocketAddr,
    /// The server's address that the client connected to.
    pub at: SocketAddr,
    /// The request line and the headers.
    pub head: String,
}

impl Request {
    /// The request target: path and query.
    #[must_use]
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of a query parameter, still percent-encoded; empty if there is no such parameter.
    #[must_use]
    pub fn argument(&self, name: &str) -> &str {
        argument(self.target(), name).unwrap_or_default()
    }
}

/// The value of a query parameter, still percent-encoded.
#[must_use]
pub fn argument<'a>(target: &'a str, name: &str) -> Option<&'a str> {
    let (_, query) = target.split_once('?')?;
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// How the server answers a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Sends these bytes, status line included, and closes the connection.
    Bytes(Vec<u8>),
    /// As `Bytes`, after this delay.
    Delayed(Duration, Vec<u8>),
    /// Sends nothing until the client closes the connection.
    Hang,
}

/// A `200 OK` response with this body.
#[must_use]
pub fn ok(body: impl AsRef<[u8]>) -> Reply {
    response("200 OK", "", body.as_ref())
}

/// A `302 Found` redirect to this URL.
#[must_use]
pub fn redirect(to: &str) -> Reply {
    response("302 Found", &format!("Location: {to}\r\n"), b"")
}

/// A response with any status and body. `headers` are additional header lines, each with its line
/// end.
#[must_use]
pub fn response(status: &str, headers: &str, body: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    Reply::Bytes([head.as_bytes(), body].concat())
}

/// A server in its own thread; it stops when this is dropped. Each connection carries one request.
#[derive(Debug)]
pub struct Server {
    /// The address that the server listens at.
    pub addr: SocketAddr,
    requests: Journal<Request>,
    /// The number of requests that [`Server::request`] and [`Server::requests`] have returned.
    read: usize,
    counts: Arc<Counts>,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    sent: AtomicU64,
}

impl Server {
    /// Starts a server on a free port of 127.0.0.1. `script` chooses the reply to each request.
    #[must_use]
    pub fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1", script)
    }

    /// Starts a server on a free port of this IP address.
    ///
    /// # Panics
    /// The host lacks that address.
    #[must_use]
    pub fn start_at(ip: &str, script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_behind(ip, |stream| async { Some(stream) }, script)
    }

    /// As [`Server::start_at`], with a handshake (TLS, for example) at the start of each
    /// connection. If it returns `None`, the connection is closed.
    ///
    /// # Panics
    /// The host lacks that address.
    #[must_use]
    pub fn start_behind<S, F>(
        ip: &str,
        handshake: impl Fn(TcpStream) -> F + Send + Sync + 'static,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let addr = SocketAddr::new(ip.parse().unwrap(), 0);
        Self::serve(vec![listener(addr).unwrap()], handshake, script)
    }

    /// Starts a server on sockets that are already bound; see [`listener`].
    pub(crate) fn start_on(
        listeners: Vec<std::net::TcpListener>,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::serve(listeners, |stream| async { Some(stream) }, script)
    }

    fn serve<S, F>(
        listeners: Vec<std::net::TcpListener>,
        handshake: impl Fn(TcpStream) -> F + Send + Sync + 'static,
        script: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Option<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let addr = listeners[0].local_addr().unwrap();
        let (requests, writer) = Journal::new();
        let counts = Arc::<Counts>::default();
        let (stop, stopped) = oneshot::channel();
        let service = Arc::new(Service {
            handshake,
            script,
            requests: writer,
            counts: Arc::clone(&counts),
        });
        in_thread(stopped, async move {
            for listener in listeners {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::spawn(Arc::clone(&service).listen(listener));
            }
            std::future::pending::<()>().await;
        });
        Self {
            addr,
            requests,
            read: 0,
            counts,
            _stop: stop,
        }
    }

    /// The URL of `path` on this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Waits for the next request that was not returned yet.
    ///
    /// # Panics
    /// It does not come within [`crate::PATIENCE`].
    pub async fn request(&mut self) -> Request {
        let request = soon("a request", self.requests.entry(self.read)).await;
        self.read += 1;
        request.expect("a server takes requests until it is dropped")
    }

    /// All requests that have arrived and were not returned yet.
    pub fn requests(&mut self) -> Vec<Request> {
        let new = self.requests.all().split_off(self.read);
        self.read += new.len();
        new
    }

    /// The number of connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// The maximum number of connections that were open at the same time.
    #[must_use]
    pub fn most_open(&self) -> usize {
        self.counts.most_open.load(Ordering::Relaxed)
    }

    /// The number of bytes sent so far, over all connections.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::Relaxed)
    }
}

/// State shared by all connections of a server.
struct Service<H, R> {
    handshake: H,
    script: R,
    requests: Writer<Request>,
    counts: Arc<Counts>,
}

impl<H, R> Service<H, R> {
    async fn listen<S, F>(self: Arc<Self>, listener: TcpListener)
    where
        H: Fn(TcpStream) -> F + Send + Sync + 'static,
        R: Fn(&Request) -> Reply + Send + Sync + 'static,
        F: Future<Output = Option<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        while let Ok((stream, from)) = listener.accept().await {
            let at = stream.local_addr().unwrap_or(from);
            let service = Arc::clone(&self);
            tokio::spawn(async move {
                let _open = service.counts.opened();
                if let Some(mut stream) = (service.handshake)(stream).await
                    && let Some(head) = read_head(&mut stream).await
                {
                    let request = Request { from, at, head };
                    let reply = (service.script)(&request);
                    service.requests.push(request);
                    // A client that closes the connection early has read enough.
                    service.reply(&mut stream, reply).await.ok();
                }
            });
        }
    }

    async fn reply(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        reply: Reply,
    ) -> io::Result<()> {
        let bytes = match reply {
            Reply::Bytes(bytes) => bytes,
            Reply::Delayed(delay, bytes) => {
                tokio::time::sleep(delay).await;
                bytes
            }
            Reply::Hang => {
                while stream.read(&mut [0; 1024]).await? > 0 {}
                return Ok(());
            }
        };
        for chunk in bytes.chunks(SEND_BUFFER) {
            stream.write_all(chunk).await?;
            self.counts
                .sent
                .fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        stream.shutdown().await
    }
}

impl Counts {
    fn opened(&self) -> Open<'_> {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let open = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_open.fetch_max(open, Ordering::Relaxed);
        Open(self)
    }
}

/// An open connection, counted until it is dropped.
struct Open<'a>(&'a Counts);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A listening socket for a server. It is non-blocking and has a small send buffer, so that the
/// count of sent bytes is close to what the client received.
pub(crate) fn listener(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&addr.into())?;
    socket.listen(1024)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Runs `serve` in its own thread until the sender of `stopped` is dropped.
pub(crate) fn in_thread(
    stopped: oneshot::Receiver<()>,
    future: impl Future<Output = ()> + Send + 'static,
) {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            tokio::select! { () = future => {}, _ = stopped => {} }
        });
    });
}

/// Reads the head of a request or response, including the empty line. `None` if the connection ends
/// first.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut stream = stream.take(MAX_HEAD);
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&head).into_owned())
}

/// Performs one exchange over this connection and returns the response's head and body. `headers`
/// are additional header lines, each with its line end.
///
/// # Panics
/// No complete response arrives within [`crate::PATIENCE`].
pub async fn get(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    path: &str,
    headers: &str,
) -> (String, Vec<u8>) {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon("an HTTP answer", stream.read_to_end(&mut answer))
        .await
        .unwrap();
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("the answer has a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head, answer[end + 4..].to_vec())
}
