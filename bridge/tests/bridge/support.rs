//! The actors: a bridge, a tracker, a peer, a tab. Whatever takes longer than [`PATIENCE`] has gone
//! wrong.

use std::net::SocketAddr;
use std::time::Duration;

use aqueduct_bridge::{Config, Listeners, StartError, listen, run};
use aqueduct_core::discovery::Amounts;
use aqueduct_core::tunnel::{Client, ClientConfig, Event, JoinRequest, PeerCounts, SUBPROTOCOL};
use aqueduct_core::types::{InfoHashV1, Instant, PeerId};
use aqueduct_core::wire::{Handshake, Reserved};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
pub(crate) const HASH: InfoHashV1 = InfoHashV1([0x5a; 20]);
pub(crate) const TAB_ID: PeerId = PeerId(*b"-AQ0100-the tab's id");
pub(crate) const PEER_ID: PeerId = PeerId(*b"-XX0001-a real peer.");

/// How far every tab is.
pub(crate) const AMOUNTS: Amounts = Amounts {
    uploaded: 0,
    downloaded: 0,
    left: Some(1),
};

/// Fails the test instead of hanging.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} for {what}"))
}

/// Sends this again and again, once each span, until the other side closes the connection.
pub(crate) async fn trickle(mut socket: TcpStream, bytes: &[u8], each: Duration) {
    let (mut read, mut write) = socket.split();
    let mut every = tokio::time::interval(each);
    let mut answer = Vec::new();
    loop {
        tokio::select! {
            end = read.read_buf(&mut answer) => if end.unwrap_or(0) == 0 { return },
            _ = every.tick() => drop(write.write_all(bytes).await),
        }
    }
}

/// A configuration for loopback.
pub(crate) fn config() -> Config {
    Config {
        allow: vec!["127.0.0.1/32".parse().unwrap()],
        no_dht: true,
        ..Config::default()
    }
}

pub(crate) struct Bridge {
    pub(crate) addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StartError>>,
}

impl Bridge {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_with_peers(config).await.0
    }

    /// Tells as well where peers dial in.
    pub(crate) async fn start_with_peers(config: Config) -> (Self, u16) {
        let (web, peers) = (
            listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap(),
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
        );
        let (addr, port) = (
            web.local_addr().unwrap(),
            peers.local_addr().unwrap().port(),
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(run(
            Listeners {
                web,
                peers: Some(peers),
            },
            config,
            async move {
                let _ = stopped.await;
            },
        ));
        (Self { addr, stop, task }, port)
    }

    /// Asks it to stop; the answer is there once it has.
    pub(crate) fn stop(self) -> JoinHandle<Result<(), StartError>> {
        let _ = self.stop.send(());
        self.task
    }

    /// One of its counters.
    pub(crate) async fn counted(&self, name: &str) -> u64 {
        let (_, metrics) = self.get("/metrics", "").await;
        let metrics = String::from_utf8(metrics).unwrap();
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(&format!("aqueduct_bridge_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {metrics}"))
            .parse()
            .unwrap()
    }

    /// One HTTP exchange: head and body.
    pub(crate) async fn get(&self, path: &str, fields: &str) -> (String, Vec<u8>) {
        get(
            TcpStream::connect(self.addr).await.unwrap(),
            &self.addr.to_string(),
            path,
            fields,
        )
        .await
    }
}

/// One HTTP exchange over this connection: head and body.
pub(crate) async fn get(
    mut socket: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    path: &str,
    fields: &str,
) -> (String, Vec<u8>) {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{fields}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon("an HTTP answer", socket.read_to_end(&mut answer))
        .await
        .unwrap();
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    (
        String::from_utf8(answer[..end].to_vec()).unwrap(),
        answer[end + 4..].to_vec(),
    )
}

/// A tracker that gives everybody the same peers and tells what it was asked.
pub(crate) struct Tracker {
    pub(crate) url: String,
    asked: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<()>,
}

impl Tracker {
    pub(crate) async fn start(peers: &[SocketAddr]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/announce", listener.local_addr().unwrap());
        let compact: Vec<u8> = peers.iter().flat_map(compact).collect();
        let body = [
            format!(
                "d8:completei1e10:incompletei0e8:intervali1800e5:peers{}:",
                compact.len()
            )
            .as_bytes(),
            &compact,
            b"e",
        ]
        .concat();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let (sender, asked) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let request = read_head(&mut socket).await;
                let _ = socket.write_all(&[head.as_bytes(), &body].concat()).await;
                let _ = sender.send(request);
            }
        });
        Self { url, asked, task }
    }

    /// The path and query of the next announce.
    pub(crate) async fn asked(&mut self) -> String {
        let request = soon("an announce", self.asked.recv()).await.unwrap();
        request.split(' ').nth(1).unwrap().to_owned()
    }
}

/// Counts of a join for which this holds.
pub(crate) async fn counts(
    tab: &mut Tab,
    what: &str,
    enough: impl Fn(&PeerCounts) -> bool,
) -> PeerCounts {
    tab.until(what, |event| {
        if let Event::Peers { counts, .. } = event {
            Some(counts).filter(&enough)
        } else {
            None
        }
    })
    .await
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn compact(addr: &SocketAddr) -> Vec<u8> {
    let SocketAddr::V4(v4) = addr else {
        panic!("only IPv4 here")
    };
    [&v4.ip().octets()[..], &v4.port().to_be_bytes()].concat()
}

async fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && socket.read_buf(&mut head).await.unwrap_or(0) > 0 {}
    String::from_utf8_lossy(&head).into_owned()
}

/// A peer that waits to be dialled.
pub(crate) struct Peer {
    pub(crate) addr: SocketAddr,
    pub(crate) listener: TcpListener,
}

impl Peer {
    pub(crate) async fn start() -> Self {
        Self::at("127.0.0.1").await
    }

    pub(crate) async fn at(ip: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        Self {
            addr: listener.local_addr().unwrap(),
            listener,
        }
    }

    /// Takes the next connection and reads its handshake.
    pub(crate) async fn accept(&self) -> (TcpStream, Handshake) {
        let (mut socket, _) = soon("a dial", self.listener.accept()).await.unwrap();
        let theirs = read_handshake(&mut socket).await;
        (socket, theirs)
    }

    /// Takes the next connection and answers for this info-hash, with `more` in the same segment.
    pub(crate) async fn answer(
        &self,
        info_hash: InfoHashV1,
        more: &[u8],
    ) -> (TcpStream, Handshake) {
        let (mut socket, theirs) = self.accept().await;
        socket
            .write_all(&[&handshake(info_hash, PEER_ID).encode()[..], more].concat())
            .await
            .unwrap();
        (socket, theirs)
    }
}

pub(crate) fn handshake(info_hash: InfoHashV1, peer_id: PeerId) -> Handshake {
    Handshake {
        reserved: Reserved::OURS,
        info_hash,
        peer_id,
    }
}

pub(crate) async fn read_handshake(socket: &mut TcpStream) -> Handshake {
    let mut bytes = [0; 68];
    soon("a handshake", socket.read_exact(&mut bytes))
        .await
        .unwrap();
    Handshake::decode(&bytes).unwrap().unwrap()
}

/// How a tab of this name joins the swarm of [`HASH`], without a tracker.
pub(crate) fn request(peer_id: PeerId) -> JoinRequest {
    JoinRequest {
        info_hash: HASH,
        peer_id,
        private: false,
        amounts: AMOUNTS,
        want: 40,
        trackers: Vec::new(),
    }
}

/// A tab: a WebSocket and the client half of the tunnel.
pub(crate) struct Tab<S = TcpStream> {
    pub(crate) socket: WebSocketStream<S>,
    pub(crate) client: Client,
}

/// The close code of a WebSocket that is over; 1006 if it ended without one.
pub(crate) type Closed = u16;

impl Tab {
    pub(crate) async fn open(bridge: &Bridge) -> Self {
        let origin = format!("http://{}", bridge.addr);
        Self::open_as(bridge, &[("origin", &origin)], ClientConfig::default()).await
    }

    /// The bridge's own page, at this address.
    pub(crate) async fn open_at(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        Self::over(
            stream,
            &addr.to_string(),
            &[("origin", &format!("http://{addr}"))],
            ClientConfig::default(),
        )
        .await
    }

    /// A tab that has joined the swarm of [`HASH`] with a tracker that knows these peers, and what
    /// the join is called.
    pub(crate) async fn member(bridge: &Bridge, peers: &[SocketAddr]) -> (Self, Tracker, u32) {
        let tracker = Tracker::start(peers).await;
        let mut tab = Self::open(bridge).await;
        let join = tab.join(&tracker);
        tab.flush().await;
        (tab, tracker, join)
    }

    pub(crate) async fn open_as(
        bridge: &Bridge,
        fields: &[(&str, &str)],
        config: ClientConfig,
    ) -> Self {
        let stream = TcpStream::connect(bridge.addr).await.unwrap();
        Self::over(stream, &bridge.addr.to_string(), fields, config).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Tab<S> {
    /// Upgrades a connection to this host.
    pub(crate) async fn over(
        stream: S,
        host: &str,
        fields: &[(&str, &str)],
        config: ClientConfig,
    ) -> Self {
        soon("an upgrade", Self::try_over(stream, host, fields, config))
            .await
            .unwrap()
    }

    /// The same with a bridge that may be about to end.
    pub(crate) async fn try_over(
        stream: S,
        host: &str,
        fields: &[(&str, &str)],
        config: ClientConfig,
    ) -> Result<Self, WsError> {
        let mut request = Request::builder()
            .uri(format!("ws://{host}/v1/session"))
            .header("host", host)
            .header("connection", "upgrade");
        request = request
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", generate_key());
        request = request.header("sec-websocket-protocol", SUBPROTOCOL);
        request = fields.iter().fold(request, |request, (name, value)| {
            request.header(*name, *value)
        });
        let (socket, _) = client_async(request.body(()).unwrap(), stream).await?;
        Ok(Self {
            socket,
            client: Client::new(config, Instant::ZERO),
        })
    }

    /// Joins the swarm of [`HASH`] through this tracker.
    pub(crate) fn join(&mut self, tracker: &Tracker) -> u32 {
        self.join_as(&JoinRequest {
            trackers: vec![vec![tracker.url.clone()]],
            ..request(TAB_ID)
        })
    }

    pub(crate) fn join_as(&mut self, request: &JoinRequest) -> u32 {
        self.client.join(request)
    }

    /// Sends what the client has packed.
    pub(crate) async fn flush(&mut self) {
        while let Some(message) = self.client.poll_message() {
            if self.socket.send(Message::Binary(message)).await.is_err() {
                return;
            }
        }
    }

    /// The next event, or how the WebSocket was closed.
    pub(crate) async fn next(&mut self) -> Result<Event, Closed> {
        loop {
            if let Some(event) = self.client.poll_event() {
                return Ok(event);
            }
            self.flush().await;
            match soon("a message from the bridge", self.socket.next()).await {
                Some(Ok(Message::Binary(message))) => {
                    self.client.handle_message(Instant::ZERO, message).unwrap()
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// Waits for the event that `pick` wants; others are passed over.
    pub(crate) async fn until<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(Event) -> Option<T>,
    ) -> T {
        let wait = async {
            loop {
                let event = self
                    .next()
                    .await
                    .unwrap_or_else(|code| panic!("closed with {code} while waiting for {what}"));
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
        };
        soon(what, wait).await
    }

    /// Waits for a stream.
    pub(crate) async fn stream(&mut self) -> u32 {
        self.until("a stream", |event| {
            if let Event::StreamOpened { stream, .. } = event {
                Some(stream)
            } else {
                None
            }
        })
        .await
    }

    /// Reads exactly so many bytes of a stream, giving the credit back at once.
    pub(crate) async fn read(&mut self, stream: u32, length: usize) -> Vec<u8> {
        let mut read = Vec::new();
        while read.len() < length {
            let bytes = self.data(stream).await;
            self.client.consumed(stream, bytes.len());
            read.extend_from_slice(&bytes);
        }
        assert_eq!(read.len(), length, "more came than was expected");
        read
    }

    /// The next bytes of a stream; their credit is kept.
    pub(crate) async fn data(&mut self, stream: u32) -> Bytes {
        self.until("data", |event| match event {
            Event::Data {
                stream: from,
                bytes,
            } if from == stream => Some(bytes),
            _ => None,
        })
        .await
    }

    /// Waits until the bridge closes the WebSocket.
    pub(crate) async fn closed(&mut self) -> (Vec<Event>, Closed) {
        let mut events = Vec::new();
        loop {
            match self.next().await {
                Ok(event) => events.push(event),
                Err(code) => return (events, code),
            }
        }
    }
}

/// Bytes that differ at every offset and for every seed.
pub(crate) fn noise(length: usize, seed: u8) -> Vec<u8> {
    (0..length as u64)
        .map(|at| (at.wrapping_mul(0x9e37_79b9) >> 7) as u8 ^ seed)
        .collect()
}
