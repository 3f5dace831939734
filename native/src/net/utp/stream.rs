//! A uTP connection for its owner.

use std::io::{self, IoSlice};
use std::sync::Arc;

use aqueduct_core::connection::Transport;
use aqueduct_core::utp::{ConnectionId, Read};
use bytes::BytesMut;
use tokio::io::{Interest, Ready};

use super::port::Port;
use super::readiness::{READABLE, Readiness, WRITABLE};
use crate::transport::ByteStream;

/// A uTP connection. Data written before it is dropped are still delivered.
#[derive(Debug)]
pub struct UtpStream {
    port: Arc<Port>,
    id: ConnectionId,
    readiness: Arc<Readiness>,
}

impl UtpStream {
    pub(super) fn new(port: Arc<Port>, id: ConnectionId, readiness: Arc<Readiness>) -> Self {
        Self {
            port,
            id,
            readiness,
        }
    }

    /// Its id in the state machine.
    #[cfg(test)]
    pub(super) const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Waits for the result of a dial.
    pub(super) async fn connected(self) -> io::Result<Self> {
        self.readiness.wait(WRITABLE).await;
        if self.readiness.is_closed() {
            return Err(self.readiness.error());
        }
        Ok(self)
    }
}

impl ByteStream for UtpStream {
    fn transport(&self) -> Transport {
        Transport::Utp
    }

    fn try_read(&self, input: &mut BytesMut) -> io::Result<usize> {
        let room = input.capacity() - input.len();
        self.port.turn(|machine| match machine.read(self.id, room) {
            Ok(Read::Bytes(bytes)) => {
                input.extend_from_slice(&bytes);
                Ok(bytes.len())
            }
            Ok(Read::End) => Ok(0),
            Ok(Read::Pending) => {
                self.readiness.clear(READABLE);
                Err(io::ErrorKind::WouldBlock.into())
            }
            Err(_) => Err(self.readiness.error()),
        })
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.port.turn(|machine| {
            let mut total = 0;
            for slice in slices {
                let Ok(taken) = machine.write(self.id, slice) else {
                    return Err(self.readiness.error());
                };
                total += taken;
                if taken < slice.len() {
                    self.readiness.clear(WRITABLE);
                    break;
                }
            }
            match total {
                0 if slices.iter().any(|slice| !slice.is_empty()) => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                total => Ok(total),
            }
        })
    }

    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        let mut wanted = 0;
        if interest.is_readable() {
            wanted |= READABLE;
        }
        if interest.is_writable() {
            wanted |= WRITABLE;
        }
        let flags = self.readiness.wait(wanted).await;
        let mut ready = Ready::EMPTY;
        if flags & READABLE != 0 {
            ready |= Ready::READABLE;
        }
        if flags & WRITABLE != 0 {
            ready |= Ready::WRITABLE;
        }
        Ok(ready)
    }
}

impl Drop for UtpStream {
    fn drop(&mut self) {
        self.port.forget(self.id);
    }
}
