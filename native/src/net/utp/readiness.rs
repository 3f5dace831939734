//! What a uTP connection is ready for.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use aqueduct_core::utp::CloseReason;
use tokio::sync::Notify;

pub(super) const READABLE: u8 = 1;
pub(super) const WRITABLE: u8 = 2;

/// What a connection is ready for. Its owner is the only one who waits.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    flags: AtomicU8,
    changed: Notify,
    closed: OnceLock<CloseReason>,
}

impl Readiness {
    /// Whether the connection is over, or the dial failed.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

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
    pub(super) fn clear(&self, flags: u8) {
        self.flags.fetch_and(!flags, Ordering::AcqRel);
    }

    /// Waits until something of `wanted` is worth a try.
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
