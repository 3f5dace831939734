//! A TCP port at which peers connect, which is opened again when its interface changes.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use super::bind::Bind;
use super::source::{RECHECK, Source};

/// The length of the system's backlog.
const BACKLOG: i32 = 128;

/// A listening socket of one address family. While its interface is missing, nobody can connect.
#[derive(Debug)]
pub struct Listener {
    bind: Bind,
    is_v4: bool,
    open: RwLock<(Arc<TcpListener>, Source)>,
}

impl Listener {
    /// Listens on `port`, or on any if it is 0.
    ///
    /// # Errors
    /// The family is not used, or the port is taken.
    pub fn bind(bind: Bind, is_v4: bool, port: u16) -> io::Result<Self> {
        let source = bind.source_or_stand_in(is_v4)?;
        let listener = Arc::new(listen(source, port)?);
        Ok(Self {
            bind,
            is_v4,
            open: RwLock::new((listener, source)),
        })
    }

    /// The port.
    ///
    /// # Errors
    /// The system's.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.current().0.local_addr()?.port())
    }

    /// The next connection. Cancel-safe.
    ///
    /// # Errors
    /// The system's.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let (listener, _) = self.current();
            if !self.bind.is_specific() {
                return listener.accept().await;
            }
            tokio::select! {
                accepted = listener.accept() => return accepted,
                () = sleep(RECHECK) => {}
            }
            if let Err(error) = self.follow() {
                tracing::debug!(%error, "a port could not be opened again");
            }
        }
    }

    fn current(&self) -> (Arc<TcpListener>, Source) {
        self.open
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Listens again if the interface or address is another one by now.
    fn follow(&self) -> io::Result<()> {
        let (old, bound) = self.current();
        let source = self.bind.source(self.is_v4).ok();
        let Some(source) = source.filter(|source| *source != bound) else {
            return Ok(());
        };
        let listener = listen(source, old.local_addr()?.port())?;
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(listener), source);
        Ok(())
    }
}

fn listen(source: Source, port: u16) -> io::Result<TcpListener> {
    let addr = source.at(port);
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A port that we used recently can be used again immediately.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    source.bind(&socket, port)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
