//! A TCP port at which peers connect, which is opened again when its interface changes.

use std::future::pending;
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
    port: u16,
    open: RwLock<(Arc<Port>, Source)>,
}

#[derive(Debug)]
enum Port {
    Listening(TcpListener),
    /// The interface is missing; the socket only holds the port.
    Held {
        _socket: Socket,
    },
}

impl Listener {
    /// Listens on `port`, or on any if it is 0.
    ///
    /// # Errors
    /// The family is not used, or the port is taken.
    pub fn bind(bind: Bind, is_v4: bool, port: u16) -> io::Result<Self> {
        let source = bind.source_or_stand_in(is_v4)?;
        let socket = open(source, port)?;
        let addr = socket.local_addr()?.as_socket();
        let port = addr.map_or(port, |addr| addr.port());
        let open = if bind.is_stand_in(source) {
            Port::Held { _socket: socket }
        } else {
            listen(socket)?
        };
        Ok(Self {
            bind,
            is_v4,
            port,
            open: RwLock::new((Arc::new(open), source)),
        })
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The next connection. Cancel-safe.
    ///
    /// # Errors
    /// The system's.
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let (port, _) = self.current();
            tokio::select! {
                accepted = port.accept() => return accepted,
                () = recheck(self.bind) => {}
            }
            if let Err(error) = self.follow() {
                tracing::debug!(%error, "a port could not be opened again");
            }
        }
    }

    fn current(&self) -> (Arc<Port>, Source) {
        self.open
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Listens again if the interface or address is another one by now.
    fn follow(&self) -> io::Result<()> {
        let (_, bound) = self.current();
        let source = self.bind.source(self.is_v4).ok();
        let Some(source) = source.filter(|source| *source != bound) else {
            return Ok(());
        };
        let port = listen(open(source, self.port)?)?;
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(port), source);
        Ok(())
    }
}

impl Port {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match self {
            Self::Listening(listener) => listener.accept().await,
            Self::Held { .. } => pending().await,
        }
    }
}

/// Waits until it must be checked whether the interface has changed.
async fn recheck(bind: Bind) {
    if bind.is_specific() {
        sleep(RECHECK).await;
    } else {
        pending().await
    }
}

fn open(source: Source, port: u16) -> io::Result<Socket> {
    let addr = source.at(port);
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A port that we used recently can be used again immediately.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    source.bind(&socket, port)?;
    Ok(socket)
}

fn listen(socket: Socket) -> io::Result<Port> {
    socket.listen(BACKLOG)?;
    Ok(Port::Listening(TcpListener::from_std(socket.into())?))
}
