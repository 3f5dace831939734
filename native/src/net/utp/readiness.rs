//! The readiness of a uTP connection.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use aqueduct_core::utp::CloseReason;
use tokio::sync::Notify;

pub(super) const READABLE: u8 = 1;
pub(super) const WRITABLE: u8 = 2;

/// The readiness of a connection. Only its owner waits for it.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    flags: AtomicU8,
    changed: Notify,
    closed: OnceLock<CloseReason>,
}

impl Readiness {
    /// Whether the connection has ended, or the dial failed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    /// The readiness of an open connection: reads and writes may succeed.
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
        // The first reason is kept.
        let _ = self.closed.set(reason);
        self.set(READABLE | WRITABLE);
    }

    fn set(&self, flags: u8) {
        self.flags.fetch_or(flags, Ordering::AcqRel);
        self.changed.notify_one();
    }

    /// Clears flags after an attempt that had no result. Only while the endpoint is locked, so that
    /// no change is overwritten.
    pub(super) fn clear(&self, flags: u8) {
        self.flags.fetch_and(!flags, Ordering::AcqRel);
    }

    /// Waits until an operation of `wanted` may succeed.
    pub(super) async fn wait(&self, wanted: u8) -> u8 {
        loop {
            let ready = self.flags.load(Ordering::Acquire) & wanted;
            if ready != 0 {
                return ready;
            }
            self.changed.notified().await;
        }
    }

    pub(super) fn error(&self) -> io::Error {
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
