//! The page's port: who comes in, and whether an announce answers it at once.
//!
//! Most connections to a busy tracker bring one announce and end. Where its bytes are there already
//! when the connection is accepted, it is answered on the spot: no task is spawned, and the runtime
//! never hears of the socket.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::bridge::Bridge;
use crate::tracker;
use crate::web::server::{Alive, Permit, connection, direct};

/// First and longest pause after a failed accept.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What every task that accepts works with.
#[derive(Clone)]
struct Door {
    listener: Arc<AsyncFd<TcpListener>>,
    bridge: Arc<Bridge>,
    alive: mpsc::Sender<Infallible>,
}

/// Accepts for as long as what this returns is kept, with a task for each processor.
pub(crate) fn accept(
    listener: tokio::net::TcpListener,
    bridge: Arc<Bridge>,
    alive: mpsc::Sender<Infallible>,
) -> io::Result<JoinSet<()>> {
    let listener = Arc::new(watch(listener.into_std()?)?);
    let door = Door {
        listener,
        bridge,
        alive,
    };
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    Ok((0..count).map(|_| door.clone().accept()).collect())
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, for types that change their descriptor; the standard library's listener never does"
)]
fn watch(listener: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    AsyncFd::with_interest(listener, Interest::READABLE)
}

impl Door {
    /// Accepts as long as there are sockets to spare, and pauses when the system has none.
    async fn accept(self) {
        let mut pause = PAUSES.0;
        loop {
            let permit = Arc::clone(&self.bridge.sockets).acquire_owned().await;
            match self
                .listener
                .async_io(Interest::READABLE, TcpListener::accept)
                .await
            {
                Ok((socket, remote)) => {
                    pause = PAUSES.0;
                    if let Err(error) = self.welcome(socket, remote, permit) {
                        tracing::debug!(%error, "a connection broke");
                    }
                }
                Err(error) => {
                    self.bridge.metrics.failed_accepts_total.add(1);
                    tracing::warn!(%error, "no connection can be accepted; trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// Answers at once, or spawns a task for the connection, unless its address has as many as it
    /// may have.
    fn welcome(&self, socket: TcpStream, remote: SocketAddr, permit: Permit) -> io::Result<()> {
        let tracking = direct(remote, &self.bridge).filter(|_| self.bridge.tls.is_none());
        let Some(read) = tracking.map_or(Some(Vec::new()), |tracking| {
            tracker::http::answer_at_once(&socket, remote.ip(), tracking)
        }) else {
            return Ok(());
        };
        let Some(share) = self.bridge.let_in(remote.ip()) else {
            self.bridge.metrics.refused_connections_total.add(1);
            return Ok(());
        };
        socket.set_nonblocking(true)?;
        let socket = tokio::net::TcpStream::from_std(socket)?;
        let alive = Alive::new(self.alive.clone(), permit, share);
        tokio::spawn(connection(
            socket,
            read,
            remote,
            Arc::clone(&self.bridge),
            Arc::new(alive),
        ));
        Ok(())
    }
}
