//! A uTP connection for its owner.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};

use aqueduct_core::connection::Transport;
use aqueduct_core::utp::{ConnectionId, Read};
use bytes::{Bytes, BytesMut};
use tokio::io::{Interest, Ready};

use super::port::Port;
use super::readiness::{READABLE, Readiness, WRITABLE};
use crate::transport::ByteStream;

/// A uTP connection. Data written before it is dropped are still delivered, unless
/// [`UtpStream::set_linger`] says otherwise.
#[derive(Debug)]
pub struct UtpStream {
    port: Arc<Port>,
    id: ConnectionId,
    readiness: Arc<Readiness>,
    lingers: bool,
}

impl UtpStream {
    pub(super) fn new(port: Arc<Port>, id: ConnectionId, readiness: Arc<Readiness>) -> Self {
        Self {
            port,
            id,
            readiness,
            lingers: true,
        }
    }

    /// Sets whether written data are delivered after the stream was dropped, for which its state
    /// stays for up to half a minute. Otherwise dropping it resets the connection, and nothing
    /// stays: for remote sides that nothing is known of. Default: true.
    pub fn set_linger(&mut self, lingers: bool) {
        self.lingers = lingers;
    }

    /// The number of bytes that the connection holds: received and not read, and written and not
    /// acknowledged.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.port.lock().machine.buffered(self.id)
    }

    /// Received bytes, at most `limit`, which is not 0. Empty: the remote side sends no more.
    ///
    /// # Errors
    /// As for [`ByteStream::try_read`].
    pub fn try_take(&self, limit: usize) -> io::Result<Bytes> {
        self.port
            .turn(|machine| match machine.read(self.id, limit) {
                Ok(Read::Bytes(bytes)) => Ok(bytes),
                Ok(Read::End) => Ok(Bytes::new()),
                Ok(Read::Pending) => {
                    self.readiness.clear(READABLE);
                    Err(io::ErrorKind::WouldBlock.into())
                }
                Err(_) => Err(self.readiness.error()),
            })
    }

    /// Ready when reading may succeed. The waker of the last call, for reading or writing, is the
    /// one that is woken.
    pub fn poll_readable(&self, cx: &Context<'_>) -> Poll<()> {
        self.readiness.poll(cx, READABLE).map(|_| ())
    }

    /// Ready when writing may succeed; see [`UtpStream::poll_readable`].
    pub fn poll_writable(&self, cx: &Context<'_>) -> Poll<()> {
        self.readiness.poll(cx, WRITABLE).map(|_| ())
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

    fn confirm(&self) {
        self.port.turn(|machine| machine.confirm(self.id));
    }

    fn try_read(&self, input: &mut BytesMut) -> io::Result<usize> {
        let bytes = self.try_take(input.capacity() - input.len())?;
        input.extend_from_slice(&bytes);
        Ok(bytes.len())
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
        if self.lingers {
            self.port.forget(self.id);
        } else {
            self.port.abort(self.id);
        }
    }
}
