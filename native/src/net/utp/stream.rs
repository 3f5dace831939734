//! One connection as its owner sees it.

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use aqueduct_core::connection::Transport;
use aqueduct_core::utp::{CloseReason, ConnectionId, Read};
use bytes::BytesMut;
use tokio::io::{Interest, Ready};
use tokio::sync::Notify;

use super::endpoint::Endpoint;
use crate::transport::ByteStream;

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;

/// What a connection is ready for. Its owner is the only one who waits.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    flags: AtomicU8,
    changed: Notify,
    closed: OnceLock<CloseReason>,
}

impl Readiness {
    /// Of a connection that is open: both are worth a try.
    pub(super) fn open() -> Self {
        Self {
            flags: AtomicU8::new(READABLE | WRITABLE),
            ..Self::default()
        }
    }

    pub(super) fn set_connected(&self) {
        self.set(READABLE | WRITABLE);
    }

    pub(super) fn set_readable(&self) {
        self.set(READABLE);
    }

    pub(super) fn set_writable(&self) {
        self.set(WRITABLE);
    }

    pub(super) fn set_closed(&self, reason: CloseReason) {
        // The first reason stands.
        let _ = self.closed.set(reason);
        self.set(READABLE | WRITABLE);
    }

    fn set(&self, flags: u8) {
        self.flags.fetch_or(flags, Ordering::AcqRel);
        self.changed.notify_one();
    }

    /// A try found nothing. Only while the endpoint is locked, so that no news is overwritten.
    fn clear(&self, flags: u8) {
        self.flags.fetch_and(!flags, Ordering::AcqRel);
    }

    /// Waits until something of `wanted` is worth a try.
    async fn wait(&self, wanted: u8) -> u8 {
        loop {
            let ready = self.flags.load(Ordering::Acquire) & wanted;
            if ready != 0 {
                return ready;
            }
            self.changed.notified().await;
        }
    }

    fn error(&self) -> io::Error {
        let reason = self.closed.get().copied();
        let reason = reason.unwrap_or(CloseReason::Reset);
        let kind = match reason {
            CloseReason::Refused => io::ErrorKind::ConnectionRefused,
            CloseReason::Reset => io::ErrorKind::ConnectionReset,
            CloseReason::TimedOut => io::ErrorKind::TimedOut,
            CloseReason::Unreachable => io::ErrorKind::NetworkUnreachable,
        };
        io::Error::new(kind, reason)
    }
}

/// A connection over uTP. Dropped, it still delivers what was written.
#[derive(Debug)]
pub struct UtpStream {
    endpoint: Endpoint,
    id: ConnectionId,
    readiness: Arc<Readiness>,
}

impl UtpStream {
    pub(super) const fn new(
        endpoint: Endpoint,
        id: ConnectionId,
        readiness: Arc<Readiness>,
    ) -> Self {
        Self {
            endpoint,
            id,
            readiness,
        }
    }

    /// The machine's name for it.
    #[cfg(test)]
    pub(super) const fn id(&self) -> ConnectionId {
        self.id
    }

    /// Waits for the end of a dial.
    pub(super) async fn connected(self) -> io::Result<Self> {
        self.readiness.wait(WRITABLE).await;
        if self.readiness.closed.get().is_some() {
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
        self.endpoint
            .turn(|machine| match machine.read(self.id, room) {
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
        self.endpoint.turn(|machine| {
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
        self.endpoint.forget(self.id);
    }
}
