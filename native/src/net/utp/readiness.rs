//! The readiness of a uTP connection.

use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use aqueduct_core::utp::CloseReason;

pub(super) const READABLE: u8 = 1;
pub(super) const WRITABLE: u8 = 2;

/// The readiness of a connection. Only its owner waits for it, in one task at a time.
#[derive(Debug, Default)]
pub(super) struct Readiness {
    flags: AtomicU8,
    /// The task to wake when a flag is set.
    waiting: Mutex<Option<Waker>>,
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
        if let Some(waiting) = self.waiting().take() {
            waiting.wake();
        }
    }

    /// Clears flags after an attempt that had no result. Only while the endpoint is locked, so that
    /// no change is overwritten.
    pub(super) fn clear(&self, flags: u8) {
        self.flags.fetch_and(!flags, Ordering::AcqRel);
    }

    /// Waits until an operation of `wanted` may succeed.
    pub(super) async fn wait(&self, wanted: u8) -> u8 {
        poll_fn(|cx| self.poll(cx, wanted)).await
    }

    /// Ready with those operations of `wanted` that may succeed.
    pub(super) fn poll(&self, cx: &Context<'_>, wanted: u8) -> Poll<u8> {
        self.ready(wanted)
            .or_else(|| {
                let mut waiting = self.waiting();
                if !waiting
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(cx.waker()))
                {
                    *waiting = Some(cx.waker().clone());
                }
                drop(waiting);
                // A flag may have been set before the task was known.
                self.ready(wanted)
            })
            .map_or(Poll::Pending, Poll::Ready)
    }

    fn ready(&self, wanted: u8) -> Option<u8> {
        Some(self.flags.load(Ordering::Acquire) & wanted).filter(|ready| *ready != 0)
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
