//! A tab: a WebSocket, and the client side of the tunnel.

use std::net::SocketAddr;

use aqueduct_core::connection::Line;
use aqueduct_core::tunnel::{
    Client, ClientConfig, Event, JoinRequest, PeerCounts, SUBPROTOCOL, TrackerAnswer, TrackerReport,
};
use aqueduct_core::types::{Instant, PeerId};
use aqueduct_testkit::soon;
use aqueduct_testkit::tracker::Tracker;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::{AMOUNTS, Bridge, HASH, TAB_ID};

/// The request with which a tab with this peer id joins the swarm of [`HASH`] without a tracker.
pub(crate) fn request(peer_id: PeerId) -> JoinRequest {
    JoinRequest {
        info_hash: HASH,
        other_hash: None,
        peer_id,
        private: false,
        amounts: AMOUNTS,
        want: 40,
        trackers: Vec::new(),
    }
}

/// A tab: a WebSocket and the client side of the tunnel.
pub(crate) struct Tab<S = TcpStream> {
    pub(crate) socket: WebSocketStream<S>,
    pub(crate) client: Client,
}

/// The close code of a WebSocket; 1006 if it ended without a close frame.
pub(crate) type Closed = u16;

impl Tab {
    pub(crate) async fn open(bridge: &Bridge) -> Self {
        let origin = format!("http://{}", bridge.addr);
        Self::open_as(bridge, &[("origin", &origin)], ClientConfig::default()).await
    }

    /// Opens a session as the bridge's own page at this address would.
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

    /// Opens a tab that joins the swarm of [`HASH`] with a tracker that returns these peers. Also
    /// returns the tracker and the number of the join.
    pub(crate) async fn member(bridge: &Bridge, peers: &[SocketAddr]) -> (Self, Tracker, u32) {
        let tracker = Tracker::naming(peers);
        let mut tab = Self::open(bridge).await;
        let join = tab.join(&tracker);
        tab.flush().await;
        (tab, tracker, join)
    }

    /// Opens a tab and waits until it has joined a swarm in which a tracker knows no peers.
    pub(crate) async fn alone(bridge: &Bridge, request: &JoinRequest) -> Self {
        let mut tracker = Tracker::naming(&[]);
        let mut tab = Self::open(bridge).await;
        tab.join_as(&JoinRequest {
            trackers: vec![vec![tracker.http()]],
            ..request.clone()
        });
        tab.flush().await;
        tracker.next().await;
        tab
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
    /// Opens a session over a connection, with this `Host` header.
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

    /// As [`Tab::over`], for a bridge that may be stopping.
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

    /// Joins the swarm of [`HASH`] with this tracker.
    pub(crate) fn join(&mut self, tracker: &Tracker) -> u32 {
        self.join_as(&JoinRequest {
            trackers: vec![vec![tracker.http()]],
            ..request(TAB_ID)
        })
    }

    pub(crate) fn join_as(&mut self, request: &JoinRequest) -> u32 {
        self.client.join(request)
    }

    /// Sends the client's pending messages.
    pub(crate) async fn flush(&mut self) {
        while let Some(message) = self.client.poll_message() {
            if self.socket.send(Message::Binary(message)).await.is_err() {
                return;
            }
        }
    }

    /// The next event, or the close code of the WebSocket.
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

    /// Waits for an event that `pick` accepts and skips others.
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

    /// Waits for a new stream.
    pub(crate) async fn stream(&mut self) -> u32 {
        self.stream_and_line().await.0
    }

    /// Waits for a new stream, and returns how its bytes travel between bridge and peer.
    pub(crate) async fn stream_and_line(&mut self) -> (u32, Line) {
        self.until("a stream", |event| {
            if let Event::StreamOpened {
                stream, handshake, ..
            } = event
            {
                Some((stream, handshake.line))
            } else {
                None
            }
        })
        .await
    }

    /// Waits for a report on one of its trackers that answered or failed.
    pub(crate) async fn tracker_report(&mut self) -> TrackerReport {
        self.until("what a tracker answered", |event| match event {
            Event::Tracker { report, .. } if report.answer != TrackerAnswer::None => Some(report),
            _ => None,
        })
        .await
    }

    /// Reads exactly this many bytes of a stream and returns the credit immediately.
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

    /// The next data of a stream. Their credit is not returned.
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

    /// Waits until the bridge closes the WebSocket. Returns the events until then and the close
    /// code.
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

/// Waits until the counts of a join fulfil `holds`.
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
