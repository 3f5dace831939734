//! Permission to reach a host. How often it may be reached, and whose turn is next, is decided by
//! the [`Policy`](super::Policy).

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a request needs permission for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// An address.
    Addr(SocketAddr),
    /// A name to look up, and thereby the name servers behind it.
    Name(&'a str),
}

/// Permission for one request, which is under way until this is dropped.
pub trait Permit: Debug + Send {
    /// The host was connected to.
    fn reached(&mut self) {}

    /// The host could not be connected to, through its own fault.
    fn failed(&mut self) {}

    /// `_read` bytes were read. Returns whether more may be read.
    fn may_read_on(&mut self, _read: usize) -> bool {
        true
    }
}

/// Permission without limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unlimited;

impl Permit for Unlimited {}

/// Why a request is not permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Too many requests wait already; how long to wait.
    #[error("too many requests wait for it; it may be tried again in {} s", .0.as_secs())]
    Busy(Duration),
    /// The host could not be reached several times; how long to wait.
    #[error("it could not be reached several times and is not tried again for {} s", .0.as_secs())]
    Resting(Duration),
}

/// The answer to a request for permission.
pub type Admitted = Result<Box<dyn Permit>, Denied>;

/// Permission, or the wait for it.
pub enum Admission<'a> {
    /// The answer is known at once.
    Now(Admitted),
    /// The answer comes later. Dropping the future ends the wait; nothing happens before it is
    /// polled.
    Waits(Pin<Box<dyn Future<Output = Admitted> + Send + 'a>>),
}

impl Admission<'_> {
    /// Waits for the answer.
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

/// A connection that is read from only as far as its permit allows, and that counts as under way
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
