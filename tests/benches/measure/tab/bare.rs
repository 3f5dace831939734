//! What limits a tab: bare workers that receive pieces of 1 MiB from a WebSocket, digest them and
//! write them to the origin private file system, and do nothing else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use anyhow::{Context, Result};
use aqueduct_tests::http::{Reply, Request, Server, response};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio_tungstenite::tungstenite;

use crate::relay::frame_head;

/// The length of a message in bytes: what the bridge packs while a backlog exists.
const MESSAGE: usize = 256 * 1024;
/// Messages per acknowledged piece of 1 MiB.
const MESSAGES_PER_PIECE: usize = (1 << 20) / MESSAGE;
/// A message of one byte from a browser: head, mask, byte.
const ACKNOWLEDGEMENT: usize = 7;

/// How many workers there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Workers {
    /// One receives, digests and writes.
    One,
    /// One receives; it hands each piece to another one, which digests and writes.
    Pair,
}

impl Workers {
    const fn count(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Pair => 2,
        }
    }

    /// Pieces that are sent before one is acknowledged; more made neither faster.
    const fn window(self) -> usize {
        match self {
            Self::One => 8,
            Self::Pair => 16,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::One => "bare worker",
            Self::Pair => "bare pair",
        }
    }
}

/// Serves the page with the workers, and what they receive.
pub(super) struct Bare {
    page: Server,
    query: String,
}

impl Bare {
    /// Serves `size` pieces to the first WebSocket.
    pub(super) fn start(workers: Workers, size: NonZeroU32) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        thread::spawn(move || serve(&listener, size.get(), workers.window()));
        Ok(Self {
            page: Server::start(reply),
            query: format!("workers={}&pieces={size}&port={port}", workers.count()),
        })
    }

    pub(super) fn url(&self) -> String {
        let address: SocketAddr = self.page.addr;
        format!("http://{address}/?{}", self.query)
    }
}

fn reply(request: &Request) -> Reply {
    let path = request.target().split('?').next().unwrap_or_default();
    let (kind, body) = match path {
        "/" => ("text/html", include_str!("bare/page.html")),
        "/worker.js" => ("text/javascript", include_str!("bare/worker.js")),
        "/storage.js" => ("text/javascript", include_str!("bare/storage.js")),
        "/store.js" => ("text/javascript", include_str!("bare/store.js")),
        _ => return response("404 Not Found", "", b""),
    };
    response(
        "200 OK",
        &format!("Content-Type: {kind}\r\n"),
        body.as_bytes(),
    )
}

/// Ends with the connection: the browser closes it when the measurement is over.
fn serve(listener: &TcpListener, pieces: u32, window: usize) -> Result<()> {
    let (mut socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    tungstenite::accept(socket.try_clone()?).context("no WebSocket")?;
    // Holds an entry per piece that is not acknowledged.
    let (sent, unacknowledged) = mpsc::sync_channel(window);
    let acknowledgements = socket.try_clone()?;
    thread::spawn(move || acknowledge(acknowledgements, &unacknowledged));
    let message = message();
    for _ in 0..pieces {
        send_piece(&mut socket, &message, &sent)?;
    }
    Ok(())
}

fn send_piece(socket: &mut TcpStream, message: &[u8], sent: &SyncSender<()>) -> Result<()> {
    sent.send(())?;
    for _ in 0..MESSAGES_PER_PIECE {
        socket.write_all(message)?;
    }
    Ok(())
}

fn acknowledge(mut socket: TcpStream, unacknowledged: &Receiver<()>) -> Result<()> {
    let mut frame = [0; ACKNOWLEDGEMENT];
    loop {
        socket.read_exact(&mut frame)?;
        unacknowledged.recv()?;
    }
}

/// A whole frame.
fn message() -> Vec<u8> {
    let mut message = frame_head(MESSAGE);
    let start = message.len();
    message.resize(start + MESSAGE, 0);
    ChaCha8Rng::seed_from_u64(0).fill_bytes(&mut message[start..]);
    message
}
