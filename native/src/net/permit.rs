//! Leave to reach a place: how often that may be, and who is next, is the
//! [`Policy`](super::Policy)'s business.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// An address.
    Addr(SocketAddr),
    /// A name that is to be looked up, and the name servers behind it.
    Name(&'a str),
}

/// Leave for one request. It is under way for as long as this is kept.
pub trait Permit: Debug + Send {
    /// There is a connection.
    fn reached(&mut self) {}

    /// There is none, and that is the place's own fault.
    fn failed(&mut self) {}

    /// So many bytes were read. Returns whether more may be.
    fn may_read_on(&mut self, _read: usize) -> bool {
        true
    }
}

/// Leave that nobody counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unlimited;

impl Permit for Unlimited {}

/// Why there is no leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Too many wait already.
    #[error("too many requests wait for it; it may be tried again in {} s", .0.as_secs())]
    Busy(Duration),
    /// It could not be reached several times.
    #[error("it could not be reached several times and is left alone for {} s", .0.as_secs())]
    Resting(Duration),
}

/// The answer to a wish for leave.
pub type Admitted = Result<Box<dyn Permit>, Denied>;

/// Leave, or the wait for it.
pub enum Admission<'a> {
    /// Here it is, or why there will be none.
    Now(Admitted),
    /// Not now: this waits for it. Whoever drops it waits no more; nothing happens before it is
    /// polled.
    Waits(Pin<Box<dyn Future<Output = Admitted> + Send + 'a>>),
}

impl Admission<'_> {
    /// Waits.
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn granted(self) -> Admitted {
        match self {
            Self::Now(admitted) => admitted,
            Self::Waits(waiting) => waiting.await,
        }
    }
}

/// Whether a failure to connect is the remote's fault, and not ours or our network's.
#[must_use]
pub fn is_remote_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, TimedOut};
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | TimedOut
    )
}

/// A connection that is read from only as far as its permit goes, and that counts as under way
/// until it is dropped.
#[derive(Debug)]
pub(super) struct Metered<S> {
    stream: S,
    permit: Box<dyn Permit>,
    exhausted: bool,
}

impl<S> Metered<S> {
    pub(super) const fn new(stream: S, permit: Box<dyn Permit>) -> Self {
        Self {
            stream,
            permit,
            exhausted: false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.exhausted {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "it has sent as much as is read from one host for now",
            )));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let read = buf.filled().len() - before;
        self.exhausted = read > 0 && !self.permit.may_read_on(read);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
