//! Accepts connections to the page's port, and answers announces immediately if possible.
//!
//! Most connections to a busy tracker bring one announce and end. If its bytes have arrived when the
//! connection is accepted, it is answered at once, without a task, and without registering the
//! socket with the runtime.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{AcquireError, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::limits::descriptors::SocketPermit;
use crate::tracker;
use crate::web::connection;
use crate::web::connection_guard::ConnectionGuard;
use crate::web::context::WebContext;

/// The first and the maximum pause after a failed accept.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The state of an accepting task.
#[derive(Clone)]
struct Acceptor {
    listener: Arc<AsyncFd<TcpListener>>,
    context: Arc<WebContext>,
    open: mpsc::Sender<Infallible>,
}

/// Accepts connections until the returned tasks, one per processor, are dropped. `open`: a sender
/// for each connection.
pub(crate) fn accept(
    listener: tokio::net::TcpListener,
    context: Arc<WebContext>,
    open: mpsc::Sender<Infallible>,
) -> io::Result<JoinSet<()>> {
    let listener = Arc::new(watch(listener.into_std()?)?);
    let acceptor = Acceptor {
        listener,
        context,
        open,
    };
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    Ok((0..count).map(|_| acceptor.clone().run()).collect())
}

#[expect(
    deprecated,
    reason = "its successor is unsafe, for types that change their descriptor; the standard library's listener never does"
)]
fn watch(listener: TcpListener) -> io::Result<AsyncFd<TcpListener>> {
    AsyncFd::with_interest(listener, Interest::READABLE)
}

impl Acceptor {
    /// Accepts connections while there are sockets to spare, and pauses if the system has none.
    async fn run(self) {
        let mut pause = PAUSES.0;
        loop {
            let permit = self.context.swarms().sockets.acquire().await;
            match self
                .listener
                .async_io(Interest::READABLE, TcpListener::accept)
                .await
            {
                Ok((socket, remote)) => {
                    pause = PAUSES.0;
                    if let Err(error) = self.handle_connection(socket, remote, permit) {
                        tracing::debug!(%error, "a connection broke");
                    }
                }
                Err(error) => {
                    let metrics = &self.context.swarms().metrics.connections;
                    metrics.failed_accepts_total.add(1);
                    tracing::warn!(%error, "no connection can be accepted; trying again");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
            }
        }
    }

    /// Answers immediately, or spawns a task for the connection, unless its address has reached its
    /// limit.
    fn handle_connection(
        &self,
        socket: TcpStream,
        remote: SocketAddr,
        permit: Result<SocketPermit, AcquireError>,
    ) -> io::Result<()> {
        let tracker = self.context.tracker_for_direct(remote);
        let tracker = tracker.filter(|_| self.context.tls.is_none());
        let Some(read) = tracker.map_or(Some(Vec::new()), |tracker| {
            tracker::http::answer_at_once(&socket, remote.ip(), tracker)
        }) else {
            return Ok(());
        };
        let Some(share) = self.context.admit_connection(remote.ip()) else {
            let metrics = &self.context.swarms().metrics.connections;
            metrics.refused_total.add(1);
            return Ok(());
        };
        socket.set_nonblocking(true)?;
        let socket = tokio::net::TcpStream::from_std(socket)?;
        let guard = ConnectionGuard::new(self.open.clone(), permit, share);
        tokio::spawn(connection::serve(
            socket,
            read,
            remote,
            Arc::clone(&self.context),
            Arc::new(guard),
        ));
        Ok(())
    }
}
