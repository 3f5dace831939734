//! What carries the bytes of a peer connection.

use std::io::{self, IoSlice};
use std::net::IpAddr;

use aqueduct_core::connection::Transport;
use bytes::BytesMut;
use tokio::io::{Interest, Ready};
use tokio::net::TcpStream;

use crate::net::is_orphaned;
use crate::net::utp::UtpStream;

/// Two streams of bytes, one each way, that are read and written without waiting.
pub trait ByteStream {
    /// Which kind it is.
    fn transport(&self) -> Transport;

    /// The handshake is complete: the remote side may be given more memory than a stranger.
    fn confirm(&self) {}

    /// Appends what is there to the spare room of `input`, of which there must be some. 0: the
    /// remote sends no more.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if nothing is there, anything else if the stream is broken.
    fn try_read(&self, input: &mut BytesMut) -> io::Result<usize>;

    /// Writes from the front of the slices; returns how many bytes were taken.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if none are taken now, anything else if the stream is broken.
    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Waits until reading or writing is worth a try. Cancel-safe.
    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send;
}

impl ByteStream for TcpStream {
    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn try_read(&self, input: &mut BytesMut) -> io::Result<usize> {
        self.try_read_buf(input)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(slices)
    }

    fn ready(&self, interest: Interest) -> impl Future<Output = io::Result<Ready>> + Send {
        self.ready(interest)
    }
}

/// The transport of a connection of the terminal program.
#[derive(Debug)]
pub enum PeerStream {
    /// A TCP socket.
    Tcp(TcpStream),
    /// A uTP connection over our UDP port.
    Utp(UtpStream),
}

impl PeerStream {
    /// Whether its socket is bound to an interface or an address that is gone; `present`: those of
    /// all interfaces. The socket of uTP is opened again instead.
    pub(crate) fn is_orphaned(&self, present: &[IpAddr]) -> bool {
        match self {
            Self::Tcp(stream) => is_orphaned(stream, present),
            Self::Utp(_) => false,
        }
    }
}

impl From<TcpStream> for PeerStream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<UtpStream> for PeerStream {
    fn from(stream: UtpStream) -> Self {
        Self::Utp(stream)
    }
}

impl ByteStream for PeerStream {
    fn transport(&self) -> Transport {
        match self {
            Self::Tcp(stream) => stream.transport(),
            Self::Utp(stream) => stream.transport(),
        }
    }

    fn confirm(&self) {
        match self {
            Self::Tcp(stream) => stream.confirm(),
            Self::Utp(stream) => stream.confirm(),
        }
    }

    fn try_read(&self, input: &mut BytesMut) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => ByteStream::try_read(stream, input),
            Self::Utp(stream) => stream.try_read(input),
        }
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(slices),
            Self::Utp(stream) => stream.try_write_vectored(slices),
        }
    }

    async fn ready(&self, interest: Interest) -> io::Result<Ready> {
        match self {
            Self::Tcp(stream) => stream.ready(interest).await,
            Self::Utp(stream) => stream.ready(interest).await,
        }
    }
}
