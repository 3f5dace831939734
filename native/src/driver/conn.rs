//! A peer's connection: received bytes become messages, and messages of the engine become bytes.

use std::io::{self, IoSlice};
use std::rc::Rc;

use aqueduct_core::CloseReason;
use aqueduct_core::connection::{Connection, Event};
use aqueduct_core::wire::Message;
use tokio::io::Interest;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::slab::{Buffer, Slabs};
use crate::dial::Peer;
use crate::transport::ByteStream;

/// The number of bytes read from one transport before the engine answers and others get a turn.
const TURN: usize = 256 * 1024;
/// The number of slices per write: 32 blocks with their heads.
const MAX_SLICES: usize = 64;

/// What a connection's task waits for.
#[derive(Debug)]
pub(super) struct Socket<S> {
    pub(super) stream: Rc<S>,
    /// Notified when the stream accepts no more bytes, so that the task also waits until it is
    /// writable.
    pub(super) blocked: Rc<Notify>,
}

impl<S> Clone for Socket<S> {
    fn clone(&self) -> Self {
        Self {
            stream: Rc::clone(&self.stream),
            blocked: Rc::clone(&self.blocked),
        }
    }
}

/// A connection after the handshake. Its task ends when it is dropped.
#[derive(Debug)]
pub(super) struct Conn<S> {
    socket: Socket<S>,
    connection: Connection,
    buffer: Buffer,
    is_blocked: bool,
    task: AbortHandle,
}

impl<S: ByteStream> Conn<S> {
    pub(super) fn new(peer: Peer<S>, start: impl FnOnce(Socket<S>) -> AbortHandle) -> Self {
        let socket = Socket {
            stream: Rc::new(peer.stream),
            blocked: Rc::default(),
        };
        let task = start(socket.clone());
        Self {
            socket,
            connection: peer.connection,
            buffer: Buffer::new(peer.rest),
            is_blocked: false,
            task,
        }
    }

    /// The transport.
    pub(super) fn stream(&self) -> &S {
        &self.socket.stream
    }

    /// What the stream must be ready for.
    pub(super) fn interest(&self) -> Interest {
        if self.is_blocked {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        }
    }

    /// Reads available bytes, at most one turn's worth, and passes each message to `take`. Returns
    /// whether there may be more.
    pub(super) fn read(
        &mut self,
        slabs: &mut Slabs,
        mut take: impl FnMut(Message),
    ) -> Result<bool, CloseReason> {
        let mut total = 0;
        while total < TURN {
            let missing = self.connection.missing(&self.buffer.bytes);
            self.buffer.make_room(missing, slabs);
            let count = match self.socket.stream.try_read(&mut self.buffer.bytes) {
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

    /// Passes on messages that are already in the buffer.
    pub(super) fn understand(&mut self, mut take: impl FnMut(Message)) -> Result<(), CloseReason> {
        while let Some(event) = self.connection.poll_event(&mut self.buffer.bytes)? {
            if let Event::Message(message) = event {
                take(message);
            }
        }
        Ok(())
    }

    /// Queues a message. Returns whether [`Conn::write`] must be called.
    pub(super) fn push(&mut self, message: &Message) -> bool {
        self.connection.send(message);
        !self.is_blocked
    }

    /// Records that the stream is writable again.
    pub(super) fn unblock(&mut self) {
        self.is_blocked = false;
    }

    /// Writes until the queue is empty or the stream accepts no more. Returns the number of bytes
    /// written.
    pub(super) fn write(&mut self) -> Result<u64, CloseReason> {
        let mut total = 0;
        while !self.connection.is_flushed() && !self.is_blocked {
            total += self.write_once()?;
        }
        Ok(total)
    }

    fn write_once(&mut self) -> Result<u64, CloseReason> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let count = self.connection.poll_transmit(&mut slices);
        let slices = slices.get(..count).unwrap_or_default();
        match self.socket.stream.try_write_vectored(slices) {
            Ok(written) => {
                self.connection.handle_written(written);
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

impl<S> Drop for Conn<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use aqueduct_core::Handshaken;
    use aqueduct_core::connection::{Line, Transport};
    use aqueduct_core::types::{InfoHashV1, PeerId};
    use aqueduct_core::wire::{Handshake, Reserved};
    use bytes::{Bytes, BytesMut};
    use tokio::io::Ready;

    use super::*;

    /// An in-memory transport of which every other write accepts five bytes, and the rest none.
    #[derive(Debug, Default)]
    struct Trickle {
        refuses: Cell<bool>,
        written: RefCell<Vec<u8>>,
        incoming: RefCell<BytesMut>,
    }

    impl ByteStream for Trickle {
        fn transport(&self) -> Transport {
            Transport::Pipe
        }

        fn try_read(&self, input: &mut BytesMut) -> io::Result<usize> {
            let incoming = self.incoming.borrow_mut().split();
            input.extend_from_slice(&incoming);
            match incoming.len() {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                count => Ok(count),
            }
        }

        fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            if !self.refuses.replace(!self.refuses.get()) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let all = slices.iter().flat_map(|slice| slice.iter());
            let before = self.written.borrow().len();
            self.written.borrow_mut().extend(all.take(5));
            Ok(self.written.borrow().len() - before)
        }

        fn ready(&self, _: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
            std::future::ready(Ok(Ready::ALL))
        }
    }

    fn conn() -> Conn<Trickle> {
        let theirs = Handshake {
            reserved: Reserved::OURS,
            info_hash: InfoHashV1([1; 20]),
            peer_id: PeerId([2; 20]),
        };
        let peer = Peer {
            stream: Trickle::default(),
            connection: Connection::established(),
            rest: BytesMut::from(&[0, 0][..]),
            handshake: Handshaken::new(theirs, Line::clear(Transport::Pipe)),
        };
        Conn::new(peer, |_| tokio::spawn(async {}).abort_handle())
    }

    #[tokio::test]
    async fn what_a_transport_does_not_take_stays_in_order_until_it_does() {
        let mut conn = conn();
        let block = Message::Piece {
            index: 1,
            begin: 2,
            data: Bytes::from_static(b"some data"),
        };
        let mut written = 0;
        assert!(conn.push(&Message::Unchoke));
        for message in [&block, &Message::Have(3)] {
            written += conn.write().unwrap();
            assert!(!conn.push(message));
        }
        while !conn.connection.is_flushed() {
            assert!(conn.is_blocked);
            conn.unblock();
            written += conn.write().unwrap();
        }
        let sent = conn.socket.stream.written.take();
        assert_eq!(written, sent.len() as u64);
        let mut sent = BytesMut::from(&sent[..]);
        assert_eq!(Message::decode(&mut sent), Ok(Some(Message::Unchoke)));
        assert_eq!(Message::decode(&mut sent), Ok(Some(block)));
        assert_eq!(Message::decode(&mut sent), Ok(Some(Message::Have(3))));
    }

    #[tokio::test]
    async fn a_message_that_began_behind_the_handshake_is_completed() {
        let (mut conn, mut slabs, mut heard) = (conn(), Slabs::default(), Vec::new());
        conn.socket.stream.incoming.borrow_mut().extend([0, 1, 2]);
        assert_eq!(
            conn.read(&mut slabs, |message| heard.push(message)),
            Ok(false)
        );
        assert_eq!(heard, [Message::Interested]);
    }
}
