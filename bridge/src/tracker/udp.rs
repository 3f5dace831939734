//! The tracker over UDP: one socket and task per processor on the same port, so that the kernel
//! distributes the work.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use aqueduct_core::tracker::udp::MAX_ANSWER;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::task::{JoinSet, yield_now};

use crate::tracker::service::TrackerService;

/// The maximum length of a datagram that is read: a scrape of 74 swarms has 1,496 bytes.
const LONGEST: usize = 1536;
/// The number of datagrams after which other tasks get a turn.
const TURN: usize = 64;
/// The size of the kernel's receive buffer per socket, for times at which the task is busy.
const RECEIVE_BUFFER: usize = 1 << 20;

/// Opens the sockets.
pub(crate) fn bind(addr: SocketAddr) -> io::Result<Vec<UdpSocket>> {
    let count = std::thread::available_parallelism().map_or(1, usize::from);
    (0..count).map(|_| open(addr, count > 1)).collect()
}

fn open(addr: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    // The system may grant less.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    UdpSocket::from_std(socket.into())
}

/// Answers datagrams until the task is dropped.
pub(crate) async fn serve(sockets: Vec<UdpSocket>, tracker: Arc<TrackerService>) {
    let mut tasks: JoinSet<()> = sockets
        .into_iter()
        .map(|socket| answer(socket, Arc::clone(&tracker)))
        .collect();
    while tasks.join_next().await.is_some() {}
}

async fn answer(socket: UdpSocket, tracker: Arc<TrackerService>) {
    let (mut datagram, mut answer) = ([0; LONGEST], Vec::with_capacity(MAX_ANSWER));
    loop {
        if socket.readable().await.is_err() {
            return;
        }
        for _ in 0..TURN {
            // The error belongs to an earlier answer, whose receiver is gone.
            let Ok((length, from)) = socket.try_recv_from(&mut datagram) else {
                break;
            };
            tracker.lock().answer_udp(
                tracker.now(),
                from,
                &datagram[..length],
                &|addr| tracker.admit(addr),
                &mut answer,
            );
            if !answer.is_empty() {
                // An answer that the kernel cannot accept now is lost, like any datagram; clients
                // repeat their requests.
                let _ = socket.try_send_to(&answer, from);
                tracker.metrics.tracker.requests_total.add(1);
            }
        }
        yield_now().await;
    }
}
