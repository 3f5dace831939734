//! Datagrams to servers that may not exist. Only a socket that is connected to one server gets the
//! system's error that no program listens there (ICMP). So each server gets a socket of its own
//! while its first answer is awaited; beyond [`MAX_CONNECTED`] they share one per family, and
//! silence is noticed by a timeout alone.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::bind::Bind;
use super::udp::{self, MAX_DATAGRAM, Sockets};

/// Servers with a socket of their own at a time, each of which takes a descriptor.
pub const MAX_CONNECTED: usize = 32;

/// How long after the last datagram to it a server keeps its socket: BEP 15's first wait for an
/// answer.
const LIFE: Duration = Duration::from_secs(15);

/// What came of a datagram.
#[derive(Debug)]
pub enum Reply {
    /// A datagram arrived, from this address.
    Datagram(SocketAddr, Bytes),
    /// What was sent to this address did not arrive.
    Failed(SocketAddr, io::Error),
}

/// Replies that wait to be taken; beyond it the system's buffers fill.
const MAX_REPLIES: usize = 64;

/// A shared socket for each family, and some of their own.
#[derive(Debug)]
pub struct Requests {
    bind: Bind,
    shared: Sockets,
    connected: BTreeMap<SocketAddr, Connected>,
    replies: mpsc::Receiver<Reply>,
    sender: mpsc::Sender<Reply>,
}

/// A socket of one server, and the task that listens to it. The task ends when this is dropped.
#[derive(Debug)]
struct Connected {
    socket: Arc<UdpSocket>,
    used: Instant,
    task: AbortHandle,
}

impl Requests {
    /// Binds what `bind` names, on ports of the system's choice. Within a tokio runtime.
    ///
    /// # Errors
    /// As for [`Sockets::bind`].
    pub fn bind(bind: Bind) -> io::Result<Self> {
        let (sender, replies) = mpsc::channel(MAX_REPLIES);
        Ok(Self {
            bind,
            shared: Sockets::bind(bind)?,
            connected: BTreeMap::new(),
            replies,
            sender,
        })
    }

    /// Sends without waiting. What does not fit into the system's buffer is lost, as datagrams are.
    ///
    /// # Errors
    /// The address cannot be reached from here.
    pub fn send(&mut self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let now = Instant::now();
        self.connected
            .retain(|_, connected| now < connected.used + LIFE);
        if !self.connected.contains_key(&to) && self.connected.len() < MAX_CONNECTED {
            self.connect(to, now)?;
        }
        let Some(connected) = self.connected.get_mut(&to) else {
            return self.shared.send(to, bytes);
        };
        connected.used = now;
        // Not through tokio, whose sockets accept nothing before their first turn in the event
        // loop.
        match SockRef::from(&*connected.socket).send(bytes) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                self.connected.remove(&to);
                Err(error)
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Gives a server a socket of its own. Without a free descriptor the shared one is used.
    fn connect(&mut self, to: SocketAddr, now: Instant) -> io::Result<()> {
        let source = self.bind.for_remote(to)?;
        if let Ok(socket) = udp::open(source, 0) {
            SockRef::from(&socket).connect(&to.into())?;
            let socket = Arc::new(socket);
            let task =
                tokio::spawn(listen(Arc::clone(&socket), to, self.sender.clone())).abort_handle();
            self.connected.insert(
                to,
                Connected {
                    socket,
                    used: now,
                    task,
                },
            );
        }
        Ok(())
    }

    /// The next reply of any server. Nothing is lost if the future is dropped.
    pub async fn receive(&mut self) -> Reply {
        let Self {
            shared, replies, ..
        } = self;
        let reply = tokio::select! {
            (from, bytes) = shared.receive() => Reply::Datagram(from, bytes),
            Some(reply) = replies.recv() => reply,
        };
        if let Reply::Failed(to, _) = &reply {
            self.connected.remove(to);
        }
        reply
    }
}

/// Passes on what a server sends, until the socket fails.
async fn listen(socket: Arc<UdpSocket>, from: SocketAddr, replies: mpsc::Sender<Reply>) {
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let reply = match receive(&socket, &mut buffer).await {
            Ok(length) => Reply::Datagram(from, Bytes::copy_from_slice(&buffer[..length])),
            Err(error) => Reply::Failed(from, error),
        };
        let over = matches!(reply, Reply::Failed(..));
        if replies.send(reply).await.is_err() || over {
            return;
        }
    }
}

/// A socket's error does not make it readable, so errors are waited for as well.
async fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        if socket
            .ready(Interest::READABLE | Interest::ERROR)
            .await?
            .is_error()
            && let Some(error) = socket.take_error()?
        {
            return Err(error);
        }
        match socket.try_recv(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.task.abort();
    }
}
