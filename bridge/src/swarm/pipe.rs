//! The transport of a stream outside its session: a socket or a uTP connection to a peer, or memory
//! shared with another tab's session.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use aqueduct_native::net::utp::UtpStream;
use aqueduct_native::transport::{ByteStream as _, PeerStream};
use bytes::BufMut;
use tokio::io::{AsyncReadExt, AsyncWrite, DuplexStream, duplex};
use tokio::net::TcpStream;

/// The number of bytes per direction that one tab may have written and the other has not read. The
/// writer gets no credit for more, so that neither can fill the bridge's memory.
const CAPACITY: usize = 64 * 1024;

/// One end of a connection with a complete handshake.
#[derive(Debug)]
pub(crate) enum Pipe {
    /// To a peer on the network.
    Socket(TcpStream),
    /// The same over uTP.
    Utp(UtpStream),
    /// To another tab of this bridge.
    Inside(DuplexStream),
}

impl From<PeerStream> for Pipe {
    fn from(stream: PeerStream) -> Self {
        match stream {
            PeerStream::Tcp(socket) => Self::Socket(socket),
            PeerStream::Utp(stream) => Self::Utp(stream),
        }
    }
}

impl Pipe {
    /// Both ends of a connection between two tabs.
    pub(crate) fn pair() -> (Self, Self) {
        let (one, other) = duplex(CAPACITY);
        (Self::Inside(one), Self::Inside(other))
    }

    /// The number of bytes in both directions that the bridge holds for it.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Utp(stream) => stream.buffered(),
            // A socket's are held by the system, and those between tabs have a small bound.
            Self::Socket(_) | Self::Inside(_) => 0,
        }
    }

    /// Ready when reading may succeed.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Socket(socket) => socket.poll_read_ready(cx),
            Self::Utp(stream) => stream.poll_readable(cx).map(Ok),
            Self::Inside(_) => Poll::Ready(Ok(())),
        }
    }

    /// Appends available bytes to the buffer; 0 bytes: the other side has finished.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        out: &mut impl BufMut,
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Socket(socket) => pin!(socket.read_buf(out)).poll(cx),
            Self::Utp(stream) => read_utp(stream, cx, out),
            Self::Inside(memory) => pin!(memory.read_buf(out)).poll(cx),
        }
    }

    /// Ready when something can be written.
    pub(crate) fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Socket(socket) => socket.poll_write_ready(cx),
            Self::Utp(stream) => stream.poll_writable(cx).map(Ok),
            Self::Inside(_) => Poll::Ready(Ok(())),
        }
    }

    /// Writes from the front of the slices.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Socket(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Self::Utp(stream) => write_utp(stream, cx, slices),
            Self::Inside(memory) => Pin::new(memory).poll_write_vectored(cx, slices),
        }
    }
}

fn read_utp(
    stream: &UtpStream,
    cx: &Context<'_>,
    out: &mut impl BufMut,
) -> Poll<io::Result<usize>> {
    loop {
        match stream.try_take(out.remaining_mut()) {
            Ok(bytes) => {
                let length = bytes.len();
                out.put(bytes);
                return Poll::Ready(Ok(length));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(stream.poll_readable(cx));
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

fn write_utp(
    stream: &UtpStream,
    cx: &Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    loop {
        match stream.try_write_vectored(slices) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(stream.poll_writable(cx));
            }
            written => return Poll::Ready(written),
        }
    }
}
