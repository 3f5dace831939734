//! The socket below a tab's WebSocket. Long messages do not pass through the WebSocket library's
//! buffer; they are written from where they were packed.
//!
//! The library copies each message into a buffer and, when the socket takes a part of it, moves the
//! rest forward: at full speed that took a third of the bridge's time. A server's frame is a head
//! and the payload as it is (RFC 6455, 5.2: only clients mask), so it can be written from two
//! slices. The library still reads, answers pings and closes; what it writes waits until a frame of
//! ours is complete. What it reads passes [`Inflow`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::session::inflow::Inflow;
use crate::session::read_ahead::ReadAhead;

/// A final binary frame.
const BINARY: u8 = 0x82;

/// A socket, and the frame that is being written to it.
pub(crate) struct TabSocket<S> {
    socket: S,
    inflow: Inflow,
    ahead: ReadAhead,
    head: Bytes,
    payload: Bytes,
}

impl<S: AsyncWrite + Unpin> TabSocket<S> {
    pub(crate) fn new(socket: S, inflow: Inflow) -> Self {
        Self {
            socket,
            inflow,
            ahead: ReadAhead::default(),
            head: Bytes::new(),
            payload: Bytes::new(),
        }
    }

    pub(crate) const fn inflow(&mut self) -> &mut Inflow {
        &mut self.inflow
    }

    /// Bytes that the socket has not taken yet, and those that it gave and the library has not taken.
    pub(crate) fn held(&self) -> usize {
        self.payload.len() + self.ahead.held()
    }

    /// Starts a message. The previous one, and what the library was writing, must be complete.
    pub(crate) fn begin_message(&mut self, message: Bytes) {
        self.head = head(message.len());
        self.payload = message;
    }

    /// Continues writing; ready once the frame is complete.
    pub(crate) fn poll_complete(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.head.is_empty() || !self.payload.is_empty() {
            let slices = [IoSlice::new(&self.head), IoSlice::new(&self.payload)];
            let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, &slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_head = written.min(self.head.len());
            self.head.advance(of_head);
            self.payload.advance(written - of_head);
        }
        // The memory of a message can be used again once no slice of it is left.
        self.payload = Bytes::new();
        Poll::Ready(Ok(()))
    }
}

fn head(length: usize) -> Bytes {
    let (short, long) = (
        u8::try_from(length).ok().filter(|&short| short < 126),
        u16::try_from(length),
    );
    match (short, long) {
        (Some(short), _) => Bytes::copy_from_slice(&[BINARY, short]),
        (None, Ok(long)) => {
            Bytes::copy_from_slice(&[&[BINARY, 126][..], &long.to_be_bytes()].concat())
        }
        (None, Err(_)) => {
            Bytes::copy_from_slice(&[&[BINARY, 127][..], &(length as u64).to_be_bytes()].concat())
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TabSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self {
            socket,
            inflow,
            ahead,
            ..
        } = &mut *self;
        ready!(inflow.poll_ready(cx))?;
        let before = buf.filled().len();
        let read = ahead.poll_read(socket, cx, inflow.payload_left(), buf);
        match &read {
            Poll::Ready(_) => inflow.read(&buf.filled()[before..]),
            Poll::Pending => inflow.poll_due(cx),
        }
        read
    }
}

/// For the frames that the library writes itself.
impl<S: AsyncWrite + Unpin> AsyncWrite for TabSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_complete(cx))?;
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_complete(cx))?;
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_complete(cx))?;
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::limits::memory::Memory;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn heads_have_the_shortest_form_of_the_length() {
        assert_eq!(head(125)[..], [0x82, 125]);
        assert_eq!(head(126)[..], [0x82, 126, 0, 126]);
        assert_eq!(head(65_535)[..], [0x82, 126, 0xff, 0xff]);
        assert_eq!(head(65_536)[..], [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[tokio::test]
    async fn what_the_library_writes_waits_for_the_frame_that_was_begun() {
        let (near, mut far) = tokio::io::duplex(7);
        let mut socket = TabSocket::new(
            near,
            Inflow::new(&Limits::default(), Memory::new(0).add_session()),
        );
        socket.begin_message(Bytes::from_static(
            b"a message that the socket takes in parts",
        ));
        let writing = async {
            socket.write_all(b"pong").await.unwrap();
            socket.shutdown().await.unwrap();
        };
        let mut received = Vec::new();
        let (_, read) = tokio::join!(writing, far.read_to_end(&mut received));
        read.unwrap();
        assert_eq!(
            received,
            b"\x82\x28a message that the socket takes in partspong"
        );
    }
}
