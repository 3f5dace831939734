//! Listening for peers.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::half_open::HalfOpenPeers;
use crate::net::utp::Endpoint;
use crate::net::{self, Bind};
use crate::transport::PeerStream;

/// The ports that are tried if the user gives none, from the traditional one of BitTorrent clients on
/// (BEP 3).
pub(super) const PREFERRED: Range<u16> = 6881..6981;
/// The pause after a failed accept (usually because of too many open files).
const PAUSE: Duration = Duration::from_secs(1);

/// Listens on one port for all families in use; 0: the system chooses it.
///
/// # Errors
/// The port is in use.
pub(super) fn bind(bind: Bind, port: u16) -> io::Result<(Vec<net::Listener>, u16)> {
    let (v4, v6) = (bind.v4.is_some(), bind.v6.is_some());
    let is_v4 = v4 || !v6;
    let first = net::Listener::bind(bind, is_v4, port);
    let other_family = |port| (v4 && v6).then(|| net::Listener::bind(bind, false, port));
    let first = match first {
        // An interface may have IPv6 alone.
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable && bind.is_specific() => {
            let only = other_family(port).unwrap_or(Err(error))?;
            let port = only.port();
            return Ok((vec![only], port));
        }
        first => first?,
    };
    let port = first.port();
    let mut listeners = vec![first];
    // A machine without IPv6 is not an error; a port that is in use there is.
    match other_family(port) {
        Some(Err(error)) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
        Some(Ok(listener)) => listeners.push(listener),
        _ => {}
    }
    Ok((listeners, port))
}

/// A listener for peers.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(net::Listener),
    Utp(Endpoint),
}

impl Listener {
    async fn accept(&self) -> io::Result<(PeerStream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, addr) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((stream.into(), addr))
            }
            Self::Utp(endpoint) => {
                let (mut stream, addr) = endpoint.accept().await;
                // Until its handshake is complete. Otherwise connections that were closed could use
                // up all that there may be.
                stream.set_linger(false);
                Ok((stream.into(), addr))
            }
        }
    }
}

/// Accepts connections while the program runs, and passes each to `welcome`, which performs its
/// handshake. `half_open` has a slot for each until then.
pub(super) async fn accept<F: Future<Output = ()> + 'static>(
    listener: Listener,
    half_open: Arc<HalfOpenPeers>,
    welcome: impl Fn(PeerStream, SocketAddr) -> F,
) {
    loop {
        match listener.accept().await {
            Ok((stream, addr)) => {
                let Some(slot) = half_open.admit(addr.ip()).map(Rc::new) else {
                    continue;
                };
                let (welcoming, held) = (welcome(stream, addr), Rc::clone(&slot));
                let task = spawn_local(async move {
                    welcoming.await;
                    drop(held);
                });
                slot.set_task(task.abort_handle());
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted; trying again in a second");
                sleep(PAUSE).await;
            }
        }
    }
}
