//! The socket of one address family, which is opened again when its interface changes.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::{fragmenting, segments};
use crate::net::bind::Bind;
use crate::net::source::{RECHECK, Source};

/// Longest datagram that is read: 200 IPv6 peers of a tracker are 3,620 bytes.
pub(in crate::net) const MAX_DATAGRAM: usize = 16 << 10;

/// The size of the system's buffers for payload, in bytes: what arrives while this program does
/// something else. Systems may permit less.
const SYSTEM_BUFFER: usize = 1 << 20;

/// A socket, and what it is bound to.
#[derive(Debug)]
pub(super) struct Half {
    shared: Arc<Shared>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Shared {
    bind: Bind,
    is_v4: bool,
    open: RwLock<(Arc<UdpSocket>, Source)>,
    /// Notified when the socket was replaced.
    replaced: Notify,
    carries_payload: AtomicBool,
}

impl Half {
    pub(super) fn bind(bind: Bind, is_v4: bool, port: u16) -> io::Result<Self> {
        let source = bind.source_or_stand_in(is_v4)?;
        let socket = Arc::new(open(source, port)?);
        let shared = Arc::new(Shared {
            bind,
            is_v4,
            open: RwLock::new((socket, source)),
            replaced: Notify::new(),
            carries_payload: AtomicBool::new(false),
        });
        if bind.is_specific() {
            tokio::spawn(follow(Arc::downgrade(&shared)));
        }
        Ok(Self {
            shared,
            buffer: vec![0; MAX_DATAGRAM],
        })
    }

    pub(super) fn socket(&self) -> Arc<UdpSocket> {
        self.shared.current().0
    }

    /// The socket for sending.
    ///
    /// # Errors
    /// It only holds its port.
    pub(super) fn sender(&self) -> io::Result<Arc<UdpSocket>> {
        let used = self.used();
        used.ok_or_else(|| io::ErrorKind::NetworkUnreachable.into())
    }

    /// The socket, unless it only holds its port: nothing is sent by it, and what it receives is not
    /// read.
    pub(super) fn used(&self) -> Option<Arc<UdpSocket>> {
        let (socket, source) = self.shared.current();
        (!self.shared.bind.is_stand_in(source)).then_some(socket)
    }

    pub(super) fn carry_payload(&self) -> io::Result<()> {
        self.shared.carries_payload.store(true, Ordering::Relaxed);
        self.shared.prepare(&self.socket())
    }

    /// Waits until a datagram may be available. Cancel-safe.
    pub(super) async fn readable(&self) {
        let Some(socket) = self.used() else {
            return self.shared.replaced.notified().await;
        };
        tokio::select! {
            // An error occurs again in the read that follows.
            _ = socket.readable() => {}
            () = self.shared.replaced.notified() => {}
        }
    }

    /// The next datagram. Nothing is lost if the future is dropped.
    pub(super) async fn receive(&mut self) -> (SocketAddr, Bytes) {
        loop {
            let Some(socket) = self.used() else {
                self.shared.replaced.notified().await;
                continue;
            };
            let received = tokio::select! {
                received = socket.recv_from(&mut self.buffer) => received,
                () = self.shared.replaced.notified() => continue,
            };
            match received {
                Ok((length, from)) => {
                    return (from, Bytes::copy_from_slice(&self.buffer[..length]));
                }
                // An unconnected socket reports passing errors only; with the pause a lasting one
                // does not keep a core busy.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

impl Shared {
    fn current(&self) -> (Arc<UdpSocket>, Source) {
        self.open
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// As [`super::Sockets::carry_payload`] says.
    fn prepare(&self, socket: &UdpSocket) -> io::Result<()> {
        segments::join_received(socket);
        segments::report_destinations(socket, self.is_v4)?;
        let system = SockRef::from(socket);
        // The system's own sizes work, too.
        let _ = system.set_recv_buffer_size(SYSTEM_BUFFER);
        let _ = system.set_send_buffer_size(SYSTEM_BUFFER);
        fragmenting::allow(socket, self.is_v4)
    }

    /// Opens the socket again if its interface or address is another one by now. If it is gone, the
    /// old socket stays: nothing can be sent through it.
    fn follow(&self) -> io::Result<()> {
        let (old, bound) = self.current();
        let Some(source) = self
            .bind
            .source(self.is_v4)
            .ok()
            .filter(|source| *source != bound)
        else {
            return Ok(());
        };
        let socket = open(source, old.local_addr()?.port())?;
        if self.carries_payload.load(Ordering::Relaxed) {
            self.prepare(&socket)?;
        }
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(socket), source);
        self.replaced.notify_one();
        Ok(())
    }
}

async fn follow(shared: Weak<Shared>) {
    loop {
        sleep(RECHECK).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if let Err(error) = shared.follow() {
            tracing::debug!(%error, "a socket for datagrams could not be opened again");
        }
    }
}

/// A socket for the family of `source` alone.
pub(in crate::net) fn open(source: Source, port: u16) -> io::Result<UdpSocket> {
    let addr = source.at(port);
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    source.bind(&socket, port)?;
    UdpSocket::from_std(socket.into())
}
