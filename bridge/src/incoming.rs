//! The peer port: whoever dials in names an info-hash and is handed to a tab that joined it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aqueduct_core::link::Link;
use aqueduct_core::types::{InfoHashV1, PeerId};
use aqueduct_core::wire::{Handshake, Reserved};
use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

use crate::bridge::Bridge;
use crate::dial::{Connected, DialError, read_handshake};

/// A peer that dialled in, handshake done.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) join: u32,
    pub(crate) addr: SocketAddr,
    pub(crate) connected: Connected,
}

/// Which tab is in which swarm.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    by_hash: BTreeMap<InfoHashV1, Vec<Seat>>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Seat {
    number: u64,
    join: u32,
    peer_id: PeerId,
    arrivals: mpsc::Sender<Arrival>,
}

/// A tab's place in a swarm; ends when dropped.
#[derive(Debug)]
pub(crate) struct Seated {
    registry: Arc<Registry>,
    info_hash: InfoHashV1,
    number: u64,
}

impl Registry {
    pub(crate) fn sit(self: &Arc<Self>, info_hash: InfoHashV1, peer_id: PeerId, join: u32, arrivals: mpsc::Sender<Arrival>) -> Seated {
        let mut seats = self.lock();
        let number = seats.next;
        seats.next += 1;
        seats.by_hash.entry(info_hash).or_default().push(Seat { number, join, peer_id, arrivals });
        Seated { registry: Arc::clone(self), info_hash, number }
    }

    /// The tabs of a swarm in turn, but never the one that dials itself.
    fn find(&self, theirs: &Handshake) -> Option<Seat> {
        let mut seats = self.lock();
        let swarm = seats.by_hash.get_mut(&theirs.info_hash)?;
        swarm.rotate_left(1);
        swarm.iter().find(|seat| seat.peer_id != theirs.peer_id && seat.arrivals.capacity() > 0).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut seats = self.registry.lock();
        if let Some(swarm) = seats.by_hash.get_mut(&self.info_hash) {
            swarm.retain(|seat| seat.number != self.number);
            if swarm.is_empty() {
                seats.by_hash.remove(&self.info_hash);
            }
        }
    }
}

/// Takes in peers until the task is dropped.
pub(crate) async fn listen(listener: TcpListener, bridge: Arc<Bridge>) {
    let half_open = Arc::new(Semaphore::new(bridge.config.limits.incoming_half_open));
    loop {
        let Ok(permit) = Arc::clone(&half_open).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, addr)) => {
                let bridge = Arc::clone(&bridge);
                tokio::spawn(async move {
                    welcome(socket, addr, &bridge).await;
                    drop(permit);
                });
            }
            // Descriptors have run out, or the remote has gone already: a pause keeps a lasting trouble from spinning.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn welcome(socket: TcpStream, addr: SocketAddr, bridge: &Bridge) {
    bridge.metrics.incoming_total.add(1);
    let limit = bridge.config.limits.handshake_timeout.0;
    let Ok(permit) = Arc::clone(&bridge.sockets).try_acquire_owned() else { return };
    if let Ok(Err(error)) = timeout(limit, seat(socket, addr, bridge, permit)).await {
        tracing::debug!(%error, "a peer that dialled in was turned away");
    }
}

async fn seat(mut socket: TcpStream, addr: SocketAddr, bridge: &Bridge, permit: OwnedSemaphorePermit) -> Result<(), DialError> {
    socket.set_nodelay(true)?;
    let mut link = Link::accepting();
    let mut leftover = BytesMut::with_capacity(4096);
    let theirs = read_handshake(&mut socket, &mut link, &mut leftover).await?;
    let Some(seat) = bridge.registry.find(&theirs) else { return Ok(()) };
    let ours = Handshake { reserved: Reserved::OURS, info_hash: theirs.info_hash, peer_id: seat.peer_id };
    socket.write_all(&link.answer(ours)).await?;
    let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
    let connected = Connected { socket, theirs, leftover, _permit: permit };
    // A tab whose arrivals are full has more peers than it can take.
    let _ = seat.arrivals.try_send(Arrival { join: seat.join, addr, connected });
    Ok(())
}
