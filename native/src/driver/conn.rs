//! One peer's socket: what it sends becomes messages, what the engine sends becomes bytes.

use std::io::{self, IoSlice};
use std::rc::Rc;

use aqueduct_core::CloseReason;
use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::wire::Message;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::outbox::{MAX_SLICES, Outbox};
use super::slab::{Buffer, Slabs};
use crate::dial::Peer;

/// Read from one socket before the engine answers and others have their turn.
const TURN: usize = 256 * 1024;

/// What a connection's task waits on.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    pub(super) stream: Rc<TcpStream>,
    /// The socket took no more: wait for it to be writable, too.
    pub(super) blocked: Rc<Notify>,
}

/// A connection that is past the handshake. Its task ends when it is dropped.
#[derive(Debug)]
pub(super) struct Conn {
    socket: Socket,
    link: Connection,
    buffer: Buffer,
    outbox: Outbox,
    is_blocked: bool,
    task: AbortHandle,
}

impl Conn {
    pub(super) fn new(peer: Peer, start: impl FnOnce(Socket) -> AbortHandle) -> Self {
        let socket = Socket {
            stream: Rc::new(peer.stream),
            blocked: Rc::default(),
        };
        let task = start(socket.clone());
        Self {
            socket,
            link: peer.link,
            buffer: Buffer::new(peer.rest),
            outbox: Outbox::default(),
            is_blocked: false,
            task,
        }
    }

    /// What the socket must be ready for.
    pub(super) fn interest(&self) -> Interest {
        if self.is_blocked {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        }
    }

    /// Reads what is there, at most one turn's worth, and hands each message to `take`. Returns
    /// whether there may be more.
    pub(super) fn read(
        &mut self,
        slabs: &mut Slabs,
        mut take: impl FnMut(Message),
    ) -> Result<bool, CloseReason> {
        let mut total = 0;
        while total < TURN {
            self.buffer
                .make_room(self.link.wanted(&self.buffer.bytes), slabs);
            let count = match self.socket.stream.try_read_buf(&mut self.buffer.bytes) {
                Ok(0) => return Err(CloseReason::Remote),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(CloseReason::Unreachable(error.to_string())),
            };
            self.buffer.adapt(count, slabs);
            self.understand(&mut take)?;
            total += count;
        }
        Ok(true)
    }

    /// Hands on the messages that are in the buffer already.
    pub(super) fn understand(&mut self, mut take: impl FnMut(Message)) -> Result<(), CloseReason> {
        while let Some(received) = self.link.read(&mut self.buffer.bytes)? {
            if let Event::Message(message) = received {
                take(message);
            }
        }
        Ok(())
    }

    /// Queues a message; returns whether [`Conn::write`] is to be called.
    pub(super) fn push(&mut self, message: &Message) -> bool {
        self.outbox.push(message);
        !self.is_blocked
    }

    /// The socket is writable again.
    pub(super) fn unblock(&mut self) {
        self.is_blocked = false;
    }

    /// Writes until nothing waits or the socket takes no more; returns the bytes written.
    pub(super) fn write(&mut self) -> Result<u64, CloseReason> {
        self.outbox.seal();
        let mut total = 0;
        while !self.outbox.is_empty() && !self.is_blocked {
            total += self.write_once()?;
        }
        Ok(total)
    }

    fn write_once(&mut self) -> Result<u64, CloseReason> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = self.outbox.slices(&mut slices);
        match self
            .socket
            .stream
            .try_write_vectored(slices.get(..count).unwrap_or_default())
        {
            Ok(written) => {
                self.outbox.advance(written);
                Ok(written as u64)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.is_blocked = true;
                self.socket.blocked.notify_one();
                Ok(0)
            }
            Err(error) => Err(CloseReason::Unreachable(error.to_string())),
        }
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.task.abort();
    }
}
