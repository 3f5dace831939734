//! A tab and a peer that exchange bytes through a relay. What the bytes say does not matter to it.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use aqueduct_core::connection::Encryption;
use aqueduct_core::tunnel::{Amounts, Client, ClientConfig, Event, JoinRequest};
use aqueduct_core::types::{InfoHashV1, Instant, PeerId};
use aqueduct_native::dial;
use aqueduct_native::transport::PeerStream;
use aqueduct_tests::peer::handshake;
use aqueduct_tests::tracker::Tracker;
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::sessions;

const HASH: InfoHashV1 = InfoHashV1([7; 20]);
const PEER_ID: PeerId = PeerId(*b"-XX0001-a real peer.");
const TAB_ID: PeerId = PeerId(*b"-XX0001-a real tab..");
/// A block, and the bytes that a peer writes at once.
const BLOCK: usize = 16 * 1024;
const WRITE: usize = 256 * 1024;

/// Where the bytes go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Down,
    Up,
}

/// A peer's side of a connection: sends or receives this many bytes.
pub(super) fn exchange(socket: TcpStream, direction: Direction, bytes: usize) -> io::Result<()> {
    let mut socket = socket.into_std()?;
    socket.set_nonblocking(false)?;
    let mut buffer = vec![7; WRITE];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(WRITE);
        left -= match direction {
            Direction::Down => socket.write_all(&buffer[..part]).map(|()| part)?,
            Direction::Up => match socket.read(&mut buffer[..part])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            },
        };
    }
    Ok(())
}

/// Accepts a connection of the bridge and answers its handshake.
pub(super) async fn accept(peer: &TcpListener, encryption: Encryption) -> Result<TcpStream> {
    loop {
        let stream = PeerStream::from(peer.accept().await?.0);
        // The bridge dials in the clear first; a peer that requires encryption hangs up.
        let accepted = dial::accept(stream, encryption, async { Ok(()) }, |_| {
            Some(handshake(PEER_ID, HASH))
        });
        if let Ok(peer) = accepted.await
            && let PeerStream::Tcp(socket) = peer.stream
        {
            return Ok(socket);
        }
    }
}

/// A tab's WebSocket.
pub(super) struct Tab {
    socket: WebSocketStream<TcpStream>,
    /// The tunnel, with a bridge, and the number of the peer's stream.
    tunnel: Option<(Client, u32)>,
}

impl Tab {
    /// Connects to the rival.
    pub(super) async fn plain(relay: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(relay).await?;
        let (socket, _) = client_async(format!("ws://{relay}/"), stream).await?;
        Ok(Self {
            socket,
            tunnel: None,
        })
    }

    /// Connects to a bridge and joins a swarm with this peer in it. Ready once the peer's stream is
    /// open.
    pub(super) async fn join(bridge: SocketAddr, peer: SocketAddr) -> Result<Self> {
        let tracker = Tracker::naming(&[peer]);
        let mut socket = sessions::connect(bridge, 0).await?;
        let mut client = Client::new(ClientConfig::default(), Instant::ZERO);
        client.join(&JoinRequest {
            info_hash: HASH,
            other_hash: None,
            peer_id: TAB_ID,
            private: false,
            amounts: Amounts::default(),
            want: 1,
            trackers: vec![vec![tracker.http()]],
        });
        let stream = loop {
            match client.poll_event() {
                Some(Event::StreamOpened { stream, .. }) => break stream,
                Some(Event::Refused(refusal)) => bail!("the bridge refuses the tab: {refusal}"),
                Some(_) => {}
                None => turn(&mut socket, &mut client).await?,
            }
        };
        Ok(Self {
            socket,
            tunnel: Some((client, stream)),
        })
    }

    pub(super) async fn exchange(&mut self, direction: Direction, bytes: usize) -> Result<()> {
        match (&mut self.tunnel, direction) {
            (None, Direction::Down) => receive(&mut self.socket, bytes).await,
            (None, Direction::Up) => send(&mut self.socket, bytes).await,
            (Some((client, _)), Direction::Down) => {
                receive_data(&mut self.socket, client, bytes).await
            }
            (Some((client, stream)), Direction::Up) => {
                send_data(&mut self.socket, client, *stream, bytes).await
            }
        }
    }
}

/// The next message's payload.
async fn next(socket: &mut WebSocketStream<TcpStream>) -> Result<Bytes> {
    loop {
        match socket.next().await.context("the relay hung up")?? {
            Message::Binary(bytes) => return Ok(bytes),
            Message::Close(frame) => bail!("the relay closed the WebSocket: {frame:?}"),
            _ => {}
        }
    }
}

async fn receive(socket: &mut WebSocketStream<TcpStream>, mut left: usize) -> Result<()> {
    while left > 0 {
        left = left.saturating_sub(next(socket).await?.len());
    }
    Ok(())
}

async fn send(socket: &mut WebSocketStream<TcpStream>, bytes: usize) -> Result<()> {
    let message = Bytes::from(vec![7; WRITE]);
    for _ in 0..bytes / WRITE {
        socket.send(Message::Binary(message.clone())).await?;
    }
    Ok(())
}

/// Sends what the tunnel has to send, and takes in one message.
async fn turn(socket: &mut WebSocketStream<TcpStream>, client: &mut Client) -> Result<()> {
    flush(socket, client).await?;
    let message = next(socket).await?;
    Ok(client.handle_message(Instant::ZERO, message)?)
}

async fn flush(socket: &mut WebSocketStream<TcpStream>, client: &mut Client) -> Result<()> {
    while let Some(message) = client.poll_message() {
        socket.send(Message::Binary(message)).await?;
    }
    Ok(())
}

async fn receive_data(
    socket: &mut WebSocketStream<TcpStream>,
    client: &mut Client,
    mut left: usize,
) -> Result<()> {
    while left > 0 {
        match client.poll_event() {
            Some(Event::Data { stream, bytes }) => {
                client.consumed(stream, bytes.len());
                left = left.saturating_sub(bytes.len());
            }
            Some(_) => {}
            None => turn(socket, client).await?,
        }
    }
    Ok(())
}

async fn send_data(
    socket: &mut WebSocketStream<TcpStream>,
    client: &mut Client,
    stream: u32,
    bytes: usize,
) -> Result<()> {
    let block = Bytes::from(vec![7; BLOCK]);
    let (mut unqueued, mut unsent) = (bytes, bytes);
    loop {
        // Fails once enough is queued.
        while unqueued > 0 && client.send(stream, block.clone()).is_ok() {
            unqueued -= BLOCK;
        }
        flush(socket, client).await?;
        while let Some(event) = client.poll_event() {
            if let Event::Sent { bytes, .. } = event {
                unsent = unsent.saturating_sub(usize::try_from(bytes)?);
            }
        }
        if unsent == 0 {
            return Ok(());
        }
        turn(socket, client).await?;
    }
}
